//! A profile as it is reasoned about.

use std::fmt;

use spo_api::seccomp::{Action, Arch, Flag};
use spo_api::syscalls::{Abi, is_known};
use spo_api::{AdminState, ProfileName, Violation};

use super::Condition;
use super::parse::action_name;

/// A well-formed seccomp profile; only a parser makes one.
#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    pub(super) name: ProfileName,
    pub(super) state: Option<AdminState>,
    pub(super) base: Option<Base>,
    /// Whether the entries of the base are among the entries.
    pub(super) resolved: bool,
    pub(super) default_effect: Effect,
    pub(super) architectures: Vec<Arch>,
    pub(super) listener_path: Option<String>,
    pub(super) listener_metadata: Option<String>,
    pub(super) entries: Vec<Entry>,
    pub(super) flags: Vec<Flag>,
    pub(super) warnings: Vec<Violation>,
}

/// One effect for some calls, under conditions on their arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub(super) names: Vec<String>,
    pub(super) effect: Effect,
    pub(super) conditions: Vec<Condition>,
}

/// What happens to a call: an action, with the number that some actions carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Effect {
    /// Kills the thread; the old name of [`Effect::KillThread`].
    Kill,
    /// Kills the process.
    KillProcess,
    /// Kills the thread.
    KillThread,
    /// Sends SIGSYS.
    Trap,
    /// Refuses the call with this error, EPERM if it is not given.
    Errno(Option<u16>),
    /// Tells a tracer this number, EPERM if it is not given; refuses with ENOSYS where there is no tracer.
    Trace(Option<u16>),
    /// Lets the call through.
    Allow,
    /// Lets the call through and writes an audit record.
    Log,
    /// Asks the listener.
    Notify,
}

/// The profile whose entries are added to those of another.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Base {
    /// Another profile of the cluster.
    Local(ProfileName),
    /// An OCI artifact: the reference without `oci://`.
    Oci(String),
}

impl Profile {
    /// Its name.
    pub fn name(&self) -> &ProfileName {
        &self.name
    }

    /// Whether nodes install it.
    pub fn state(&self) -> Option<AdminState> {
        self.state
    }

    /// The profile that it builds on.
    pub fn base(&self) -> Option<&Base> {
        self.base.as_ref()
    }

    /// Whether it has no base, or the entries of its base are among its own.
    pub fn is_resolved(&self) -> bool {
        self.resolved || self.base.is_none()
    }

    /// What happens to a call that no entry names.
    pub fn default_effect(&self) -> Effect {
        self.default_effect
    }

    /// The architectures that it lists.
    pub fn architectures(&self) -> &[Arch] {
        &self.architectures
    }

    /// The ABIs of a machine whose own is `native` that it covers: always the machine's own, and those that it lists.
    pub fn abis(&self, native: Abi) -> Vec<Abi> {
        let family: &[Abi] = match native {
            Abi::X86_64 | Abi::X86 | Abi::X32 => &[Abi::X86_64, Abi::X86, Abi::X32],
            Abi::Aarch64 => &[Abi::Aarch64],
        };
        let listed = |abi: Abi| self.architectures.iter().any(|arch| Abi::from_arch(*arch, native) == Some(abi));
        family.iter().copied().filter(|abi| *abi == native || listed(*abi)).collect()
    }

    /// The ABIs that it covers on some machine: those of 64-bit machines themselves, and those that it lists.
    pub(super) fn covered(&self) -> impl Iterator<Item = Abi> {
        let machines = [Abi::X86_64, Abi::Aarch64];
        machines.into_iter().flat_map(|native| self.abis(native))
    }

    /// The socket of the process that answers [`Effect::Notify`].
    pub fn listener_path(&self) -> Option<&str> {
        self.listener_path.as_deref()
    }

    /// Text for that process.
    pub fn listener_metadata(&self) -> Option<&str> {
        self.listener_metadata.as_deref()
    }

    /// What happens to which calls, in the order in which they were written.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Flags for `seccomp(2)`.
    pub fn flags(&self) -> &[Flag] {
        &self.flags
    }

    /// Every effect that a call can meet.
    pub fn effects(&self) -> impl Iterator<Item = Effect> {
        std::iter::once(self.default_effect).chain(self.entries.iter().map(|entry| entry.effect))
    }

    /// Whether some call asks a listener.
    pub fn notifies(&self) -> bool {
        self.effects().any(|effect| effect == Effect::Notify)
    }

    /// What is no reason to refuse it, but should be told to whoever wrote it: names that no kernel has, entries that do nothing.
    pub fn warnings(&self) -> &[Violation] {
        &self.warnings
    }

    /// The calls that no architecture of Linux has, each once, in order: misspelt, or newer than our tables.
    pub fn unknown_names(&self) -> Vec<&str> {
        let mut unknown: Vec<&str> = self
            .entries
            .iter()
            .flat_map(|entry| &entry.names)
            .map(String::as_str)
            .filter(|name| !is_known(name))
            .collect();
        unknown.sort_unstable();
        unknown.dedup();
        unknown
    }
}

impl Entry {
    /// The calls, as they were written.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// What happens to them.
    pub fn effect(&self) -> Effect {
        self.effect
    }

    /// The conditions on their arguments.
    pub fn conditions(&self) -> &[Condition] {
        &self.conditions
    }

    /// Whether two conditions are about one argument, so that runtimes take each condition for an entry of its own.
    pub(super) fn is_split(&self) -> bool {
        self.conditions
            .iter()
            .enumerate()
            .any(|(index, one)| self.conditions[..index].iter().any(|other| other.argument == one.argument))
    }
}

impl Effect {
    /// What a call is refused with, and a tracer told, when a profile gives no number: EPERM, as the runtime specification wants it.
    pub const DEFAULT_ERRNO: u16 = 1;

    /// The action, as the API spells it.
    pub const fn action(self) -> Action {
        match self {
            Self::Kill => Action::Kill,
            Self::KillProcess => Action::KillProcess,
            Self::KillThread => Action::KillThread,
            Self::Trap => Action::Trap,
            Self::Errno(_) => Action::Errno,
            Self::Trace(_) => Action::Trace,
            Self::Allow => Action::Allow,
            Self::Log => Action::Log,
            Self::Notify => Action::Notify,
        }
    }

    /// The number that was given with the action.
    pub const fn number(self) -> Option<u16> {
        match self {
            Self::Errno(number) | Self::Trace(number) => number,
            Self::Kill | Self::KillProcess | Self::KillThread | Self::Trap | Self::Allow | Self::Log | Self::Notify => {
                None
            }
        }
    }

    /// Whether the call may take place: ALLOW, LOG, and also TRACE and NOTIFY, where another process may let it through.
    pub const fn is_permissive(self) -> bool {
        match self {
            Self::Allow | Self::Log | Self::Trace(_) | Self::Notify => true,
            Self::Kill | Self::KillProcess | Self::KillThread | Self::Trap | Self::Errno(_) => false,
        }
    }

    /// The value that a filter returns: `SECCOMP_RET_*` of the kernel's `linux/seccomp.h`, with the number in the lower half.
    pub const fn return_value(self) -> u32 {
        match self {
            Self::KillProcess => 0x8000_0000,
            Self::Kill | Self::KillThread => 0x0000_0000,
            Self::Trap => 0x0003_0000,
            Self::Errno(number) => 0x0005_0000 | Self::or_default(number),
            Self::Notify => 0x7fc0_0000,
            Self::Trace(number) => 0x7ff0_0000 | Self::or_default(number),
            Self::Log => 0x7ffc_0000,
            Self::Allow => 0x7fff_0000,
        }
    }

    const fn or_default(number: Option<u16>) -> u32 {
        match number {
            Some(number) => number as u32,
            None => Self::DEFAULT_ERRNO as u32,
        }
    }

    /// Whether it does the same as `other`, though it may be written otherwise.
    pub const fn same_as(self, other: Self) -> bool {
        self.return_value() == other.return_value()
    }

    /// The lower, the more restrictive: the order in which the kernel chooses among the answers of several filters.
    pub(super) const fn severity(self) -> i32 {
        // The kernel compares the action part as a signed number, so that KILL_PROCESS is the lowest.
        (self.return_value() & 0xffff_0000).cast_signed()
    }
}

/// As profiles spell the action, with its number behind it where it has one: `SCMP_ACT_ERRNO(38)`.
impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(action_name(self.action()))?;
        self.number().map_or(Ok(()), |number| write!(f, "({number})"))
    }
}

/// As `baseProfileName` has it.
impl fmt::Display for Base {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local(name) => write!(f, "{name}"),
            Self::Oci(reference) => write!(f, "oci://{reference}"),
        }
    }
}
