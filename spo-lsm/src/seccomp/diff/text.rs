//! A difference as people and programs read it.

use std::fmt;

use serde::ser::{Serialize, SerializeStruct, Serializer};
use serde_json::json;

use super::{Calls, Change, Diff, Permits};

impl Diff {
    /// For people, with the profiles called by these names; nothing if it is empty.
    pub fn text(&self, first: &str, second: &str) -> String {
        Text { diff: self, first, second }.to_string()
    }
}

/// For people.
impl fmt::Display for Diff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text("the first", "the second"))
    }
}

struct Text<'a> {
    diff: &'a Diff,
    first: &'a str,
    second: &'a str,
}

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { diff, first, second } = self;
        for (permits, title) in [
            (Permits::First, format!("only {first} permits")),
            (Permits::Second, format!("only {second} permits")),
            (Permits::Both, "both permit, by different actions".to_owned()),
            (Permits::Neither, "both refuse, by different actions".to_owned()),
        ] {
            let changes: Vec<&Change> = diff.changes.iter().filter(|change| change.permits() == permits).collect();
            if !changes.is_empty() {
                writeln!(f, "{title}:")?;
            }
            changes.iter().try_for_each(|change| self.change(f, change))?;
        }
        for setting in &diff.settings {
            let shown = |value: &str| if value.is_empty() { "none".to_owned() } else { value.to_owned() };
            let (one, two) = (shown(&setting.first), shown(&setting.second));
            writeln!(f, "{}: {one} in {first}, {two} in {second}", setting.field)?;
        }
        if !diff.incomplete.is_empty() {
            writeln!(f, "there may be more differences, too many to list: {}", diff.incomplete.join(", "))?;
        }
        Ok(())
    }
}

impl Text<'_> {
    fn change(&self, f: &mut fmt::Formatter<'_>, change: &Change) -> fmt::Result {
        match &change.calls {
            Calls::All => f.write_str("  every call there")?,
            Calls::Others => f.write_str("  calls that neither names")?,
            Calls::Named(names) => write!(f, "  {}", names.join(", "))?,
        }
        if !change.arguments.is_empty() {
            write!(f, " if {}", change.arguments.join(" && "))?;
        }
        let Self { first, second, .. } = self;
        write!(f, ": {} in {first}, {} in {second}", change.first, change.second)?;
        writeln!(f, " ({})", abis(change).join(", "))
    }
}

fn abis(change: &Change) -> Vec<String> {
    change.abis.iter().map(ToString::to_string).collect()
}

/// For programs: words as profiles have them, ABIs as the kernel calls them.
impl Serialize for Change {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let call = &self.example;
        let example = json!({
            "abi": call.abi.to_string(), "syscall": call.abi.name(call.nr), "number": call.nr, "args": call.args,
        });
        let mut object = serializer.serialize_struct("Change", 7)?;
        object.serialize_field("permits", &self.permits())?;
        object.serialize_field("calls", &self.calls)?;
        object.serialize_field("abis", &abis(self))?;
        object.serialize_field("arguments", &self.arguments)?;
        object.serialize_field("first", &self.first.to_string())?;
        object.serialize_field("second", &self.second.to_string())?;
        object.serialize_field("example", &example)?;
        object.end()
    }
}

impl Serialize for Permits {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(match self {
            Self::First => "first",
            Self::Second => "second",
            Self::Both => "both",
            Self::Neither => "neither",
        })
    }
}

/// A list of names, or the word `all` or `others`.
impl Serialize for Calls {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::All => serializer.serialize_str("all"),
            Self::Others => serializer.serialize_str("others"),
            Self::Named(names) => names.serialize(serializer),
        }
    }
}
