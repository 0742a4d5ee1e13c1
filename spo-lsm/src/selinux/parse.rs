//! From a SelinuxProfile to the model: every rule that can be told from the text of one profile.

use std::collections::{BTreeMap, BTreeSet};

use spo_api::selinux::v1::{PolicyKind, PolicyRef, SelinuxProfileSpec};
use spo_api::{FieldPath, ProfileName, Violation};

use super::model::Rules;
use super::name::{CONTAINER, MAX_NAME_BYTES, is_word, unfit_for_a_block};
use super::{Inherit, Profile, SELF};
use crate::findings::Findings;

/// A profile is about some dozens of classes of some hundreds of types.
pub(super) const MAX_RULES: usize = 16_384;
/// Over all rules. No class has more than 64.
pub(super) const MAX_PERMISSIONS: usize = 131_072;
pub(super) const MAX_INHERITS: usize = 64;

/// Makes the model of a SelinuxProfile.
///
/// # Errors
/// Everything that is wrong with it, by field of the object.
pub fn parse(name: ProfileName, spec: &SelinuxProfileSpec) -> Result<Profile, Vec<Violation>> {
    let root = FieldPath::new("spec");
    let mut found = Findings::default();
    block_name(&name, &mut found);
    let inherits = inherits(&name, spec.inherit.as_deref(), &root.child("inherit"), &mut found);
    let rules = rules(spec, &root.child("allow"), &mut found);
    let warnings = found.finish()?;
    Ok(Profile { name, state: spec.state, mode: spec.mode.unwrap_or_default(), inherits, rules, warnings })
}

/// Refuses a name that the profile's block cannot have.
pub(super) fn block_name(name: &ProfileName, found: &mut Findings) {
    if let Some(reason) = unfit_for_a_block(name) {
        found.refuse(FieldPath::new("metadata").child("name"), reason);
    }
}

/// What is inherited, as it was written. The API server fills in an absent list; a manifest in a folder passes none.
fn inherits(own: &ProfileName, list: Option<&[PolicyRef]>, path: &FieldPath, found: &mut Findings) -> Vec<Inherit> {
    let Some(list) = list else { return vec![Inherit::System(CONTAINER.to_owned())] };
    if list.len() > MAX_INHERITS {
        found.refuse(path.clone(), format!("{} entries are too many; at most {MAX_INHERITS} fit", list.len()));
        return Vec::new();
    }
    let mut inherits: Vec<Inherit> = Vec::new();
    for (index, entry) in list.iter().enumerate() {
        let field = path.index(index).child("name");
        let Some(inherit) = inherit(entry, own, &field, found) else { continue };
        if inherits.contains(&inherit) {
            found.warn(field, format!("{} is named twice", entry.name));
        }
        inherits.push(inherit);
    }
    two_processes(&inherits, path, found);
    inherits
}

fn inherit(entry: &PolicyRef, own: &ProfileName, field: &FieldPath, found: &mut Findings) -> Option<Inherit> {
    match entry.kind.unwrap_or_default() {
        PolicyKind::System if is_word(&entry.name) => return Some(Inherit::System(entry.name.clone())),
        PolicyKind::System => found.refuse(field.clone(), not_a_word("policy", &entry.name)),
        PolicyKind::SelinuxProfile => match entry.name.parse::<ProfileName>() {
            Ok(name) if name == *own => found.refuse(field.clone(), "a profile cannot inherit itself"),
            Ok(name) => return Some(Inherit::Profile(name)),
            Err(error) => found.refuse(field.clone(), error.to_string()),
        },
    }
    None
}

/// Each SelinuxProfile has the type `process`, so two of them do not fit into one block.
fn two_processes(inherits: &[Inherit], path: &FieldPath, found: &mut Findings) {
    let profiles: BTreeSet<&Inherit> =
        inherits.iter().filter(|inherit| matches!(inherit, Inherit::Profile(_))).collect();
    if profiles.len() > 1 {
        found.warn(
            path.clone(),
            "each SelinuxProfile brings a type process, and libsepol takes one only; inherit one of them",
        );
    }
}

fn rules(spec: &SelinuxProfileSpec, path: &FieldPath, found: &mut Findings) -> Rules {
    let mut rules = Rules::new();
    let Some(allow) = &spec.allow else { return rules };
    let pairs: usize = allow.values().map(BTreeMap::len).sum();
    let permissions: usize = allow.values().flat_map(BTreeMap::values).map(Vec::len).sum();
    if allow.len() > MAX_RULES || pairs > MAX_RULES || permissions > MAX_PERMISSIONS {
        found.refuse(
            path.clone(),
            format!("{pairs} classes with {permissions} permissions are too many; at most {MAX_RULES} with {MAX_PERMISSIONS} fit"),
        );
        return rules;
    }
    for (label, classes) in allow {
        let Some(path) = entry("label", label, path, found) else { continue };
        for (class, permissions) in classes {
            let Some(path) = entry("class", class, &path, found) else { continue };
            let permissions = permissions_of(permissions, &path, found);
            if !permissions.is_empty() {
                rules.entry(label.clone()).or_default().insert(class.clone(), permissions);
            }
        }
    }
    rules
}

/// The path of the entry `name` of the map at `path`. One that is too long for a path is refused here, with all that is in it.
fn entry(what: &str, name: &str, path: &FieldPath, found: &mut Findings) -> Option<FieldPath> {
    if name.len() > MAX_NAME_BYTES {
        found.refuse(path.clone(), not_a_word(what, name));
        return None;
    }
    let path = path.key(name);
    let own = what == "label" && name == SELF;
    if !own && !is_word(name) {
        found.refuse(path.clone(), not_a_word(what, name));
    }
    Some(path)
}

fn permissions_of(permissions: &[String], path: &FieldPath, found: &mut Findings) -> BTreeSet<String> {
    if permissions.is_empty() {
        found.warn(path.clone(), "has no permissions, so it permits nothing and is left out");
    }
    for (index, permission) in permissions.iter().enumerate().filter(|(_, permission)| !is_word(permission)) {
        found.refuse(path.index(index), not_a_word("permission", permission));
    }
    permissions.iter().cloned().collect()
}

fn not_a_word(what: &str, name: &str) -> String {
    if name.len() > MAX_NAME_BYTES {
        return format!("a {what} of {} bytes; at most {MAX_NAME_BYTES} are possible", name.len());
    }
    let own = if what == "label" { ", or @self for the profile's own type" } else { "" };
    format!("{name:?} is no {what}: one word of letters, digits, '.', '-' and '_' is wanted{own}")
}
