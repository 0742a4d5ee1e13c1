//! What is known of the nodes.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

/// The nodes that exist, run the daemon, or report.
#[derive(Debug, Default)]
pub(crate) struct Nodes {
    by_name: BTreeMap<Arc<str>, Node>,
    /// Daemon pods, by their name: the node, and whether the pod is ready.
    daemons: HashMap<String, (Arc<str>, bool)>,
}

/// What is known of one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Node {
    /// Whether there is a Node object, and if not, since when that is known.
    pub(crate) presence: Presence,
    /// Whether a daemon is scheduled here, and ready.
    pub(crate) daemon: Daemon,
    /// When a report of this node last changed.
    pub(crate) heard: Duration,
    reports: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Presence {
    Here,
    GoneSince(Duration),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Daemon {
    None,
    Unready,
    Ready,
}

impl Node {
    /// Whether it says anything about any profile.
    pub(crate) fn reports(&self) -> bool {
        self.reports > 0
    }
}

impl Nodes {
    /// The node of that very name (W-OP-15).
    pub(crate) fn get(&self, name: &str) -> Option<&Node> {
        self.by_name.get(name)
    }

    /// The shared copy of a name.
    pub(crate) fn name(&self, name: &str) -> Option<Arc<str>> {
        self.by_name.get_key_value(name).map(|(name, _)| name.clone())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &Node)> {
        self.by_name.iter()
    }

    /// Whether any pod of the daemon is known. Where none is, daemons run outside pods.
    pub(crate) fn any_daemon(&self) -> bool {
        !self.daemons.is_empty()
    }

    /// There is a Node object. Says whether that is new.
    pub(crate) fn appeared(&mut self, name: &str, now: Duration) -> bool {
        let node = self.entry(name, now).1;
        std::mem::replace(&mut node.presence, Presence::Here) != Presence::Here
    }

    /// There is no Node object any more. Says whether that is new.
    pub(crate) fn vanished(&mut self, name: &str, now: Duration) -> bool {
        let Some(node) = self.by_name.get_mut(name) else { return false };
        let news = node.presence == Presence::Here;
        if news {
            node.presence = Presence::GoneSince(now);
        }
        self.forget_if_unused(name);
        news
    }

    /// A daemon pod is scheduled on `node`. Says whether that changes anything.
    pub(crate) fn daemon_appeared(&mut self, pod: String, node: &str, ready: bool, now: Duration) -> bool {
        let name = self.entry(node, now).0;
        self.daemons.insert(pod, (name, ready));
        self.update_daemon(node)
    }

    /// A daemon pod is no more. Gives back its node, if that changes anything.
    pub(crate) fn daemon_vanished(&mut self, pod: &str) -> Option<Arc<str>> {
        let (node, _) = self.daemons.remove(pod)?;
        let news = self.update_daemon(&node);
        self.forget_if_unused(&node);
        news.then_some(node)
    }

    /// The names of all daemon pods.
    pub(crate) fn daemon_pods(&self) -> impl Iterator<Item = &String> {
        self.daemons.keys()
    }

    /// A report of `node` was added or changed. Gives back the shared copy of its name.
    pub(crate) fn reported(&mut self, node: &str, new: bool, now: Duration) -> Arc<str> {
        let (name, node) = self.entry(node, now);
        node.heard = now;
        node.reports += u32::from(new);
        name
    }

    /// A report of `node` is no more.
    pub(crate) fn unreported(&mut self, name: &str) {
        if let Some(node) = self.by_name.get_mut(name) {
            node.reports = node.reports.saturating_sub(1);
        }
        self.forget_if_unused(name);
    }

    fn entry(&mut self, name: &str, now: Duration) -> (Arc<str>, &mut Node) {
        let name = self.name(name).unwrap_or_else(|| name.into());
        let unknown =
            Node { presence: Presence::GoneSince(now), daemon: Daemon::None, heard: Duration::ZERO, reports: 0 };
        (name.clone(), self.by_name.entry(name).or_insert(unknown))
    }

    fn update_daemon(&mut self, name: &str) -> bool {
        let here = self.daemons.values().filter(|(node, _)| &**node == name).map(|(_, ready)| *ready);
        let daemon = here.fold(Daemon::None, |best, ready| match (best, ready) {
            (_, true) | (Daemon::Ready, _) => Daemon::Ready,
            _ => Daemon::Unready,
        });
        self.by_name.get_mut(name).is_some_and(|node| std::mem::replace(&mut node.daemon, daemon) != daemon)
    }

    fn forget_if_unused(&mut self, name: &str) {
        let unused = |node: &Node| node.presence != Presence::Here && node.daemon == Daemon::None && node.reports == 0;
        if self.by_name.get(name).is_some_and(unused) {
            self.by_name.remove(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::ZERO;

    #[test]
    fn w_op_15_a_node_is_known_by_its_whole_name() {
        let mut nodes = Nodes::default();
        nodes.appeared("node1", NOW);
        assert!(nodes.get("node1").is_some() && nodes.get("node").is_none() && nodes.get("node10").is_none());
    }

    #[test]
    fn a_node_is_forgotten_when_nothing_refers_to_it() {
        let mut nodes = Nodes::default();
        nodes.appeared("node1", NOW);
        nodes.daemon_appeared("spod-1".into(), "node1", true, NOW);
        nodes.reported("node1", true, NOW);
        assert!(nodes.vanished("node1", NOW));
        nodes.daemon_vanished("spod-1");
        assert!(nodes.get("node1").is_some());
        nodes.unreported("node1");
        assert!(nodes.get("node1").is_none());
    }

    #[test]
    fn one_ready_pod_of_two_makes_the_daemon_ready() {
        let mut nodes = Nodes::default();
        nodes.daemon_appeared("old".into(), "node1", false, NOW);
        assert_eq!(nodes.get("node1").unwrap().daemon, Daemon::Unready);
        assert!(nodes.daemon_appeared("new".into(), "node1", true, NOW));
        assert_eq!(nodes.daemon_vanished("old"), None, "still ready, so nothing changed");
        assert_eq!(nodes.get("node1").unwrap().daemon, Daemon::Ready);
    }
}
