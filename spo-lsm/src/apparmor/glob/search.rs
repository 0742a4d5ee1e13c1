//! Looking for a path that some automata take and others do not.

use std::collections::{BTreeSet, HashMap};

use super::automaton::{Automaton, Label, States, Variable};
use super::bytes::Bytes;

/// How much may be looked at. Globs can be made for which an answer would take longer than anybody waits; such a question has none.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Budget(u64);

impl Budget {
    pub(in super::super) const fn new(steps: u64) -> Self {
        Self(steps)
    }

    /// Whether nothing more can be found out.
    pub(in super::super) const fn is_spent(&self) -> bool {
        self.0 == 0
    }

    /// Takes so much of it; whether some is left.
    pub(in super::super) fn spend(&mut self, steps: u64) -> bool {
        self.0 = self.0.saturating_sub(steps);
        self.0 > 0
    }
}

/// What came of a search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) enum Found {
    /// Such a path, with variables as they are written.
    Path(String),
    /// There is none.
    Nothing,
    /// The budget was spent.
    Unsure,
}

/// One letter.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Letter {
    Byte(u8),
    Variable(String),
}

impl Letter {
    fn fits(&self, label: &Label) -> bool {
        match (self, &label.variable) {
            (Self::Byte(byte), _) => label.bytes.contains(*byte),
            (Self::Variable(_), Variable::Any) => true,
            (Self::Variable(name), Variable::Named(wanted)) => name == wanted,
            (Self::Variable(_), Variable::None) => false,
        }
    }
}

/// Where all automata are, and whether a slash was the last letter: no path has two of them in a row.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Place {
    states: Vec<States>,
    behind_slash: bool,
}

/// Looks for a path such that `wanted` holds of which automata take it. The first `needed` automata must take it in any case.
pub(super) fn search(
    automata: &[&Automaton],
    needed: usize,
    wanted: impl Fn(&[bool]) -> bool,
    budget: &mut Budget,
) -> Found {
    let letters = letters(automata);
    let first = Place { states: automata.iter().map(|one| one.begin()).collect(), behind_slash: false };
    let mut known = HashMap::from([(first.clone(), ())]);
    // Each place with the place and the letter that led there.
    let mut places: Vec<(Place, Option<(usize, usize)>)> = vec![(first, None)];
    let mut at = 0;
    while at < places.len() {
        let taken: Vec<bool> =
            automata.iter().zip(&places[at].0.states).map(|(one, states)| one.accepts(states)).collect();
        if taken[..needed].iter().all(|taken| *taken) && wanted(&taken) {
            return Found::Path(path(&places, at, &letters));
        }
        for (index, letter) in letters.iter().enumerate() {
            let place = &places[at].0;
            let cost = place.states.iter().map(|states| states.len() as u64 + 1).sum();
            if !budget.spend(cost) {
                return Found::Unsure;
            }
            let slash = *letter == Letter::Byte(b'/');
            if slash && place.behind_slash {
                continue;
            }
            let step = |(one, states): (&&Automaton, &States)| one.step(states, |label| letter.fits(label));
            let states: Vec<States> = automata.iter().zip(&place.states).map(step).collect();
            if states[..needed].iter().any(Vec::is_empty) {
                continue;
            }
            let next = Place { states, behind_slash: slash };
            if known.insert(next.clone(), ()).is_none() {
                places.push((next, Some((at, index))));
            }
        }
        at += 1;
    }
    Found::Nothing
}

fn path(places: &[(Place, Option<(usize, usize)>)], mut at: usize, letters: &[Letter]) -> String {
    let mut found = Vec::new();
    while let Some((before, letter)) = places[at].1 {
        found.push(&letters[letter]);
        at = before;
    }
    let mut bytes = Vec::new();
    for letter in found.into_iter().rev() {
        match letter {
            Letter::Byte(byte) => bytes.push(*byte),
            Letter::Variable(name) => bytes.extend(format!("@{{{name}}}").bytes()),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// One letter for each group of bytes that no automaton tells apart, and the variables.
fn letters(automata: &[&Automaton]) -> Vec<Letter> {
    let labels = || automata.iter().flat_map(|one| one.labels());
    let mut sets: Vec<Bytes> = Vec::new();
    // The slash by itself, as paths have rules about it.
    for set in labels().map(|label| label.bytes).chain([Bytes::one(b'/')]) {
        if !sets.contains(&set) {
            sets.push(set);
        }
    }
    // Those that no set has lead nowhere.
    let mut groups = Vec::new();
    let mut rest = Bytes::ANY;
    for set in sets {
        let split = groups.into_iter().flat_map(|group: Bytes| <[Bytes; 2]>::from(group.split(set)));
        groups = split.filter(|group| !group.is_empty()).collect();
        let (new, others) = rest.split(set);
        groups.extend(Some(new).filter(|new| !new.is_empty()));
        rest = others;
    }
    let mut bytes: Vec<u8> =
        groups.into_iter().filter_map(|group| readable_first().find(|byte| group.contains(*byte))).collect();
    bytes.sort_unstable_by_key(|byte| (!byte.is_ascii_lowercase(), !byte.is_ascii_alphanumeric(), *byte));
    let names: BTreeSet<&String> = labels()
        .filter_map(|label| match &label.variable {
            Variable::Named(name) => Some(name),
            Variable::None | Variable::Any => None,
        })
        .collect();
    bytes.into_iter().map(Letter::Byte).chain(names.into_iter().map(|name| Letter::Variable(name.clone()))).collect()
}

/// All bytes but NUL, those that read well first.
fn readable_first() -> impl Iterator<Item = u8> {
    let letters = b'a'..=b'z';
    let digits = b'0'..=b'9';
    letters.chain(digits).chain(b"_-.".iter().copied()).chain(1..=255)
}
