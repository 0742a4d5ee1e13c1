//! What is said of an object that pods use: a finalizer holds it, and its status lists the pods.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use super::plan::{Action, Plan};
use super::usage::PodId;

/// The most pods that a status lists, the first by name: an object has a bound, and each pod that comes or goes would write all of it.
const LISTED: usize = 500;
/// While pods come and go, the list is not written more often than this.
const PAUSE: Duration = Duration::from_secs(5);

/// Stands for the list `status.activeWorkloads`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Workloads(Option<u64>);

impl Workloads {
    /// The list of an object.
    pub(crate) fn of(status: &serde_json::Value) -> Self {
        let list = status["activeWorkloads"].as_array().map(Vec::as_slice).unwrap_or_default();
        Self::digest(list.iter().filter_map(|pod| pod.as_str()))
    }

    fn digest<'a>(pods: impl Iterator<Item = &'a str>) -> Self {
        let sorted: BTreeSet<&str> = pods.collect();
        let digest = || {
            let mut hasher = DefaultHasher::new();
            sorted.hash(&mut hasher);
            hasher.finish()
        };
        Self((!sorted.is_empty()).then(digest))
    }
}

/// Plans to write the list, if it is another one. Whether there is any pod at all is written at once.
pub(crate) fn list(
    known: Workloads,
    users: Option<&BTreeSet<PodId>>,
    written: Option<Duration>,
    now: Duration,
    plan: &mut Plan,
) {
    let listed = || users.into_iter().flatten().take(LISTED).map(|pod| &**pod);
    let new = Workloads::digest(listed());
    if new == known {
        return;
    }
    let still_used = known.0.is_some() && new.0.is_some();
    let due = written.filter(|_| still_used).map_or(Duration::ZERO, |written| written + PAUSE);
    if due > now {
        plan.wake(due);
    } else {
        plan.actions.push(Action::Workloads(listed().map(str::to_owned).collect()));
    }
}

/// The finalizers that an object should have: `ours` for as long as it is `held`. One that is being deleted gets no new one.
pub(crate) fn finalizers(mut others: Vec<String>, ours: &str, held: bool, deleting: bool) -> Vec<String> {
    others.retain(|finalizer| held || finalizer != ours);
    if held && !deleting && !others.iter().any(|finalizer| finalizer == ours) {
        others.push(ours.to_owned());
    }
    others
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn pods(names: std::ops::Range<usize>) -> BTreeSet<PodId> {
        names.map(|n| format!("web/p{n:04}").into()).collect()
    }

    fn planned(known: &serde_json::Value, users: &BTreeSet<PodId>, written: Option<u64>, now: u64) -> Plan {
        let mut plan = Plan::default();
        let (written, now) = (written.map(Duration::from_secs), Duration::from_secs(now));
        list(Workloads::of(known), Some(users), written, now, &mut plan);
        plan
    }

    fn listed(plan: &Plan) -> Option<usize> {
        match plan.actions.as_slice() {
            [Action::Workloads(pods)] => Some(pods.len()),
            _ => None,
        }
    }

    #[test]
    fn a_list_that_is_right_is_not_written_whatever_its_order() {
        let known = json!({"activeWorkloads": ["web/p0001", "web/p0000"]});
        assert_eq!(planned(&known, &pods(0..2), None, 60), Plan::default());
        assert_eq!(planned(&json!({"activeWorkloads": []}), &pods(0..0), None, 60), Plan::default());
    }

    #[test]
    fn the_first_pod_and_the_end_of_the_last_are_written_at_once_and_the_others_together() {
        assert_eq!(listed(&planned(&json!(null), &pods(0..1), Some(60), 60)), Some(1));
        let one = json!({"activeWorkloads": ["web/p0000"]});
        assert_eq!(listed(&planned(&one, &pods(0..0), Some(60), 60)), Some(0));
        let waiting = planned(&one, &pods(0..9), Some(60), 61);
        assert_eq!((listed(&waiting), waiting.again), (None, Some(Duration::from_secs(65))));
        assert_eq!(listed(&planned(&one, &pods(0..9), Some(60), 65)), Some(9));
    }

    #[test]
    fn a_long_list_is_cut_and_then_stays_as_it_is() {
        let plan = planned(&json!(null), &pods(0..5000), None, 60);
        let [Action::Workloads(first)] = plan.actions.as_slice() else { panic!("{plan:?}") };
        assert_eq!(first.len(), LISTED);
        assert_eq!(planned(&json!({"activeWorkloads": first}), &pods(0..6000), None, 60), Plan::default());
    }

    #[rstest]
    #[case::begins(&["x"], true, false, &["x", "ours"])]
    #[case::goes_on(&["ours", "x"], true, true, &["ours", "x"])]
    #[case::ends(&["ours", "x"], false, false, &["x"])]
    #[case::too_late(&["x"], true, true, &["x"])]
    fn the_finalizer_stays_as_long_as_the_use(
        #[case] known: &[&str],
        #[case] held: bool,
        #[case] deleting: bool,
        #[case] expected: &[&str],
    ) {
        let known = known.iter().map(|finalizer| (*finalizer).to_owned()).collect();
        assert_eq!(finalizers(known, "ours", held, deleting), expected);
    }
}
