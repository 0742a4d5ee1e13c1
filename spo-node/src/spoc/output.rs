//! Where a profile is written to: proved writable before the work, replaced whole after it.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use tempfile::NamedTempFile;

/// The place of a result.
#[derive(Debug)]
pub(super) struct Output {
    path: PathBuf,
    target: Target,
}

#[derive(Debug)]
enum Target {
    /// `-` or `/dev/stdout`
    Stdout,
    /// A file of a folder that we may write in: a new file takes its place, so that nobody sees half of it, and a symbolic link
    /// planted in the temporary folder leads nowhere.
    Replaced(NamedTempFile),
    /// A device or a pipe.
    Written(File),
    /// A file in a folder that we may not write in: it keeps what it holds until there is something to take its place.
    Overwritten(File),
}

impl Output {
    /// Makes sure that `path` can be written, before anything is recorded for it. `mode` is that of the file.
    pub(super) fn prepare(path: &Path, mode: u32) -> Result<Self> {
        if path.as_os_str().is_empty() {
            bail!("the output file is empty: name one with --output-file, or leave the option out");
        }
        let target = target(path, mode)
            .with_context(|| format!("cannot write {}: name another file with --output-file", path.display()))?;
        Ok(Self { path: path.to_owned(), target })
    }

    /// Writes `content`, whole or not at all where it is a file in a folder that we may write in.
    pub(super) fn write(self, content: &[u8]) -> Result<()> {
        let written = match self.target {
            Target::Stdout => to_stdout(content),
            Target::Replaced(mut file) => {
                file.write_all(content).and_then(|()| file.persist(&self.path).map(drop).map_err(|error| error.error))
            }
            Target::Written(mut file) => file.write_all(content),
            Target::Overwritten(mut file) => file.set_len(0).and_then(|()| file.write_all(content)),
        };
        written.with_context(|| format!("cannot write {}", self.path.display()))
    }
}

/// Writes to standard output. Who reads it may stop when it has enough, as `head` does; that is no error.
pub(super) fn to_stdout(content: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(content).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

fn target(path: &Path, mode: u32) -> io::Result<Target> {
    if path == Path::new("-") || path == Path::new("/dev/stdout") {
        return Ok(Target::Stdout);
    }
    let about = path.metadata();
    if about.as_ref().is_ok_and(std::fs::Metadata::is_dir) {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    // What is open already is a link below these, also where it leads to a file: the link must stay.
    let open_already = ["/dev/fd", "/dev/stderr", "/proc"].iter().any(|place| path.starts_with(place));
    if open_already || about.is_ok_and(|about| !about.is_file()) {
        return OpenOptions::new().write(true).open(path).map(Target::Written);
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let new = tempfile::Builder::new().prefix(".spoc-").permissions(Permissions::from_mode(mode)).tempfile_in(folder);
    match new {
        Ok(file) => Ok(Target::Replaced(file)),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied && path.is_file() => in_place(path),
        Err(error) => Err(error),
    }
}

fn in_place(path: &Path) -> io::Result<Target> {
    OpenOptions::new().write(true).open(path).map(Target::Overwritten)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_has_its_mode() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("profile.yaml");
        std::fs::write(&path, "old and longer").unwrap();
        let output = Output::prepare(&path, 0o600).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "old and longer");
        output.write(b"new").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_that_cannot_be_replaced_keeps_what_it_holds_until_there_is_something_new() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("profile.yaml");
        std::fs::write(&path, "old and longer").unwrap();
        let output = Output { target: in_place(&path).unwrap(), path: path.clone() };
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "old and longer");
        output.write(b"new").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "new");
    }

    #[test]
    fn a_planted_symbolic_link_is_replaced_and_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let (victim, path) = (folder.path().join("victim"), folder.path().join("profile.yaml"));
        std::fs::write(&victim, "precious").unwrap();
        std::os::unix::fs::symlink(&victim, &path).unwrap();
        Output::prepare(&path, 0o644).unwrap().write(b"profile").unwrap();
        assert_eq!(std::fs::read_to_string(&victim).unwrap(), "precious");
        assert!(!path.symlink_metadata().unwrap().is_symlink());
    }

    #[test]
    fn a_device_is_written_to() {
        Output::prepare(Path::new("/dev/null"), 0o600).unwrap().write(b"x").unwrap();
        assert!(!Path::new("/dev/null").symlink_metadata().unwrap().is_file());
    }

    #[test]
    fn what_cannot_be_written_is_refused_before_the_work() {
        for path in ["", "/", "/no/such/folder/profile.yaml", "/proc/profile.yaml"] {
            let error = Output::prepare(Path::new(path), 0o644).unwrap_err();
            assert!(error.to_string().contains("--output-file"), "{path}: {error:#}");
        }
    }
}
