//! A disk of containers' images, unpacked as the guest's containerd has them.
//!
//! A guest whose processor is emulated takes half a second for each megabyte that it imports. So its own containerd does it here,
//! before: in the files of the guest, with mounts that nobody else sees.

use std::path::Path;

use anyhow::{Context, Result};

use super::image::Image;
use crate::run::Run;

const SCRIPT: &str = include_str!("store.sh");

/// Makes a disk with the images of these tars.
pub(crate) fn make(image: &Image, tars: &[&Path], to: &Path) -> Result<()> {
    let run = Run::new("unshare").args(["--mount", "bash", "-euc", SCRIPT, "store"]);
    let made = run.arg(image.files()).arg(to).args(tars).quiet().output();
    made.map(drop).with_context(|| format!("the disk of images {} cannot be made", to.display()))
}
