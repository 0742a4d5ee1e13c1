//! Where the profiles of a node come from, and where it reports to.
//!
//! A [`Source`] says which profiles are [`Desired`], and takes [`Report`]s of what became of them. There are two:
//! [`directory`] watches a folder of manifests, [`kubernetes`] the API server. The daemon treats them alike and knows
//! neither files of manifests nor API objects.

use std::future::Future;

use spo_api::condition::Reason;
use spo_api::{AdminState, Module, ProfileKey, ProfileState, Violation};
use spo_lsm::Policy;
use tokio::time::Instant;

pub mod directory;
pub mod kubernetes;

/// A place that profiles come from.
///
/// One task drives it: [`Source::next`] to learn what changed, [`Source::report`] to say what came of it.
pub trait Source {
    /// Waits until something changed since the last call, and gives all of it that is known by then. The first call gives
    /// [`Change::All`].
    ///
    /// Cancel-safe: a call that is dropped before it is done loses nothing. Deliveries of reports go on while this waits.
    ///
    /// # Errors
    /// What ends the daemon, because it will not get better by waiting: a folder that is gone, say. A lost connection is none.
    fn next(&mut self) -> impl Future<Output = Result<Change, anyhow::Error>>;

    /// Takes over what became of some profiles. Only what changed is handed over, so each is worth a write.
    ///
    /// Delivery may happen later, during [`Source::next`] or [`Source::flush`]. A newer report about a profile replaces one that
    /// was not delivered yet. A failed delivery is tried again, and logged.
    fn report(&mut self, reports: Vec<Report>);

    /// Delivers what was not delivered yet.
    ///
    /// # Errors
    /// What could not be delivered now.
    fn flush(&mut self) -> impl Future<Output = Result<(), anyhow::Error>>;

    /// What the configuration permits profiles to contain, as of the last change: asked for after each [`Source::next`].
    fn permitted(&self) -> Permitted {
        Ok(Policy::default())
    }

    /// How many inputs are unusable and belong to no profile, so that no report can say so: a manifest that cannot be read, say.
    /// The source has logged each.
    fn unusable(&self) -> usize {
        0
    }
}

/// What the configuration permits profiles to contain, or why that is not known: nothing new is installed then.
pub type Permitted = Result<Policy, String>;

/// Waits until then; where there is no such moment, for ever.
pub(crate) async fn due(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// What changed at a source.
#[derive(Debug, Clone)]
pub enum Change {
    /// These are all profiles that there are: what is not among them is gone.
    All {
        /// The profiles, in no particular order, each key once.
        profiles: Vec<Desired>,
        /// Whether the list is known to be whole. If not, nothing is removed from the node because it is missing here.
        complete: bool,
    },
    /// Some profiles changed; all others are as they were. Each key stands in one of the lists, once.
    Some {
        /// New or changed.
        changed: Vec<Desired>,
        /// Gone.
        gone: Vec<ProfileKey>,
    },
}

/// A profile as the source wants it.
#[derive(Debug, Clone, PartialEq)]
pub struct Desired {
    /// Which profile.
    pub key: ProfileKey,
    /// The generation of its object: it changes when the spec does, and only then.
    pub generation: i64,
    /// What the object says, or why it cannot be understood. With `Err`, what is installed of an earlier generation stays.
    pub profile: Result<spo_lsm::Profile, Vec<Violation>>,
    /// `spec.state`: a disabled profile is not on the node, unless pods use it.
    pub admin: AdminState,
    /// Whether it is one part of a recording that waits to be merged. Such a profile is not on the node either.
    pub partial: bool,
    /// What is to become of it.
    pub want: Want,
    /// The object.
    pub object: ObjectRef,
}

/// What is to become of a profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Want {
    /// It is to be on the node, unless it is switched off.
    Keep,
    /// The same, and pods use it: if it is switched off, what is on the node stays until they are gone.
    KeepUsed,
    /// Its object is being deleted, but pods still use it: it stays on the node until they are gone.
    Hold,
    /// Its object is being deleted, and no pod uses it: it goes.
    Remove,
}

/// The object that a profile was read from.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct ObjectRef {
    /// The version it was read in: `security-profiles-operator.x-k8s.io/v1`.
    pub api_version: String,
    /// What the API server identifies it by. An object from a folder has none.
    pub uid: Option<String>,
}

/// What became of a profile on this node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Which profile.
    pub key: ProfileKey,
    /// The generation of the object that this is said of.
    pub generation: i64,
    /// The object.
    pub object: ObjectRef,
    /// How far it has come.
    pub state: ProfileState,
    /// Why, as one word: the reason of the condition `Ready`.
    pub reason: Reason,
    /// Why, for people. Names the field and the next step where there is something to do.
    pub message: String,
    /// What is worth an event on the object, if anything happened.
    pub event: Option<Event>,
    /// Whether the configuration forbids the profile. Where a manager says that of all nodes at once, a node adds nothing.
    pub is_forbidden: bool,
}

/// Something that happened to a profile on this node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// What, as one word.
    pub reason: EventReason,
    /// What, for people.
    pub note: String,
}

/// The reasons of events, by the reference operator's names, which differ by module.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EventReason {
    /// A profile was installed.
    Saved(Module),
    /// A profile could not be installed, or the kernel refuses it.
    CannotSave(Module),
    /// A profile could not be removed.
    CannotRemove(Module),
    /// A profile makes no sense, or what it builds on is missing.
    Invalid(Module),
    /// The configuration does not permit what a profile allows.
    NotAllowed,
    /// This node cannot use profiles of the module.
    NotSupported(Module),
}

impl EventReason {
    /// Those that somebody should look at.
    pub const WARNINGS: [Self; 13] = {
        use Module::{AppArmor, Seccomp, Selinux};
        [
            Self::CannotSave(Seccomp),
            Self::CannotSave(Selinux),
            Self::CannotSave(AppArmor),
            Self::CannotRemove(Seccomp),
            Self::CannotRemove(Selinux),
            Self::CannotRemove(AppArmor),
            Self::Invalid(Seccomp),
            Self::Invalid(Selinux),
            Self::Invalid(AppArmor),
            Self::NotAllowed,
            Self::NotSupported(Seccomp),
            Self::NotSupported(Selinux),
            Self::NotSupported(AppArmor),
        ]
    };

    /// The text of `reason`.
    pub const fn as_str(self) -> &'static str {
        use Module::{AppArmor, Seccomp, Selinux};
        match self {
            Self::Saved(Seccomp) => "SavedSeccompProfile",
            Self::Saved(Selinux) => "SavedSelinuxPolicy",
            Self::Saved(AppArmor) => "LoadedAppArmorProfile",
            Self::CannotSave(Seccomp) => "CannotSaveSeccompProfile",
            Self::CannotSave(Selinux) | Self::Invalid(Selinux) => "CannotSaveSelinuxPolicy",
            Self::CannotSave(AppArmor) | Self::Invalid(AppArmor) => "CannotLoadAppArmorProfile",
            Self::CannotRemove(Seccomp) => "CannotRemoveSeccompProfile",
            Self::CannotRemove(Selinux) => "CannotRemoveSelinuxPolicy",
            Self::CannotRemove(AppArmor) => "CannotUnloadAppArmorProfile",
            Self::Invalid(Seccomp) => "InvalidSeccompProfile",
            Self::NotAllowed => "ProfileNotAllowed",
            Self::NotSupported(Seccomp) => "SeccompNotSupportedOnNode",
            Self::NotSupported(Selinux) => "SelinuxNotSupportedOnNode",
            Self::NotSupported(AppArmor) => "AppArmorNotSupportedOnNode",
        }
    }

    /// Whether somebody should look at it; else it is good news.
    pub const fn is_warning(self) -> bool {
        !matches!(self, Self::Saved(_))
    }
}
