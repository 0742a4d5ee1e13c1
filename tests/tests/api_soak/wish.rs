//! What is wished of profiles: the objects of a script, as a person would write them.

use serde_json::{Value, json};
use spo_api::GROUP;

/// What one profile is to be.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Wish {
    /// A call that it allows, beside what every profile does.
    pub(super) call: &'static str,
    /// The profile that it builds on.
    pub(super) base: Option<&'static str>,
    pub(super) disabled: bool,
}

impl Wish {
    /// The object to apply.
    pub(super) fn object(&self, name: &str) -> Value {
        let mut object = json!({
            "apiVersion": format!("{GROUP}/v1"),
            "kind": "SeccompProfile",
            "metadata": {"name": name},
            "spec": {
                "state": if self.disabled { "Disabled" } else { "Enabled" },
                "defaultAction": "SCMP_ACT_ERRNO",
                "syscalls": [{"names": ["exit_group", self.call], "action": "SCMP_ACT_ALLOW"}],
            },
        });
        if let Some(base) = self.base {
            object["spec"]["baseProfileName"] = base.into();
        }
        object
    }
}
