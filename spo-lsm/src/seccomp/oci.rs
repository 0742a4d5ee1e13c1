//! Profiles in the format of the OCI runtime specification, as runtimes read them and `spoc run` accepts them.

use serde::{Deserialize, Deserializer};
use serde_json::Value;
use spo_api::seccomp::{Action, Arch, Flag, Operator};
use spo_api::{FieldPath, ProfileName, Violation};

use super::Profile;
use super::written::{Written, WrittenArg, WrittenEntry};

/// The largest profile that is read.
pub const MAX_BYTES: usize = 1 << 20;

/// Why a profile in the format of the OCI runtime specification cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OciError {
    /// More than [`MAX_BYTES`].
    #[error(
        "the profile has {bytes} bytes, more than the {MAX_BYTES} that are read; profiles of this size do not fit into a filter"
    )]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// No JSON, or not that of a profile.
    #[error("not a seccomp profile of the OCI runtime specification")]
    Json(#[source] serde_json::Error),
    /// Rules that cannot be.
    #[error("{}", list(.0))]
    Invalid(Vec<Violation>),
}

fn list(violations: &[Violation]) -> String {
    violations.iter().map(Violation::to_string).collect::<Vec<_>>().join("; ")
}

/// Reads a profile of the OCI runtime specification. Keys that it does not know are passed over, as the specification demands.
///
/// # Errors
/// See [`OciError`]; violations name fields from the root of the document.
pub fn parse_oci(name: ProfileName, json: &[u8]) -> Result<Profile, OciError> {
    if json.len() > MAX_BYTES {
        return Err(OciError::TooLarge { bytes: json.len() });
    }
    let document: Document = serde_json::from_slice(json).map_err(OciError::Json)?;
    let foreign = document.foreign();
    if !foreign.is_empty() {
        return Err(OciError::Invalid(foreign));
    }
    document.written().into_profile(name, &FieldPath::default()).map_err(OciError::Invalid)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    default_action: Action,
    default_errno_ret: Option<i64>,
    #[serde(default, deserialize_with = "or_nothing")]
    architectures: Vec<Arch>,
    #[serde(default, deserialize_with = "or_nothing")]
    flags: Vec<Flag>,
    listener_path: Option<String>,
    listener_metadata: Option<String>,
    #[serde(default, deserialize_with = "or_nothing")]
    syscalls: Vec<DocumentEntry>,
    arch_map: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DocumentEntry {
    #[serde(default, deserialize_with = "or_nothing")]
    names: Vec<String>,
    action: Action,
    errno_ret: Option<i64>,
    #[serde(default, deserialize_with = "or_nothing")]
    args: Vec<DocumentArg>,
    includes: Option<Value>,
    excludes: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DocumentArg {
    index: i64,
    #[serde(default, deserialize_with = "or_nothing")]
    value: i128,
    #[serde(default, deserialize_with = "or_nothing")]
    value_two: i128,
    op: Operator,
}

/// Runtimes are written in Go, for which null is a list without elements, or a zero, and which writes it for them.
fn or_nothing<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

impl Document {
    /// Container engines keep profiles in a format of their own, with entries for some machines or capabilities only. Read as this one,
    /// such an entry would hold always.
    fn foreign(&self) -> Vec<Violation> {
        let conditional = |value: &Option<Value>| match value {
            None | Some(Value::Null) => false,
            Some(Value::Object(map)) => !map.is_empty(),
            Some(_) => true,
        };
        let mut found = Vec::new();
        if conditional(&self.arch_map) && self.architectures.is_empty() {
            let reason =
                "is the format of container engines; write the architectures of the machine into architectures";
            found.push(Violation::new(FieldPath::new("archMap"), reason));
        }
        for (index, entry) in self.syscalls.iter().enumerate() {
            let path = FieldPath::new("syscalls").index(index);
            for (key, value) in [("includes", &entry.includes), ("excludes", &entry.excludes)] {
                if conditional(value) {
                    let reason = "is the format of container engines; keep the entry without it, or remove the entry";
                    found.push(Violation::new(path.child(key), reason));
                }
            }
        }
        found
    }

    fn written(&self) -> Written<'_> {
        Written {
            state: None,
            base: None,
            default_action: self.default_action,
            // Where the action carries no number, engines still write one for the actions that would.
            default_errno: self
                .default_errno_ret
                .filter(|_| matches!(self.default_action, Action::Errno | Action::Trace)),
            architectures: &self.architectures,
            listener_path: self.listener_path.as_deref().filter(|path| !path.is_empty()),
            listener_metadata: self.listener_metadata.as_deref().filter(|text| !text.is_empty()),
            entries: self.syscalls.iter().map(DocumentEntry::written).collect(),
            flags: &self.flags,
        }
    }
}

impl DocumentEntry {
    fn written(&self) -> WrittenEntry<'_> {
        WrittenEntry {
            names: &self.names,
            action: self.action,
            errno: self.errno_ret,
            args: self.args.iter().map(DocumentArg::written).collect(),
        }
    }
}

impl DocumentArg {
    fn written(&self) -> WrittenArg {
        WrittenArg { index: self.index, value: self.value, value_two: self.value_two, operator: self.op }
    }
}
