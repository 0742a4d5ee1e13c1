//! The image of a guest, made once and kept: a kernel and the disk of a root.
//!
//! It is kept outside the clone, in a folder named after a hash of everything that says how it is made. It is made under another name and renamed
//! when it is whole, so that a build that broke off is never used.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use sha2::{Digest as _, Sha256};

use super::debian::Archive;
use super::{disk, root};
use crate::machine::{Package, is_root, require};
use crate::run::{cache, say};

/// What making an image needs of the machine.
const PACKAGES: &[Package] = &[
    Package { name: "e2fsprogs", file: "/sbin/mkfs.ext4" },
    Package { name: "debian-archive-keyring", file: "/usr/share/keyrings/debian-archive-keyring.gpg" },
    Package { name: "xz-utils", file: "xz" },
    Package { name: "dpkg", file: "dpkg-deb" },
    Package { name: "tar", file: "tar" },
];

/// What the sources are that say how an image is made: whatever changes in them, it is made anew.
const RECIPE: &[&str] = &[
    include_str!("debian.rs"),
    include_str!("disk.rs"),
    include_str!("image.rs"),
    include_str!("init"),
    include_str!("policy.rs"),
    include_str!("root.rs"),
];

/// Room for what a guest writes.
const FREE_MIB: u64 = 256;

/// An image that is whole.
#[derive(Debug, Clone)]
pub(crate) struct Image {
    dir: PathBuf,
}

impl Image {
    /// The image, which is made if it is not there.
    pub(crate) fn get() -> Result<Self> {
        let image = Self::place()?;
        if image.dir.exists() {
            image.note_use();
            return Ok(image);
        }
        if !is_root() {
            bail!(
                "there is no image of a guest yet, and making one needs root: run `cargo xtask vm image` as root once"
            );
        }
        if cfg!(not(target_arch = "x86_64")) {
            bail!("guests are made on and for x86_64 only so far");
        }
        require(PACKAGES, "the image of a guest")?;
        image.make()?;
        image.note_use();
        Ok(image)
    }

    fn place() -> Result<Self> {
        Ok(Self { dir: cache()?.join("vm").join(key()) })
    }

    /// Whether it needs no making.
    pub(super) fn is_made() -> bool {
        Self::place().is_ok_and(|image| image.dir.exists())
    }

    /// So that one that nobody uses any more can be told. Who may not write here removes none either.
    fn note_use(&self) {
        let _not_mine = fs::write(self.dir.join(USED), "");
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(super) fn kernel(&self) -> PathBuf {
        self.dir.join("kernel")
    }

    /// The disk, which no guest may write to: each has a copy.
    pub(crate) fn root(&self) -> PathBuf {
        self.dir.join("root.img")
    }

    /// The files of the disk, whose programs also make disks of images.
    pub(super) fn files(&self) -> PathBuf {
        self.dir.join("root")
    }

    fn make(&self) -> Result<()> {
        let parent = self.dir.parent().context("the cache is a folder")?;
        fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))?;
        let lock = lock(parent)?;
        if !self.dir.exists() {
            remove_unused(parent)?;
            self.build(&parent.join("apt"))?;
        }
        drop(lock);
        Ok(())
    }

    fn build(&self, apt: &Path) -> Result<()> {
        say("making the image of a guest: kernel and root from Debian's packages, once");
        let start = Instant::now();
        let unfinished = self.dir.with_extension("unfinished");
        remove(&unfinished)?;
        let root = unfinished.join("root");
        fs::create_dir_all(&root).with_context(|| format!("cannot make {}", root.display()))?;
        let packages = root::make(&Archive::open(apt)?, root::PACKAGES, &root, &unfinished.join("kernel"))?;
        fs::write(unfinished.join("packages"), packages.join("\n") + "\n")
            .context("cannot write the list of packages")?;
        disk::root(&root, FREE_MIB, &unfinished.join("root.img"))?;
        fs::rename(&unfinished, &self.dir).with_context(|| format!("cannot make {}", self.dir.display()))?;
        say(&format!("made in {:.0} s: {}", start.elapsed().as_secs_f64(), self.dir.display()));
        Ok(())
    }
}

/// A file whose time is that of the last use.
const USED: &str = "used";

/// How long an image is kept that is not used: branches differ in how they make it.
const KEPT: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// Removes images that have not been used for long, each of which takes some hundred megabytes.
fn remove_unused(parent: &Path) -> Result<()> {
    for entry in fs::read_dir(parent).with_context(|| format!("cannot read {}", parent.display()))?.flatten() {
        let used = entry.path().join(USED).metadata().and_then(|used| used.modified());
        if used.is_ok_and(|at| at.elapsed().is_ok_and(|since| since > KEPT)) {
            remove(&entry.path())?;
        }
    }
    Ok(())
}

fn key() -> String {
    let hash = RECIPE.iter().fold(Sha256::new(), |hash, part| hash.chain_update(part).chain_update([0]));
    hex::encode(&hash.finalize()[..8])
}

/// Two that are made at once would fetch into the same folder.
fn lock(dir: &Path) -> Result<File> {
    let path = dir.join("lock");
    let file = File::create(&path).with_context(|| format!("cannot make {}", path.display()))?;
    if file.try_lock().is_err() {
        say(&format!("waiting for another build in {}", dir.display()));
        file.lock().with_context(|| format!("cannot lock {}", path.display()))?;
    }
    Ok(file)
}

fn remove(dir: &Path) -> Result<()> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", dir.display()))
        }
        _ => Ok(()),
    }
}
