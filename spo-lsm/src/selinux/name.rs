//! Names as CIL has them.

use spo_api::ProfileName;

/// The longest name of a type, class, permission or policy that is looked at.
pub(super) const MAX_NAME_BYTES: usize = 255;

/// The longest name of a module: its file ends in `.cil`, and the names of files have 255 bytes.
pub(crate) const MAX_MODULE_BYTES: usize = 251;

/// The type of a block that containers run with.
pub(super) const PROCESS: &str = "process";

/// The template that every container needs, one way or the other.
pub(super) const CONTAINER: &str = "container";

/// Why a profile cannot have this name: it becomes the name of a block, which libsepol wants to begin with a letter and to have no dot.
pub(super) fn unfit_for_a_block(name: &ProfileName) -> Option<&'static str> {
    let name = name.as_str();
    if !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return Some("an SELinux module begins with a letter; choose a name that does");
    }
    if name.contains('.') {
        return Some("an SELinux module has no dot in its name; choose a name without");
    }
    (name.len() > MAX_MODULE_BYTES)
        .then_some("the name of an SELinux module has at most 251 bytes; choose a shorter one")
}

/// Whether it can be the name of a type, class or permission (`spec/limits.md` 2.2).
pub(super) fn is_word(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= MAX_NAME_BYTES
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte))
}

/// A name without what only says where it is looked up: a leading dot begins at the top, where all names of a policy are.
pub(super) fn plain(name: &str) -> &str {
    name.trim_start_matches('.')
}

/// Whether a name that is used in `block` is that of the block's type `process`.
pub(super) fn is_process(block: &str, name: &str) -> bool {
    let inside = plain(name).strip_prefix(block).and_then(|rest| rest.strip_prefix('.'));
    [PROCESS, "self"].contains(&name) || inside == Some(PROCESS)
}
