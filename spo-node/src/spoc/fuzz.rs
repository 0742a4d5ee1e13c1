//! What reads profiles for `spoc`, opened to its fuzz target. No part of the interface.

use spo_lsm::Profile;

/// Reads a manifest.
pub fn manifest(text: &str) -> Option<Profile> {
    super::file::manifest(text).ok().map(|read| read.profile)
}
