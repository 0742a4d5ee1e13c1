//! Profile recordings: pods are marked for what records them, and confined so that there is something to record.
//!
//! A node believes the marks, so nobody else may set them: what a pod brings along is removed when it is created, and put back as it
//! was when it is changed. Who is recorded is not written down here: whoever watches pods sees that.

use std::collections::BTreeMap;
use std::time::Duration;

use kube::core::SelectorExt;
use spo_api::recording::v1::{RecordedKind, Recorder};
use spo_api::{ProfileKey, ProfileKind, ProfileState};

use super::confinement::{Confinement, Module, container_says, has_apparmor_profile};
use super::decision::{Decision, Notice, Reason, Subject};
use super::observed::{Observed, Recording};
use super::pod::{Container, Edit, Place, Pod};
use super::review::{Operation, Request};
use super::{Now, annotation};

/// The SeccompProfile by which the kernel logs every system call.
const LOG_PROFILE: &str = "log-enricher-trace";
/// The SELinux type in which everything is permitted and logged.
const RECORDING_TYPE: &str = "selinuxrecording.process";
/// How long a pod waits for [`LOG_PROFILE`] where that is being installed.
const PATIENCE: Duration = Duration::from_secs(2);
/// The longest DNS-1123 label.
const LABEL_MAX: usize = 63;

/// What to do with a pod.
pub(crate) fn decide(request: &Request<'_>, observed: &Observed, now: &Now) -> Decision {
    match request.operation {
        Operation::Create if request.sub_resource.is_empty() => create(request, observed, now),
        Operation::Update if request.sub_resource.is_empty() => update(request),
        _ => Decision::allowed(),
    }
}

/// The marks of a pod stay as they were made.
fn update(request: &Request<'_>) -> Decision {
    let (old, new): (Pod, Pod) = match request.old_object().and_then(|old| Ok((old, request.object()?))) {
        Ok(pods) => pods,
        Err(error) => return Decision::unreadable(error),
    };
    let mut edit = Edit::of(&new);
    let mut warnings = Vec::new();
    let restored = |key: &str| format!("annotation {key} stays as it was: it is the operator's");
    for (key, value) in old.annotations().filter(|(key, _)| annotation::is_recording(key)) {
        if new.annotation(key) != Some(value) {
            edit.annotate(key, value);
            warnings.push(restored(key));
        }
    }
    for (key, _) in new.annotations().filter(|(key, _)| annotation::is_recording(key)) {
        if old.annotation(key).is_none() {
            edit.remove_annotation(key);
            warnings.push(restored(key));
        }
    }
    Decision { warnings, ..Decision::patched(edit.patch()) }
}

fn create(request: &Request<'_>, observed: &Observed, now: &Now) -> Decision {
    let pod: Pod = match request.object() {
        Ok(pod) => pod,
        Err(error) => return Decision::unreadable(error),
    };
    let mut marks = Marks::of(&pod, &request.namespace);
    if !pod.is_for_windows() {
        for (name, recording) in observed.recordings(&request.namespace) {
            if recording.pods.as_ref().is_some_and(|pods| pods.matches(&pod.metadata.labels)) {
                marks.record(Named { name, recording }, observed);
            }
        }
    }
    marks.decision(now)
}

/// What is to be written to a pod.
struct Marks<'a> {
    pod: &'a Pod,
    namespace: &'a str,
    /// By the annotation's key: the container, and the recording that has it.
    recorded: BTreeMap<String, (&'a Container, Named<'a>)>,
    confined: BTreeMap<(Place, Module), (&'a Container, Confinement)>,
    notices: Vec<Notice>,
    patience: Duration,
}

#[derive(Clone, Copy)]
struct Named<'a> {
    name: &'a str,
    recording: &'a Recording,
}

impl<'a> Marks<'a> {
    fn of(pod: &'a Pod, namespace: &'a str) -> Self {
        let (recorded, confined, notices) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
        Self { pod, namespace, recorded, confined, notices, patience: Duration::ZERO }
    }

    fn record(&mut self, of: Named<'a>, observed: &Observed) {
        if let Some((reason, note)) = self.obstacle(of, observed) {
            return self.notice(of, reason, note);
        }
        let selected = of.recording.containers.as_deref();
        for (place, container) in self.pod.containers() {
            if selected.is_none_or(|names| names.iter().any(|name| **name == container.name)) {
                self.record_container(of, place, container);
            }
        }
    }

    /// What keeps every container of the pod from being recorded.
    fn obstacle(&mut self, of: Named<'_>, observed: &Observed) -> Option<(Reason, String)> {
        let pod = self.pod.name();
        if !is_dns_label(of.name) {
            let why = format!("{} is no DNS-1123 label (63 characters at the most, no dots)", of.name);
            return Some((Reason::NameNotDnsLabel, format!("pod {pod} is not recorded: the recording's name {why}")));
        }
        if of.recording.containers.as_deref().is_some_and(<[_]>::is_empty) {
            let how = "leave it out to record every container";
            let why = format!("pod {pod} is not recorded: containers is an empty list; {how}");
            return Some((Reason::NoContainerSelected, why));
        }
        let needed = confinement(of.recording)?.module();
        if needed == Module::Selinux && observed.configuration().selinux_off {
            let why = format!("pod {pod} is not recorded: selinux.enable is false in the operator's configuration");
            return Some((Reason::SelinuxNotEnabled, why));
        }
        if needed == Module::Seccomp && !self.log_profile_is_installed(observed) {
            let why = format!("SeccompProfile {LOG_PROFILE}, by which system calls are logged, is not Installed");
            let how = "set enricher.enableLogEnricher in the operator's configuration";
            return Some((Reason::LogProfileNotInstalled, format!("pod {pod} is not recorded: {why}; {how}")));
        }
        None
    }

    fn log_profile_is_installed(&mut self, observed: &Observed) -> bool {
        let Some(profile) = log_profile().and_then(|key| observed.profile(&key)) else { return false };
        if matches!(profile.state, None | Some(ProfileState::Pending | ProfileState::InProgress)) {
            self.patience = PATIENCE;
        }
        profile.state == Some(ProfileState::Installed)
    }

    fn record_container(&mut self, of: Named<'a>, place: Place, container: &'a Container) {
        let what = format!("container {} of pod {}", container.name, self.pod.name());
        if let Some(confinement) = confinement(of.recording) {
            if container.security_context.as_ref().and_then(|context| context.privileged) == Some(true) {
                let note = format!("{what} is privileged, so that it cannot be confined for being recorded");
                return self.notice(of, Reason::PrivilegedContainer, note);
            }
            let module = confinement.module();
            if container_says(self.pod, container, module) && !confinement.is_of(self.pod, container) {
                let note = format!("{what}: its {} is replaced so that it can be recorded", module.field());
                self.notice(of, Reason::SecurityContextAlreadySet, note);
            }
            self.confined.insert((place, module), (container, confinement));
        } else if needs_complain_profile(of.recording) && !has_apparmor_profile(self.pod, container) {
            let note =
                format!("{what} has no AppArmor profile of its node; what is logged comes from one in complain mode");
            self.notice(of, Reason::NoComplainProfile, note);
        }
        let key = annotation::key(of.recording.kind, of.recording.recorder, &container.name);
        if let Some((_, before)) = self.recorded.insert(key, (container, of)) {
            let note = format!("{what} is recorded for ProfileRecording {} instead", of.name);
            self.notice(before, Reason::ContainerRecordedByAnother, note);
        }
    }

    fn notice(&mut self, of: Named<'_>, reason: Reason, note: String) {
        let recording = Subject::of(self.namespace, of.name, of.recording);
        self.notices.push(Notice { recording, reason, note });
    }

    fn decision(self, now: &Now) -> Decision {
        let mut edit = Edit::of(self.pod);
        let told = |notice: &Notice| format!("ProfileRecording {}: {}", notice.recording.name, notice.note);
        let mut warnings: Vec<String> = self.notices.iter().map(told).collect();
        for (key, _) in self.pod.annotations().filter(|(key, _)| annotation::is_recording(key)) {
            warnings.push(format!("annotation {key} is not taken over: it is the operator's"));
            if !self.recorded.contains_key(key) {
                edit.remove_annotation(key);
            }
        }
        for (key, (container, of)) in &self.recorded {
            edit.annotate(key, &annotation::value(of.name, &container.name, now.random, now.seconds));
        }
        for ((place, _), (container, confinement)) in &self.confined {
            if !confinement.is_of(self.pod, container) {
                confinement.write(&mut edit, self.pod, *place, container);
            }
        }
        let (notices, patience) = (self.notices, self.patience);
        Decision { warnings, notices, patience, ..Decision::patched(edit.patch()) }
    }
}

/// How a container has to be confined so that there is something to record. eBPF sees the calls of every container, and what AppArmor
/// checks; what SELinux would deny is only said of a container whose type it watches.
fn confinement(recording: &Recording) -> Option<Confinement> {
    match (recording.kind, recording.recorder) {
        (RecordedKind::SeccompProfile, Recorder::Logs) => log_profile().map(|key| Confinement::by(&key)),
        (RecordedKind::SelinuxProfile, Recorder::Logs | Recorder::Bpf) => {
            Some(Confinement::Selinux(RECORDING_TYPE.to_owned()))
        }
        (RecordedKind::SeccompProfile, Recorder::Bpf)
        | (RecordedKind::AppArmorProfile, Recorder::Logs | Recorder::Bpf) => None,
    }
}

/// AppArmor logs what a profile in complain mode would deny. There is none that suits any container, so it has to be bound to it.
fn needs_complain_profile(recording: &Recording) -> bool {
    (recording.kind, recording.recorder) == (RecordedKind::AppArmorProfile, Recorder::Logs)
}

fn log_profile() -> Option<ProfileKey> {
    Some(ProfileKey { kind: ProfileKind::Seccomp, name: LOG_PROFILE.parse().ok()? })
}

/// An object's name is a DNS-1123 subdomain: a short one without dots is a label.
fn is_dns_label(name: &str) -> bool {
    name.len() <= LABEL_MAX && !name.contains('.')
}

#[cfg(test)]
mod tests;
