//! The script of a seed: what people do to profiles, and fate to processes.

use fastrand::Rng;
use spo_api::ProfileKind;

use super::wish::{RULES, Wish};

/// A profile of the script.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Subject {
    pub(super) kind: ProfileKind,
    pub(super) name: &'static str,
}

/// Those that there are; no two share a name, for nodes refuse the second.
pub(super) const SUBJECTS: [Subject; 12] = [
    Subject { kind: ProfileKind::Seccomp, name: "soak-seccomp-0" },
    Subject { kind: ProfileKind::Seccomp, name: "soak-seccomp-1" },
    Subject { kind: ProfileKind::Seccomp, name: "soak-seccomp-2" },
    Subject { kind: ProfileKind::Selinux, name: "soak-selinux-0" },
    Subject { kind: ProfileKind::Selinux, name: "soak-selinux-1" },
    Subject { kind: ProfileKind::Selinux, name: "soak-selinux-2" },
    Subject { kind: ProfileKind::RawSelinux, name: "soak-raw-0" },
    Subject { kind: ProfileKind::RawSelinux, name: "soak-raw-1" },
    Subject { kind: ProfileKind::RawSelinux, name: "soak-raw-2" },
    Subject { kind: ProfileKind::AppArmor, name: "soak-apparmor-0" },
    Subject { kind: ProfileKind::AppArmor, name: "soak-apparmor-1" },
    Subject { kind: ProfileKind::AppArmor, name: "soak-apparmor-2" },
];

/// One thing that happens.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Change {
    /// A profile is made, or changed.
    Put(Subject, Wish),
    /// It is deleted, if it is there.
    Delete(Subject),
    /// A process of this node is killed, and comes back.
    Kill(String, Victim),
    /// The pod of a manager is.
    KillManager,
    /// The API server is.
    KillApiServer,
}

/// What is killed on a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Victim {
    Daemon,
    Installer,
    Kubelet,
}

impl Victim {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Daemon => "daemon",
            Self::Installer => "installer",
            Self::Kubelet => "kubelet",
        }
    }
}

/// So many changes.
pub(super) fn script(seed: u64, changes: usize, nodes: &[String]) -> Vec<Change> {
    let mut rng = Rng::with_seed(seed);
    (0..changes).map(|_| change(&mut rng, nodes)).collect()
}

fn change(rng: &mut Rng, nodes: &[String]) -> Change {
    let subject = SUBJECTS[rng.usize(..SUBJECTS.len())];
    let node = nodes[rng.usize(..nodes.len())].clone();
    match rng.u8(..100) {
        0..68 => Change::Put(subject, Wish { rule: RULES[rng.usize(..RULES.len())], disabled: rng.u8(..5) == 0 }),
        68..88 => Change::Delete(subject),
        88..92 => Change::Kill(node, Victim::Daemon),
        92..96 => Change::Kill(node, Victim::Installer),
        96..98 => Change::Kill(node, Victim::Kubelet),
        98 => Change::KillManager,
        _ => Change::KillApiServer,
    }
}
