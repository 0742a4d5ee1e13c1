//! A certificate from files: `tls.crt` and `tls.key` in a folder that is watched.
//!
//! A mounted Secret is such a folder: its files are links through `..data`, which the kubelet renames over. So anything that
//! happens in the folder is a reason to read both files anew; a pair that does not belong together is half of a change.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use futures::{FutureExt, StreamExt};
use inotify::{EventMask, EventStream, Inotify, WatchMask};

use super::identity::{Identity, Pair, PairError};

/// Files are read so long after something happened: whoever wrote the one is about to write the other.
const SETTLE: Duration = Duration::from_millis(100);
const BUFFER_BYTES: usize = 4096;

/// The folder.
pub(crate) struct Folder {
    path: PathBuf,
    identity: Arc<Identity>,
    events: EventStream<Vec<u8>>,
}

/// Why nothing was read from the folder.
#[derive(Debug, thiserror::Error)]
enum FolderError {
    #[error("cannot read {0}")]
    Read(PathBuf, #[source] std::io::Error),
    #[error(transparent)]
    Pair(#[from] PairError),
}

impl Folder {
    /// Watches `path`, and has `identity` serve what is there.
    pub(crate) fn new(path: &Path, identity: Arc<Identity>) -> anyhow::Result<Self> {
        let watch = || {
            let inotify = Inotify::init()?;
            let names = WatchMask::CREATE | WatchMask::MOVED_TO | WatchMask::CLOSE_WRITE | WatchMask::ATTRIB;
            inotify.watches().add(path, names | WatchMask::ONLYDIR)?;
            inotify.into_event_stream(vec![0; BUFFER_BYTES])
        };
        let events = watch().with_context(|| format!("cannot watch the folder of certificates {}", path.display()))?;
        let folder = Self { path: path.to_owned(), identity, events };
        folder.read();
        Ok(folder)
    }

    /// Serves what comes, until the folder is gone.
    pub(crate) async fn run(mut self) -> anyhow::Result<()> {
        while let Some(event) = self.events.next().await {
            let mut gone = event?.mask.contains(EventMask::IGNORED);
            tokio::time::sleep(SETTLE).await;
            while let Some(Some(event)) = self.events.next().now_or_never() {
                gone |= event?.mask.contains(EventMask::IGNORED);
            }
            anyhow::ensure!(!gone, "the folder of certificates {} is gone", self.path.display());
            self.read();
        }
        Ok(())
    }

    fn read(&self) {
        match self.pair() {
            Ok(pair) => self.identity.exchange(pair),
            Err(error) => tracing::warn!(
                folder = %self.path.display(),
                error = &error as &dyn std::error::Error,
                "no certificate that can be served; one that was there before stays"
            ),
        }
    }

    fn pair(&self) -> Result<Pair, FolderError> {
        let read = |name: &str| {
            let path = self.path.join(name);
            std::fs::read(&path).map_err(|error| FolderError::Read(path, error))
        };
        Ok(Pair::parse(&read("tls.crt")?, &read("tls.key")?)?)
    }
}
