//! The kinds that are about pods and nodes: ProfileBinding, ProfileRecording, SecurityProfileNodeStatus.

use super::{Validate, rule, selector, spec};
use crate::binding::v1::ProfileBindingSpec;
use crate::node_status::v1::SecurityProfileNodeStatusSpec;
use crate::recording::v1::ProfileRecordingSpec;
use crate::{ProfileName, Violation};

impl Validate for ProfileBindingSpec {
    fn validate(&self) -> Vec<Violation> {
        let name = spec().child("profileRef").child("name");
        let mut found = Vec::new();
        found.extend(rule::parses::<ProfileName>(Some(&self.profile_ref.name), name));
        found.extend(rule::not_empty(&self.image, spec().child("image")));
        found.extend(selector::validate(self.pod_selector.as_ref(), &spec().child("podSelector")));
        found
    }
}

impl Validate for ProfileRecordingSpec {
    fn validate(&self) -> Vec<Violation> {
        let mut found = selector::validate(Some(&self.pod_selector), &spec().child("podSelector"));
        found.extend(rule::distinct(self.containers.as_ref(), &spec().child("containers")));
        found
    }
}

impl Validate for SecurityProfileNodeStatusSpec {
    fn validate(&self) -> Vec<Violation> {
        rule::not_empty(&self.node_name, spec().child("nodeName")).into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::violations;
    use super::*;

    #[test]
    fn a_binding_names_a_profile_and_an_image() {
        let found = violations::<ProfileBindingSpec>(json!({
            "profileRef": {"kind": "SeccompProfile", "name": ""}, "image": "",
            "podSelector": {"matchLabels": {"app": "not a label"}},
        }));
        let expected = [
            "spec.profileRef.name: a name has 1 to 253 characters, this one has 0",
            "spec.image: is empty; at least one character is needed",
            "spec.podSelector.matchLabels[app]: \"not a label\" is no value of a label: up to 63 letters, digits, '-', '_' and '.', starting and ending with a letter or digit",
        ];
        assert_eq!(found, expected);
        let whole = json!({"profileRef": {"kind": "RawSelinuxProfile", "name": "web"}, "image": "*"});
        assert_eq!(violations::<ProfileBindingSpec>(whole), [""; 0]);
    }

    #[test]
    fn a_recording_selects_pods_and_names_containers_once() {
        let found = violations::<ProfileRecordingSpec>(json!({
            "kind": "SelinuxProfile", "recorder": "Bpf", "containers": ["web", "web"],
            "podSelector": {"matchExpressions": [{"key": "tier", "operator": "Within"}]},
        }));
        let expected = [
            "spec.podSelector.matchExpressions[0].operator: \"Within\" is no operator; expected In, NotIn, Exists, DoesNotExist",
            "spec.containers[1]: \"web\" stands in the list twice; remove one",
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn a_node_status_names_its_node() {
        let found = violations::<SecurityProfileNodeStatusSpec>(json!({"nodeName": ""}));
        assert_eq!(found, ["spec.nodeName: is empty; at least one character is needed"]);
    }
}
