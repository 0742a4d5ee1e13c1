//! A Debian host with AppArmor. Needs the guest of `cargo xtask test`.
#![forbid(unsafe_code)]

mod by_hand;
mod daemon;
mod live;
mod node;
mod profiles;
mod store;
