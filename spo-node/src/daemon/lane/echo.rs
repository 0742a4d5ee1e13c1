//! Telling what others did in the profiles folder from what this process did itself. Pure.

use std::collections::BTreeMap;

use spo_lsm::host::Change;

use crate::watch::Happened;

/// What this process did and did not hear of yet.
///
/// The kernel reports each rename and each removal once, whoever did it. So as many as were done are passed over, no matter in which
/// order: if somebody else did one besides, one is left.
#[derive(Debug, Default)]
pub(super) struct Echo {
    expected: BTreeMap<String, (usize, usize)>,
}

impl Echo {
    /// This process changed a file.
    pub(super) fn expect(&mut self, file_name: &str, change: Change) {
        let (moved, deleted) = match change {
            Change::Written => (1, 0),
            Change::Removed => (0, 1),
            Change::Unchanged | Change::Absent => return,
        };
        let expected = self.expected.entry(file_name.to_owned()).or_default();
        expected.0 += moved;
        expected.1 += deleted;
    }

    /// Whether more happened to a file than this process did.
    pub(super) fn is_news(&mut self, file_name: &str, happened: Happened) -> bool {
        let Some((moved, deleted)) = self.expected.get_mut(file_name) else { return true };
        let news = happened.changed || happened.created || happened.moved_here > *moved || happened.deleted > *deleted;
        *moved = moved.saturating_sub(happened.moved_here);
        *deleted = deleted.saturating_sub(happened.deleted);
        if (*moved, *deleted) == (0, 0) {
            self.expected.remove(file_name);
        }
        news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOVED: Happened = Happened { moved_here: 1, deleted: 0, changed: false, created: false, stage: None };

    #[test]
    fn what_this_process_did_is_no_news() {
        let mut echo = Echo::default();
        echo.expect("web.json", Change::Written);
        echo.expect("web.json", Change::Removed);
        assert!(!echo.is_news("web.json", Happened { deleted: 1, ..MOVED }));
        assert!(echo.is_news("web.json", MOVED), "a second time it is");
    }

    #[test]
    fn what_others_did_besides_is_news() {
        let mut echo = Echo::default();
        echo.expect("web.json", Change::Written);
        assert!(echo.is_news("web.json", Happened { changed: true, ..MOVED }));
        echo.expect("web.json", Change::Written);
        assert!(echo.is_news("web.json", Happened { moved_here: 2, ..MOVED }));
        assert!(echo.is_news("other.json", MOVED));
        echo.expect("web.json", Change::Unchanged);
        assert!(echo.is_news("web.json", MOVED));
    }
}
