//! Damaged modules of ours, which keep the store from being read or built.
//!
//! Each gets a text in its place under which its type goes on being there, and may do what any container may: processes that run with it
//! stay confined, and what inherits from it still compiles. What it should be is not known here; it differs from what is desired, so that it
//! is installed, or removed, next.

use super::PRIORITY;
use super::said::{self, Blame};
use super::scratch::Scratch;
use super::semodule::{Change, Semodule};
use super::templates;
use crate::host::HostError;

/// So many modules are mended at once; a store with more damage is left to its administrator.
const MAX: usize = 64;

/// Mends the store, which cannot be used because of this module, and others that show then.
///
/// # Errors
/// What keeps it from being used if these are whole: it is for the administrator of the host.
pub(super) fn mend(semodule: &Semodule, scratch: &Scratch, priority: u16, name: &str) -> Result<(), HostError> {
    let (mut blamed, mut changes) = ((priority, name.to_owned()), Vec::new());
    let mut last = not_ours(&blamed.1);
    for _ in 0..MAX {
        let Some(text) = stand_in(blamed.0, &blamed.1) else { return Err(last) };
        let change = Change::Install(blamed.0, scratch.write(&format!("{}.cil", blamed.1), text.as_bytes())?);
        changes.push(change);
        let ended = semodule.change(&changes)?;
        if ended.status.success() {
            return Ok(());
        }
        let next = said::blame(&ended.said);
        last = said::error(ended);
        match next {
            Blame::Module { priority, name } if (priority, &name) != (blamed.0, &blamed.1) => blamed = (priority, name),
            Blame::Host(error) => return Err(error),
            Blame::Module { .. } | Blame::Unknown => return Err(last),
        }
    }
    Err(last)
}

/// What stands in for a module of ours.
fn stand_in(priority: u16, name: &str) -> Option<String> {
    match priority {
        PRIORITY => Some(format!("(block {name}\n(blockinherit container)\n)\n")),
        templates::PRIORITY => templates::text(name).map(str::to_owned),
        _ => None,
    }
}

fn not_ours(name: &str) -> HostError {
    let message = format!("the host's own policy does not build, because of its module {name}; mend or remove that");
    HostError::Tool { tool: super::SEMODULE, message, may_pass: true }
}
