//! Which pods use which profiles: one small record per pod that names a profile which may be ours, and none of others.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ops::Bound;
use std::sync::Arc;

use spo_api::ProfileKey;

use super::pod::{self, Pod, Shape, Used};

/// A pod, as `<namespace>/<name>`.
pub(crate) type PodId = Arc<str>;

/// The pods that use something.
#[derive(Debug, Default)]
pub(crate) struct Usage {
    pods: BTreeMap<PodId, (Round, Arc<Shape>)>,
    shapes: HashSet<Arc<Shape>>,
    users: BTreeMap<Used, BTreeSet<PodId>>,
    round: Round,
}

/// How often the watch has begun anew: what it has not shown in its current round is gone when the round is complete.
type Round = u32;

/// A pod that uses something else than before.
#[derive(Debug)]
pub(crate) struct Changed {
    pub(crate) pod: PodId,
    pub(crate) before: Option<Arc<Shape>>,
    pub(crate) after: Option<Arc<Shape>>,
}

impl Changed {
    /// What the pod began or ceased to use.
    pub(crate) fn uses(&self) -> BTreeSet<&Used> {
        let before: BTreeSet<&Used> = self.before.iter().flat_map(|shape| &shape.uses).collect();
        let after = self.after.iter().flat_map(|shape| &shape.uses).collect();
        before.symmetric_difference(&after).copied().collect()
    }
}

impl Usage {
    /// The pods that use a profile, by name.
    pub(crate) fn of(&self, key: &ProfileKey) -> Option<&BTreeSet<PodId>> {
        self.users.get(&Used::of(key))
    }

    /// The pods of a namespace that use something.
    pub(crate) fn in_namespace<'a>(&'a self, namespace: &str) -> impl Iterator<Item = (&'a PodId, &'a Shape)> {
        let prefix = format!("{namespace}/");
        let from_first = self.pods.range::<str, _>((Bound::Included(prefix.as_str()), Bound::Unbounded));
        let its: Vec<_> = from_first.take_while(|(id, _)| id.starts_with(&prefix)).collect();
        its.into_iter().map(|(id, (_, shape))| (id, &**shape))
    }

    /// All pods will be shown once more.
    pub(crate) fn restart(&mut self) {
        self.round = self.round.wrapping_add(1);
    }

    /// What was not shown since [`Usage::restart`] is gone.
    pub(crate) fn complete(&mut self) -> Vec<Changed> {
        let gone: Vec<PodId> =
            self.pods.iter().filter(|(_, (round, _))| *round != self.round).map(|(id, _)| id.clone()).collect();
        gone.iter().filter_map(|id| self.forget(id)).collect()
    }

    /// A pod is there. Says what that changes.
    pub(crate) fn applied(&mut self, pod: &Pod) -> Option<Changed> {
        let (id, shape) = pod::read(pod);
        let Some(shape) = shape else { return self.forget(&id) };
        if let Some((round, known)) = self.pods.get_mut(id.as_str())
            && **known == shape
        {
            *round = self.round;
            return None;
        }
        let before = self.forget(&id).and_then(|changed| changed.before);
        let id = PodId::from(id);
        let shape = self.shared(shape);
        for used in &shape.uses {
            self.users.entry(used.clone()).or_default().insert(id.clone());
        }
        self.pods.insert(id.clone(), (self.round, shape.clone()));
        Some(Changed { pod: id, before, after: Some(shape) })
    }

    /// A pod is gone. Says what that changes.
    pub(crate) fn removed(&mut self, pod: &Pod) -> Option<Changed> {
        self.forget(&pod::read(pod).0)
    }

    fn shared(&mut self, shape: Shape) -> Arc<Shape> {
        if let Some(known) = self.shapes.get(&shape) {
            return known.clone();
        }
        let shape = Arc::new(shape);
        self.shapes.insert(shape.clone());
        shape
    }

    fn forget(&mut self, id: &str) -> Option<Changed> {
        let (pod, (_, shape)) = self.pods.remove_entry(id)?;
        for used in &shape.uses {
            if let Some(users) = self.users.get_mut(used) {
                users.remove(id);
                if users.is_empty() {
                    self.users.remove(used);
                }
            }
        }
        // This one, and that of the set.
        if Arc::strong_count(&shape) == 2 {
            self.shapes.remove(&shape);
        }
        Some(Changed { pod, before: Some(shape), after: None })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use spo_api::ProfileKind;

    use super::*;

    fn pod(name: &str, profile: &str) -> Pod {
        serde_json::from_value(json!({
            "metadata": {"namespace": "web", "name": name},
            "spec": {"securityContext": {"seccompProfile": {"type": "Localhost", "localhostProfile": profile}},
                "containers": [{"name": "main", "image": "nginx"}]},
        }))
        .unwrap()
    }

    fn key(name: &str) -> ProfileKey {
        ProfileKey { kind: ProfileKind::Seccomp, name: name.parse().unwrap() }
    }

    fn users(usage: &Usage, profile: &str) -> Vec<String> {
        usage.of(&key(profile)).into_iter().flatten().map(|pod| pod.to_string()).collect()
    }

    #[test]
    fn pods_that_name_no_profile_of_ours_leave_no_record() {
        let mut usage = Usage::default();
        for n in 0..100 {
            assert!(usage.applied(&pod(&format!("p{n}"), "runtime/other.json")).is_none());
        }
        assert!(usage.pods.is_empty() && usage.shapes.is_empty() && usage.users.is_empty());
    }

    #[test]
    fn replicas_share_what_is_kept_of_them() {
        let mut usage = Usage::default();
        for n in 0..100 {
            usage.applied(&pod(&format!("p{n:02}"), "operator/web.json"));
        }
        assert_eq!((usage.pods.len(), usage.shapes.len(), users(&usage, "web").len()), (100, 1, 100));
        for n in 0..100 {
            usage.removed(&pod(&format!("p{n:02}"), "operator/web.json"));
        }
        assert!(usage.pods.is_empty() && usage.shapes.is_empty() && usage.users.is_empty());
    }

    #[test]
    fn a_pod_that_is_shown_again_is_no_news() {
        let mut usage = Usage::default();
        let first = usage.applied(&pod("a", "operator/web.json")).unwrap();
        assert_eq!(first.uses().len(), 1);
        assert!(usage.applied(&pod("a", "operator/web.json")).is_none());
        // A pod of the same name made anew.
        let second = usage.applied(&pod("a", "operator/db.json")).unwrap();
        assert_eq!(second.uses().len(), 2);
        assert_eq!((users(&usage, "web"), users(&usage, "db")), (vec![], vec!["web/a".to_owned()]));
    }

    #[test]
    fn pods_that_a_restarted_watch_does_not_show_are_gone() {
        let mut usage = Usage::default();
        usage.applied(&pod("a", "operator/web.json"));
        usage.applied(&pod("b", "operator/web.json"));
        usage.restart();
        usage.applied(&pod("b", "operator/web.json"));
        assert_eq!(users(&usage, "web"), ["web/a", "web/b"], "until it is through, a may still come");
        let gone: Vec<String> = usage.complete().into_iter().map(|changed| changed.pod.to_string()).collect();
        assert_eq!((gone, users(&usage, "web")), (vec!["web/a".to_owned()], vec!["web/b".to_owned()]));
    }

    #[test]
    fn a_profile_that_is_made_later_is_in_use_from_the_beginning() {
        let mut usage = Usage::default();
        usage.applied(&pod("a", "operator/later.json"));
        assert_eq!(users(&usage, "later"), ["web/a"]);
        assert_eq!(users(&usage, "later.json"), ["web/a"], "its file is the same");
    }

    #[test]
    fn the_pods_of_a_namespace_are_those_of_no_other() {
        let mut usage = Usage::default();
        usage.applied(&pod("a", "operator/web.json"));
        let mut other = pod("a", "operator/web.json");
        other.metadata.namespace = Some("web2".to_owned());
        usage.applied(&other);
        let ids = |namespace| usage.in_namespace(namespace).map(|(id, _)| id.to_string()).collect::<Vec<_>>();
        assert_eq!((ids("web"), ids("web2"), ids("we")), (vec!["web/a".to_owned()], vec!["web2/a".to_owned()], vec![]));
    }
}
