//! What is wished of profiles: the objects of a script, as a person would write them, and what of each is to be found on a node.

use serde_json::{Value, json};
use spo_api::{GROUP, ProfileKind};

/// The last part of each rule that a profile may have, by which the versions of a profile are told apart.
pub(super) const RULES: [&str; 6] = ["read", "write", "open", "getattr", "append", "lock"];

/// What one profile is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wish {
    /// The one rule in which its versions differ.
    pub(super) rule: &'static str,
    pub(super) disabled: bool,
}

impl Wish {
    /// The object to apply.
    pub(super) fn object(self, kind: ProfileKind, name: &str) -> Value {
        let mut object = json!({
            "apiVersion": format!("{GROUP}/v1"),
            "kind": kind.as_str(),
            "metadata": {"name": name},
            "spec": self.spec(kind),
        });
        object["spec"]["state"] = if self.disabled { "Disabled" } else { "Enabled" }.into();
        object
    }

    fn spec(self, kind: ProfileKind) -> Value {
        let rule = self.rule;
        match kind {
            ProfileKind::Seccomp => json!({
                "defaultAction": "SCMP_ACT_ERRNO",
                "syscalls": [{"names": [call(rule)], "action": "SCMP_ACT_ALLOW"}],
            }),
            ProfileKind::Selinux => {
                json!({"inherit": [{"name": "container"}], "allow": {"var_log_t": {"file": [rule]}}})
            }
            ProfileKind::RawSelinux => {
                json!({"policy": format!("(blockinherit container)\n(allow process var_log_t ( file ( {rule} )))\n")})
            }
            ProfileKind::AppArmor => json!({"abstract": {"filesystem": {"readOnlyPaths": [path(rule)]}}}),
        }
    }

    /// What the profile's text on a node says and that of no other version does.
    pub(super) fn mark(self, kind: ProfileKind) -> String {
        match kind {
            ProfileKind::Seccomp => format!("\"{}\"", call(self.rule)),
            ProfileKind::Selinux | ProfileKind::RawSelinux => format!(" {} ", self.rule),
            ProfileKind::AppArmor => path(self.rule),
        }
    }
}

/// A system call that is in no other version.
fn call(rule: &str) -> &str {
    match rule {
        "append" => "pwrite64",
        "lock" => "flock",
        "getattr" => "getxattr",
        call => call,
    }
}

fn path(rule: &str) -> String {
    format!("/srv/soak/{rule}")
}
