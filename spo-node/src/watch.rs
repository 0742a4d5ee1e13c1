//! Watching a folder: which names in it something happened to.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::task::{Context, Poll};

use futures::StreamExt;
use inotify::{EventMask, EventOwned, EventStream, Inotify, WatchMask};

/// Room for so many bytes of events is made in one read.
const BUFFER_BYTES: usize = 16 * 1024;

/// A folder that is watched.
#[derive(Debug)]
pub struct FolderWatch {
    events: EventStream<Vec<u8>>,
    seen: Seen,
    identity: Option<(u64, u64)>,
}

/// What happened in a folder.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// By name, each once however often something happened to it.
    pub names: BTreeMap<OsString, Happened>,
    /// More happened than the kernel kept account of: anything may have changed.
    pub overflow: bool,
    /// The folder itself was removed, renamed or unmounted. There is nothing more to be seen.
    pub gone: bool,
}

/// What happened to a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Happened {
    /// How often a file was renamed to it.
    pub moved_here: usize,
    /// How often it was removed.
    pub deleted: usize,
    /// Whether its content or its mode may have changed, or it was renamed to another name.
    pub changed: bool,
    /// Whether it was made: as an empty file, which says nothing, or as a link.
    pub created: bool,
    /// The last of what says whether it is complete.
    pub stage: Option<Stage>,
}

/// How far a file has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// It was made. Whoever made it closes it when it is complete; a link never is closed.
    Made,
    /// It was closed, or renamed to its name.
    Complete,
    /// It was removed, or renamed to another name. A file that is there all the same is a new one, of which more is to be seen.
    Gone,
}

impl FolderWatch {
    /// Starts to watch; `path` may lead through a symbolic link.
    ///
    /// # Errors
    /// The folder does not exist or may not be read, or there are too many watches (`fs.inotify.max_user_instances`).
    pub fn new(path: &Path) -> io::Result<Self> {
        let inotify = Inotify::init()?;
        let identity = identity(path);
        let content = WatchMask::CLOSE_WRITE | WatchMask::ATTRIB | WatchMask::CREATE;
        let names = WatchMask::MOVED_TO | WatchMask::MOVED_FROM | WatchMask::DELETE;
        let itself = WatchMask::DELETE_SELF | WatchMask::MOVE_SELF | WatchMask::ONLYDIR;
        inotify.watches().add(path, content | names | itself)?;
        Ok(Self { events: inotify.into_event_stream(vec![0; BUFFER_BYTES])?, seen: Seen::default(), identity })
    }

    /// Whether `path` still is the folder that is watched. The end of a folder is told only when nobody has it open any more, and
    /// it may be made anew before.
    pub fn is_of(&self, path: &Path) -> bool {
        identity(path) == self.identity
    }

    /// Waits until something happens, and gives all that is known by then. Cancel-safe.
    ///
    /// # Errors
    /// The kernel's, of which none is expected.
    pub async fn next(&mut self) -> io::Result<Seen> {
        std::future::poll_fn(|context| self.poll(context)).await
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Seen>> {
        while let Poll::Ready(event) = self.events.poll_next_unpin(context) {
            match event {
                Some(event) => self.seen.add(event?),
                None => self.seen.gone = true,
            }
            if self.seen.gone {
                break;
            }
        }
        if self.seen == Seen::default() { Poll::Pending } else { Poll::Ready(Ok(std::mem::take(&mut self.seen))) }
    }
}

/// Device and inode.
fn identity(path: &Path) -> Option<(u64, u64)> {
    path.metadata().ok().map(|metadata| (metadata.dev(), metadata.ino()))
}

impl Seen {
    /// Adds what was seen later.
    pub fn merge(&mut self, later: Self) {
        self.overflow |= later.overflow;
        self.gone |= later.gone;
        for (name, new) in later.names {
            let known = self.names.entry(name).or_default();
            known.moved_here += new.moved_here;
            known.deleted += new.deleted;
            known.changed |= new.changed;
            known.stage = new.stage.or(known.stage);
            known.created |= new.created;
        }
    }

    fn add(&mut self, event: EventOwned) {
        let has = |mask| event.mask.contains(mask);
        self.overflow |= has(EventMask::Q_OVERFLOW);
        let Some(name) = event.name else {
            // ATTRIB without a name is about the folder, whose last link may just be gone; DELETE_SELF follows then.
            self.gone |= has(EventMask::DELETE_SELF)
                || has(EventMask::MOVE_SELF)
                || has(EventMask::IGNORED)
                || has(EventMask::UNMOUNT);
            return;
        };
        let happened = self.names.entry(name).or_default();
        happened.moved_here += usize::from(has(EventMask::MOVED_TO));
        happened.deleted += usize::from(has(EventMask::DELETE));
        happened.created |= has(EventMask::CREATE);
        if has(EventMask::CREATE) {
            happened.stage = Some(Stage::Made);
        } else if has(EventMask::CLOSE_WRITE) || has(EventMask::MOVED_TO) {
            happened.stage = Some(Stage::Complete);
        } else if has(EventMask::MOVED_FROM) || has(EventMask::DELETE) {
            happened.stage = Some(Stage::Gone);
        }
        happened.changed |= has(EventMask::CLOSE_WRITE) || has(EventMask::ATTRIB) || has(EventMask::MOVED_FROM);
    }
}

/// Lets `watch` be awaited where there may be none: nothing ever happens then.
///
/// # Errors
/// As [`FolderWatch::next`].
pub async fn next(watch: &mut Option<FolderWatch>) -> io::Result<Seen> {
    match watch {
        Some(watch) => watch.next().await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn folder() -> (tempfile::TempDir, FolderWatch) {
        let folder = tempfile::tempdir().unwrap();
        let watch = FolderWatch::new(folder.path()).unwrap();
        (folder, watch)
    }

    #[tokio::test]
    async fn everything_that_happened_comes_at_once_and_each_name_once() {
        let (folder, mut watch) = folder();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("a"), "1").unwrap();
        fs::rename(path("a"), path("b")).unwrap();
        fs::write(path("c"), "1").unwrap();
        fs::rename(path("c"), path("b")).unwrap();
        std::os::unix::fs::symlink("/nowhere", path("link")).unwrap();
        fs::remove_file(path("b")).unwrap();
        let seen = watch.next().await.unwrap();
        let b = seen.names[&OsString::from("b")];
        assert_eq!((b.moved_here, b.deleted, b.changed), (2, 1, false));
        assert!(seen.names[&OsString::from("a")].changed);
        assert_eq!((b.stage, seen.names[&OsString::from("link")].stage), (Some(Stage::Gone), Some(Stage::Made)));
        assert_eq!(seen.names[&OsString::from("c")].stage, Some(Stage::Gone));
        assert!(!seen.overflow && !seen.gone);
    }

    #[tokio::test]
    async fn the_end_of_the_folder_is_told() {
        let (folder, mut watch) = folder();
        folder.close().unwrap();
        assert!(watch.next().await.unwrap().gone);
    }

    #[tokio::test]
    async fn a_folder_that_is_made_anew_is_another() {
        let (folder, watch) = folder();
        assert!(watch.is_of(folder.path()));
        fs::remove_dir(folder.path()).unwrap();
        assert!(!watch.is_of(folder.path()));
    }

    #[tokio::test]
    async fn nothing_is_told_where_nothing_happens() {
        let (_folder, mut watch) = folder();
        assert!(futures::poll!(Box::pin(watch.next())).is_pending());
        assert!(futures::poll!(Box::pin(next(&mut None))).is_pending());
    }

    #[test]
    fn a_folder_that_is_not_there_is_an_error() {
        assert_eq!(FolderWatch::new(Path::new("/nowhere/at/all")).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
