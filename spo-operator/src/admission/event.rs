//! Events about recordings: few, and never at the expense of a request.
//!
//! A request only queues what is to be told. What comes again and again is told once a minute; what finds the queue full is
//! dropped, counted, and the count is logged.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use k8s_openapi::api::core::v1::ObjectReference;
use kube::Client;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use tokio::sync::mpsc;

use super::decision::{Notice, Reason};
use crate::watch::Kind;

/// What the API server calls recordings.
pub(super) const RECORDING: Kind = Kind::stored(spo_api::Kind::ProfileRecording);
/// Who says so.
const CONTROLLER: &str = "spo-recording-webhook";
/// How many events wait to be written.
const WAITING_MAX: usize = 64;
/// One recording tells one thing no more often than this.
const PAUSE: Duration = Duration::from_secs(60);
/// What was told of more recordings is not remembered.
const REMEMBERED_MAX: usize = 1024;
/// A write that takes longer is given up.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The API server takes longer notes for an error.
const NOTE_MAX_BYTES: usize = 1024;
/// The same for the instance.
const INSTANCE_MAX_BYTES: usize = 128;

/// Where requests leave what is to be told.
#[derive(Debug, Clone)]
pub(super) struct Sender {
    queue: mpsc::Sender<Notice>,
    told: Arc<Mutex<Told>>,
}

pub(super) type Queue = mpsc::Receiver<Notice>;

/// What requests put in comes out of the queue.
pub(super) fn channel() -> (Sender, Queue) {
    let (queue, receiver) = mpsc::channel(WAITING_MAX);
    (Sender { queue, told: Arc::default() }, receiver)
}

impl Sender {
    /// Has told what was not told lately. `now` goes by the clock of earlier calls.
    pub(super) fn send(&self, notices: &[Notice], now: Duration) {
        for notice in notices {
            let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
            if !told.is_due(notice, now) {
                continue;
            }
            if self.queue.try_send(notice.clone()).is_err() {
                told.dropped += 1;
                let (dropped, recording) = (told.dropped, &notice.recording.name);
                tracing::warn!(
                    dropped,
                    recording,
                    reason = notice.reason.as_str(),
                    "events are dropped: too many wait"
                );
            }
        }
    }
}

/// What was told lately, of which recording.
#[derive(Debug, Default)]
struct Told {
    last: HashMap<(Box<str>, Reason), Duration>,
    dropped: u64,
}

impl Told {
    /// Whether it is time to tell this, which then counts as told.
    fn is_due(&mut self, notice: &Notice, now: Duration) -> bool {
        let recent = |last: &Duration| now.saturating_sub(*last) < PAUSE;
        let key = (notice.recording.uid.clone(), notice.reason);
        if self.last.get(&key).is_some_and(recent) {
            return false;
        }
        if self.last.len() >= REMEMBERED_MAX {
            self.last.retain(|_, last| recent(last));
        }
        if self.last.len() < REMEMBERED_MAX {
            self.last.insert(key, now);
        }
        true
    }
}

/// Writes events, one after the other.
pub(super) struct Writer {
    recorder: Recorder,
    queue: Queue,
}

impl Writer {
    pub(super) fn new(client: Client, mut instance: String, queue: Queue) -> Self {
        instance.truncate(instance.floor_char_boundary(INSTANCE_MAX_BYTES));
        let reporter = Reporter { controller: CONTROLLER.to_owned(), instance: Some(instance) };
        Self { recorder: Recorder::new(client, reporter), queue }
    }

    /// Runs until there is nobody left who could tell anything.
    pub(super) async fn run(mut self) {
        while let Some(notice) = self.queue.recv().await {
            let (event, about) = (event(&notice), about(&notice));
            let written = tokio::time::timeout(TIMEOUT, self.recorder.publish(&event, &about)).await;
            let error = match written {
                Ok(Ok(())) => continue,
                Ok(Err(error)) => anyhow::Error::from(error),
                Err(elapsed) => anyhow::Error::from(elapsed),
            };
            let recording = &notice.recording;
            let reason = notice.reason.as_str();
            tracing::warn!(
                namespace = recording.namespace,
                recording = recording.name,
                reason,
                "cannot write an event: {error:#}"
            );
        }
    }
}

fn event(notice: &Notice) -> Event {
    Event {
        type_: EventType::Warning,
        reason: notice.reason.as_str().to_owned(),
        note: Some(notice.note[..notice.note.floor_char_boundary(NOTE_MAX_BYTES)].to_owned()),
        action: "Admit".to_owned(),
        secondary: None,
    }
}

fn about(notice: &Notice) -> ObjectReference {
    ObjectReference {
        api_version: Some(format!("{}/{}", RECORDING.group, RECORDING.version)),
        kind: Some(RECORDING.kind.to_owned()),
        namespace: Some(notice.recording.namespace.clone()),
        name: Some(notice.recording.name.clone()),
        uid: Some(notice.recording.uid.to_string()),
        ..ObjectReference::default()
    }
}

#[cfg(test)]
mod tests {
    use super::super::decision::Subject;
    use super::*;

    fn notice(uid: &str, reason: Reason) -> Notice {
        let recording = Subject { namespace: "web".to_owned(), name: format!("of-{uid}"), uid: uid.into() };
        Notice { recording, reason, note: "x".repeat(2000) }
    }

    fn waiting(queue: &mut Queue) -> Vec<String> {
        std::iter::from_fn(|| queue.try_recv().ok()).map(|notice| notice.recording.name).collect()
    }

    #[test]
    fn one_recording_tells_one_thing_once_a_minute() {
        let (sender, mut queue) = channel();
        let privileged = [notice("1", Reason::PrivilegedContainer)];
        for second in [0, 1, 59] {
            sender.send(&privileged, Duration::from_secs(second));
        }
        sender.send(&[notice("2", Reason::PrivilegedContainer), notice("1", Reason::NameNotDnsLabel)], PAUSE / 2);
        assert_eq!(waiting(&mut queue), ["of-1", "of-2", "of-1"]);
        sender.send(&privileged, PAUSE);
        assert_eq!(waiting(&mut queue), ["of-1"]);
    }

    #[test]
    fn a_full_queue_drops_and_counts() {
        let (sender, mut queue) = channel();
        let many: Vec<Notice> = (0..100).map(|uid| notice(&uid.to_string(), Reason::PrivilegedContainer)).collect();
        sender.send(&many, Duration::ZERO);
        assert_eq!(waiting(&mut queue).len(), WAITING_MAX);
        assert_eq!(sender.told.lock().unwrap().dropped, 100 - WAITING_MAX as u64);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut told = Told::default();
        for uid in 0..5000 {
            assert!(told.is_due(&notice(&uid.to_string(), Reason::PrivilegedContainer), Duration::ZERO));
        }
        assert_eq!(told.last.len(), REMEMBERED_MAX);
        assert!(told.is_due(&notice("later", Reason::PrivilegedContainer), PAUSE));
        assert_eq!(told.last.len(), 1);
    }

    #[test]
    fn an_event_names_its_recording_and_fits() {
        let notice = notice("1", Reason::NameNotDnsLabel);
        let (event, about) = (event(&notice), about(&notice));
        assert_eq!((event.reason.as_str(), event.note.map(|note| note.len())), ("NameNotDNSLabel", Some(1024)));
        assert_eq!((about.kind.as_deref(), about.name.as_deref()), (Some("ProfileRecording"), Some("of-1")));
        assert_eq!(about.api_version.as_deref(), Some("security-profiles-operator.x-k8s.io/v1"));
    }
}
