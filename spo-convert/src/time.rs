//! Points in time as Kubernetes writes them: UTC, whole seconds.

use std::borrow::Cow;

use jiff::Timestamp;

/// The same time as Kubernetes writes it, the fraction of its second cut off. Text that is no time stays as it is: conversion
/// judges no values.
pub(crate) fn canonical(text: Cow<'_, str>) -> Cow<'_, str> {
    if is_canonical(text.as_bytes()) {
        return text;
    }
    match text.parse::<Timestamp>() {
        Ok(time) => time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string().into(),
        Err(_) => text,
    }
}

/// `2024-01-01T00:00:00Z`, by its form. Nearly all times are written so, and are not parsed.
fn is_canonical(text: &[u8]) -> bool {
    let form = b"0000-00-00T00:00:00Z";
    text.len() == form.len()
        && text.iter().zip(form).all(|(byte, form)| if *form == b'0' { byte.is_ascii_digit() } else { byte == form })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("2024-01-01T02:00:00.987+02:00", "2024-01-01T00:00:00Z")]
    #[case("2024-01-01T00:00:00.999Z", "2024-01-01T00:00:00Z")]
    #[case("1969-12-31T23:59:59.5Z", "1969-12-31T23:59:59Z")]
    #[case("2024-01-01T00:00:00Z", "2024-01-01T00:00:00Z")]
    #[case("yesterday", "yesterday")]
    #[case("", "")]
    fn times_are_written_in_utc_and_whole_seconds(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(canonical(text.into()), expected);
    }
}
