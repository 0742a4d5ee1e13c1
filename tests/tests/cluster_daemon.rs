//! The daemon on a cluster: killed at any moment, away for a while, and held to its role.
//!
//! These tests take the daemon away from each other, so they take turns.

use std::time::Duration;

use k8s_openapi::api::authorization::v1::SubjectAccessReview;
use kube::Api;
use kube::api::{Patch, PatchParams, PostParams};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use spo_api::seccomp::v1::SeccompProfile;
use spo_tests::cluster::Cluster;
use spo_tests::{operator, profile, wait};
use tokio::sync::{Mutex, MutexGuard};

/// Held by the test whose turn it is.
async fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::const_new(());
    TURN.lock().await
}

/// How many profiles are made at once before the daemon is killed.
const BURST: usize = 40;

#[tokio::test]
async fn a_daemon_killed_during_an_install_leaves_whole_files_or_none_and_recovers() {
    let _turn = turn().await;
    let Some(cluster) = operator::cluster().await else { return };
    let mut cut_short = 0;
    for round in 0..4_u64 {
        operator::daemon_ready(&cluster).await;
        let process = daemon_process(&cluster).await;
        let names: Vec<String> = (0..BURST).map(|n| format!("burst-{round}-{n}")).collect();
        let making = futures::future::join_all(names.iter().map(|name| make(&cluster, name)));
        // Later in each round, so that the installs of a burst are hit at their beginning, middle and end.
        let killing = async {
            let first = profile::file(&cluster, &names[0]);
            wait::until_seen("the first file", || cluster.node.read(&first).unwrap()).await;
            tokio::time::sleep(Duration::from_millis(15 * round)).await;
            kill_process(process, Signal::KILL).unwrap();
        };
        let (profiles, ()) = futures::future::join(making, killing).await;
        // Reading fails if a file is there and not whole.
        let whole = names.iter().filter(|name| profile::content(&cluster, name).is_some()).count();
        cut_short += usize::from(whole < BURST);
        // The kubelet starts a container anew ever more slowly, a new pod at once.
        operator::kill_daemon(&cluster).await;
        for profile in &profiles {
            profile::installed(&cluster, profile).await;
        }
        let files = cluster.node.list(&cluster.node.profiles()).unwrap();
        let unfinished: Vec<_> = files.iter().filter(|file| !file.ends_with(".json") && *file != ".lock").collect();
        assert!(unfinished.is_empty(), "left behind: {unfinished:?}");
        futures::future::join_all(names.iter().map(|name| profile::delete(&cluster, name))).await;
    }
    assert!(cut_short > 0, "no kill came before the end of the installs: the test proves nothing");
}

async fn make(cluster: &Cluster, name: &str) -> SeccompProfile {
    let spec =
        "{defaultAction: SCMP_ACT_ERRNO, syscalls: [{names: [read, write, openat, close], action: SCMP_ACT_ALLOW}]}";
    profile::create(cluster, &profile::of(name, spec)).await
}

/// The process of the daemon: the one of our program in the control group of the daemon's pod.
async fn daemon_process(cluster: &Cluster) -> Pid {
    let pod = operator::daemon_pod(cluster).await.expect("the daemon runs");
    let group = format!("pod{}", pod.metadata.uid.expect("every object has a uid"));
    let is_daemon = |pid: &Pid| {
        let read = |file| std::fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default();
        read("cgroup").contains(&group) && read("cmdline").starts_with("spo-node\0daemon")
    };
    let pids = std::fs::read_dir("/proc").expect("/proc is there").flatten();
    let mut pids = pids.filter_map(|entry| Pid::from_raw(entry.file_name().to_str()?.parse().ok()?));
    pids.find(is_daemon).expect("the daemon has a process")
}

#[tokio::test]
async fn what_was_deleted_while_the_daemon_was_away_is_removed_when_it_is_back() {
    let _turn = turn().await;
    let Some(cluster) = operator::cluster().await else { return };
    let kept = make(&cluster, "kept").await;
    let dropped = make(&cluster, "dropped").await;
    profile::installed(&cluster, &kept).await;
    profile::installed(&cluster, &dropped).await;

    send_daemon_away(&cluster).await;
    // No finalizer waits for a node: the object is gone at once.
    profile::delete(&cluster, "dropped").await;
    assert!(profile::content(&cluster, "dropped").is_some(), "nobody is there to remove it");
    call_daemon_back(&cluster).await;
    wait::until_seen("a file without a profile to go", || {
        profile::content(&cluster, "dropped").is_none().then_some(())
    })
    .await;
    assert!(profile::content(&cluster, "kept").is_some());
    profile::delete(&cluster, "kept").await;
}

#[tokio::test]
async fn what_was_made_while_the_daemon_was_away_is_installed_when_it_is_back() {
    let _turn = turn().await;
    let Some(cluster) = operator::cluster().await else { return };
    operator::daemon_ready(&cluster).await;
    send_daemon_away(&cluster).await;
    let made = make(&cluster, "awaited").await;
    call_daemon_back(&cluster).await;
    profile::installed(&cluster, &made).await;
    profile::delete(&cluster, "awaited").await;
}

/// A label that no node has.
const NOWHERE: &str = "spo-tests/nowhere";

async fn send_daemon_away(cluster: &Cluster) {
    let name = operator::daemon_pod(cluster).await.and_then(|pod| pod.metadata.name).expect("the daemon runs");
    select_nodes(cluster, json!("true")).await;
    wait::until_gone(&operator::pods(cluster), &name).await;
}

async fn call_daemon_back(cluster: &Cluster) {
    select_nodes(cluster, Value::Null).await;
    operator::daemon_ready(cluster).await;
}

async fn select_nodes(cluster: &Cluster, value: Value) {
    let patch = json!({"spec": {"template": {"spec": {"nodeSelector": {NOWHERE: value}}}}});
    let sets = operator::daemon_sets(cluster);
    sets.patch(operator::DAEMON, &PatchParams::default(), &Patch::Merge(patch))
        .await
        .expect("a DaemonSet can be changed");
}

#[tokio::test]
async fn the_daemon_may_do_no_more_than_its_role_says() {
    let Some(cluster) = operator::cluster().await else { return };
    let daemon = "system:serviceaccount:security-profiles-operator:spod";
    assert!(may(&cluster, daemon, "watch", "security-profiles-operator.x-k8s.io", "seccompprofiles").await);
    for (verb, group, resource) in [
        ("get", "", "secrets"),
        ("create", "", "pods"),
        ("patch", "", "nodes"),
        ("patch", "security-profiles-operator.x-k8s.io", "seccompprofiles"),
        ("delete", "security-profiles-operator.x-k8s.io", "seccompprofiles"),
    ] {
        assert!(!may(&cluster, daemon, verb, group, resource).await, "the daemon may {verb} {resource}");
    }
}

async fn may(cluster: &Cluster, user: &str, verb: &str, group: &str, resource: &str) -> bool {
    let review = serde_json::from_value(json!({
        "spec": {"user": user, "resourceAttributes": {"verb": verb, "group": group, "resource": resource}},
    }));
    let reviews: Api<SubjectAccessReview> = Api::all(cluster.client.clone());
    let review = review.expect("a SubjectAccessReview");
    let answer = reviews.create(&PostParams::default(), &review).await.expect("access can be asked for");
    answer.status.is_some_and(|status| status.allowed)
}
