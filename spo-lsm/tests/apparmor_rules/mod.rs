//! A reader of AppArmor's language, as far as our texts use it, which knows nothing of how they are made.
#![allow(dead_code, reason = "each test program uses its part")]

/// A rule, without what is around it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rule {
    Allow(String, String),
    Deny(String, String),
    Other(String),
}

/// The rules between the braces of a profile.
pub(crate) fn read(text: &str) -> Vec<Rule> {
    let (_, body) = text.split_once(") {\n").unwrap();
    let body = body.strip_suffix("}\n").unwrap();
    let mut rules = Vec::new();
    let mut words: Vec<String> = Vec::new();
    let mut rest = body.trim_start();
    while let Some(first) = rest.chars().next() {
        let taken = match first {
            '#' => rest.find('\n').unwrap(),
            ',' => {
                rules.push(rule(std::mem::take(&mut words)));
                1
            }
            '"' => {
                let end = rest[1..].find('"').unwrap() + 1;
                words.push(rest[1..end].to_owned());
                end + 1
            }
            _ => {
                let end = word_end(rest);
                words.push(rest[..end].to_owned());
                end
            }
        };
        rest = rest[taken..].trim_start();
    }
    assert!(words.is_empty(), "{words:?} is no rule, for want of a comma");
    rules
}

/// A word ends at a blank, and at a comma that a blank or the end follows.
fn word_end(text: &str) -> usize {
    let ends = |(at, c): (usize, char)| {
        let last = text[at + c.len_utf8()..].chars().next().is_none_or(char::is_whitespace);
        (c.is_whitespace() || c == '"' || (c == ',' && last)).then_some(at)
    };
    text.char_indices().find_map(ends).unwrap_or(text.len())
}

fn rule(words: Vec<String>) -> Rule {
    match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["audit", "deny", path, access] => Rule::Deny((*path).to_owned(), (*access).to_owned()),
        [path, access] if path.starts_with('/') => Rule::Allow((*path).to_owned(), (*access).to_owned()),
        _ => Rule::Other(words.join(" ")),
    }
}

/// Whether a pattern of the text matches a path: a reader of AppArmor's globs that tries everything, and knows nothing of automata.
/// Variables, which would need the host's tunables, match nothing.
pub(crate) fn matches(pattern: &str, path: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let path: Vec<char> = path.chars().collect();
    tries(&pattern, None, &path)
}

fn tries(pattern: &[char], before: Option<char>, path: &[char]) -> bool {
    let some_more = |rest: &[char], stops: &str, least: usize| {
        let most = path.iter().position(|c| stops.contains(*c)).unwrap_or(path.len());
        (least..=most).any(|taken| tries(rest, Some('*'), &path[taken..]))
    };
    match pattern {
        [] => path.is_empty(),
        ['*', ..] => {
            let after = pattern.iter().position(|c| *c != '*').map(|at| pattern[at]);
            let least = usize::from(before == Some('/') && matches!(after, None | Some('/')));
            match pattern {
                // The first of at least one is no slash.
                ['*', '*', rest @ ..] if least == 0 || path.first().is_some_and(|c| *c != '/') => {
                    some_more(rest, "", least)
                }
                ['*', '*', ..] => false,
                _ => some_more(&pattern[1..], "/", least),
            }
        }
        ['?', rest @ ..] => path.first().is_some_and(|c| *c != '/') && tries(rest, Some('?'), &path[1..]),
        ['{', rest @ ..] => alternatives(rest).iter().any(|(one, rest)| {
            // A star in braces has a brace or a comma beside it, so it stands for nothing, too.
            let marked: Vec<char> = one.iter().copied().chain(['\u{1}']).chain(rest.iter().copied()).collect();
            tries(&marked, Some('{'), path)
        }),
        // What ends braces; it is no slash.
        ['\u{1}', rest @ ..] => tries(rest, Some('}'), path),
        [c, rest @ ..] => path.first() == Some(c) && tries(rest, Some(*c), &path[1..]),
    }
}

/// The alternatives behind a brace, each with what follows the braces.
fn alternatives(text: &[char]) -> Vec<(&[char], &[char])> {
    let (mut depth, mut from, mut found) = (0, 0, Vec::new());
    for (at, c) in text.iter().enumerate() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                found.push(&text[from..at]);
                return found.into_iter().map(|one| (one, &text[at + 1..])).collect();
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                found.push(&text[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    panic!("braces are not closed");
}

/// What the rules of a text permit to be done with a path: of `r`, `w`, `x` and `m`.
pub(crate) fn permitted(rules: &[Rule], path: &str) -> String {
    let has = |access: &str, way: char| match way {
        'm' => access.contains(['m', 'x']),
        way => access.contains(way),
    };
    let of = |way: char| {
        let allowed = rules
            .iter()
            .any(|rule| matches!(rule, Rule::Allow(pattern, access) if has(access, way) && matches(pattern, path)));
        let denied = rules
            .iter()
            .any(|rule| matches!(rule, Rule::Deny(pattern, access) if access.contains(way) && matches(pattern, path)));
        allowed && !denied
    };
    ['r', 'w', 'x', 'm'].into_iter().filter(|way| of(*way)).collect()
}
