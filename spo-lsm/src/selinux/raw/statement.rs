//! The statements of CIL: which a profile may use, and which it is known not to.

/// A statement that a profile may use, by what has to be looked at in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Statement {
    /// `(allow SOURCE TARGET PERMISSIONS)`
    Rule,
    /// `(allowx SOURCE TARGET PERMISSIONX)`
    ExtendedRule,
    /// `(neverallow SOURCE TARGET PERMISSIONS)`, and with extended permissions.
    Assertion,
    /// `(typetransition SOURCE TARGET CLASS [NAME] RESULT)`
    Transition,
    /// `(rangetransition SOURCE TARGET CLASS RANGE)`
    RangeTransition,
    /// `(type NAME)`
    Declaration,
    /// `(typealias NAME)`
    Alias,
    /// `(typealiasactual ALIAS TYPE)`
    AliasActual,
    /// `(typeattributeset ATTRIBUTE EXPRESSION)`
    AttributeSet,
    /// `(typebounds PARENT CHILD)`
    Bounds,
    /// `(expandtypeattribute ATTRIBUTES TRUTH)`
    Expand,
    /// `(classpermissionset NAME (CLASS PERMISSIONS))`
    PermissionSet,
    /// `(permissionx NAME (KIND CLASS NUMBERS))`
    ExtendedPermission,
    /// `(blockinherit NAME)`
    Inherit,
}

/// The statements that a RawSelinuxProfile may use.
pub const PERMITTED: [&str; 23] = [
    "allow",
    "allowx",
    "auditallow",
    "auditallowx",
    "blockinherit",
    "classpermission",
    "classpermissionset",
    "dontaudit",
    "dontauditx",
    "expandtypeattribute",
    "neverallow",
    "neverallowx",
    "permissionx",
    "rangetransition",
    "type",
    "typealias",
    "typealiasactual",
    "typeattribute",
    "typeattributeset",
    "typebounds",
    "typechange",
    "typemember",
    "typetransition",
];

/// Statements that act outside of a profile's block, or open a block of their own: those that the reference restricts, but for
/// `blockinherit`, and others like them (`spec/limits.md` 2.3).
const RESTRICTED: [&str; 80] = [
    "block",
    "blockabstract",
    "blockstart",
    "boolean",
    "booleanif",
    "call",
    "category",
    "categoryalias",
    "categoryaliasactual",
    "categoryorder",
    "categoryset",
    "class",
    "classcommon",
    "classmap",
    "classmapping",
    "classorder",
    "common",
    "constrain",
    "context",
    "defaultrange",
    "defaultrole",
    "defaulttype",
    "defaultuser",
    "deny",
    "devicetreecon",
    "dominance",
    "filecon",
    "fsuse",
    "genfscon",
    "handleunknown",
    "ibendportcon",
    "ibpkeycon",
    "in",
    "iomemcon",
    "ioportcon",
    "ipaddr",
    "level",
    "levelrange",
    "macro",
    "mls",
    "mlsconstrain",
    "mlsvalidatetrans",
    "netifcon",
    "nodecon",
    "optional",
    "pcidevicecon",
    "pirqcon",
    "policycap",
    "portcon",
    "role",
    "roleallow",
    "roleattribute",
    "roleattributeset",
    "rolebounds",
    "roletransition",
    "roletype",
    "segregateattributes",
    "selinuxuser",
    "selinuxuserdefault",
    "sensitivity",
    "sensitivityalias",
    "sensitivityaliasactual",
    "sensitivitycategory",
    "sensitivityorder",
    "sid",
    "sidcontext",
    "sidorder",
    "tunable",
    "tunableif",
    "typeneveraudit",
    "typepermissive",
    "user",
    "userattribute",
    "userattributeset",
    "userbounds",
    "userlevel",
    "userprefix",
    "userrange",
    "userrole",
    "validatetrans",
];

impl Statement {
    /// The statement with this word at its head, if a profile may use it.
    pub(super) fn of(head: &str) -> Option<Self> {
        Some(match head {
            "allow" | "auditallow" | "dontaudit" => Self::Rule,
            "allowx" | "auditallowx" | "dontauditx" => Self::ExtendedRule,
            "neverallow" | "neverallowx" => Self::Assertion,
            "typetransition" | "typechange" | "typemember" => Self::Transition,
            "rangetransition" => Self::RangeTransition,
            "type" | "typeattribute" | "classpermission" => Self::Declaration,
            "typealias" => Self::Alias,
            "typealiasactual" => Self::AliasActual,
            "typeattributeset" => Self::AttributeSet,
            "typebounds" => Self::Bounds,
            "expandtypeattribute" => Self::Expand,
            "classpermissionset" => Self::PermissionSet,
            "permissionx" => Self::ExtendedPermission,
            "blockinherit" => Self::Inherit,
            _ => return None,
        })
    }
}

impl Statement {
    /// How it is written.
    pub(super) fn form(self) -> &'static str {
        match self {
            Self::Rule => "SOURCE TARGET (CLASS (PERMISSION ...))",
            Self::ExtendedRule => "SOURCE TARGET (ioctl CLASS (NUMBER ...))",
            Self::Assertion => "SOURCE TARGET PERMISSIONS",
            Self::Transition => "SOURCE TARGET CLASS RESULT",
            Self::RangeTransition => "SOURCE TARGET CLASS RANGE",
            Self::Declaration => "NAME",
            Self::Alias => "ALIAS",
            Self::AliasActual => "ALIAS TYPE",
            Self::AttributeSet => "ATTRIBUTE (TYPE ...)",
            Self::Bounds => "PARENT CHILD",
            Self::Expand => "ATTRIBUTE true",
            Self::PermissionSet => "NAME (CLASS (PERMISSION ...))",
            Self::ExtendedPermission => "NAME (ioctl CLASS (NUMBER ...))",
            Self::Inherit => "TEMPLATE",
        }
    }
}

/// Why a statement may not be used.
pub(super) fn refusal(head: &str) -> String {
    // libsepol tells capitals from small letters; one that would not is of no use here either.
    let small = head.to_ascii_lowercase();
    if RESTRICTED.contains(&small.as_str()) {
        return format!(
            "restricted {small}: it acts outside of the profile's own block, or opens another; a profile has rules about types, and what these need"
        );
    }
    if Statement::of(&small).is_some() {
        return format!("{head:?} is no statement, since CIL tells capitals from small letters; write {small}");
    }
    format!("{head:?} is no statement that a profile may use; these are: {}", PERMITTED.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_permitted_statement_is_known_and_none_is_restricted() {
        for head in PERMITTED {
            assert!(Statement::of(head).is_some() && !RESTRICTED.contains(&head), "{head}");
        }
        assert!(RESTRICTED.iter().all(|head| Statement::of(head).is_none()));
    }
}
