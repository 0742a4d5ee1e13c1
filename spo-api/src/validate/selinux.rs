//! SelinuxProfile and RawSelinuxProfile.

use super::{Validate, rule, spec};
use crate::Violation;
use crate::raw_selinux::v1::{POLICY_MAX, RawSelinuxProfileSpec};
use crate::selinux::v1::SelinuxProfileSpec;

impl Validate for SelinuxProfileSpec {
    fn validate(&self) -> Vec<Violation> {
        let path = spec().child("inherit");
        let inherited = self.inherit.iter().flatten().enumerate();
        inherited.filter_map(|(index, policy)| rule::not_empty(&policy.name, path.index(index).child("name"))).collect()
    }
}

impl Validate for RawSelinuxProfileSpec {
    fn validate(&self) -> Vec<Violation> {
        let Some(policy) = &self.policy else { return Vec::new() };
        let path = spec().child("policy");
        let characters = policy.chars().count();
        if characters > POLICY_MAX {
            let reason = format!("has {characters} characters, at most {POLICY_MAX} are possible");
            return vec![Violation::new(path, reason)];
        }
        rule::not_empty(policy, path).into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::violations;
    use super::*;

    #[test]
    fn an_inherited_policy_has_a_name() {
        let spec = json!({"inherit": [{"name": "container"}, {"kind": "SelinuxProfile", "name": ""}]});
        let found = violations::<SelinuxProfileSpec>(spec);
        assert_eq!(found, ["spec.inherit[1].name: is empty; at least one character is needed"]);
        assert_eq!(violations::<SelinuxProfileSpec>(json!({"inherit": []})), [""; 0]);
    }

    #[test]
    fn the_text_of_a_policy_is_bounded_in_characters() {
        let check = |policy: &str| violations::<RawSelinuxProfileSpec>(json!({"policy": policy}));
        assert_eq!(check(""), ["spec.policy: is empty; at least one character is needed"]);
        assert_eq!(check(&"ä".repeat(500_000)), [""; 0]);
        assert_eq!(check(&"ä".repeat(500_001)), ["spec.policy: has 500001 characters, at most 500000 are possible"]);
        assert_eq!(violations::<RawSelinuxProfileSpec>(json!({})), [""; 0]);
    }
}
