//! How a container is confined by one module of the kernel: reading it from a pod, and writing it.
//!
//! A container's own security context counts before the pod's, member by member: a member that the container has replaces the
//! pod's whole.

use k8s_openapi::api::core::v1::{AppArmorProfile, SELinuxOptions, SeccompProfile};
use serde_json::{Value, json};
use spo_api::{ProfileKey, ProfileKind, seccomp, selinux};

use super::edit::Edit;
use super::pod::{Container, Place, Pod, SecurityContext};

const LOCALHOST: &str = "Localhost";
/// What a container's AppArmor profile was written as before it had a field. The API server still makes the field from it where there
/// is none, and refuses a pod in which the two differ.
const APPARMOR_ANNOTATION: &str = "container.apparmor.security.beta.kubernetes.io/";

/// A member of the security context.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Module {
    Seccomp,
    Selinux,
    AppArmor,
}

impl Module {
    pub(crate) const ALL: [Self; 3] = [Self::Seccomp, Self::Selinux, Self::AppArmor];

    /// The name of the member.
    pub(crate) const fn field(self) -> &'static str {
        match self {
            Self::Seccomp => "seccompProfile",
            Self::Selinux => "seLinuxOptions",
            Self::AppArmor => "appArmorProfile",
        }
    }
}

/// What a container is to be confined by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Confinement {
    /// A file below the kubelet's folder of seccomp profiles.
    Seccomp(String),
    /// An SELinux type.
    Selinux(String),
    /// The name by which the kernel knows a profile.
    AppArmor(String),
}

impl Confinement {
    /// What confines a container by the profile.
    pub(crate) fn by(profile: &ProfileKey) -> Self {
        match profile.kind {
            ProfileKind::Seccomp => Self::Seccomp(seccomp::localhost_profile(&profile.name)),
            ProfileKind::Selinux | ProfileKind::RawSelinux => Self::Selinux(selinux::usage(&profile.name)),
            ProfileKind::AppArmor => Self::AppArmor(profile.name.to_string()),
        }
    }

    pub(crate) const fn module(&self) -> Module {
        match self {
            Self::Seccomp(_) => Module::Seccomp,
            Self::Selinux(_) => Module::Selinux,
            Self::AppArmor(_) => Module::AppArmor,
        }
    }

    /// Whether the pod as a whole is confined by exactly this.
    pub(crate) fn is_of_pod(&self, pod: &Pod) -> bool {
        self.is_written_in(pod.security_context())
    }

    /// Whether the container itself says that it is confined by exactly this.
    pub(crate) fn is_of(&self, pod: &Pod, container: &Container) -> bool {
        let annotation = match self {
            Self::AppArmor(name) => {
                apparmor_annotation(pod, container).is_none_or(|(_, text)| text == format!("localhost/{name}"))
            }
            Self::Seccomp(_) | Self::Selinux(_) => true,
        };
        annotation && self.is_written_in(container.security_context.as_ref())
    }

    /// Confines the pod as a whole.
    pub(crate) fn write_to_pod(&self, edit: &mut Edit<'_>, pod: &Pod) {
        edit.secure(Place::Pod, self.module().field(), self.value(level(pod.security_context())));
    }

    /// Confines one container.
    pub(crate) fn write(&self, edit: &mut Edit<'_>, pod: &Pod, place: Place, container: &Container) {
        let own = container.security_context.as_ref().filter(|own| own.se_linux_options.is_some());
        edit.secure(place, self.module().field(), self.value(level(own.or(pod.security_context()))));
        if let (Self::AppArmor(_), Some((key, _))) = (self, apparmor_annotation(pod, container)) {
            edit.remove_annotation(&key);
        }
    }

    fn is_written_in(&self, context: Option<&SecurityContext>) -> bool {
        let Some(context) = context else { return false };
        match self {
            Self::Seccomp(path) => context
                .seccomp_profile
                .as_ref()
                .is_some_and(|profile| profile.type_ == LOCALHOST && profile.localhost_profile.as_ref() == Some(path)),
            Self::Selinux(type_) => {
                context.se_linux_options.as_ref() == Some(&selinux_options(type_, level(Some(context))))
            }
            Self::AppArmor(name) => context
                .app_armor_profile
                .as_ref()
                .is_some_and(|profile| profile.type_ == LOCALHOST && profile.localhost_profile.as_ref() == Some(name)),
        }
    }

    fn value(&self, level: Option<&str>) -> Value {
        match self {
            Self::Seccomp(path) => {
                json!(SeccompProfile { type_: LOCALHOST.to_owned(), localhost_profile: Some(path.clone()) })
            }
            Self::Selinux(type_) => json!(selinux_options(type_, level)),
            Self::AppArmor(name) => {
                json!(AppArmorProfile { type_: LOCALHOST.to_owned(), localhost_profile: Some(name.clone()) })
            }
        }
    }
}

/// Whether the pod as a whole says anything of `module`. Of SELinux, it does with a type: a level alone confines nothing.
pub(crate) fn pod_says(pod: &Pod, module: Module) -> bool {
    let type_of = |context: &SecurityContext| context.se_linux_options.as_ref()?.type_.clone();
    match module {
        Module::Selinux => pod.security_context().and_then(type_of).is_some(),
        Module::Seccomp | Module::AppArmor => says(pod.security_context(), module),
    }
}

/// Whether the container itself says anything of `module`, and so does not take what the pod says.
pub(crate) fn container_says(pod: &Pod, container: &Container, module: Module) -> bool {
    let annotated = module == Module::AppArmor && apparmor_annotation(pod, container).is_some();
    annotated || says(container.security_context.as_ref(), module)
}

/// Whether a profile of the node confines the container by AppArmor, by its own word or the pod's.
pub(crate) fn has_apparmor_profile(pod: &Pod, container: &Container) -> bool {
    let of = |context: Option<&SecurityContext>| context.and_then(|context| context.app_armor_profile.clone());
    match (of(container.security_context.as_ref()), apparmor_annotation(pod, container), of(pod.security_context())) {
        (Some(own), _, _) => own.type_ == LOCALHOST,
        (None, Some((_, text)), _) => text.starts_with("localhost/"),
        (None, None, inherited) => inherited.is_some_and(|profile| profile.type_ == LOCALHOST),
    }
}

fn says(context: Option<&SecurityContext>, module: Module) -> bool {
    context.is_some_and(|context| match module {
        Module::Seccomp => context.seccomp_profile.is_some(),
        Module::Selinux => context.se_linux_options.is_some(),
        Module::AppArmor => context.app_armor_profile.is_some(),
    })
}

/// The level stays: volumes are labelled by it, and Kubernetes lets everybody choose it. User and role do not: with another than the
/// policy's own the type would not be entered.
fn selinux_options(type_: &str, level: Option<&str>) -> SELinuxOptions {
    SELinuxOptions { type_: Some(type_.to_owned()), level: level.map(str::to_owned), ..SELinuxOptions::default() }
}

fn level(context: Option<&SecurityContext>) -> Option<&str> {
    context?.se_linux_options.as_ref()?.level.as_deref()
}

fn apparmor_annotation<'a>(pod: &'a Pod, container: &Container) -> Option<(String, &'a str)> {
    let key = format!("{APPARMOR_ANNOTATION}{}", container.name);
    let text = pod.annotation(&key)?;
    Some((key, text))
}
