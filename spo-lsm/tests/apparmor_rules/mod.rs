//! A reader of AppArmor's language, as far as our texts use it, which knows nothing of how they are made.

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
        ["deny", path, access] if *path != "network" => Rule::Deny((*path).to_owned(), (*access).to_owned()),
        [path, access] if path.starts_with('/') => Rule::Allow((*path).to_owned(), (*access).to_owned()),
        _ => Rule::Other(words.join(" ")),
    }
}
