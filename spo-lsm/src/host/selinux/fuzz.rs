//! A door for the fuzz target: what `semodule` prints is read by parsers that nobody else needs.

use super::{PRIORITY, origin, said, store::Store};

/// Reads what a call printed, as a list of modules, as a complaint, and as the text of a module.
///
/// # Panics
/// If what was read does not hold together.
pub fn printed(bytes: &[u8]) {
    let store = Store::parse(bytes);
    for module in store.of_priority(PRIORITY) {
        assert!(store.get(PRIORITY, &module.name).is_some() && !module.name.contains(char::is_whitespace));
    }
    let text = String::from_utf8_lossy(bytes);
    if let said::Blame::Module { priority, name } = said::blame(&text) {
        assert!(said::modules(&text).any(|named| named == (priority, &name)));
    }
    assert!(said::readable(&text).lines().count() <= text.lines().count());
    if origin::is_of_the_reference("web", bytes) {
        assert!(text.starts_with("(block web"), "{text}");
    }
}
