//! The text of AppArmor profiles: what is read of one is read of the text that it becomes, and nothing of that is left to be told.
#![cfg_attr(fuzzing, no_main)]
#![forbid(unsafe_code)]

use spo_lsm::apparmor::{parse_text, to_text};

spo_fuzz::target!(target);

fn target(data: &[u8]) {
    let Ok(found) = parse_text(data) else { return };
    assert!(found.unread.iter().all(|unread| unread.line > 0 && !unread.reason.is_empty()), "{:?}", found.unread);
    let text = to_text(&found.profile, found.profile.loaded_as());
    let again = parse_text(text.as_bytes()).expect("what was rendered can be read");
    assert!(again.unread.is_empty(), "{:?}\n{text}", again.unread);
    assert_eq!(to_text(&again.profile, again.profile.loaded_as()), text);
}
