//! Merging: what comes of it permits exactly what any of the two permits.

use spo_api::Violation;

use super::access::{self, Access, denials};
use super::glob::{self, Budget, Found};
use super::index::Index;
use super::{Glob, Network, Pattern, Profile, Uses, parse, to_spec};

/// How often exceptions that would take something away are looked for again, after some were mended.
const MAX_ROUNDS: usize = 16;

/// Why two profiles have no union.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MergeError {
    /// An exception of one profile is partly permitted by the other, which a profile has no words for.
    #[error(
        "{name}: what {path} is an exception of cannot be kept, as both profiles together permit {example} and not all that is around it; \
         take the path out of one of them"
    )]
    Exception {
        /// The profile.
        name: String,
        /// A pattern of the result that permits too much or too little.
        path: String,
        /// A path that it would be wrong about.
        example: String,
    },
    /// The patterns are such that an answer would take too long.
    #[error("{name}: the exceptions among its paths are too many to be compared; write fewer patterns")]
    TooHard {
        /// The profile.
        name: String,
    },
    /// More than a profile can have.
    #[error("{name}: the profiles together are none: {}", .violations.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Invalid {
        /// The profile.
        name: String,
        /// What is wrong with it.
        violations: Vec<Violation>,
    },
}

/// The profile that permits what `base` or `other` permits, and nothing else.
///
/// All but what is permitted is that of `base`: name, mode and state. Paths of `other` that `base` permits already are left out; a path
/// is made to be read and written only where both are permitted of it, by one or by both together.
///
/// # Errors
/// If there is no such profile, or none that could be found.
pub fn merge(base: &Profile, other: &Profile) -> Result<Profile, MergeError> {
    let name = || base.name.to_string();
    let budget = &mut access::budget();
    let inputs = [Access::of(base, budget), Access::of(other, budget)];
    let mut merged = base.clone();
    merged.network = networks(base.network, other.network);
    merged.capabilities.extend(&other.capabilities);
    merged.ptrace.extend(&other.ptrace);
    programs(&mut merged, other, budget);
    files(&mut merged, other, budget);
    mend(&mut merged, &inputs, budget).ok_or_else(|| MergeError::TooHard { name: name() })?;
    prove(&merged, &inputs, budget)?;
    parse(merged.name.clone(), &to_spec(&merged)).map_err(|violations| MergeError::Invalid { name: name(), violations })
}

fn networks(base: Option<Network>, other: Option<Network>) -> Option<Network> {
    let (Some(one), Some(two)) = (base, other) else { return base.or(other) };
    let either = |one: Option<bool>, two: Option<bool>| match (one, two) {
        (Some(one), Some(two)) => Some(one || two),
        _ => one.or(two),
    };
    Some(Network { raw: either(one.raw, two.raw), tcp: either(one.tcp, two.tcp), udp: either(one.udp, two.udp) })
}

/// Adds what may be run and loaded, unless it may be already.
fn programs(merged: &mut Profile, other: &Profile, budget: &mut Budget) {
    for (known, added) in [(&mut merged.executables, &other.executables), (&mut merged.libraries, &other.libraries)] {
        let globs: Vec<Glob> = known.iter().map(Glob::from).collect();
        let index = Index::new(&globs);
        let mut is_new = |path: &&Pattern| {
            let glob = Glob::from(*path);
            !glob::covered(&glob, &index.near_globs(&glob), budget)
        };
        let new: Vec<Pattern> = added.iter().filter(|path| is_new(path)).cloned().collect();
        known.extend(new);
    }
}

/// Adds what may be read and written, unless it may be already.
fn files(merged: &mut Profile, other: &Profile, budget: &mut Budget) {
    let before = Access::of(merged, budget);
    let parts = [before.by(Uses::READ), before.by(Uses::WRITE)];
    let lists = [(&other.read_write, Uses::READ | Uses::WRITE), (&other.read, Uses::READ), (&other.write, Uses::WRITE)];
    for (paths, uses) in lists {
        for path in paths {
            let glob = Glob::from(path);
            let known = [Uses::READ, Uses::WRITE].into_iter().zip(&parts);
            let known =
                known.filter(|(_, part)| part.allows(&glob, budget)).fold(Uses::NONE, |all, (way, _)| all | way);
            if !known.contains(uses) {
                allow(merged, path, uses | known);
            }
        }
    }
}

/// Permits a path to be used so, and as it was before.
fn allow(profile: &mut Profile, path: &Pattern, uses: Uses) {
    let mut all = uses;
    for (list, had) in [
        (&mut profile.read, Uses::READ),
        (&mut profile.write, Uses::WRITE),
        (&mut profile.read_write, Uses::READ | Uses::WRITE),
    ] {
        if list.remove(path) {
            all |= had;
        }
    }
    let list = match (all.contains(Uses::READ), all.contains(Uses::WRITE)) {
        (true, true) => &mut profile.read_write,
        (true, false) => &mut profile.read,
        (false, _) => &mut profile.write,
    };
    list.insert(path.clone());
}

/// Takes back exceptions that would deny what one of the inputs permits. None if it does not come to an end.
fn mend(merged: &mut Profile, inputs: &[Access; 2], budget: &mut Budget) -> Option<()> {
    let parts = [Uses::READ, Uses::WRITE].map(|way| (way, inputs.each_ref().map(|input| input.by(way))));
    for _ in 0..MAX_ROUNDS {
        let mut wrong = Vec::new();
        for (path, denied) in denials(merged, budget) {
            let glob = Glob::from(path);
            let inputs = parts.iter().filter(|(way, _)| *way == denied).flat_map(|(_, inputs)| inputs);
            if inputs.into_iter().any(|input| input.touches(&glob, budget)) {
                wrong.push((path.clone(), glob, denied));
            }
        }
        if wrong.is_empty() {
            return Some(());
        }
        replace(merged, &wrong, budget)?;
    }
    None
}

/// Says the same as these exceptions without being one. All of such a path is permitted in the other way, too, so it is one that may be
/// read and written; or a part is, which then is named by itself.
fn replace(merged: &mut Profile, exceptions: &[(Pattern, Glob, Uses)], budget: &mut Budget) -> Option<()> {
    let access = Access::of(merged, budget);
    let both: Vec<Glob> = merged.read_write.iter().map(Glob::from).collect();
    let both = Index::new(&both);
    let parts = [Uses::READ, Uses::WRITE].map(|way| (way, access.by(way)));
    for (path, glob, way) in exceptions {
        let (_, part) = parts.iter().find(|(other, _)| other == way)?;
        if part.allows(glob, budget) {
            merged.read.remove(path);
            merged.write.remove(path);
            // Others may say so already.
            if !glob::covered(glob, &both.near_globs(glob), budget) {
                merged.read_write.insert(path.clone());
            }
        } else {
            let example = part.common(glob, budget)?.parse().ok()?;
            allow(merged, &example, Uses::READ | Uses::WRITE);
        }
    }
    Some(())
}

/// Makes sure that it permits what any input permits, and no more. Without denials that is so by how it was made.
fn prove(merged: &Profile, inputs: &[Access; 2], budget: &mut Budget) -> Result<(), MergeError> {
    let result = Access::of(merged, budget);
    for way in Uses::EACH {
        let (all, [base, other]) = (result.by(way), [&inputs[0], &inputs[1]].map(|input| input.by(way)));
        let questions =
            [(&result, &all, vec![&base, &other]), (&inputs[0], &base, vec![&all]), (&inputs[1], &other, vec![&all])];
        for (access, part, others) in questions {
            for (glob, _) in access.own().iter().filter(|(_, uses)| uses.contains(way)) {
                if ![&all, &base, &other].iter().any(|part| part.denies_part_of(glob, budget)) {
                    continue;
                }
                match part.beyond(glob, &others, budget) {
                    Found::Nothing => {}
                    Found::Path(example) => {
                        return Err(MergeError::Exception {
                            name: merged.name.to_string(),
                            path: glob.as_str().to_owned(),
                            example,
                        });
                    }
                    Found::Unsure => return Err(MergeError::TooHard { name: merged.name.to_string() }),
                }
            }
        }
    }
    Ok(())
}
