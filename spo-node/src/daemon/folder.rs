//! The profiles folder: what is in it, and what others do there.

use spo_lsm::host::Host;

use super::{Daemon, Echo};
use crate::source::Source;
use crate::status::chain;
use crate::sync::{Scope, owners};
use crate::watch::{FolderWatch, Seen};

impl<S: Source, H: Host + Send + 'static> Daemon<S, H> {
    /// Looks at the whole folder, and watches it from then on.
    pub(super) fn look(&mut self) {
        let Some(host) = &mut self.host else { return };
        // Watched before it is listed, so that nothing is missed in between. A folder that does not exist yet is watched once it does.
        self.watch = match FolderWatch::new(&self.folder) {
            Ok(watch) => Some(watch),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => {
                tracing::error!(folder = %self.folder.display(), %error, "cannot watch the profiles folder: what others change there is noticed at the next start");
                None
            }
        };
        self.echo = Echo::default();
        self.seen = Seen::default();
        let installed = host.installed();
        self.is_unlisted = installed.is_err();
        match installed {
            Ok(installed) => {
                for foreign in &installed.foreign {
                    tracing::warn!(
                        file = foreign.name,
                        what = foreign.what,
                        "something that is no profile has the name of one"
                    );
                }
                self.files.listed(&installed);
            }
            Err(error) => {
                tracing::error!(folder = %self.folder.display(), error = %chain(&error), "cannot list the profiles folder, trying again")
            }
        }
        self.scope = Scope::All;
    }

    /// Takes in what happened to files, but for the echo of this process's own doing.
    pub(super) fn absorb(&mut self) {
        let seen = std::mem::take(&mut self.seen);
        if seen == Seen::default() {
            return;
        }
        if seen.overflow || seen.gone || !self.is_watched() {
            tracing::warn!(folder = %self.folder.display(), "lost sight of the profiles folder; looking at all of it");
            return self.look();
        }
        for (name, happened) in seen.names {
            let Some(name) = name.to_str() else { continue };
            if self.echo.is_news(name, happened) {
                tracing::debug!(file = name, "something happened to a file");
                self.files.touched(name);
                self.touch(owners(name));
            }
        }
    }

    /// Whether what is watched is the folder that is there.
    pub(super) fn is_watched(&self) -> bool {
        self.watch.as_ref().is_some_and(|watch| watch.is_of(&self.folder))
    }
}
