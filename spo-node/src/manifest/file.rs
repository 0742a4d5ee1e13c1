//! The files that manifests are: whole, regular, and not larger than any that somebody wrote.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use rustix::fs::{Mode, OFlags};

/// The largest file that is read: a thousand profiles fit into it.
pub const MAX_BYTES: u64 = 4 << 20;

/// Why nothing at all can be read from a file.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// The file cannot be opened or read.
    #[error("cannot be read")]
    Io(#[source] std::io::Error),
    /// A device, a pipe, a folder.
    #[error("is not a regular file")]
    NotAFile,
    /// More than [`MAX_BYTES`].
    #[error("has more than {} MiB, the most that is read; split it into several files", MAX_BYTES >> 20)]
    TooLarge,
    /// Not text.
    #[error("is not text in UTF-8; its byte {0} is where it goes wrong")]
    NotText(usize),
    /// Not YAML, of which JSON is a part.
    #[error("is not YAML: {0}")]
    NotYaml(String),
    /// One of these, of a file that names the kind of the operator's configuration.
    #[error(transparent)]
    Configuration(Box<Self>),
}

/// Whether a file of a folder is taken for a manifest, by its name.
pub fn is_manifest(name: &OsStr) -> bool {
    let extension = Path::new(name).extension().and_then(OsStr::to_str);
    !name.as_encoded_bytes().starts_with(b".") && matches!(extension, Some("yaml" | "yml" | "json"))
}

/// A file's content. A pipe is not waited for: it is opened without blocking, and then refused.
pub(crate) fn content(path: &Path) -> Result<Vec<u8>, Unreadable> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let opened = rustix::fs::open(path, flags, Mode::empty()).map_err(|error| Unreadable::Io(error.into()))?;
    let file = File::from(opened);
    let metadata = file.metadata().map_err(Unreadable::Io)?;
    if !metadata.is_file() {
        return Err(Unreadable::NotAFile);
    }
    if metadata.len() > MAX_BYTES {
        return Err(Unreadable::TooLarge);
    }
    // With room for one byte more than there should be, one read finds the end; a file may grow meanwhile.
    let mut content = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or_default() + 1);
    file.take(MAX_BYTES + 1).read_to_end(&mut content).map_err(Unreadable::Io)?;
    if content.len() as u64 > MAX_BYTES { Err(Unreadable::TooLarge) } else { Ok(content) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipe_is_refused_and_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe.yaml");
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, Mode::RUSR).unwrap();
        assert!(matches!(content(&pipe), Err(Unreadable::NotAFile)));
        assert!(matches!(content(Path::new("/dev/zero")), Err(Unreadable::NotAFile)));
    }

    #[test]
    fn a_file_too_large_is_not_read_to_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("large.yaml");
        File::create(&path).unwrap().set_len(1 << 40).unwrap();
        assert!(matches!(content(&path), Err(Unreadable::TooLarge)));
    }
}
