//! What a source of recordings tells, whichever source it is.

use std::fmt;

use serde::Serialize;
use spo_api::syscalls::Abi;

/// One thing that was seen, or one kind of thing that was missed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Event {
    /// A system call was made.
    Call {
        /// The ABI by which it was made; one program can use several.
        abi: Abi,
        /// Its number there.
        number: u32,
    },
    /// Something was missed.
    Lost {
        /// What.
        what: Loss,
        /// How often, as counted so far; the highest count stands.
        count: u64,
    },
    /// A seccomp filter stood before what was recorded: calls that it refused were not seen.
    Filtered,
}

/// What can be missed while recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Loss {
    /// Tasks that the kernel could not mark, mostly for want of memory: what they and their children did is unknown.
    UnmarkedTasks,
    /// Calls whose number is beyond any table, and cannot be a call of this kernel.
    NumbersOutOfRange,
    /// Calls by an ABI that has no table here, such as 32-bit ARM.
    ForeignAbiCalls,
    /// Tasks that were still running when the recording ended.
    StillRunning,
    /// The recording began after the workload.
    LateStarts,
    /// Containers for which no place was free.
    ContainersWithoutSlot,
    /// Control groups for which no place was free, or that were too many in one container.
    CgroupsNotSelected,
    /// Notifications that found the ring buffer full.
    DroppedNotifications,
    /// Runs of our programs that the kernel skipped, as it was running the same one on the same processor.
    SkippedRuns,
    /// Times that the kernel would not look up whether a task is recorded, as it was in the middle of such a look-up: before Linux 6.2.
    RefusedLookups,
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnmarkedTasks => "tasks could not be followed: the kernel could not mark them",
            Self::NumbersOutOfRange => "calls had a number that no table knows",
            Self::ForeignAbiCalls => "calls were made by an ABI that has no table here",
            Self::StillRunning => "tasks were still running when the recording ended",
            Self::LateStarts => "workloads had started before the recording did",
            Self::ContainersWithoutSlot => "containers found no free place and were not recorded",
            Self::CgroupsNotSelected => "control groups found no free place and were not recorded",
            Self::SkippedRuns => "runs of the recorder's programs were skipped by the kernel",
            Self::RefusedLookups => "times this kernel would not say whether a task is recorded; Linux 6.2 always does",
            Self::DroppedNotifications => "notifications were dropped because they were read too slowly",
        })
    }
}
