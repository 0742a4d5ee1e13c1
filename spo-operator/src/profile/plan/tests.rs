//! Tables of what is planned.

use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use rstest::rstest;
use serde_json::{Value, json};
use spo_api::condition::ConditionStatus;
use spo_api::{ProfileKey, ProfileKind, ProfileState, labels};

use super::super::cluster::{Change, Cluster, Watch};
use super::super::{Object, Subject};
use super::*;

const KIND: ProfileKind = ProfileKind::Seccomp;

/// A cluster with one profile, `web`, whose reports and surroundings a test adds.
struct World {
    cluster: Cluster,
    key: ProfileKey,
    object: Value,
    pods: bool,
}

impl World {
    fn new() -> Self {
        Self::named("web")
    }

    fn named(name: &str) -> Self {
        let key = ProfileKey { kind: KIND, name: name.parse().unwrap() };
        let id = labels::profile_id(KIND, name);
        let object = json!({"metadata": {"name": name, "uid": "u1", "resourceVersion": "1", "generation": 1,
            "labels": {labels::PROFILE_ID: id}}});
        Self { cluster: Cluster::default(), key, object, pods: false }
    }

    fn show(&mut self, watch: Watch, object: Value) {
        let object: Object = serde_json::from_value(object).unwrap();
        self.cluster.change(watch, Change::Applied(object), Duration::ZERO);
    }

    fn node(mut self, name: &str) -> Self {
        self.show(Watch::Nodes, json!({"metadata": {"name": name}}));
        self
    }

    fn daemon(mut self, node: &str, ready: bool) -> Self {
        self.pods = true;
        let ready = if ready { "True" } else { "False" };
        let status = json!({"conditions": [{"type": "Ready", "status": ready}]});
        self.show(
            Watch::Daemons,
            json!({"metadata": {"name": format!("spod-{node}")}, "spec": {"nodeName": node}, "status": status}),
        );
        self
    }

    fn report(self, node: &str, state: ProfileState, generation: i64) -> Self {
        self.report_with(node, state, generation, "")
    }

    fn report_with(mut self, node: &str, state: ProfileState, generation: i64, message: &str) -> Self {
        let name = labels::node_status_name(&self.key, node);
        let ready = Condition::ready(Reason::from(state), message, Some(generation), time());
        let status = json!({"status": state, "conditions": [ready]});
        self.show(Watch::Reports, json!({"metadata": {"name": name, "ownerReferences": self.owner()}, "spec": {"nodeName": node}, "status": status}));
        self
    }

    fn legacy_report(mut self, node: &str, state: ProfileState) -> Self {
        let name = labels::legacy_node_status_name(self.key.name.as_str(), node);
        let status = json!({"status": state});
        self.show(Watch::Reports, json!({"metadata": {"name": name, "ownerReferences": self.owner()}, "spec": {"nodeName": node}, "status": status}));
        self
    }

    /// A pod of the namespace `default` that names the profile.
    fn pod(mut self, name: &str) -> Self {
        let path = spo_api::seccomp::localhost_profile(&self.key.name);
        let pod = json!({
            "metadata": {"namespace": "default", "name": name},
            "spec": {"securityContext": {"seccompProfile": {"type": "Localhost", "localhostProfile": path}}},
        });
        self.cluster.pods(Change::Applied(serde_json::from_value(pod).unwrap()));
        self
    }

    /// The operator's namespace is being deleted.
    fn going(mut self) -> Self {
        self.show(Watch::Namespace, json!({"metadata": {"name": "spo", "deletionTimestamp": "2026-01-02T03:04:05Z"}}));
        self
    }

    fn permitting(mut self, calls: &[&str]) -> Self {
        let spec = json!({"security": {"allowedSyscalls": calls}});
        self.show(Watch::Configuration, json!({"metadata": {"name": "spod"}, "spec": spec}));
        self
    }

    fn owner(&self) -> Value {
        json!([{"apiVersion": "v1", "kind": KIND.as_str(), "name": self.key.name.as_str(), "uid": "u1", "controller": true}])
    }

    fn with(mut self, pointer: &str, value: Value) -> Self {
        let (parent, field) = pointer.rsplit_once('/').unwrap();
        self.object.pointer_mut(parent).unwrap()[field] = value;
        self
    }

    fn plan_at(mut self, seconds: u64) -> Plan {
        self.show(Watch::Profiles(KIND), self.object.clone());
        self.planned_at(seconds)
    }

    /// What is planned for a profile that is deleted half a minute after everything else.
    fn plan_without_it_at(mut self, seconds: u64) -> Plan {
        self.show(Watch::Profiles(KIND), self.object.clone());
        let object: Object = serde_json::from_value(self.object.clone()).unwrap();
        self.cluster.change(Watch::Profiles(KIND), Change::Removed(object), Duration::from_secs(30));
        assert!(self.cluster.take_dirty().contains(&Subject::Profile(self.key.clone())));
        self.planned_at(seconds)
    }

    fn planned_at(mut self, seconds: u64) -> Plan {
        self.cluster.judge(&self.key);
        let profile = self.cluster.profile(&self.key).unwrap();
        let users = self.cluster.users(&self.key);
        let releasing = self.cluster.is_going();
        let observed = Observed { key: &self.key, profile, nodes: self.cluster.nodes(), users, releasing };
        plan(&observed, &Now { uptime: Duration::from_secs(seconds), time: time() })
    }

    /// What is planned when nothing has happened for a minute.
    fn plan(self) -> Plan {
        self.plan_at(60)
    }
}

fn time() -> Time {
    Time("2026-01-02T03:04:05Z".parse().unwrap())
}

fn status(plan: &Plan) -> (ProfileState, &str) {
    match plan.actions.as_slice() {
        [Action::Status(status), ..] => (status.state, status.ready.message.as_str()),
        other => panic!("not one status: {other:?}"),
    }
}

use ProfileState::{Disabled, Error, Installed, Partial, Pending, Terminating};

#[rstest]
#[case::all_installed(&[Installed, Installed], Installed)]
#[case::one_pending(&[Installed, Pending], Pending)]
#[case::one_error(&[Installed, Error, Pending], Error)]
#[case::disabled(&[Disabled, Disabled], Disabled)]
#[case::partial(&[Partial, Disabled], Partial)]
#[case::terminating(&[Installed, Terminating], Terminating)]
fn the_lowest_state_of_the_nodes_is_the_profiles(#[case] nodes: &[ProfileState], #[case] expected: ProfileState) {
    let mut world = World::new();
    for (number, state) in nodes.iter().enumerate() {
        let node = format!("node{number}");
        world = world.node(&node).daemon(&node, true).report(&node, *state, 1);
    }
    assert_eq!(status(&world.plan()).0, expected);
}

#[test]
fn an_installed_profile_is_ready_and_says_where_pods_find_it() {
    let plan = World::new().node("node1").report("node1", Installed, 1).plan();
    let [Action::Status(status)] = plan.actions.as_slice() else { panic!("{plan:?}") };
    assert_eq!(status.place.as_deref(), Some("operator/web.json"));
    assert_eq!((status.ready.status, status.ready.reason.as_str()), (ConditionStatus::True, "Available"));
    assert_eq!(status.ready.observed_generation, Some(1));
    assert_eq!(status.ready.message, "installed on every node");
}

#[test]
fn what_nodes_said_of_a_profile_that_is_gone_goes_if_nobody_collects_it() {
    let world = || World::new().node("n1").node("n2").report("n1", Installed, 1).report("n2", Installed, 1);
    let plan = world().plan_without_it_at(31);
    assert_eq!(
        (plan.actions.as_slice(), plan.again),
        ([].as_slice(), Some(Duration::from_secs(45))),
        "it may be collected"
    );
    let deleted = |node: &str| Action::DeleteNodeStatus {
        node: node.into(),
        legacy_name: None,
        resource_version: 0,
        stray_of: Some(Uid::from("u1")),
    };
    assert_eq!(world().plan_without_it_at(45).actions, [deleted("n1"), deleted("n2")]);
    // One that was made anew under the same name takes over what its node says of it, or nobody does.
    let made_anew = world().with("/metadata/uid", "u2".into());
    assert!(made_anew.plan_at(15).actions.starts_with(&[deleted("n1"), deleted("n2")]));
}

#[test]
fn what_is_said_of_a_profile_that_was_not_seen_yet_is_left_alone_and_so_is_what_is_being_collected() {
    let report = |node: &str| {
        let name = labels::node_status_name(&World::new().key, node);
        let object =
            json!({"metadata": {"name": name, "ownerReferences": World::new().owner()}, "spec": {"nodeName": node}});
        serde_json::from_value::<Object>(object).unwrap()
    };
    let world = |collected: bool| {
        let mut world = World::new().node("n1").node("n2");
        for node in ["n1", "n2"] {
            world.cluster.change(Watch::Reports, Change::Applied(report(node)), Duration::from_secs(100));
        }
        if collected {
            world.cluster.change(Watch::Reports, Change::Removed(report("n1")), Duration::from_secs(110));
        }
        world.planned_at(112)
    };
    assert_eq!((world(false).actions.len(), world(false).again), (0, Some(Duration::from_secs(115))));
    assert_eq!((world(true).actions.len(), world(true).again), (0, Some(Duration::from_secs(125))));
}

#[test]
fn w_op_15_a_node_whose_name_is_part_of_another_is_gone_all_the_same() {
    let plan = World::new().node("node10").report("node1", Installed, 1).report("node10", Installed, 1).plan();
    let deleted: Vec<_> =
        plan.actions.iter().filter(|action| matches!(action, Action::DeleteNodeStatus { .. })).collect();
    assert_eq!(
        deleted,
        [&Action::DeleteNodeStatus { node: "node1".into(), legacy_name: None, resource_version: 0, stray_of: None }]
    );
}

#[test]
fn w_op_16_one_status_is_planned_for_all_reports_together() {
    let world = (0..200).fold(World::new(), |world, n| {
        let node = format!("node{n}");
        world.node(&node).daemon(&node, true).report(&node, Installed, 1)
    });
    assert_eq!(status(&world.plan()), (Installed, "installed on every node"));
}

#[test]
fn w_op_17_a_node_whose_daemon_is_not_ready_blocks_nobody_and_is_named() {
    let world = World::new().node("node1").node("node2").daemon("node1", true).daemon("node2", false);
    let plan = world.report("node1", Installed, 1).plan();
    assert_eq!(status(&plan), (Installed, "no report from node2, where the daemon is not ready"));
}

#[test]
fn w_op_17_a_node_whose_daemon_is_ready_is_waited_for_and_named() {
    let world = World::new().node("node1").node("node2").daemon("node1", true).daemon("node2", true);
    let plan = world.report("node1", Installed, 1).plan();
    assert_eq!(status(&plan), (Pending, "waiting for 1 of 2 nodes: node2"));
}

#[test]
fn w_op_17_nodes_without_the_daemon_do_not_count() {
    let world = World::new().node("node1").node("windows").daemon("node1", true);
    assert_eq!(status(&world.report("node1", Installed, 1).plan()).0, Installed);
}

#[test]
fn a_long_list_of_nodes_is_cut() {
    let world = (0..7).fold(World::new(), |world, n| {
        let node = format!("node{n}");
        world.node(&node).daemon(&node, true)
    });
    let expected = "waiting for 7 of 7 nodes: node0, node1, node2, node3, node4 and 2 more";
    assert_eq!(status(&world.plan()), (Pending, expected));
}

#[test]
fn an_error_names_the_node_and_its_reason() {
    let world = World::new().node("node1").node("node2").report("node1", Installed, 1);
    let plan = world.report_with("node2", Error, 1, "seccomp is not supported here").plan();
    assert_eq!(status(&plan), (Error, "node2: seccomp is not supported here"));
}

#[test]
fn an_error_is_written_at_once_though_other_nodes_are_awaited() {
    let world = World::new().node("node1").node("node2").daemon("node1", true).daemon("node2", true);
    assert_eq!(status(&world.report("node1", Error, 1).plan_at(0)).0, Error);
}

#[test]
fn a_status_that_busy_nodes_would_replace_at_once_is_not_written_yet() {
    let world = World::new().node("node1").node("node2").daemon("node1", true).daemon("node2", true);
    let plan = world.report("node1", Installed, 1).plan_at(0);
    assert_eq!(plan, Plan { actions: vec![], again: Some(QUIET) });
}

#[test]
fn a_report_of_an_older_generation_counts_as_in_progress() {
    let world = World::new().with("/metadata/generation", json!(2)).node("node1");
    assert_eq!(
        status(&world.report("node1", Installed, 1).plan()),
        (ProfileState::InProgress, "waiting for 1 of 1 nodes: node1")
    );
}

#[test]
fn without_any_daemon_the_message_names_the_daemon_set() {
    let plan = World::new().node("node1").plan();
    assert_eq!(status(&plan), (Pending, "no node runs the daemon yet: see the DaemonSet spod"));
}

#[test]
fn nothing_is_said_of_missing_daemons_before_one_can_have_reported() {
    assert_eq!(World::new().node("node1").plan_at(0), Plan { actions: vec![], again: Some(QUIET) });
}

#[test]
fn nothing_is_planned_when_the_status_is_as_it_should_be() {
    let ready = Condition::ready(Reason::Available, "installed on every node", Some(1), time());
    let current = json!({"status": "Installed", "localhostProfile": "operator/web.json", "conditions": [ready]});
    let world = World::new().with("/status", current).node("node1").report("node1", Installed, 1);
    assert_eq!(world.plan(), Plan::default());
}

#[test]
fn s9_a_profile_without_its_label_gets_it() {
    let world =
        World::named(&"n".repeat(69)).with("/metadata/labels", json!({})).node("node1").report("node1", Installed, 1);
    assert_eq!(world.plan().actions[0], Action::Metadata { uid: "u1".into(), syscalls: None });
}

#[test]
fn s7_finalizer_and_status_of_a_node_that_never_was_do_not_hold_up_a_deletion() {
    let world = World::new()
        .with("/metadata/deletionTimestamp", json!("2026-01-02T03:04:05Z"))
        .with("/metadata/finalizers", json!(["ghost-deleted"]))
        .node("node1")
        .legacy_report("ghost", Installed);
    let expected = [
        Action::DeleteNodeStatus {
            node: "ghost".into(),
            legacy_name: Some("web-ghost".into()),
            resource_version: 0,
            stray_of: None,
        },
        Action::Finalizers { keep: vec![], resource_version: 1 },
    ];
    assert_eq!(world.plan().actions, expected);
}

#[rstest]
#[case::its_node_was_not_seen_yet(World::new(), &["old-deleted"])]
#[case::this_daemon_has_taken_over(World::new().node("old").report("old", Installed, 1), &[])]
#[case::the_reference_daemon_is_still_there(World::new().node("old").legacy_report("old", Installed), &["old-deleted"])]
#[case::the_profile_is_being_deleted(World::new().with("/metadata/deletionTimestamp", json!("2026-01-02T03:04:05Z")), &[])]
fn w_op_18_legacy_finalizers_go_when_no_reference_daemon_is_left(#[case] world: World, #[case] expected: &[&str]) {
    let finalizers = json!(["old-deleted"]);
    let plan = world.with("/metadata/finalizers", finalizers).plan();
    let kept = plan.actions.iter().find_map(|action| match action {
        Action::Finalizers { keep, .. } => Some(keep.clone()),
        _ => None,
    });
    assert_eq!(kept.unwrap_or_else(|| vec!["old-deleted".to_owned()]), expected);
}

#[test]
fn what_a_daemon_without_a_node_says_stays_as_long_as_its_pod() {
    let plan = World::new().node("other").daemon("node1", true).report("node1", Installed, 1).plan();
    assert!(!plan.actions.iter().any(|action| matches!(action, Action::DeleteNodeStatus { .. })), "{plan:?}");
}

#[test]
fn finalizers_of_others_stay_and_are_named() {
    let plan = World::new()
        .with("/metadata/deletionTimestamp", json!("2026-01-02T03:04:05Z"))
        .with("/metadata/finalizers", json!(["example.org/backup"]))
        .plan();
    assert_eq!(status(&plan), (Terminating, "its deletion waits for the finalizers example.org/backup"));
}

#[test]
fn s8_a_profile_in_use_says_which_pods_its_deletion_waits_for() {
    let plan = World::new()
        .with("/metadata/deletionTimestamp", json!("2026-01-02T03:04:05Z"))
        .with("/metadata/finalizers", json!(["in-use-by-active-pods", "node1-deleted"]))
        .pod("a")
        .plan();
    let [Action::Finalizers { keep, .. }, Action::Status(status), Action::Workloads(pods)] = plan.actions.as_slice()
    else {
        panic!("{plan:?}")
    };
    assert_eq!(keep, &["in-use-by-active-pods"]);
    assert_eq!((status.state, status.ready.reason.as_str()), (Terminating, "Deleting"));
    assert_eq!(status.ready.message, "deleted as soon as no pod uses it any more: default/a");
    assert_eq!(pods, &["default/a"]);
}

#[test]
fn w_op_28_a_profile_that_a_pod_uses_is_held_and_lists_it() {
    let plan = World::new().node("node1").report("node1", Installed, 1).pod("a").plan();
    assert_eq!(plan.actions[0], Action::Finalizers { keep: vec![finalizers::IN_USE.into()], resource_version: 1 });
    assert_eq!(plan.actions.last(), Some(&Action::Workloads(vec!["default/a".into()])));
}

#[rstest]
#[case::the_last_pod_has_gone(World::new())]
#[case::the_operator_is_being_removed(World::new().pod("a").going())]
fn a_profile_is_let_go(#[case] world: World) {
    let plan = world
        .with("/metadata/deletionTimestamp", json!("2026-01-02T03:04:05Z"))
        .with("/metadata/finalizers", json!([finalizers::IN_USE]))
        .plan();
    assert_eq!(plan.actions, [Action::Finalizers { keep: vec![], resource_version: 1 }]);
}

#[test]
fn w_op_28_a_finalizer_of_a_pod_that_went_while_nobody_looked_is_taken_away() {
    let plan = World::new().with("/metadata/finalizers", json!([finalizers::IN_USE])).node("node1").plan();
    assert_eq!(plan.actions[0], Action::Finalizers { keep: vec![], resource_version: 1 });
}

fn mkdir() -> Value {
    json!({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_ALLOW"}]})
}

/// What the annotation says of [`mkdir`].
const MKDIR: &str = r#"[{"names":["mkdir"],"action":"SCMP_ACT_ALLOW"}]"#;

fn installed() -> Value {
    let ready = Condition::ready(Reason::Available, "installed on every node", Some(1), time());
    json!({"status": "Installed", "localhostProfile": "operator/web.json", "conditions": [ready]})
}

#[test]
fn the_calls_of_a_profile_are_written_into_its_annotation_when_they_differ() {
    let world = |annotation| {
        let world = World::new().with("/spec", mkdir()).with("/metadata/annotations", json!({"syscalls": annotation}));
        world.with("/status", installed()).node("node1").report("node1", Installed, 1).plan().actions
    };
    assert_eq!(world("[]"), [Action::Metadata { uid: "u1".into(), syscalls: Some(MKDIR.into()) }]);
    assert_eq!(world(MKDIR), []);
}

#[test]
fn s4_a_profile_that_is_not_permitted_says_which_call_and_no_node_is_waited_for() {
    let world = World::new().with("/spec", mkdir()).with("/metadata/annotations", json!({"syscalls": MKDIR}));
    let plan = world.node("node1").daemon("node1", true).permitting(&["read"]).plan_at(0);
    let [Action::Status(status), Action::Event(_)] = plan.actions.as_slice() else { panic!("{plan:?}") };
    assert_eq!((status.state, status.ready.reason.as_str()), (Error, "Unavailable"));
    let message = &status.ready.message;
    assert!(message.ends_with("mkdir is not among the cluster's allowedSyscalls"), "{message}");
}

#[test]
fn s5_a_profile_that_is_not_permitted_any_more_is_deleted() {
    let world = World::new().with("/spec", mkdir()).with("/status", installed()).node("node1");
    let plan = world.report("node1", Installed, 1).permitting(&["read"]).plan();
    let [Action::Delete { why, resource_version: 1 }] = plan.actions.as_slice() else { panic!("{plan:?}") };
    assert!(why.text.contains("mkdir"), "{why:?}");
}

#[test]
fn s6_one_that_a_pod_uses_is_held_before_it_is_deleted() {
    let world = World::new().with("/spec", mkdir()).with("/status", installed()).node("node1").pod("a");
    let plan = world.report("node1", Installed, 1).permitting(&["read"]).plan();
    assert!(matches!(plan.actions.as_slice(), [Action::Finalizers { .. }, Action::Delete { .. }]), "{plan:?}");
}

#[rstest]
#[case::changed_into_it(json!(2), json!("Enabled"))]
#[case::switched_off(json!(1), json!("Disabled"))]
fn s5_a_profile_that_was_never_installed_so_is_not_deleted(#[case] generation: Value, #[case] state: Value) {
    let mut spec = mkdir();
    spec["state"] = state;
    let world = World::new().with("/spec", spec).with("/status", installed()).with("/metadata/generation", generation);
    let plan = world.node("node1").report("node1", Installed, 1).permitting(&["read"]).plan();
    assert!(!plan.actions.iter().any(|action| matches!(action, Action::Delete { .. })), "{plan:?}");
}

#[test]
fn what_a_node_said_stays_for_a_while_after_the_node_went() {
    let plan = World::new().node("other").report("other", Installed, 1).report("node1", Installed, 1).plan_at(0);
    assert!(!plan.actions.iter().any(|action| matches!(action, Action::DeleteNodeStatus { .. })), "{plan:?}");
    assert_eq!(plan.again, Some(NODE_GONE));
}

#[test]
fn w_op_18_the_reference_operators_word_counts_only_without_ours() {
    let world = World::new().node("node1").legacy_report("node1", Error);
    assert_eq!(status(&world.plan()).0, Error);
    let world = World::new().node("node1").legacy_report("node1", Error).report("node1", Installed, 1);
    assert_eq!(status(&world.plan()).0, Installed);
}
