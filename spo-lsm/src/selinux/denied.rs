//! What no profile may name.

use std::collections::BTreeSet;

use super::name::plain;

/// Types whose holders decide over the machine.
const TYPES: [&str; 4] = ["kernel_t", "kmem_t", "security_t", "shadow_t"];
/// Classes that are about the machine, and not about an object.
const CLASSES: [&str; 4] = ["capability", "capability2", "security", "system"];
/// Permissions that change the policy, or what it is about.
const PERMISSIONS: [&str; 8] =
    ["load_policy", "mac_admin", "mounton", "relabelfrom", "relabelto", "setbool", "setenforce", "setsecparam"];

/// The types, classes and permissions that no profile may name (`spec/limits.md` 2.2).
///
/// The default are those that are built in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denied {
    /// The types.
    pub types: BTreeSet<String>,
    /// The object classes.
    pub classes: BTreeSet<String>,
    /// The permissions.
    pub permissions: BTreeSet<String>,
}

impl Default for Denied {
    fn default() -> Self {
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Self { types: set(&TYPES), classes: set(&CLASSES), permissions: set(&PERMISSIONS) }
    }
}

impl Denied {
    /// Why a type may not be named, if so.
    pub(super) fn type_reason(&self, name: &str) -> Option<String> {
        match plain(name) {
            // Keywords of newer compilers.
            every @ ("notself" | "other") => self.every_type_reason(every),
            name => reason(name, &self.types, "type", "allowedTypes"),
        }
    }

    /// Why a class may not be named, if so.
    pub(super) fn class_reason(&self, name: &str) -> Option<String> {
        reason(plain(name), &self.classes, "class", "allowedClasses")
    }

    /// Why a permission may not be named, if so.
    pub(super) fn permission_reason(&self, name: &str) -> Option<String> {
        match plain(name) {
            every @ ("all" | "not") => self.every_permission_reason(every),
            name => reason(name, &self.permissions, "permission", "allowedPermissions"),
        }
    }

    /// Why an operator that stands for types nobody named may not be used, if so.
    pub(super) fn every_type_reason(&self, operator: &str) -> Option<String> {
        let hidden = self.types.first()?;
        Some(format!(
            "{operator} stands for types that are not named, the denied {hidden} too; name the types that are wanted"
        ))
    }

    /// Why an operator that stands for permissions nobody named may not be used, if so.
    pub(super) fn every_permission_reason(&self, operator: &str) -> Option<String> {
        let hidden = self.permissions.first()?;
        Some(format!(
            "{operator} stands for permissions that are not named, the denied {hidden} too; name the permissions that are wanted"
        ))
    }
}

fn reason(name: &str, denied: &BTreeSet<String>, what: &str, field: &str) -> Option<String> {
    denied.contains(name).then(|| {
        format!("no profile may name the {what} {name}; remove it, or have it permitted by selinux.options.{field} of the cluster's configuration")
    })
}
