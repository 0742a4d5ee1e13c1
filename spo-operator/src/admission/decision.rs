//! What a webhook decides about a request: the common result of the pure functions beside this file.

use std::time::Duration;

use json_patch::Patch;

use super::observed::Recording;
use super::review::NoObject;

/// An object is new for so long after it was first seen. What is missing then is expected to come.
const NEW: Duration = Duration::from_secs(10);
/// How long a request waits for what is expected to come. The API server waits for five seconds at the least.
pub(crate) const PATIENCE: Duration = Duration::from_secs(2);
/// How long it waits for anything else: a watch is behind, if only by a moment.
pub(crate) const LAG: Duration = Duration::from_millis(250);

/// How long a request may wait for what an object lacks that was first seen at `since`.
pub(crate) fn patience(since: Duration, now: Duration) -> Duration {
    if now.saturating_sub(since) < NEW { PATIENCE } else { LAG }
}

/// What is to be answered, and what to tell beside the answer.
#[derive(Debug, PartialEq)]
pub(crate) struct Decision {
    pub(crate) verdict: Verdict,
    /// For whoever sent the object.
    pub(crate) warnings: Vec<String>,
    /// For the audit log of the API server, which puts the webhook's name before the key.
    pub(crate) audit: Option<(&'static str, String)>,
    /// For whoever looks after a recording.
    pub(crate) notices: Vec<Notice>,
    /// For how long after its arrival a request may wait for something to be observed that would make for a better decision.
    pub(crate) patience: Duration,
}

#[derive(Debug, PartialEq)]
pub(crate) enum Verdict {
    /// The object may pass, changed by the patch.
    Allowed { patch: Patch, message: Option<&'static str> },
    /// It may not, whatever the failure policy says. `code` is that of the answer to whoever sent it.
    Refused { code: u16, message: String },
}

impl Decision {
    /// The object passes as it is.
    pub(crate) fn allowed() -> Self {
        Self::patched(Patch(Vec::new()))
    }

    /// The object passes, changed.
    pub(crate) fn patched(patch: Patch) -> Self {
        Self::of(Verdict::Allowed { patch, message: None })
    }

    /// The object does not pass.
    pub(crate) fn refused(code: u16, message: impl Into<String>) -> Self {
        Self::of(Verdict::Refused { code, message: message.into() })
    }

    /// The object does not pass, because it is not what the API server sends to this webhook.
    pub(crate) fn unreadable(error: NoObject) -> Self {
        Self::refused(400, format!("{:#}", anyhow::Error::from(error)))
    }

    fn of(verdict: Verdict) -> Self {
        Self { verdict, warnings: Vec::new(), audit: None, notices: Vec::new(), patience: Duration::ZERO }
    }
}

/// Something that keeps a recording from recording what it was made for. Becomes an event about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Notice {
    pub(crate) recording: Subject,
    pub(crate) reason: Reason,
    pub(crate) note: String,
}

/// The recording that an event is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Subject {
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) uid: Box<str>,
}

impl Subject {
    pub(crate) fn of(namespace: &str, name: &str, recording: &Recording) -> Self {
        Self { namespace: namespace.to_owned(), name: name.to_owned(), uid: recording.uid.clone() }
    }
}

/// Why a recording does not get what it was made for. The first three are the reference operator's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Reason {
    SecurityContextAlreadySet,
    PrivilegedContainer,
    NameNotDnsLabel,
    /// The profile that makes the kernel log system calls is not on the nodes.
    LogProfileNotInstalled,
    /// SELinux is switched off, and with it the type that recording needs.
    SelinuxNotEnabled,
    /// `containers` is an empty list.
    NoContainerSelected,
    /// Another recording has the container.
    ContainerRecordedByAnother,
    /// Nothing makes AppArmor log what the container does.
    NoComplainProfile,
}

impl Reason {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::SecurityContextAlreadySet => "SecurityContextAlreadySet",
            Self::PrivilegedContainer => "PrivilegedContainer",
            Self::NameNotDnsLabel => "NameNotDNSLabel",
            Self::LogProfileNotInstalled => "LogProfileNotInstalled",
            Self::SelinuxNotEnabled => "SelinuxNotEnabled",
            Self::NoContainerSelected => "NoContainerSelected",
            Self::ContainerRecordedByAnother => "ContainerRecordedByAnother",
            Self::NoComplainProfile => "NoComplainProfile",
        }
    }
}
