//! Changes that go together.

use std::path::PathBuf;

use super::said::{self, Blame};
use super::semodule::{Change, Semodule};
use super::settle::{Failed, Failure, settle};
use crate::host::HostError;

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

/// Makes all changes, or as many as can be made.
pub(super) fn change(semodule: &Semodule, items: &[Item]) -> Vec<Failure> {
    settle(items.len(), |batch| {
        let changes: Vec<_> = batch.iter().flat_map(|place| items[*place].changes()).collect();
        let ended = semodule.change(&changes).map_err(Failed::All)?;
        if ended.status.success() {
            return Ok(());
        }
        let blamed = said::blame(&ended.said);
        let error = said::error(ended);
        Err(match blamed {
            Blame::Host(error) => Failed::All(error),
            Blame::Unknown => Failed::Some(error),
            Blame::Module { priority, name } => {
                let is_named = |item: &Item| item.priority == priority && item.name == name;
                match batch.iter().find(|place| is_named(&items[**place])) {
                    Some(place) => Failed::Item(*place, error),
                    None => of_another(semodule, &name, error),
                }
            }
        })
    })
}

/// What it means that a module does not compile which is not changed: what is changed breaks it, or it is broken anyway.
fn of_another(semodule: &Semodule, name: &str, error: HostError) -> Failed {
    match semodule.try_build() {
        Ok(ended) if ended.status.success() => Failed::Some(error),
        Ok(mut ended) => {
            ended.said = format!("the host's own policy does not build, because of its module {name}: {}", ended.said);
            Failed::All(said::error(ended))
        }
        Err(error) => Failed::All(error),
    }
}
