//! What others do where profiles are.

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::PathBuf;

use futures::StreamExt;
use futures::stream::BoxStream;
use spo_lsm::host::Change;

use super::Lane;
use super::echo::Echo;
use crate::sync::owners;
use crate::watch::{self, FolderWatch, Seen};

/// What tells of changes.
pub enum Changes {
    /// The folder of files for seccomp, where this process finds it.
    Folder(PathBuf),
    /// Something that yields whenever others may have changed what is installed, or what is supported.
    Notices(BoxStream<'static, ()>),
    /// Nothing.
    Unseen,
}

impl fmt::Debug for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Folder(_) => "Folder",
            Self::Notices(_) => "Notices",
            Self::Unseen => "Unseen",
        })
    }
}

/// What is seen of them.
#[derive(Debug)]
pub(super) struct Sight {
    changes: Changes,
    watch: Option<FolderWatch>,
    /// What happened to files, but was not looked at yet.
    seen: Seen,
    echo: Echo,
}

impl Sight {
    pub(super) fn new(changes: Changes) -> Self {
        Self { changes, watch: None, seen: Seen::default(), echo: Echo::default() }
    }

    /// Begins anew. A folder that does not exist yet is watched once it does.
    pub(super) fn renew(&mut self) {
        self.echo = Echo::default();
        self.seen = Seen::default();
        let Changes::Folder(folder) = &self.changes else { return };
        self.watch = match FolderWatch::new(folder) {
            Ok(watch) => Some(watch),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => {
                tracing::error!(folder = %folder.display(), %error, "cannot watch the profiles folder: what others change there is noticed at the next start");
                None
            }
        };
    }

    /// Waits for something to happen, and says whether all is to be looked at anew. Cancel-safe.
    pub(super) async fn next(&mut self) -> io::Result<bool> {
        match &mut self.changes {
            Changes::Folder(_) => {
                self.seen.merge(watch::next(&mut self.watch).await?);
                Ok(false)
            }
            Changes::Notices(notices) => match notices.next().await {
                Some(()) => Ok(true),
                None => std::future::pending().await,
            },
            Changes::Unseen => std::future::pending().await,
        }
    }

    /// This process changed a file.
    pub(super) fn expect(&mut self, file_name: &str, change: Change) {
        if self.watch.is_some() {
            self.echo.expect(file_name, change);
        }
    }

    /// Whether what is watched is not the folder that is there.
    pub(super) fn is_lost(&self) -> bool {
        let Changes::Folder(folder) = &self.changes else { return false };
        !self.watch.as_ref().is_some_and(|watch| watch.is_of(folder))
    }

    /// The names of the files that others did something to; `None` if that may be any.
    fn news(&mut self) -> Option<Vec<OsString>> {
        let seen = std::mem::take(&mut self.seen);
        if seen == Seen::default() {
            return Some(Vec::new());
        }
        if seen.overflow || seen.gone || self.is_lost() {
            return None;
        }
        let news = |(name, happened): (OsString, _)| {
            let is_news = name.to_str().is_some_and(|name| self.echo.is_news(name, happened));
            is_news.then_some(name)
        };
        Some(seen.names.into_iter().filter_map(news).collect())
    }
}

impl Lane {
    /// Takes in what happened to files, but for the echo of this process's own doing.
    pub(super) fn absorb(&mut self) {
        let Some(names) = self.sight.news() else {
            tracing::warn!(module = %self.module, "lost sight of the profiles folder; looking at all of it");
            self.look = true;
            return;
        };
        for name in names.iter().filter_map(|name| name.to_str()) {
            tracing::debug!(file = name, "something happened to a file");
            self.files.touched(name);
            self.touch(owners(self.module, name));
        }
    }
}
