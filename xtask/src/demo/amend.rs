//! From a refusal to an amended profile, as a person with an editor would.

use std::collections::BTreeSet;

/// The names that spoc says were refused: `Seccomp: mkdir (83)`, once each.
pub(super) fn refused(text: &str) -> Vec<String> {
    let told = text.lines().filter_map(|line| line.split_once("Seccomp: "));
    let names: BTreeSet<&str> = told.filter_map(|(_, rest)| rest.split_whitespace().next()).collect();
    names.into_iter().map(str::to_owned).collect()
}

/// The manifest with the names added at the head of its first list of names. None if it has none.
pub(super) fn allowing(manifest: &str, names: &[String]) -> Option<String> {
    let (before, list) = manifest.split_once("names:\n")?;
    let item = list.lines().next().filter(|line| line.trim_start().starts_with("- "))?;
    let indent = &item[..item.len() - item.trim_start().len()];
    let added: String = names.iter().map(|name| format!("{indent}- {name}\n")).collect();
    Some(format!("{before}names:\n{added}{list}"))
}

/// The manifest without the names in its list of what is refused. None if none of them is there.
pub(super) fn not_refusing(manifest: &str, names: &[String]) -> Option<String> {
    let named =
        |line: &str| line.trim_start().strip_prefix("- ").is_some_and(|item| names.iter().any(|name| name == item));
    let kept: String = manifest.lines().filter(|line| !named(line)).flat_map(|line| [line, "\n"]).collect();
    (kept.len() < manifest.len()).then_some(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = "spec:\n  syscalls:\n  - action: SCMP_ACT_ALLOW\n    names:\n    - read\n    - write\n";

    #[test]
    fn refused_names_are_read_from_what_spoc_prints() {
        let text = "Hello\n12:00:00.000001 Seccomp: mkdir (83) (pid=7)\n12:00:00.000002 Seccomp: mkdir (83) (pid=8)\n";
        assert_eq!(refused(text), ["mkdir"]);
        assert!(refused("mkdir: cannot create directory").is_empty());
    }

    #[test]
    fn names_are_added_with_the_indent_of_the_list() {
        let new = allowing(MANIFEST, &["mkdir".to_owned()]).unwrap();
        assert_eq!(new, MANIFEST.replace("    - read\n", "    - mkdir\n    - read\n"));
        assert_eq!(allowing("spec: {}\n", &["mkdir".to_owned()]), None);
    }

    #[test]
    fn names_are_taken_from_a_list_of_refusals() {
        let new = not_refusing(MANIFEST, &["write".to_owned()]).unwrap();
        assert_eq!(new, MANIFEST.replace("    - write\n", ""));
        assert_eq!(not_refusing(MANIFEST, &["mkdir".to_owned()]), None);
    }
}
