//! The script of a seed: what people do to profiles, others to files, and fate to processes.

use fastrand::Rng;

use super::wish::Wish;

const NAMES: [&str; 12] = [
    "soak-0", "soak-1", "soak-2", "soak-3", "soak-4", "soak-5", "soak-6", "soak-7", "soak-8", "soak-9", "base-0",
    "base-1",
];
const BASES: [&str; 2] = ["base-0", "base-1"];
const CALLS: [&str; 6] = ["read", "write", "openat", "close", "mmap", "getpid"];

/// One thing that happens.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Change {
    /// A profile is made, or changed.
    Put(&'static str, Wish),
    /// It is deleted, if it is there.
    Delete(&'static str),
    /// Somebody overwrites the file of a profile.
    Overwrite(&'static str),
    /// Somebody removes it.
    Unlink(&'static str),
    /// Somebody puts a file into the folder under a profile's name that nobody asked for.
    Plant,
    /// A process is killed, and comes back.
    Kill(Victim),
}

/// What is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Victim {
    Daemon,
    Manager,
    ApiServer,
}

/// So many changes. The last ones see to it that every base is there, for what a profile without its base leaves on a node depends
/// on when each was seen, and is tested elsewhere.
pub(super) fn script(seed: u64, changes: usize) -> Vec<Change> {
    let mut rng = Rng::with_seed(seed);
    let mut script: Vec<Change> = (0..changes - BASES.len()).map(|_| change(&mut rng)).collect();
    script.extend(BASES.map(|name| Change::Put(name, Wish { disabled: false, ..wish(&mut rng, name) })));
    script
}

fn change(rng: &mut Rng) -> Change {
    let name = NAMES[rng.usize(..NAMES.len())];
    match rng.u8(..100) {
        0..55 => Change::Put(name, wish(rng, name)),
        55..72 => Change::Delete(name),
        72..78 => Change::Overwrite(name),
        78..84 => Change::Unlink(name),
        84..88 => Change::Plant,
        88..95 => Change::Kill(Victim::Daemon),
        95..99 => Change::Kill(Victim::Manager),
        _ => Change::Kill(Victim::ApiServer),
    }
}

fn wish(rng: &mut Rng, name: &str) -> Wish {
    let base = if BASES.contains(&name) || rng.bool() { None } else { Some(BASES[rng.usize(..BASES.len())]) };
    Wish { call: CALLS[rng.usize(..CALLS.len())], base, disabled: rng.u8(..5) == 0 }
}
