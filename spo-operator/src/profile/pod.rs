//! What a pod says of the profiles that confine it, and how little of it is kept.

use std::collections::BTreeMap;

use serde::Deserialize;
use spo_api::{ProfileKey, ProfileKind, ProfileName, seccomp};

use crate::watch::Slim;

/// A pod, as far as it is looked at.
pub(crate) type Pod = Slim<Spec, Status, true>;

const LOCALHOST: &str = "Localhost";
/// The folder of seccomp profiles, below the kubelet's.
const FOLDER: &str = "operator/";
/// What files of seccomp profiles end with.
const JSON: &str = ".json";
/// What SELinux types of profiles end with.
const PROCESS: &str = ".process";
/// How a pod's seccomp profile was written before it had a field.
const SECCOMP_OF_POD: &str = "seccomp.security.alpha.kubernetes.io/pod";
/// The same of a container, its name at the end.
const SECCOMP_OF_CONTAINER: &str = "container.seccomp.security.alpha.kubernetes.io/";
/// How a container's AppArmor profile was written before it had a field, its name at the end.
const APPARMOR_OF_CONTAINER: &str = "container.apparmor.security.beta.kubernetes.io/";

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Spec {
    security_context: Option<SecurityContext>,
    containers: Option<Vec<Container>>,
    init_containers: Option<Vec<Container>>,
    ephemeral_containers: Option<Vec<Container>>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Status {
    phase: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Container {
    name: String,
    image: Option<String>,
    security_context: Option<SecurityContext>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct SecurityContext {
    seccomp_profile: Option<Localhost>,
    se_linux_options: Option<SelinuxOptions>,
    app_armor_profile: Option<Localhost>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Localhost {
    r#type: String,
    localhost_profile: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct SelinuxOptions {
    r#type: Option<String>,
}

/// The modules of the kernel, each of which a pod names profiles of in its own way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Module {
    Seccomp,
    Selinux,
    AppArmor,
}

impl Module {
    const ALL: [Self; 3] = [Self::Seccomp, Self::Selinux, Self::AppArmor];
}

/// What a pod names a profile by. Two profiles that would share it, as both kinds of SELinux do under one name, are used together.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Used {
    module: Module,
    name: ProfileName,
}

impl Used {
    /// What a pod names the profile by.
    pub(crate) fn of(key: &ProfileKey) -> Self {
        let (module, name) = match key.kind {
            ProfileKind::Seccomp => (Module::Seccomp, stem(&seccomp::file_name(&key.name))),
            ProfileKind::Selinux | ProfileKind::RawSelinux => (Module::Selinux, None),
            ProfileKind::AppArmor => (Module::AppArmor, None),
        };
        Self { module, name: name.unwrap_or_else(|| key.name.clone()) }
    }

    /// The profiles that may be meant, whether they exist or not.
    pub(crate) fn profiles(&self) -> Vec<ProfileKey> {
        let key = |kind| ProfileKey { kind, name: self.name.clone() };
        match self.module {
            Module::Seccomp => {
                let with_suffix = format!("{}{JSON}", self.name).parse().ok();
                let whole = with_suffix.map(|name| ProfileKey { kind: ProfileKind::Seccomp, name });
                [Some(key(ProfileKind::Seccomp)), whole]
                    .into_iter()
                    .flatten()
                    .filter(|key| Self::of(key) == *self)
                    .collect()
            }
            Module::Selinux => vec![key(ProfileKind::Selinux), key(ProfileKind::RawSelinux)],
            Module::AppArmor => vec![key(ProfileKind::AppArmor)],
        }
    }

    /// A profile of the kubelet's folder, if it lies directly in ours.
    fn seccomp(path: &str) -> Option<Self> {
        let name = stem(path.strip_prefix(FOLDER)?)?;
        Some(Self { module: Module::Seccomp, name })
    }

    fn apparmor(name: &str) -> Option<Self> {
        Some(Self { module: Module::AppArmor, name: name.parse().ok()? })
    }

    fn selinux(usage: &str) -> Option<Self> {
        Some(Self { module: Module::Selinux, name: usage.strip_suffix(PROCESS)?.parse().ok()? })
    }
}

/// The name before `.json`; `None` if there is no such end, or what is before it is no name.
fn stem(file_name: &str) -> Option<ProfileName> {
    file_name.strip_suffix(JSON)?.parse().ok()
}

/// Something says how it is confined by a module.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Said {
    Nothing,
    /// By a profile that cannot be one of ours.
    Other,
    Profile(Used),
}

impl Said {
    fn of(used: Option<Used>) -> Self {
        used.map_or(Self::Other, Self::Profile)
    }

    fn or(self, other: impl FnOnce() -> Self) -> Self {
        if self == Self::Nothing { other() } else { self }
    }
}

impl Localhost {
    fn said(&self, read: impl FnOnce(&str) -> Option<Used>) -> Said {
        let path = self.localhost_profile.as_deref().filter(|_| self.r#type == LOCALHOST);
        Said::of(path.and_then(read))
    }
}

impl SecurityContext {
    fn says(&self, module: Module) -> Said {
        let said = match module {
            Module::Seccomp => self.seccomp_profile.as_ref().map(|profile| profile.said(Used::seccomp)),
            Module::AppArmor => self.app_armor_profile.as_ref().map(|profile| profile.said(Used::apparmor)),
            Module::Selinux => {
                let options = self.se_linux_options.as_ref();
                options.map(|options| Said::of(options.r#type.as_deref().and_then(Used::selinux)))
            }
        };
        said.unwrap_or(Said::Nothing)
    }
}

/// What is kept of pods that name profiles which may be ours. Replicas of one workload share it.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Shape {
    pub(crate) labels: BTreeMap<String, String>,
    /// Everything that is named, anywhere in the pod; sorted.
    pub(crate) uses: Box<[Used]>,
    /// The image of each container, and what confines it.
    containers: Box<[Confined]>,
}

/// The image of a container, and what confines it.
type Confined = (Box<str>, Box<[Used]>);

impl Shape {
    /// Whether a container of this image, or any if there is none, is confined by the profile.
    pub(crate) fn confines(&self, image: Option<&str>, used: &Used) -> bool {
        let is_of = |of: &str| image.is_none_or(|image| image == of);
        self.containers.iter().any(|(of, by)| is_of(of) && by.contains(used))
    }
}

/// What a pod is called, and what is kept of it: nothing, if it names no profile that may be ours, or has ended.
pub(crate) fn read(pod: &Pod) -> (String, Option<Shape>) {
    let meta = &pod.metadata;
    let id = format!("{}/{}", meta.namespace.as_deref().unwrap_or_default(), meta.name.as_deref().unwrap_or_default());
    let ended = matches!(pod.status.phase.as_deref(), Some("Succeeded" | "Failed"));
    (id, if ended { None } else { shape(pod) })
}

fn shape(pod: &Pod) -> Option<Shape> {
    let lists = [&pod.spec.containers, &pod.spec.init_containers, &pod.spec.ephemeral_containers];
    let all: Vec<&Container> = lists.into_iter().flatten().flatten().collect();
    let mut uses: Vec<Used> = Module::ALL.into_iter().filter_map(|module| profile(pod_says(pod, module))).collect();
    uses.extend(all.iter().flat_map(|container| confined_by(pod, container)));
    uses.sort_unstable();
    uses.dedup();
    if uses.is_empty() {
        return None;
    }
    let containers = all.iter().map(|container| {
        (container.image.as_deref().unwrap_or_default().into(), confined_by(pod, container).into_boxed_slice())
    });
    Some(Shape {
        labels: pod.metadata.labels.clone().unwrap_or_default(),
        containers: containers.collect(),
        uses: uses.into_boxed_slice(),
    })
}

/// What confines a container: what it says itself, else what its pod says.
fn confined_by(pod: &Pod, container: &Container) -> Vec<Used> {
    let said = |module| container_says(pod, container, module).or(|| pod_says(pod, module));
    Module::ALL.into_iter().filter_map(|module| profile(said(module))).collect()
}

fn profile(said: Said) -> Option<Used> {
    if let Said::Profile(used) = said { Some(used) } else { None }
}

fn pod_says(pod: &Pod, module: Module) -> Said {
    let field = pod.spec.security_context.as_ref().map_or(Said::Nothing, |context| context.says(module));
    field.or(|| match module {
        Module::Seccomp => annotation(pod, SECCOMP_OF_POD, Used::seccomp),
        Module::Selinux | Module::AppArmor => Said::Nothing,
    })
}

fn container_says(pod: &Pod, container: &Container, module: Module) -> Said {
    let field = container.security_context.as_ref().map_or(Said::Nothing, |context| context.says(module));
    field.or(|| match module {
        Module::Seccomp => annotation(pod, &format!("{SECCOMP_OF_CONTAINER}{}", container.name), Used::seccomp),
        Module::AppArmor => annotation(pod, &format!("{APPARMOR_OF_CONTAINER}{}", container.name), Used::apparmor),
        Module::Selinux => Said::Nothing,
    })
}

fn annotation(pod: &Pod, key: &str, read: impl FnOnce(&str) -> Option<Used>) -> Said {
    let text = pod.metadata.annotations.as_ref().and_then(|annotations| annotations.get(key));
    text.map_or(Said::Nothing, |text| Said::of(text.strip_prefix("localhost/").and_then(read)))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    fn pod(annotations: Value, spec: Value) -> Pod {
        let metadata = json!({"namespace": "web", "name": "a", "annotations": annotations, "labels": {"app": "web"}});
        serde_json::from_value(json!({"metadata": metadata, "spec": spec, "status": {"phase": "Running"}})).unwrap()
    }

    fn uses(annotations: Value, spec: Value) -> Vec<String> {
        let shape = read(&pod(annotations, spec)).1;
        let uses = shape.iter().flat_map(|shape| shape.uses.iter()).flat_map(Used::profiles);
        uses.map(|key| key.to_string()).collect()
    }

    fn localhost(path: &str) -> Value {
        json!({"seccompProfile": {"type": "Localhost", "localhostProfile": path}})
    }

    /// A pod with one container and an init container, which say this.
    fn spec(pod: Value, container: Value, init: Value) -> Value {
        json!({
            "securityContext": pod,
            "containers": [{"name": "main", "image": "nginx", "securityContext": container}],
            "initContainers": [{"name": "init", "image": "busybox", "securityContext": init}],
        })
    }

    #[rstest]
    #[case::pod(json!(null), spec(localhost("operator/web.json"), json!(null), json!(null)))]
    #[case::container(json!(null), spec(json!(null), localhost("operator/web.json"), json!(null)))]
    #[case::init_container(json!(null), spec(json!({}), json!({}), localhost("operator/web.json")))]
    #[case::ephemeral_container(json!(null), json!({"ephemeralContainers": [{"name": "e", "securityContext": localhost("operator/web.json")}]}))]
    #[case::annotation(json!({"seccomp.security.alpha.kubernetes.io/pod": "localhost/operator/web.json"}), spec(json!(null), json!(null), json!(null)))]
    #[case::annotation_of_a_container(json!({"container.seccomp.security.alpha.kubernetes.io/main": "localhost/operator/web.json"}), spec(json!(null), json!(null), json!(null)))]
    fn w_op_28_a_seccomp_profile_is_used_wherever_a_pod_names_it(#[case] annotations: Value, #[case] spec: Value) {
        assert_eq!(uses(annotations, spec), ["SeccompProfile/web", "SeccompProfile/web.json"]);
    }

    #[rstest]
    #[case::field(json!(null), json!({"appArmorProfile": {"type": "Localhost", "localhostProfile": "web"}}), &["AppArmorProfile/web"])]
    #[case::annotation(json!({"container.apparmor.security.beta.kubernetes.io/main": "localhost/web"}), json!(null), &["AppArmorProfile/web"])]
    #[case::runtime_default(json!({"container.apparmor.security.beta.kubernetes.io/main": "runtime/default"}), json!(null), &[])]
    #[case::selinux(json!(null), json!({"seLinuxOptions": {"type": "web.process"}}), &["SelinuxProfile/web", "RawSelinuxProfile/web"])]
    #[case::selinux_of_the_host(json!(null), json!({"seLinuxOptions": {"type": "container_t", "level": "s0"}}), &[])]
    fn w_op_28_apparmor_and_selinux_profiles_are_used_too(
        #[case] annotations: Value,
        #[case] context: Value,
        #[case] expected: &[&str],
    ) {
        assert_eq!(uses(annotations, spec(json!(null), context, json!(null))), expected);
    }

    #[rstest]
    #[case::elsewhere("web.json")]
    #[case::deeper("operator/web/web.json")]
    #[case::not_json("operator/web")]
    #[case::no_name("operator/../web.json")]
    fn files_that_are_not_ours_are_nobodys_use(#[case] path: &str) {
        assert_eq!(uses(json!(null), spec(localhost(path), json!(null), json!(null))), [""; 0]);
    }

    #[test]
    fn a_path_counts_only_where_the_type_is_localhost() {
        let unconfined = json!({"seccompProfile": {"type": "Unconfined", "localhostProfile": "operator/web.json"}});
        assert_eq!(uses(json!(null), spec(unconfined, json!(null), json!(null))), [""; 0]);
    }

    #[rstest]
    #[case("Running", true)]
    #[case("Pending", true)]
    #[case("Succeeded", false)]
    #[case("Failed", false)]
    fn w_op_28_a_pod_that_has_ended_uses_nothing(#[case] phase: &str, #[case] counts: bool) {
        let mut pod = pod(json!(null), spec(localhost("operator/web.json"), json!(null), json!(null)));
        pod.status.phase = Some(phase.to_owned());
        assert_eq!(read(&pod).1.is_some(), counts);
    }

    #[test]
    fn a_container_is_confined_by_what_it_says_itself_before_what_its_pod_says() {
        let unconfined = json!({"seccompProfile": {"type": "Unconfined"}});
        let (id, shape) = read(&pod(json!(null), spec(localhost("operator/web.json"), unconfined, json!(null))));
        let (shape, web) =
            (shape.unwrap(), Used::of(&ProfileKey { kind: ProfileKind::Seccomp, name: "web".parse().unwrap() }));
        assert_eq!(id, "web/a");
        assert!(!shape.confines(Some("nginx"), &web));
        assert!(shape.confines(Some("busybox"), &web) && shape.confines(None, &web));
    }
}
