//! The host of `guest_apparmor` after a reboot. Needs the guest of `cargo xtask test`.
#![forbid(unsafe_code)]

mod live;
mod profiles;
