//! What is known after watches have shown this and that.

use serde_json::json;
use spo_api::labels;

use super::*;

const KIND: ProfileKind = ProfileKind::Seccomp;
const PROFILES: Watch = Watch::Profiles(KIND);

fn key() -> ProfileKey {
    ProfileKey { kind: KIND, name: "web".parse().unwrap() }
}

fn profile(version: u64) -> Object {
    serde_json::from_value(
        json!({"metadata": {"name": "web", "uid": "1", "resourceVersion": version.to_string(), "generation": version}}),
    )
    .unwrap()
}

fn report(node: &str) -> Object {
    serde_json::from_value(json!({
        "metadata": {"name": labels::node_status_name(&key(), node),
            "ownerReferences": [{"apiVersion": "v1", "kind": KIND.as_str(), "name": "web", "uid": "1", "controller": true}]},
        "spec": {"nodeName": node}, "status": {"status": "Installed"},
    }))
    .unwrap()
}

fn applied(cluster: &mut Cluster, watch: Watch, object: Object) {
    cluster.change(watch, Change::Applied(object), Duration::ZERO);
}

#[test]
fn an_older_copy_does_not_replace_a_newer_one() {
    let mut cluster = Cluster::default();
    applied(&mut cluster, PROFILES, profile(7));
    applied(&mut cluster, PROFILES, profile(5));
    assert_eq!(cluster.profile(&key()).unwrap().object.as_ref().unwrap().resource_version, 7);
}

#[test]
fn w_op_16_events_of_many_nodes_make_one_profile_to_look_at() {
    let mut cluster = Cluster::default();
    applied(&mut cluster, PROFILES, profile(1));
    for node in 0..100 {
        applied(&mut cluster, Watch::Reports, report(&format!("node{node}")));
    }
    assert_eq!(cluster.take_dirty().into_iter().collect::<Vec<_>>(), [Subject::Profile(key())]);
    assert_eq!(cluster.profile(&key()).unwrap().reports.len(), 100);
}

#[test]
fn what_a_restarted_watch_does_not_show_is_gone() {
    let mut cluster = Cluster::default();
    applied(&mut cluster, PROFILES, profile(1));
    applied(&mut cluster, Watch::Reports, report("node1"));
    applied(&mut cluster, Watch::Reports, report("node2"));
    cluster.change(Watch::Reports, Change::Restart, Duration::ZERO);
    applied(&mut cluster, Watch::Reports, report("node2"));
    cluster.change(Watch::Reports, Change::Complete, Duration::ZERO);
    let left: Vec<_> = cluster.profile(&key()).unwrap().reports.keys().map(|(node, _)| node.to_string()).collect();
    assert_eq!(left, ["node2"]);
}

#[test]
fn reports_about_an_earlier_object_of_the_name_do_not_count() {
    let mut cluster = Cluster::default();
    applied(&mut cluster, PROFILES, profile(1));
    applied(&mut cluster, Watch::Reports, report("node1"));
    let known = cluster.profile(&key()).unwrap();
    assert_eq!(known.reports_of(Uid::from("1")).len(), 1);
    assert!(known.reports_of(Uid::from("2")).is_empty());
}

#[test]
fn the_answer_to_a_write_does_not_bring_back_a_profile_that_went_meanwhile() {
    let mut cluster = Cluster::default();
    applied(&mut cluster, PROFILES, profile(1));
    applied(&mut cluster, Watch::Reports, report("node1"));
    cluster.change(PROFILES, Change::Removed(profile(3)), Duration::ZERO);
    cluster.written(&Subject::Profile(key()), profile(2), Duration::ZERO);
    assert!(cluster.profile(&key()).unwrap().object.is_none());
    let mut anew = profile(4);
    anew.metadata.uid = Some("2".to_owned());
    applied(&mut cluster, PROFILES, anew);
    cluster.written(&Subject::Profile(key()), profile(2), Duration::ZERO);
    assert_eq!(cluster.profile(&key()).unwrap().object.as_ref().unwrap().uid, Uid::from("2"));
}

#[test]
fn nothing_is_kept_of_a_profile_that_is_gone_with_its_reports() {
    let mut cluster = Cluster::default();
    applied(&mut cluster, PROFILES, profile(1));
    applied(&mut cluster, Watch::Reports, report("node1"));
    cluster.change(PROFILES, Change::Removed(profile(2)), Duration::ZERO);
    cluster.change(Watch::Reports, Change::Removed(report("node1")), Duration::ZERO);
    assert!(cluster.profile(&key()).is_none() && cluster.take_dirty().is_empty());
}
