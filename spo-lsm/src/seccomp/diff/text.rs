//! A difference as people and programs read it.

use std::fmt;

use serde::ser::{Serialize, SerializeStruct, Serializer};
use serde_json::json;

use super::{Calls, Change, Diff, Permits, Setting};

/// For people: a line for each change, with `-` where only the first profile permits the calls, `+` where only the second does, and `~` where
/// both do or none does. Nothing if the profiles do the same.
impl fmt::Display for Diff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.changes.iter().try_for_each(|change| writeln!(f, "{change}"))?;
        for Setting { field, first, second } in &self.settings {
            let shown = |value: &str| if value.is_empty() { "none".to_owned() } else { value.to_owned() };
            writeln!(f, "~ {field}: {} -> {}", shown(first), shown(second))?;
        }
        if !self.incomplete.is_empty() {
            writeln!(f, "~ more than is listed: {}", self.incomplete.join(", "))?;
        }
        Ok(())
    }
}

/// `- mount, umount2 (x86_64, aarch64): SCMP_ACT_ALLOW -> SCMP_ACT_ERRNO`
impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = match self.permits() {
            Permits::First => '-',
            Permits::Second => '+',
            Permits::Both | Permits::Neither => '~',
        };
        write!(f, "{sign} ")?;
        match &self.calls {
            Calls::All => f.write_str("every call")?,
            Calls::Others => f.write_str("calls that neither names")?,
            Calls::Named(names) => f.write_str(&names.join(", "))?,
        }
        if !self.arguments.is_empty() {
            write!(f, " if {}", self.arguments.join(" && "))?;
        }
        write!(f, " ({}): {} -> {}", abis(self).join(", "), self.first, self.second)
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
