//! The time of day, in the zone of the machine.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

/// A time of day, to the microsecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::spoc) struct TimeOfDay {
    hour: i32,
    minute: i32,
    second: i32,
    microsecond: u32,
}

/// Now. The C library knows the zone; nothing of it is kept in this program.
pub(in crate::spoc) fn local() -> TimeOfDay {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let seconds = libc::time_t::try_from(since_epoch.as_secs()).unwrap_or_default();
    // SAFETY: an all-zero `tm` is a valid value of this plain C struct.
    let mut fields: libc::tm = unsafe { std::mem::zeroed() };
    // SAFETY: both pointers are to values on this stack that live through the call, and no other thread changes the environment.
    unsafe { libc::localtime_r(&raw const seconds, &raw mut fields) };
    TimeOfDay {
        hour: fields.tm_hour,
        minute: fields.tm_min,
        second: fields.tm_sec,
        microsecond: since_epoch.subsec_micros(),
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}:{:02}.{:06}", self.hour, self.minute, self.second, self.microsecond)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_has_microseconds() {
        let time = TimeOfDay { hour: 7, minute: 5, second: 9, microsecond: 42 };
        assert_eq!(time.to_string(), "07:05:09.000042");
    }
}
