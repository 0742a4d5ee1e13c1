//! What a recorder tells while it records.

use super::SlotId;

/// Something happened to what is recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// The last task of a tree has ended. What was chosen by its executable may begin again.
    Ended {
        /// What was recorded.
        slot: SlotId,
    },
    /// A process that was chosen by its executable has ended; its children may go on.
    Exited {
        /// What was recorded.
        slot: SlotId,
        /// The process, as the first PID namespace numbers it.
        pid: u32,
    },
    /// The cgroup of an expected pod is there.
    Pod {
        /// Its name.
        name: String,
    },
    /// A container of an expected pod is recorded from its workload's exec on. The pod's sandbox is one of them.
    Container {
        /// What is recorded.
        slot: SlotId,
        /// Name of its cgroup, which the runtime makes of the container's id.
        name: String,
    },
    /// A container was there before its pod was expected: what it did is unknown, and it is not recorded.
    Late {
        /// Name of its cgroup.
        name: String,
    },
    /// No place was free for a container: it is not recorded.
    NotRecorded {
        /// Name of its cgroup.
        name: String,
    },
    /// A container is gone: what it did can be taken.
    ContainerEnded {
        /// What was recorded.
        slot: SlotId,
        /// Name of its cgroup.
        name: String,
    },
}

impl Notice {
    /// The recording that it is about.
    pub(super) fn slot(&self) -> Option<SlotId> {
        match self {
            Self::Ended { slot }
            | Self::Exited { slot, .. }
            | Self::Container { slot, .. }
            | Self::ContainerEnded { slot, .. } => Some(*slot),
            Self::Pod { .. } | Self::Late { .. } | Self::NotRecorded { .. } => None,
        }
    }
}
