//! Profile bindings: pods get the profiles that the bindings of their namespace name.
//!
//! A binding replaces what a pod says about itself: a workload must not be able to opt out by presetting another profile. A pod that
//! exists is left alone, since its security context cannot be changed any more; but an ephemeral container is confined when it is
//! added. Who uses a binding is not written down here: whoever watches pods sees that.

use std::collections::HashSet;
use std::time::Duration;

use json_patch::Patch;
use kube::core::SelectorExt;
use spo_api::ProfileState;
use spo_api::daemon::v1::MissingProfile;

use super::confinement::{Confinement, Module, container_says, pod_says};
use super::decision::{Decision, patience};
use super::edit::Edit;
use super::observed::{Binding, Observed};
use super::pod::{Container, List, Place, Pod};
use super::review::{NoObject, Operation, Request};

/// The image that stands for every image.
const ANY_IMAGE: &str = "*";

/// What to do with a pod. `now` is the time that `observed` goes by.
pub(crate) fn decide(request: &Request<'_>, observed: &Observed, now: Duration) -> Decision {
    let whole = request.operation == Operation::Create && request.sub_resource.is_empty();
    let debugging = request.operation == Operation::Update && request.sub_resource == "ephemeralcontainers";
    if !whole && !debugging {
        return Decision::allowed();
    }
    let pod = match Pod::of(request) {
        Ok(pod) => pod,
        Err(error) => return Decision::unreadable(error),
    };
    if pod.is_for_windows() {
        return Decision::allowed();
    }
    let containers = if whole { Ok(pod.containers().collect()) } else { added(request, &pod) };
    match containers {
        Ok(containers) => bind(&Subject { pod: &pod, containers, whole }, observed, &request.namespace, now),
        Err(error) => Decision::unreadable(error),
    }
}

/// The ephemeral containers that the request adds.
fn added<'a>(request: &Request<'_>, pod: &'a Pod) -> Result<Containers<'a>, NoObject> {
    let old: Pod = request.old_object()?;
    let known: HashSet<&str> = old.list(List::Ephemeral).map(|(_, container)| container.name.as_str()).collect();
    Ok(pod.list(List::Ephemeral).filter(|(_, container)| !known.contains(container.name.as_str())).collect())
}

type Containers<'a> = Vec<(Place, &'a Container)>;

/// What is to be confined.
struct Subject<'a> {
    pod: &'a Pod,
    containers: Containers<'a>,
    /// Whether the pod itself can be changed, too.
    whole: bool,
}

fn bind(subject: &Subject<'_>, observed: &Observed, namespace: &str, now: Duration) -> Decision {
    let found = find(subject, observed, namespace, now);
    let mut decision = match found.refusal {
        Some((code, message)) => Decision::refused(code, message),
        None => {
            let (patch, warnings) = confine(subject, &found.usable);
            Decision { warnings, ..Decision::patched(patch) }
        }
    };
    decision.warnings.splice(0..0, found.warnings);
    decision.patience = found.patience;
    decision
}

/// A binding that takes effect.
struct Usable<'a> {
    name: &'a str,
    image: &'a str,
    confinement: Confinement,
}

/// What the bindings of a namespace come to for one pod.
#[derive(Default)]
struct Found<'a> {
    usable: Vec<Usable<'a>>,
    warnings: Vec<String>,
    refusal: Option<(u16, String)>,
    patience: Duration,
}

fn find<'a>(subject: &Subject<'_>, observed: &'a Observed, namespace: &'a str, now: Duration) -> Found<'a> {
    let mut found = Found::default();
    for (name, binding) in observed.bindings(namespace).filter(|(_, binding)| subject.has_image(&binding.image)) {
        match &binding.pods {
            None => found.warnings.push(format!("ProfileBinding {name} is passed over: its podSelector is not valid")),
            Some(pods) if pods.matches(&subject.pod.metadata.labels) => found.look_up(name, binding, observed, now),
            Some(_others) => {}
        }
    }
    found
}

impl Subject<'_> {
    fn has_image(&self, image: &str) -> bool {
        image == ANY_IMAGE || self.containers.iter().any(|(_, container)| container.image == image)
    }
}

impl<'a> Found<'a> {
    fn look_up(&mut self, name: &'a str, binding: &'a Binding, observed: &Observed, now: Duration) {
        let key = match &binding.profile {
            Ok(key) => key,
            Err(text) => return self.missing(name, text, observed),
        };
        let Some(profile) = observed.profile(key) else {
            self.patience = self.patience.max(patience(binding.since, now));
            return self.missing(name, &format!("{} {}", key.kind, key.name), observed);
        };
        let Some(state) = profile.state else {
            self.patience = self.patience.max(patience(binding.since.max(profile.since), now));
            let message = format!(
                "ProfileBinding {name} names {} {}, which no node has reported on yet: try again, and if that stays so, see \
                 whether the operator and its daemon run",
                key.kind, key.name
            );
            self.refusal.get_or_insert((500, message));
            return;
        };
        if state != ProfileState::Installed {
            let what = format!("{} {} of ProfileBinding {name} is {state}", key.kind, key.name);
            self.warnings.push(format!("{what}: containers start when it is Installed"));
        }
        self.usable.push(Usable { name, image: &binding.image, confinement: Confinement::by(key) });
    }

    fn missing(&mut self, name: &str, profile: &str, observed: &Observed) {
        let what = format!("there is no {profile}");
        match observed.configuration().missing_profile {
            MissingProfile::Skip => self.warnings.push(format!("ProfileBinding {name} is passed over: {what}")),
            MissingProfile::Refuse => {
                self.refusal.get_or_insert((403, format!("ProfileBinding {name} confines this pod, and {what}")));
            }
        }
    }
}

/// The patch by which the bindings take effect. Of several for one image and module, the last by name does.
fn confine(subject: &Subject<'_>, usable: &[Usable<'_>]) -> (Patch, Vec<String>) {
    let mut edit = Edit::of(subject.pod);
    let mut warnings = passed_over(usable);
    for module in Module::ALL {
        let last = |image: &str| usable.iter().rfind(|b| b.confinement.module() == module && b.image == image);
        let any = last(ANY_IMAGE);
        let covered = any.is_some_and(|any| cover(subject, &any.confinement, &mut edit));
        for (place, container) in &subject.containers {
            let says = container_says(subject.pod, container, module);
            let Some(binding) = last(&container.image).or(any) else { continue };
            if module == Module::Seccomp && container.is_privileged() {
                let (container, name) = (&container.name, binding.name);
                warnings.push(format!(
                    "container {container} is privileged: runtimes ignore the profile of ProfileBinding {name}"
                ));
            }
            if covered && !says && binding.image == ANY_IMAGE {
                continue; // it takes what its pod has
            }
            if binding.confinement.is_of(subject.pod, container) {
                continue;
            }
            if says {
                let (container, field) = (&container.name, module.field());
                warnings.push(format!("ProfileBinding {} replaces the {field} of container {container}", binding.name));
            }
            binding.confinement.write(&mut edit, subject.pod, *place, container);
        }
    }
    (edit.patch(), warnings)
}

/// Confines the pod as a whole, where it says nothing itself. Says whether containers that say nothing are confined by that.
fn cover(subject: &Subject<'_>, any: &Confinement, edit: &mut Edit<'_>) -> bool {
    if any.is_of_pod(subject.pod) {
        return true;
    }
    let covers = subject.whole && !pod_says(subject.pod, any.module());
    if covers {
        any.write_to_pod(edit, subject.pod);
    }
    covers
}

fn passed_over(usable: &[Usable<'_>]) -> Vec<String> {
    let later = |index: usize| {
        let of: &Usable<'_> = &usable[index];
        let same = |b: &&Usable<'_>| b.image == of.image && b.confinement.module() == of.confinement.module();
        let later = usable[index + 1..].iter().rfind(same)?;
        let (field, image) = (of.confinement.module().field(), of.image);
        Some(format!(
            "ProfileBinding {} is passed over: {} sets the {field} of image {image}, too",
            of.name, later.name
        ))
    };
    (0..usable.len()).filter_map(later).collect()
}

#[cfg(test)]
mod tests;
