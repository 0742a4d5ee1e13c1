//! What stands in front of the rules: name, attachment and flags.

use spo_api::ProfileName;
use spo_api::apparmor::v1::Mode;

use super::{ImportError, Notes, Statement};
use crate::apparmor::Name;

/// Flags that every text of ours has.
const FLAGS: [&str; 2] = ["attach_disconnected", "mediate_deleted"];

/// The head of a profile.
#[derive(Debug)]
pub(super) struct Head {
    /// The name in the text.
    pub(super) name: String,
    /// That of an object.
    pub(super) object: ProfileName,
    pub(super) loaded_as: Name,
    pub(super) mode: Mode,
}

impl Head {
    pub(super) fn read(open: &Statement<'_>, notes: &mut Notes) -> Result<Self, ImportError> {
        let words = open.words.strip_prefix(&["profile"]).unwrap_or(&open.words);
        let Some((name, words)) = words.split_first() else {
            return Err(ImportError::Syntax { line: open.line, what: "a brace without a profile in front of it" });
        };
        let object = object_name(name).and_then(|object| Some((Name::try_from(&object).ok()?, object)));
        let (loaded_as, object) = object.ok_or_else(|| ImportError::Name { name: shown(name), line: open.line })?;
        if object.as_str() != *name {
            notes.add(open, format!("the object is called {object}"));
        }
        let mut head = Self { name: (*name).to_owned(), object, loaded_as, mode: Mode::Enforce };
        let mut flags = Vec::new();
        for word in words {
            match word.strip_prefix("flags=").unwrap_or(word).strip_prefix('(').and_then(|list| list.strip_suffix(')'))
            {
                Some(list) => flags.extend(list.split([',', ' ', '\t', '\n', '\r']).filter(|flag| !flag.is_empty())),
                None if *word == "flags=" => {}
                None => notes
                    .add(open, format!("{word:?} is left out: an AppArmorProfile is bound to pods, not to programs")),
            }
        }
        head.flags(&flags, open, notes);
        Ok(head)
    }

    fn flags(&mut self, flags: &[&str], open: &Statement<'_>, notes: &mut Notes) {
        for flag in flags {
            match *flag {
                "enforce" => self.mode = Mode::Enforce,
                "complain" => self.mode = Mode::Complain,
                flag if FLAGS.contains(&flag) => {}
                flag => {
                    notes.add(open, format!("the flag {flag:?} is left out: an AppArmorProfile enforces or complains"))
                }
            }
        }
        if FLAGS.iter().any(|flag| !flags.contains(flag)) {
            notes.add(open, format!("an AppArmorProfile has the flags {}, too", FLAGS.join(" and ")));
        }
    }
}

/// The name of an object for a profile of this name: the last part of a path, with what no object's name may have replaced.
fn object_name(name: &str) -> Option<ProfileName> {
    let last = name.trim_end_matches('/').rsplit('/').next()?;
    let lower: String = last
        .chars()
        .map(|c| c.to_ascii_lowercase())
        .map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' })
        .collect();
    lower.trim_matches(['-', '.']).parse().ok()
}

fn shown(name: &str) -> String {
    name.chars().take(64).collect()
}
