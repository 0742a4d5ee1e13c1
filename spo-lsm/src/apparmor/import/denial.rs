//! What a text denies, and what its profile would deny as an AppArmorProfile.

use std::collections::{BTreeMap, BTreeSet};

use super::{Notes, Statement, file};
use crate::apparmor::access::{self, Access};
use crate::apparmor::glob::{Budget, covered};
use crate::apparmor::index::Index;
use crate::apparmor::rules::DEFAULT_DENIALS;
use crate::apparmor::{Capability, Glob, Pattern, Profile, Uses};
use spo_api::apparmor::v1::Mode;

/// A rule that denies something, with its words behind `deny`.
#[derive(Debug)]
pub(super) struct Denial<'a> {
    pub(super) rule: Statement<'a>,
    pub(super) words: Vec<&'a str>,
}

type Exceptions = BTreeSet<(Pattern, Uses)>;

/// Brings a profile as near to its text as it comes, where these deny something, and says where they differ.
pub(super) fn settle<'a>(
    profile: &mut Profile,
    denials: Vec<Denial<'a>>,
    named: &BTreeMap<Pattern, Statement<'a>>,
    open: &Statement<'a>,
    notes: &mut Notes,
) {
    if profile.mode == Mode::Complain {
        for denial in denials {
            notes.add(&denial.rule, "is left out: an AppArmorProfile denies nothing in complain mode");
        }
        return;
    }
    let budget = &mut access::budget();
    let asked: Exceptions = denials.iter().filter_map(Denial::exception).collect();
    simplify(profile, &asked, budget);
    let given = exceptions(profile, budget);
    for (path, _) in given.difference(&asked) {
        let rule = named.get(path).unwrap_or(open);
        notes.add(rule, "an AppArmorProfile makes an exception of it: what this rule does not permit is denied, though another permits it");
    }
    defaults(profile, &denials, open, notes, budget);
    let access = Access::of(profile, budget);
    for denial in &denials {
        let is_exception = denial.exception().is_some_and(|exception| given.contains(&exception));
        if !is_exception && !denial.is_default() && !repeats(denial, profile, &access, budget) {
            notes.add(
                &denial.rule,
                "is left out, so that more is permitted: an AppArmorProfile has no words for this exception",
            );
        }
    }
}

fn exceptions(profile: &Profile, budget: &mut Budget) -> Exceptions {
    access::denials(profile, budget).into_iter().map(|(path, uses)| (path.clone(), uses)).collect()
}

/// Takes paths out of lists where they would make exceptions that the text does not make.
fn simplify(profile: &mut Profile, asked: &Exceptions, budget: &mut Budget) {
    // In the second round, what the first one moved is known.
    for _ in 0..2 {
        let exceptions = exceptions(profile, budget);
        let all: Vec<(Pattern, Glob)> =
            access::patterns(profile).into_keys().map(|path| (path.clone(), Glob::from(path))).collect();
        let index = Index::new(all.iter().map(|(_, glob)| glob));
        for (path, denied) in exceptions {
            if asked.contains(&(path.clone(), denied)) {
                continue;
            }
            let uses = access::uses(profile, &path);
            let both = uses.contains(Uses::READ | Uses::WRITE);
            let mut covered = || {
                !budget.is_spent() && {
                    let near = index.near(&Glob::from(&path)).into_iter().map(|at| &all[at]);
                    is_covered(profile, &path, uses, near, budget)
                }
            };
            if both || covered() {
                profile.read.remove(&path);
                profile.write.remove(&path);
            }
            if both {
                profile.read_write.insert(path);
            }
        }
    }
}

/// Whether other paths, of those `near` it, permit all that this one does.
fn is_covered<'a>(
    profile: &Profile,
    path: &Pattern,
    uses: Uses,
    near: impl ExactSizeIterator<Item = &'a (Pattern, Glob)>,
    budget: &mut Budget,
) -> bool {
    if !budget.spend(near.len() as u64) {
        return false;
    }
    let others = near.filter(|(other, _)| other != path && access::uses(profile, other).contains(uses));
    covered(&Glob::from(path), &others.map(|(_, glob)| glob).collect::<Vec<_>>(), budget)
}

/// Says what every AppArmorProfile denies, and this text permits.
fn defaults(profile: &Profile, denials: &[Denial<'_>], open: &Statement<'_>, notes: &mut Notes, budget: &mut Budget) {
    let said: BTreeSet<&str> = denials.iter().filter(|denial| denial.is_default()).filter_map(Denial::path).collect();
    let patterns: Vec<(Glob, Uses)> =
        access::patterns(profile).into_iter().map(|(path, uses)| (Glob::from(path), uses)).collect();
    let missing = DEFAULT_DENIALS.iter().filter(|(path, _)| !said.contains(path));
    let taken: Vec<&str> = missing
        .filter(|(path, letters)| {
            let Ok(denied) = Glob::parse(path) else { return false };
            patterns.iter().any(|(glob, uses)| {
                shares(file::uses(letters), *uses) && crate::apparmor::glob::overlap(&denied, glob, budget)
            })
        })
        .map(|(path, _)| *path)
        .collect();
    if !taken.is_empty() {
        notes.add(open, format!("every AppArmorProfile denies to write, or to use at all, {}", taken.join(" and ")));
    }
}

/// Whether nothing is permitted that the denial is about.
fn repeats(denial: &Denial<'_>, profile: &Profile, access: &Access, budget: &mut Budget) -> bool {
    let network = profile.network.unwrap_or_default();
    match denial.words.as_slice() {
        ["capability"] => profile.capabilities.is_empty(),
        ["capability", names @ ..] => names
            .iter()
            .all(|name| name.parse::<Capability>().is_ok_and(|capability| !profile.capabilities.contains(&capability))),
        ["network", ..] => network == crate::apparmor::Network::default(),
        // abstractions/base lets everyone be read and traced.
        ["ptrace"] => false,
        ["ptrace", words @ ..] => {
            let of_base = |word: &&str| word.contains("readby") || word.contains("tracedby");
            profile.ptrace.is_empty() && !words.iter().any(of_base)
        }
        ["mount" | "remount" | "umount", ..] => !profile.capabilities.contains(&Capability::SYS_RAWIO),
        // Of these, an AppArmorProfile permits what abstractions/base does, which no denial here is known to leave alone.
        words => file::parts(words).is_some_and(|(path, letters)| {
            let Ok(glob) = Glob::parse(path) else { return false };
            let denied = file::denied(letters);
            Uses::EACH.into_iter().filter(|way| denied.contains(*way)).all(|way| !access.by(way).touches(&glob, budget))
        }),
    }
}

fn shares(one: Uses, other: Uses) -> bool {
    Uses::EACH.into_iter().any(|way| one.contains(way) && other.contains(way))
}

impl<'a> Denial<'a> {
    fn path(&self) -> Option<&'a str> {
        file::parts(&self.words).map(|(path, _)| path)
    }

    /// Whether every text of ours has it, whether or not it is logged.
    fn is_default(&self) -> bool {
        file::parts(&self.words).is_some_and(|(path, letters)| {
            DEFAULT_DENIALS.iter().any(|(known, all)| *known == path && sorted(letters) == sorted(all))
        })
    }

    /// The exception that it makes of a path: not to be written, or not to be read.
    fn exception(&self) -> Option<(Pattern, Uses)> {
        let (path, letters) = file::parts(&self.words)?;
        let uses = match sorted(letters).as_slice() {
            [b'r'] => Uses::READ,
            letters if letters.contains(&b'w') && letters.iter().all(|letter| b"aklw".contains(letter)) => Uses::WRITE,
            _ => return None,
        };
        Some((path.parse().ok()?, uses))
    }
}

fn sorted(letters: &str) -> Vec<u8> {
    let mut letters = letters.as_bytes().to_vec();
    letters.sort_unstable();
    letters
}
