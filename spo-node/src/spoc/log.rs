//! Log lines: `hh:mm:ss.uuuuuu text` on standard error, as the reference prints them.

use std::fmt::Display;
use std::io::Write;

use super::sys::clock;

/// One line, with the time of day.
///
/// A standard error that is closed or full stops nothing: what `spoc` is for is its profile and its exit status.
pub(super) fn line(text: impl Display) {
    write(&format!("{} {text}\n", clock::local()));
}

/// One line with facts behind it: `text (key=value, key=value)`.
pub(super) fn facts(text: impl Display, facts: &[(&str, String)]) {
    let facts: Vec<String> = facts.iter().map(|(key, value)| format!("{key}={value}")).collect();
    line(format_args!("{text} ({})", facts.join(", ")));
}

/// Text to copy, without a time: the fragment of a profile.
pub(super) fn plain(text: impl Display) {
    write(&format!("{text}\n"));
}

/// Writes in one piece: the command writes to the same place. Colours are taken out first where they are not wanted, as
/// `anstream` would write what is between them one by one.
fn write(text: &str) {
    let stderr = std::io::stderr();
    let bare = anstream::AutoStream::choice(&stderr) == anstream::ColorChoice::Never;
    let text = if bare { anstream::adapter::strip_str(text).to_string() } else { text.to_owned() };
    let _ = stderr.lock().write_all(text.as_bytes());
}
