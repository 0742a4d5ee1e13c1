//! Disks of a guest: files with an ext4 file system, made from a folder without mounting anything.

use std::fs::{self, File, OpenOptions};
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::Path;

use anyhow::{Context, Result};

use crate::run::Run;

const MIB: u64 = 1 << 20;

/// Where the only partition begins.
const START: u64 = MIB;

/// The signature of a root disk. The kernel finds its root by it: the order of the disks differs from boot to boot.
const SIGNATURE: u32 = 0x5350_4f31;

/// What the kernel is told about where its root is.
pub(super) fn root_parameter() -> String {
    format!("root=PARTUUID={SIGNATURE:08x}-01")
}

/// A disk that holds a copy of `from`, and is found by its label.
pub(crate) fn plain(from: &Path, label: &str, free_mib: u64, to: &Path) -> Result<()> {
    let size = size_mib(from)? + free_mib;
    File::create(to).with_context(|| format!("cannot make {}", to.display()))?;
    format(from, label, 0, size, to)
}

/// A disk with one partition that holds a copy of `from`.
pub(super) fn root(from: &Path, free_mib: u64, to: &Path) -> Result<()> {
    let size = size_mib(from)? + free_mib;
    let mut file = File::create(to).with_context(|| format!("cannot make {}", to.display()))?;
    let made = file.set_len(START + size * MIB).and_then(|()| file.write_all(&partition_table(size)));
    made.with_context(|| format!("cannot write {}", to.display()))?;
    format(from, "root", START, size, to)
}

/// The first sector: a table of one partition, as DOS had it.
fn partition_table(size_mib: u64) -> [u8; 512] {
    const SECTOR: u64 = 512;
    const LINUX: u8 = 0x83;
    let sectors = |bytes: u64| u32::try_from(bytes / SECTOR).unwrap_or(u32::MAX).to_le_bytes();
    let mut table = [0; 512];
    table[440..444].copy_from_slice(&SIGNATURE.to_le_bytes());
    table[450] = LINUX;
    table[454..458].copy_from_slice(&sectors(START));
    table[458..462].copy_from_slice(&sectors(size_mib * MIB));
    table[510..].copy_from_slice(&[0x55, 0xaa]);
    table
}

/// Without a journal: what a guest has written is not worth more than the guest.
fn format(from: &Path, label: &str, offset: u64, size_mib: u64, to: &Path) -> Result<()> {
    let mkfs = Run::new(MKFS).args(["-q", "-F", "-m", "0", "-O", "^has_journal", "-L", label, "-d"]).arg(from);
    let mkfs = mkfs.args(["-E", &format!("offset={offset}")]).arg(to).arg(format!("{size_mib}M")).quiet();
    mkfs.output().map(drop).with_context(|| format!("cannot make the disk {}", to.display()))
}

const MKFS: &str = "/sbin/mkfs.ext4";

/// How much room the files below a folder take, in blocks of the file system, and a little for what describes them.
fn size_mib(folder: &Path) -> Result<u64> {
    let text = Run::new("du").args(["-sm", "--apparent-size"]).arg(folder).quiet().output()?;
    let plain: u64 = text.split_whitespace().next().and_then(|n| n.parse().ok()).context("du printed no size")?;
    Ok(plain + plain / 8 + 16)
}

/// Copies the files of a disk that no guest uses into a folder.
pub(super) fn copy_out(disk: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| format!("cannot make {}", to.display()))?;
    let request = format!("rdump / {}", to.display());
    Run::new("/sbin/debugfs").args(["-R", &request]).arg(disk).quiet().succeeds();
    // It has no useful exit status, but this folder is on every ext4.
    let lost = to.join("lost+found");
    fs::remove_dir(&lost).with_context(|| format!("{} cannot be read", disk.display()))
}

/// A copy that takes no more room than what is in it.
pub(crate) fn copy(disk: &Path, to: &Path) -> Result<()> {
    let cp = Run::new("cp").args(["--sparse=always", "--reflink=auto"]).arg(disk).arg(to).quiet();
    cp.run().with_context(|| format!("cannot copy {}", disk.display()))?;
    // The image may be for reading only.
    let mut file = OpenOptions::new().write(true).open(to).with_context(|| format!("cannot open {}", to.display()))?;
    file.seek(SeekFrom::Start(0)).map(drop).with_context(|| format!("cannot use {}", to.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_partition_table_is_what_the_kernel_looks_for() {
        let table = partition_table(100);
        assert_eq!(table[510..], [0x55, 0xaa]);
        assert_eq!(table[454..458], 2048_u32.to_le_bytes());
        assert_eq!(table[458..462], 204_800_u32.to_le_bytes());
        assert_eq!(root_parameter(), "root=PARTUUID=53504f31-01");
    }

    #[test]
    fn what_goes_onto_a_disk_comes_off_it() {
        if !["/sbin/debugfs", MKFS].iter().all(|program| Path::new(program).exists()) {
            crate::run::print("skipped: there is no mkfs.ext4 here").unwrap();
            return;
        }
        let temp = tempfile::tempdir().unwrap();
        let (from, disk, to) = (temp.path().join("from"), temp.path().join("disk"), temp.path().join("to"));
        fs::create_dir(&from).unwrap();
        fs::write(from.join("file"), "text").unwrap();
        plain(&from, "job", 8, &disk).unwrap();
        copy_out(&disk, &to).unwrap();
        assert_eq!(fs::read_to_string(to.join("file")).unwrap(), "text");
    }
}
