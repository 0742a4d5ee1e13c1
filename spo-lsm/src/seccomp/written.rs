//! A profile as it was written, whatever it was written in.

use spo_api::AdminState;
use spo_api::seccomp::v1::{Arg, SeccompProfileSpec, Syscall};
use spo_api::seccomp::{Action, Arch, Flag, Operator};

/// A profile as it was written, with numbers as wide as any writer has them.
pub(super) struct Written<'a> {
    pub(super) state: Option<AdminState>,
    pub(super) base: Option<&'a str>,
    pub(super) default_action: Action,
    pub(super) default_errno: Option<i64>,
    pub(super) architectures: &'a [Arch],
    pub(super) listener_path: Option<&'a str>,
    pub(super) listener_metadata: Option<&'a str>,
    pub(super) entries: Vec<WrittenEntry<'a>>,
    pub(super) flags: &'a [Flag],
}

pub(super) struct WrittenEntry<'a> {
    pub(super) names: &'a [String],
    pub(super) action: Action,
    pub(super) errno: Option<i64>,
    pub(super) args: Vec<WrittenArg>,
}

pub(super) struct WrittenArg {
    pub(super) index: i64,
    pub(super) value: i128,
    pub(super) value_two: i128,
    pub(super) operator: Operator,
}

impl<'a> Written<'a> {
    pub(super) fn from_api(spec: &'a SeccompProfileSpec) -> Self {
        Self {
            state: spec.state,
            base: non_empty(spec.base_profile_name.as_deref()),
            default_action: spec.default_action,
            default_errno: None,
            architectures: spec.architectures.as_deref().unwrap_or_default(),
            listener_path: non_empty(spec.listener_path.as_deref()),
            listener_metadata: non_empty(spec.listener_metadata.as_deref()),
            entries: spec.syscalls.iter().flatten().map(WrittenEntry::from_api).collect(),
            flags: spec.flags.as_deref().unwrap_or_default(),
        }
    }
}

impl<'a> WrittenEntry<'a> {
    fn from_api(entry: &'a Syscall) -> Self {
        Self {
            names: &entry.names,
            action: entry.action,
            // The reference's type leaves a 0 out, so that it means "not given" wherever the object is read back.
            errno: entry.errno_ret.filter(|errno| *errno != 0).map(i64::from),
            args: entry.args.iter().flatten().map(WrittenArg::from_api).collect(),
        }
    }
}

impl WrittenArg {
    fn from_api(arg: &Arg) -> Self {
        Self {
            index: arg.index.into(),
            value: arg.value.unwrap_or_default().into(),
            value_two: arg.value_two.unwrap_or_default().into(),
            operator: arg.op,
        }
    }
}

/// The reference's types have plain strings, where an empty one is none.
fn non_empty(text: Option<&str>) -> Option<&str> {
    text.filter(|text| !text.is_empty())
}
