//! What tells two profiles apart: which calls, on which ABIs, with which arguments.
//!
//! It is decided by what happens to calls, not by how the profiles are written: the order of entries, entries that do nothing, or a list
//! in place of many entries make no difference. Each change has a call that shows it.

use std::collections::BTreeSet;
use std::collections::btree_map::{BTreeMap, Entry};
use std::fmt;

use serde::Serialize;
use spo_api::seccomp::Arch;
use spo_api::syscalls::Abi;

use super::compare::{Spot, compare};
use super::space::Budget;
use super::{Base, Call, Effect, Profile};

mod text;

/// How many changes of one call are listed for an ABI.
const MAX_PER_CALL: usize = 32;

/// What tells two profiles apart.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Diff {
    /// Calls that are not treated alike, those that only one profile permits first.
    pub changes: Vec<Change>,
    /// What else differs and has an effect.
    pub settings: Vec<Setting>,
    /// Calls with more changes than are listed, or conditions that are too many to be compared.
    pub incomplete: Vec<String>,
}

/// Calls that the two profiles do not treat alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Which calls.
    pub calls: Calls,
    /// On which ABIs.
    pub abis: Vec<Abi>,
    /// What holds for their arguments, as one would write it in C; all calls if this is empty.
    pub arguments: Vec<String>,
    /// What the first profile says of them.
    pub first: Effect,
    /// What the second says.
    pub second: Effect,
    /// One of them.
    pub example: Call,
}

/// Which calls are meant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Calls {
    /// Those of an ABI that only one of the profiles covers. Of the effects one is its default, the other what calls of any ABI meet
    /// that is not covered.
    All,
    /// Those that neither profile names.
    Others,
    /// These.
    Named(Vec<String>),
}

/// Something besides calls that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Setting {
    /// The field.
    pub field: &'static str,
    /// What the first profile has.
    pub first: String,
    /// What the second has.
    pub second: String,
}

/// What tells `first` and `second` apart, on every ABI that one of them covers on some machine.
pub fn diff(first: &Profile, second: &Profile) -> Diff {
    let mut found = Found::default();
    let uncompared = compare(first, second, &mut Budget::default(), |spot| found.look(&spot));
    let mut incomplete: BTreeSet<&str> = found.cut.iter().copied().collect();
    incomplete.extend(uncompared);
    Diff {
        changes: found.changes(),
        settings: settings(first, second),
        incomplete: incomplete.into_iter().map(str::to_owned).collect(),
    }
}

impl Diff {
    /// Whether the two profiles do the same to every call.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.settings.is_empty() && self.incomplete.is_empty()
    }
}

/// What a change is about, whatever the ABI: the calls, their conditions, and what happens to them in either profile.
type About = (Calls, Vec<String>, Effect, Effect);

/// Single changes, before those of several ABIs and calls are put together.
#[derive(Default)]
struct Found {
    changes: BTreeMap<About, (BTreeSet<Abi>, Call)>,
    /// How many changes the last call had so far.
    last: Option<(Abi, u32, usize)>,
    cut: BTreeSet<&'static str>,
}

impl Found {
    fn look(&mut self, spot: &Spot<'_>) -> bool {
        let [first, second] = spot.effects;
        let one_only = spot.covered[0] != spot.covered[1];
        // An ABI that only one covers is told once, by the calls that neither names.
        if one_only && spot.name.is_some() || !one_only && first.same_as(second) {
            return !one_only;
        }
        let count = match self.last {
            Some((abi, nr, count)) if (abi, nr) == (spot.abi, spot.call.nr) => count + 1,
            _ => 1,
        };
        self.last = Some((spot.abi, spot.call.nr, count));
        if count > MAX_PER_CALL {
            self.cut.extend(spot.name);
            return false;
        }
        let calls = match spot.name {
            _ if one_only => Calls::All,
            None => Calls::Others,
            Some(name) => Calls::Named(vec![name.to_owned()]),
        };
        let key = (calls, spot.block.text(), first, second);
        self.changes.entry(key).or_insert_with(|| (BTreeSet::new(), spot.call)).0.insert(spot.abi);
        true
    }

    fn changes(self) -> Vec<Change> {
        let mut alike: BTreeMap<Alike, Change> = BTreeMap::new();
        for ((calls, arguments, first, second), (abis, example)) in self.changes {
            let abis: Vec<Abi> = abis.into_iter().collect();
            let change = Change { calls, abis, arguments, first, second, example };
            match alike.entry(Alike::of(&change)) {
                Entry::Vacant(place) => _ = place.insert(change),
                Entry::Occupied(mut place) => place.get_mut().calls.add(change.calls),
            }
        }
        alike.into_values().collect()
    }
}

/// What changes have in common that differ in the names of their calls only; in the order in which they are listed.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Alike {
    permits: Permits,
    /// Changes of named calls come last.
    calls: u8,
    first: Effect,
    second: Effect,
    arguments: Vec<String>,
    abis: Vec<Abi>,
}

impl Alike {
    fn of(change: &Change) -> Self {
        let calls = match change.calls {
            Calls::All => 0,
            Calls::Others => 1,
            Calls::Named(_) => 2,
        };
        let Change { arguments, abis, first, second, .. } = change.clone();
        Self { permits: change.permits(), calls, first, second, arguments, abis }
    }
}

impl Calls {
    fn add(&mut self, more: Self) {
        if let (Self::Named(names), Self::Named(more)) = (self, more) {
            names.extend(more);
        }
    }
}

/// Which of the profiles permit a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Permits {
    /// The first only.
    First,
    /// The second only.
    Second,
    /// Both, by different actions.
    Both,
    /// None; they refuse it in different ways.
    Neither,
}

impl Change {
    /// Which of the profiles permit the calls.
    pub fn permits(&self) -> Permits {
        match (self.first.is_permissive(), self.second.is_permissive()) {
            (true, false) => Permits::First,
            (false, true) => Permits::Second,
            (true, true) => Permits::Both,
            (false, false) => Permits::Neither,
        }
    }
}

/// What differs besides calls. Architectures count where their calls could not be compared; for others, calls tell.
fn settings(first: &Profile, second: &Profile) -> Vec<Setting> {
    let foreign = |profile: &Profile| {
        let known = |arch: &Arch| Abi::from_arch(*arch, Abi::X86_64).is_some();
        listed(profile.architectures.iter().filter(|arch| !known(arch)))
    };
    let base = |profile: &Profile| profile.base.as_ref().filter(|_| !profile.resolved).map(Base::to_string);
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let fields = [
        ("baseProfileName", base(first).unwrap_or_default(), base(second).unwrap_or_default()),
        ("architectures", foreign(first), foreign(second)),
        ("flags", listed(first.flags.iter()), listed(second.flags.iter())),
        ("listenerPath", text(&first.listener_path), text(&second.listener_path)),
        ("listenerMetadata", text(&first.listener_metadata), text(&second.listener_metadata)),
    ];
    let differs = fields.into_iter().filter(|(_, first, second)| first != second);
    differs.map(|(field, first, second)| Setting { field, first, second }).collect()
}

/// A set as text.
fn listed<'a, T: fmt::Display + Ord + 'a>(set: impl Iterator<Item = &'a T>) -> String {
    let set: BTreeSet<&T> = set.collect();
    set.into_iter().map(T::to_string).collect::<Vec<_>>().join(", ")
}
