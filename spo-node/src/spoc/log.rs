//! Log lines: `hh:mm:ss.uuuuuu text` on standard error, as the reference prints them.

use std::fmt::Display;
use std::io::Write;

use super::sys::clock;

/// One line, with the time of day.
///
/// A standard error that is closed or full stops nothing: what `spoc` is for is its profile and its exit status.
pub(super) fn line(text: impl Display) {
    // Put together first, so that it is one write: the command writes to the same place.
    let line = format!("{} {text}\n", clock::local());
    let _ = anstream::stderr().lock().write_all(line.as_bytes());
}

/// One line with facts behind it: `text (key=value, key=value)`.
pub(super) fn facts(text: impl Display, facts: &[(&str, String)]) {
    let facts: Vec<String> = facts.iter().map(|(key, value)| format!("{key}={value}")).collect();
    line(format_args!("{text} ({})", facts.join(", ")));
}

/// Text to copy, without a time: the fragment of a profile.
pub(super) fn plain(text: impl Display) {
    let _ = anstream::stderr().lock().write_all(format!("{text}\n").as_bytes());
}
