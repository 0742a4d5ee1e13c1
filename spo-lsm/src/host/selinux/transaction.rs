//! Changes that go together.

use std::path::{Path, PathBuf};

use super::mend::mend;
use super::said::{self, Blame};
use super::scratch::Scratch;
use super::semodule::{Change, Semodule};
use super::settle::{Failed, Failure, settle};

/// A change that waits for its transaction.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) name: String,
    pub(super) priority: u16,
    pub(super) what: What,
    /// The step that it is for; none for a template.
    pub(super) step: Option<usize>,
}

/// What a change does.
#[derive(Debug)]
pub(super) enum What {
    /// Installs a module, and removes those of its name at other priorities.
    Install {
        /// Its file.
        path: PathBuf,
        /// The priorities.
        displaced: Vec<u16>,
    },
    /// Removes it.
    Remove,
}

impl Item {
    fn is(&self, priority: u16, name: &str) -> bool {
        self.priority == priority && self.name == name
    }

    fn changes(&self) -> Vec<Change> {
        match &self.what {
            What::Install { path, displaced } => {
                let removals = displaced.iter().map(|priority| Change::Remove(*priority, self.name.clone()));
                [Change::Install(self.priority, path.clone())].into_iter().chain(removals).collect()
            }
            What::Remove => vec![Change::Remove(self.priority, self.name.clone())],
        }
    }
}

/// Makes all changes, or as many as can be made. A module of ours that is damaged, and is not among them, is mended first.
pub(super) fn change(semodule: &Semodule, items: &[Item], runtime: &Path) -> Vec<Failure> {
    settle(items.len(), |batch| {
        let changes: Vec<_> = batch.iter().flat_map(|place| items[*place].changes()).collect();
        let mut ended = semodule.change(&changes).map_err(Failed::All)?;
        if let Blame::Module { priority, name } = said::blame(&ended.said)
            && !ended.status.success()
            && batch.iter().all(|place| !items[*place].is(priority, &name))
            && is_broken_anyway(semodule)?
        {
            let mended = Scratch::new(runtime).and_then(|scratch| mend(semodule, &scratch, priority, &name));
            mended.map_err(Failed::All)?;
            ended = semodule.change(&changes).map_err(Failed::All)?;
        }
        if ended.status.success() {
            return Ok(());
        }
        let blamed = said::blame(&ended.said);
        let error = said::error(ended);
        Err(match blamed {
            Blame::Host(error) => Failed::All(error),
            Blame::Unknown => Failed::Some(error),
            Blame::Module { priority, name } => match batch.iter().find(|place| items[**place].is(priority, &name)) {
                Some(place) => Failed::Item(*place, error),
                // What is changed breaks it: something goes that it is built on.
                None => Failed::Some(error),
            },
        })
    })
}

/// Whether the store does not build as it is, whatever is changed.
fn is_broken_anyway(semodule: &Semodule) -> Result<bool, Failed> {
    semodule.try_build().map(|ended| !ended.status.success()).map_err(Failed::All)
}
