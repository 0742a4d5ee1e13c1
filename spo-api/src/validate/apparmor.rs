//! AppArmorProfile.

use super::{Validate, rule, spec};
use crate::Violation;
use crate::apparmor::v1::AppArmorProfileSpec;

impl Validate for AppArmorProfileSpec {
    fn validate(&self) -> Vec<Violation> {
        let Some(allowed) = &self.r#abstract else { return Vec::new() };
        let (executable, files) = (allowed.executable.as_ref(), allowed.filesystem.as_ref());
        let capability = allowed.capability.as_ref();
        let lists = [
            ("executable", "allowedExecutables", executable.and_then(|group| group.allowed_executables.as_ref())),
            ("executable", "allowedLibraries", executable.and_then(|group| group.allowed_libraries.as_ref())),
            ("filesystem", "readOnlyPaths", files.and_then(|group| group.read_only_paths.as_ref())),
            ("filesystem", "writeOnlyPaths", files.and_then(|group| group.write_only_paths.as_ref())),
            ("filesystem", "readWritePaths", files.and_then(|group| group.read_write_paths.as_ref())),
            ("capability", "allowedCapabilities", capability.and_then(|group| group.allowed_capabilities.as_ref())),
        ];
        let path = spec().child("abstract");
        lists
            .into_iter()
            .flat_map(|(group, field, list)| rule::distinct(list, &path.child(group).child(field)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::violations;
    use super::*;

    #[test]
    fn every_list_is_a_set() {
        let found = violations::<AppArmorProfileSpec>(json!({"abstract": {
            "executable": {"allowedExecutables": ["/a", "/a"], "allowedLibraries": ["/b", "/b"]},
            "filesystem": {"readOnlyPaths": ["/c", "/c"], "writeOnlyPaths": ["/d", "/d"], "readWritePaths": ["/e", "/e"]},
            "capability": {"allowedCapabilities": ["chown", "kill", "chown"]},
        }}));
        let expected = [
            "spec.abstract.executable.allowedExecutables[1]: \"/a\" stands in the list twice; remove one",
            "spec.abstract.executable.allowedLibraries[1]: \"/b\" stands in the list twice; remove one",
            "spec.abstract.filesystem.readOnlyPaths[1]: \"/c\" stands in the list twice; remove one",
            "spec.abstract.filesystem.writeOnlyPaths[1]: \"/d\" stands in the list twice; remove one",
            "spec.abstract.filesystem.readWritePaths[1]: \"/e\" stands in the list twice; remove one",
            "spec.abstract.capability.allowedCapabilities[2]: \"chown\" stands in the list twice; remove one",
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn groups_may_be_missing_or_empty() {
        for spec in [json!({}), json!({"abstract": {}}), json!({"abstract": {"filesystem": {}, "capability": {}}})] {
            assert_eq!(violations::<AppArmorProfileSpec>(spec), [""; 0]);
        }
    }
}
