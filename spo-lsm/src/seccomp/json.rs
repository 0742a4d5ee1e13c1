//! The file that runtimes read.
//!
//! It is the resolved spec in the field order of the reference (`spec/node.md` 3.4), which is also the format of the OCI runtime
//! specification: <https://github.com/opencontainers/runtime-spec/blob/main/config-linux.md#seccomp>. Runtimes ignore the two keys
//! that the specification does not have, `state` and `baseProfileName`.

use serde::Serialize;
use spo_api::AdminState;
use spo_api::seccomp::{Action, Arch, Flag, Operator};

use super::{Base, Condition, Entry, Profile};

/// How JSON is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Without white space, as nodes keep it.
    Compact,
    /// Indented by two spaces, for people. Without a final newline.
    Pretty,
}

/// The profile as JSON. Equal profiles give equal text.
pub fn to_json(profile: &Profile, form: Form) -> String {
    let file = File::from(profile);
    let text = match form {
        Form::Compact => serde_json::to_string(&file),
        Form::Pretty => serde_json::to_string_pretty(&file),
    };
    // Strings, numbers and lists of them: there is nothing that could fail.
    text.unwrap_or_default()
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct File<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<AdminState>,
    #[serde(skip_serializing_if = "Option::is_none")]
    base_profile_name: Option<String>,
    default_action: Action,
    #[serde(skip_serializing_if = "Option::is_none")]
    default_errno_ret: Option<u16>,
    #[serde(skip_serializing_if = "<[Arch]>::is_empty")]
    architectures: &'a [Arch],
    #[serde(skip_serializing_if = "Option::is_none")]
    listener_path: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    listener_metadata: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    syscalls: Vec<FileEntry<'a>>,
    #[serde(skip_serializing_if = "<[Flag]>::is_empty")]
    flags: &'a [Flag],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct FileEntry<'a> {
    names: &'a [String],
    action: Action,
    #[serde(skip_serializing_if = "Option::is_none")]
    errno_ret: Option<u16>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    args: Vec<FileArg>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct FileArg {
    index: u8,
    #[serde(skip_serializing_if = "is_zero")]
    value: u64,
    #[serde(skip_serializing_if = "is_zero")]
    value_two: u64,
    op: Operator,
}

fn is_zero(value: &u64) -> bool {
    *value == 0
}

impl<'a> From<&'a Profile> for File<'a> {
    fn from(profile: &'a Profile) -> Self {
        Self {
            state: profile.state,
            base_profile_name: profile.base.as_ref().map(Base::to_string),
            default_action: profile.default_effect.action(),
            default_errno_ret: profile.default_effect.number(),
            architectures: &profile.architectures,
            listener_path: profile.listener_path.as_deref(),
            listener_metadata: profile.listener_metadata.as_deref(),
            syscalls: profile.entries.iter().map(FileEntry::from).collect(),
            flags: &profile.flags,
        }
    }
}

impl<'a> From<&'a Entry> for FileEntry<'a> {
    fn from(entry: &'a Entry) -> Self {
        Self {
            names: &entry.names,
            action: entry.effect.action(),
            errno_ret: entry.effect.number(),
            args: entry.conditions.iter().copied().map(FileArg::from).collect(),
        }
    }
}

impl From<Condition> for FileArg {
    fn from(condition: Condition) -> Self {
        let (op, value, value_two) = condition.test.parts();
        Self { index: condition.argument.index(), value, value_two, op }
    }
}
