//! Who may depend on whom.
//!
//! `spo-api ← {spo-convert, spo-lsm, spo-recorder, spo-oci} ← {spo-operator, spo-node}`: never upwards, never sideways. The libraries
//! are for other programs too, so they carry no command line, no catch-all error, no client and no runtime.

use super::Violation;
use super::workspace::{Dependency, Member, Workspace};

/// The height of a member. It may depend on what is strictly lower.
fn height(name: &str) -> Option<u8> {
    match name {
        "spo-api" => Some(0),
        "spo-convert" | "spo-lsm" | "spo-recorder" | "spo-oci" => Some(1),
        "spo-operator" | "spo-node" => Some(2),
        "xtask" | "spo-tests" | "spo-fuzz" => Some(3),
        _ => None,
    }
}

/// Whether a member is for other programs as well.
fn is_library(member: &Member) -> bool {
    height(&member.name).is_some_and(|height| height < 2)
}

pub(super) fn one_way(workspace: &Workspace) -> Vec<Violation> {
    let names: Vec<&str> = workspace.members.iter().map(|member| member.name.as_str()).collect();
    let mut found = Vec::new();
    for member in &workspace.members {
        let Some(own) = height(&member.name) else {
            found.push(unknown(member));
            continue;
        };
        let siblings = member.dependencies.iter().filter(|dependency| names.contains(&dependency.name.as_str()));
        for sibling in siblings.filter(|sibling| height(&sibling.name).is_some_and(|height| height >= own)) {
            found.push(upwards(member, sibling));
        }
    }
    found
}

fn unknown(member: &Member) -> Violation {
    let mend =
        format!("{} has no place in the order of crates: give it one in xtask/src/tidy/direction.rs", member.name);
    Violation::new(member.dir.join("Cargo.toml"), mend)
}

fn upwards(member: &Member, sibling: &Dependency) -> Violation {
    let mend = format!(
        "{} must not depend on {}: move what both need down into spo-api, or join them in a program",
        member.name, sibling.name
    );
    Violation::new(member.dir.join("Cargo.toml"), mend)
}

pub(super) fn programs_only(workspace: &Workspace) -> Vec<Violation> {
    let libraries = workspace.members.iter().filter(|member| is_library(member));
    let pairs = libraries.flat_map(|member| member.dependencies.iter().map(move |dependency| (member, dependency)));
    pairs.filter_map(|(member, dependency)| Some(out_of_place(member, why_not(dependency)?))).collect()
}

fn out_of_place(member: &Member, why: String) -> Violation {
    Violation::new(member.dir.join("Cargo.toml"), why)
}

/// Why a library must not have this dependency; tests of the library may.
fn why_not(dependency: &Dependency) -> Option<String> {
    if dependency.kind.as_deref() == Some("dev") {
        return None;
    }
    let has = |names: &[&str]| dependency.features.iter().any(|feature| names.contains(&feature.as_str()));
    match dependency.name.as_str() {
        "clap" => Some("clap belongs to programs: take parsed values as arguments".to_owned()),
        "anyhow" => Some("anyhow belongs to programs: give the failure a variant of the crate's error".to_owned()),
        "kube" if dependency.uses_default_features || has(&["client", "runtime"]) => {
            Some("the client of kube belongs to programs: depend on it with `derive` only".to_owned())
        }
        "tokio" if has(&["rt", "rt-multi-thread", "full"]) => {
            Some("a library starts no runtime: leave out tokio's feature `rt`".to_owned())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::workspace::fixture::member;
    use super::*;

    fn workspace(members: Vec<Member>) -> Workspace {
        Workspace { members, ..Workspace::default() }
    }

    #[test]
    fn downwards_is_fine() {
        let members =
            vec![member("spo-api", &["serde"]), member("spo-lsm", &["spo-api"]), member("spo-node", &["spo-lsm"])];
        assert_eq!(one_way(&workspace(members)), []);
    }

    #[test]
    fn sideways_and_upwards_are_named() {
        let members =
            vec![member("spo-lsm", &["spo-recorder"]), member("spo-recorder", &["spo-node"]), member("spo-node", &[])];
        let found = one_way(&workspace(members));
        assert_eq!(found.len(), 2);
        assert!(found[0].mend.contains("spo-lsm must not depend on spo-recorder"), "{}", found[0]);
    }

    #[test]
    fn a_crate_without_a_place_is_a_violation() {
        assert_eq!(one_way(&workspace(vec![member("spo-new", &[])])).len(), 1);
    }

    #[test]
    fn the_command_line_is_for_programs_and_for_tests() {
        assert_eq!(programs_only(&workspace(vec![member("spo-lsm", &["clap"])])).len(), 1);
        assert_eq!(programs_only(&workspace(vec![member("spo-node", &["clap", "anyhow"])])), []);
        let mut tested = member("spo-lsm", &["anyhow"]);
        tested.dependencies[0].kind = Some("dev".to_owned());
        assert_eq!(programs_only(&workspace(vec![tested])), []);
    }

    #[test]
    fn kube_is_for_libraries_without_its_client() {
        let mut derive = member("spo-api", &["kube"]);
        assert_eq!(programs_only(&workspace(vec![derive.clone()])), []);
        derive.dependencies[0].features = vec!["client".to_owned()];
        assert_eq!(programs_only(&workspace(vec![derive])).len(), 1);
    }
}
