//! The parser of status files, opened to its fuzz target. No part of the interface.

use super::statuses::parse;

/// Reads a status file. What it tells is told again by what would be written of it.
pub fn status_file(content: &[u8]) {
    let Ok(Some((key, record))) = parse(content) else { return };
    let text = serde_saphyr::to_string(&record.status).expect("a status can be written");
    let again = parse(text.as_bytes()).expect("what was written can be read");
    assert_eq!(again, Some((key, record)), "{text}");
}
