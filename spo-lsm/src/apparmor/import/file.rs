//! Rules about files.

use std::collections::BTreeMap;

use super::body::Body;
use super::{Notes, Statement};
use crate::apparmor::{Pattern, Uses};

/// Letters of an access, with what they permit.
const LETTERS: [(char, Uses); 4] = [('r', Uses::READ), ('w', Uses::WRITE), ('m', Uses::LOAD), ('x', Uses::EXECUTE)];
const NOT_UNDERSTOOD: &str = "is left out: it is not understood";

/// The path and the access of a rule, in either order; the access of `file` alone is everything.
pub(super) fn parts<'a>(words: &[&'a str]) -> Option<(&'a str, &'a str)> {
    let words = words.strip_prefix(&["file"]).unwrap_or(words);
    match words {
        [path, access] if is_path(path) && is_access(access) => Some((path, access)),
        [access, path] if is_path(path) && is_access(access) => Some((path, access)),
        _ => None,
    }
}

fn is_path(word: &str) -> bool {
    word.starts_with(['/', '@'])
}

fn is_access(word: &str) -> bool {
    let runs = |byte: u8| b"ipPcCuU".contains(&byte);
    // How a program is run is said together with that it is.
    let is_whole = word.contains('x') || !word.bytes().any(runs);
    !word.is_empty() && is_whole && word.bytes().all(|byte| b"rwaklmx".contains(&byte) || runs(byte))
}

/// What the letters of an access name, by way of use. What goes with writing is no use of its own.
pub(super) fn uses(access: &str) -> Uses {
    let named = LETTERS.into_iter().filter(|(letter, _)| access.contains(*letter));
    named.fold(Uses::NONE, |all, (_, one)| all | one)
}

/// The ways that a denial takes something of: parts of writing count as writing.
pub(super) fn denied(access: &str) -> Uses {
    let writes = if access.contains(['a', 'k', 'l']) { Uses::WRITE } else { Uses::NONE };
    uses(access) | writes
}

/// Takes over what a rule permits.
pub(super) fn permission<'a>(body: &mut Body<'a>, rule: Statement<'a>, words: &[&'a str], notes: &mut Notes) {
    if words == ["file"] {
        return everything(body, rule, notes);
    }
    // What a program becomes by running another has no place in the model, but the rest of the rule has.
    let (words, target) = match words {
        [words @ .., "->", _] => (words, true),
        words => (words, false),
    };
    let Some((path, access)) = parts(words) else { return notes.add(&rule, NOT_UNDERSTOOD) };
    match body.pattern(path) {
        Ok(pattern) => {
            let uses = understood(body, &rule, access, target, notes);
            add(body, pattern, uses, rule);
        }
        Err(reason) => notes.add(&rule, format!("is left out: {reason}")),
    }
}

/// The rule `file,`.
fn everything<'a>(body: &mut Body<'a>, rule: Statement<'a>, notes: &mut Notes) {
    notes.add(&rule, "is taken over as all files, to be read, written and run; what is run stays in this profile");
    let all = Uses::READ | Uses::WRITE;
    if let Ok(pattern) = "/{**,}".parse() {
        add(body, pattern, all | Uses::EXECUTE, rule);
    }
}

/// What of an access an AppArmorProfile can say.
fn understood(body: &mut Body<'_>, rule: &Statement<'_>, access: &str, target: bool, notes: &mut Notes) -> Uses {
    let mut kept: String = access.to_owned();
    if access.contains('x') {
        let inherits = access.contains("ix") && !access.contains(['p', 'P', 'c', 'C', 'u', 'U']);
        if !inherits || target {
            notes
                .add(rule, "what it runs leaves the profile, which an AppArmorProfile cannot say; running is left out");
            kept.retain(|letter| letter != 'x');
        }
    }
    if !access.contains('w') && access.contains(['a', 'k', 'l']) {
        notes.add(
            rule,
            "to append, to lock and to link are left out: an AppArmorProfile permits them with writing only",
        );
    }
    let uses = uses(&kept);
    if uses.contains(Uses::WRITE) && !(access.contains('l') && access.contains('k')) && !body.locks_told {
        body.locks_told = true;
        notes.add(rule, "what may be written may be locked and linked, too, here and in all rules that follow");
    }
    let reads = uses.contains(Uses::EXECUTE) || uses.contains(Uses::LOAD);
    if reads && !uses.contains(Uses::READ) {
        notes.add(rule, "what may be run or loaded may be read, too");
    }
    uses
}

/// Puts a path into the lists that permit this.
fn add<'a>(body: &mut Body<'a>, pattern: Pattern, uses: Uses, rule: Statement<'a>) {
    let (run, load) = (uses.contains(Uses::EXECUTE), uses.contains(Uses::LOAD));
    let (read, write) = (uses.contains(Uses::READ), uses.contains(Uses::WRITE));
    if run && body.executables.contains(&pattern) {
        body.repeated.insert(pattern.clone());
    }
    let mut lists = Vec::new();
    lists.extend(run.then_some(&mut body.executables));
    lists.extend((load && !run).then_some(&mut body.libraries));
    match (read || run || load, write) {
        (true, true) => lists.push(&mut body.read_write),
        (false, true) => lists.push(&mut body.write),
        (true, false) if !run && !load => lists.push(&mut body.read),
        _ => {}
    }
    for list in lists {
        list.insert(pattern.clone());
    }
    if uses != Uses::NONE {
        remember(&mut body.named, pattern, rule);
    }
}

fn remember<'a>(named: &mut BTreeMap<Pattern, Statement<'a>>, pattern: Pattern, rule: Statement<'a>) {
    named.entry(pattern).or_insert(rule);
}
