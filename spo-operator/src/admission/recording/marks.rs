//! What is to be written to a pod that is recorded, and what is to be told about it.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use spo_api::DnsLabel;
use spo_api::recording::v1::{RecordedKind, Recorder};
use spo_api::recording::{Nonce, RecordingId, annotation};

use super::super::Now;
use super::super::confinement::{Confinement, Module, container_says, has_apparmor_profile};
use super::super::decision::{Decision, Notice, Reason, Subject};
use super::super::edit::Edit;
use super::super::observed::Observed;
use super::super::pod::{Container, Place, Pod};
use super::obstacle::{Obstacle, confinement, needs_complain_profile, obstacle};
use super::{Named, is_mark};

/// So many notices tell enough about one pod.
const NOTICES_MAX: usize = 64;

/// What several recordings come to for one pod.
pub(super) struct Marks<'a> {
    pod: &'a Pod,
    namespace: &'a str,
    now: &'a Now,
    /// The recording that has a container, of each pair of kind and recorder.
    taken: HashMap<(RecordedKind, Recorder, Place), &'a str>,
    /// The annotations.
    ids: BTreeMap<String, RecordingId>,
    confined: BTreeMap<(Place, Module), (&'a Container, Confinement)>,
    notices: Vec<Notice>,
    patience: Duration,
}

impl<'a> Marks<'a> {
    pub(super) fn of(pod: &'a Pod, namespace: &'a str, now: &'a Now) -> Self {
        let (taken, ids, confined) = (HashMap::new(), BTreeMap::new(), BTreeMap::new());
        Self { pod, namespace, now, taken, ids, confined, notices: Vec::new(), patience: Duration::ZERO }
    }

    /// Adds a recording that is for this pod. What an earlier one has is not taken from it.
    pub(super) fn record(&mut self, of: Named<'a>, observed: &Observed) {
        let pod = self.pod;
        let label = match of.name.parse::<DnsLabel>() {
            Ok(label) => label,
            Err(error) => {
                let why = format!("its recording's name becomes a label, and {error}");
                return self.notice(of, Reason::NameNotDnsLabel, || not_recorded(pod, &why));
            }
        };
        if let Some(Obstacle { reason, why, patience }) = obstacle(of.recording, observed, self.now.uptime) {
            self.patience = self.patience.max(patience);
            return self.notice(of, reason, || not_recorded(pod, &why));
        }
        let selected = of.recording.containers.as_deref();
        for (place, container) in pod.containers() {
            if selected.is_none_or(|names| names.iter().any(|name| **name == container.name)) {
                self.record_container(of, &label, place, container);
            }
        }
    }

    fn record_container(&mut self, of: Named<'a>, label: &DnsLabel, place: Place, container: &'a Container) {
        let (pair, pod) = ((of.recording.kind, of.recording.recorder, place), self.pod);
        let what = || format!("container {} of pod {}", container.name, pod.name());
        if let Some(other) = self.taken.get(&pair).copied() {
            let note = || format!("{} is recorded for ProfileRecording {other} instead", what());
            return self.notice(of, Reason::ContainerRecordedByAnother, note);
        }
        let Some(id) = self.id(label, container) else { return };
        match confinement(of.recording) {
            Some(_) if container.is_privileged() => {
                let note = || format!("{} is privileged, so that it cannot be confined for being recorded", what());
                return self.notice(of, Reason::PrivilegedContainer, note);
            }
            Some(confinement) => self.confine(of, place, container, confinement),
            None if needs_complain_profile(of.recording) && !has_apparmor_profile(pod, container) => {
                let note =
                    || format!("{} has no AppArmor profile in complain mode, whose log could be recorded", what());
                self.notice(of, Reason::NoComplainProfile, note);
            }
            None => {}
        }
        self.taken.insert(pair, of.name);
        self.ids.insert(annotation::key(pair.0, pair.1, &container.name), id);
    }

    fn confine(&mut self, of: Named<'a>, place: Place, container: &'a Container, confinement: Confinement) {
        let (module, pod) = (confinement.module(), self.pod);
        if container_says(pod, container, module) && !confinement.is_of(pod, container) {
            let (name, field) = (&container.name, module.field());
            let note = || {
                format!("container {name} of pod {}: its {field} is replaced so that it can be recorded", pod.name())
            };
            self.notice(of, Reason::SecurityContextAlreadySet, note);
        }
        self.confined.insert((place, module), (container, confinement));
    }

    /// What the container is recorded as. `None` for a name that the API server will refuse.
    fn id(&self, recording: &DnsLabel, container: &Container) -> Option<RecordingId> {
        Some(RecordingId {
            recording: recording.clone(),
            container: container.name.parse().ok()?,
            nonce: Nonce::from_random(self.now.random),
            unix_seconds: self.now.unix_seconds,
        })
    }

    fn notice(&mut self, of: Named<'_>, reason: Reason, note: impl FnOnce() -> String) {
        if self.notices.len() < NOTICES_MAX {
            let recording = Subject::of(self.namespace, of.name, of.recording);
            self.notices.push(Notice { recording, reason, note: note() });
        }
    }

    /// The patch, and what is to be told.
    pub(super) fn decision(self) -> Decision {
        let mut edit = Edit::of(self.pod);
        let told = |notice: &Notice| format!("ProfileRecording {}: {}", notice.recording.name, notice.note);
        let mut warnings: Vec<String> = self.notices.iter().map(told).collect();
        for (key, _) in self.pod.annotations().filter(|(key, _)| is_mark(key)) {
            warnings.push(format!("annotation {key} is not taken over: it is the operator's"));
            if !self.ids.contains_key(key) {
                edit.remove_annotation(key);
            }
        }
        for (key, id) in &self.ids {
            edit.annotate(key, &id.to_string());
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

fn not_recorded(pod: &Pod, why: &str) -> String {
    format!("pod {} is not recorded: {why}", pod.name())
}
