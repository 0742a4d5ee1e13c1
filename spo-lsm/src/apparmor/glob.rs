//! Patterns of paths as what they match.
//!
//! A [`Glob`] answers whether it matches a path, and how it relates to other globs: the answers are found with automata, so they are
//! exact, but for two things. Variables whose values are the host's to choose (`@{HOME}`) are taken to be equal to themselves only, and
//! to be matched by `**` only; where it matters that two globs have nothing in common, they are taken to match anything. And globs that
//! were made to be hard have no answer: then neither [`Glob::covers`] nor that [`Glob::overlaps`] is false is claimed.
//!
//! The language is AppArmor's: `*` and `?` match no slash, `**` does, a star that is a whole part of a path stands for at least one
//! character, `[a-z]` and `[^k]` for one of some, `{a,b*}` for either, a backslash takes a character's meaning away.

mod automaton;
mod bytes;
mod search;
mod syntax;

use automaton::{Automaton, Unknown};
pub(super) use search::{Budget, Found};

use super::Pattern;

/// How much is looked at to compare two globs.
const STEPS: u64 = 2_000_000;
/// The kernel's `PATH_MAX`.
const MAX_BYTES: usize = 4096;

/// What a pattern matches.
///
/// Automata are made when they are asked for: a profile has thousands of paths, and few of them have to be compared.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Glob {
    text: String,
    /// What every match begins with.
    prefix: Vec<u8>,
    /// Whether that is all, so that it matches this path only.
    literal: bool,
}

/// Why a text is no glob.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidGlob {
    /// More than the kernel has paths for.
    #[error("is longer than the {MAX_BYTES} bytes of a path")]
    TooLong,
    /// A brace without its other half, or around a single alternative.
    #[error("has a brace without its other half, or around a single alternative")]
    Brace,
    /// Braces in braces in braces.
    #[error("has braces that are nested too deep")]
    TooDeep,
    /// Brackets that hold no characters, or are not closed.
    #[error("has brackets that are not closed, or hold what is no set of characters")]
    Class,
    /// It ends with a backslash.
    #[error("ends with a backslash")]
    Escape,
}

impl Glob {
    /// Reads a glob.
    ///
    /// # Errors
    /// What AppArmor's parser would refuse too.
    pub fn parse(text: &str) -> Result<Self, InvalidGlob> {
        if text.len() > MAX_BYTES {
            return Err(InvalidGlob::TooLong);
        }
        let nodes = syntax::parse(text)?;
        let (prefix, literal) = prefix(&nodes);
        Ok(Self { text: text.to_owned(), prefix, literal })
    }

    /// The text that it was read from.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it matches a path. Variables whose values are not known match anything.
    pub fn matches(&self, path: &[u8]) -> bool {
        if self.literal {
            return path == self.prefix;
        }
        path.starts_with(&self.prefix) && self.automaton(Unknown::Anything).takes(path)
    }

    /// Whether it surely matches everything that `other` matches.
    pub fn covers(&self, other: &Self) -> bool {
        covered(other, &[self], &mut Budget::new(STEPS))
    }

    /// Whether there may be a path that both match.
    pub fn overlaps(&self, other: &Self) -> bool {
        overlap(self, other, &mut Budget::new(STEPS))
    }

    /// What every match begins with.
    pub(super) fn prefix(&self) -> &[u8] {
        &self.prefix
    }

    /// Whether it matches one path only, its prefix.
    pub(super) fn is_literal(&self) -> bool {
        self.literal
    }

    /// What making an automaton of it costs.
    fn cost(&self) -> u64 {
        self.text.len() as u64
    }

    fn automaton(&self, unknown: Unknown) -> Automaton {
        // It was read before, so it can be read again.
        Automaton::new(&syntax::parse(&self.text).unwrap_or_default(), unknown)
    }
}

impl From<&Pattern> for Glob {
    fn from(pattern: &Pattern) -> Self {
        // Every pattern is a glob; a test holds them together. One that were none is taken for the path that it spells.
        let text = pattern.as_str();
        Self::parse(text).unwrap_or_else(|_| Self { text: text.to_owned(), prefix: text.into(), literal: true })
    }
}

/// Whether each path that `one` matches is surely matched by one of `others`.
pub(super) fn covered(one: &Glob, others: &[&Glob], budget: &mut Budget) -> bool {
    if one.literal {
        // A variable might be anything, so it is no proof.
        let takes = |other: &&Glob| other.literal || other.automaton(Unknown::Symbol).takes(&one.prefix);
        return others.iter().any(|other| other.matches(&one.prefix) && takes(other));
    }
    beyond(one, &[], &[Except { allowed: others, denied: &[] }], budget) == Found::Nothing
}

/// Whether there may be a path that both match.
pub(super) fn overlap(one: &Glob, other: &Glob, budget: &mut Budget) -> bool {
    let shared = one.prefix.len().min(other.prefix.len());
    if one.prefix[..shared] != other.prefix[..shared] {
        return false;
    }
    match (one.literal, other.literal) {
        (true, _) => other.matches(&one.prefix),
        (_, true) => one.matches(&other.prefix),
        _ if !budget.spend(one.cost() + other.cost()) => true,
        _ => {
            let [one, other] = [one, other].map(|glob| glob.automaton(Unknown::Anything));
            search::search(&[&one, &other], 2, |_| true, budget) != Found::Nothing
        }
    }
}

/// A path that both match.
pub(super) fn common(one: &Glob, other: &Glob, budget: &mut Budget) -> Found {
    if !budget.spend(one.cost() + other.cost()) {
        return Found::Unsure;
    }
    let [one, other] = [one, other].map(|glob| glob.automaton(Unknown::Symbol));
    search::search(&[&one, &other], 2, |_| true, budget)
}

/// A path that both match, and none of `denied` does.
pub(super) fn shared_beyond(one: &Glob, other: &Glob, denied: &[&Glob], budget: &mut Budget) -> Found {
    if !budget.spend(one.cost() + other.cost() + denied.iter().map(|glob| glob.cost()).sum::<u64>()) {
        return Found::Unsure;
    }
    let union = Automaton::either(denied.iter().map(|glob| glob.automaton(Unknown::Symbol)));
    let [one, other] = [one, other].map(|glob| glob.automaton(Unknown::Anything));
    search::search(&[&one, &other, &union], 2, |taken| !taken[2], budget)
}

/// Globs that permit, and those that take away from it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Except<'a> {
    pub(super) allowed: &'a [&'a Glob],
    pub(super) denied: &'a [&'a Glob],
}

/// A path that `one` matches, none of `denied` does, and none of `others` permits.
pub(super) fn beyond(one: &Glob, denied: &[&Glob], others: &[Except<'_>], budget: &mut Budget) -> Found {
    let all = denied.iter().chain(others.iter().flat_map(|other| other.allowed.iter().chain(other.denied)));
    if !budget.spend(one.cost() + all.map(|glob| glob.cost()).sum::<u64>()) {
        return Found::Unsure;
    }
    let union = |globs: &[&Glob]| Automaton::either(globs.iter().map(|glob| glob.automaton(Unknown::Symbol)));
    let mut automata = vec![one.automaton(Unknown::Symbol), union(denied)];
    automata.extend(others.iter().flat_map(|other| [union(other.allowed), union(other.denied)]));
    let automata: Vec<&Automaton> = automata.iter().collect();
    let free = |taken: &[bool]| !taken[1] && taken[2..].chunks(2).all(|pair| !pair[0] || pair[1]);
    search::search(&automata, 1, free, budget)
}

/// What every match begins with, and whether that is all.
fn prefix(nodes: &[syntax::Node]) -> (Vec<u8>, bool) {
    let mut prefix = Vec::new();
    for node in nodes {
        let syntax::Node::One(bytes) = node else { return (prefix, false) };
        let mut only = (1..=255).filter(|byte| bytes.contains(*byte));
        match (only.next(), only.next()) {
            (Some(byte), None) => prefix.push(byte),
            _ => return (prefix, false),
        }
    }
    (prefix, true)
}
