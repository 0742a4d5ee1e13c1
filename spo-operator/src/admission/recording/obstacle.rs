//! What keeps a whole pod from being recorded, and how a container has to be confined for it.

use std::time::Duration;

use spo_api::recording::v1::{RecordedKind, Recorder};
use spo_api::recording::{LOG_PROFILE, SELINUX_TYPE};
use spo_api::{ProfileKey, ProfileKind, ProfileState};

use super::super::confinement::{Confinement, Module};
use super::super::decision::{Reason, patience};
use super::super::observed::{Observed, Recording};

/// Why nothing of a pod is recorded.
pub(super) struct Obstacle {
    pub(super) reason: Reason,
    pub(super) why: String,
    /// How long it may be worth waiting until it is gone.
    pub(super) patience: Duration,
}

/// What keeps every container of a pod from being recorded, if anything does.
pub(super) fn obstacle(recording: &Recording, observed: &Observed, now: Duration) -> Option<Obstacle> {
    let of = |reason, why: String| Some(Obstacle { reason, why, patience: Duration::ZERO });
    if recording.containers.as_deref().is_some_and(<[_]>::is_empty) {
        let why = "containers is an empty list; leave it out to record every container";
        return of(Reason::NoContainerSelected, why.to_owned());
    }
    match confinement(recording)?.module() {
        Module::Selinux if observed.configuration().selinux_off => {
            let why = "selinux.enable is false in the operator's configuration";
            of(Reason::SelinuxNotEnabled, why.to_owned())
        }
        Module::Seccomp => log_profile_missing(observed, now),
        Module::Selinux | Module::AppArmor => None,
    }
}

/// W-OP-21: a pod that names a profile which is not on its node does not start.
fn log_profile_missing(observed: &Observed, now: Duration) -> Option<Obstacle> {
    let profile = log_profile().and_then(|key| observed.profile(&key));
    let patience = match profile.map(|profile| profile.state) {
        Some(Some(ProfileState::Installed)) => return None,
        Some(None | Some(ProfileState::Pending | ProfileState::InProgress)) => {
            profile.map_or(Duration::ZERO, |profile| patience(profile.since, now))
        }
        Some(Some(_)) | None => Duration::ZERO,
    };
    let what = format!("SeccompProfile {LOG_PROFILE}, by which system calls are logged, is not Installed");
    let why = format!("{what}; set enricher.enableLogEnricher in the operator's configuration");
    Some(Obstacle { reason: Reason::LogProfileNotInstalled, why, patience })
}

/// How a container has to be confined so that there is something to record. eBPF sees the calls of every container, and what AppArmor
/// checks; what SELinux would deny is only said of a container whose type it watches.
pub(super) fn confinement(recording: &Recording) -> Option<Confinement> {
    match (recording.kind, recording.recorder) {
        (RecordedKind::SeccompProfile, Recorder::Logs) => log_profile().map(|key| Confinement::by(&key)),
        (RecordedKind::SelinuxProfile, Recorder::Logs | Recorder::Bpf) => {
            Some(Confinement::Selinux(SELINUX_TYPE.to_owned()))
        }
        (RecordedKind::SeccompProfile, Recorder::Bpf)
        | (RecordedKind::AppArmorProfile, Recorder::Logs | Recorder::Bpf) => None,
    }
}

/// AppArmor logs what a profile in complain mode would deny. There is none that suits any container, so it has to be bound to it.
pub(super) fn needs_complain_profile(recording: &Recording) -> bool {
    (recording.kind, recording.recorder) == (RecordedKind::AppArmorProfile, Recorder::Logs)
}

fn log_profile() -> Option<ProfileKey> {
    Some(ProfileKey { kind: ProfileKind::Seccomp, name: LOG_PROFILE.parse().ok()? })
}
