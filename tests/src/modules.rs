//! The modules that the configuration switches on, on the nodes that have them.

use std::panic::AssertUnwindSafe;

use futures::FutureExt as _;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};
use spo_api::GROUP;
use spo_api::daemon::v1::{DaemonState, SecurityProfilesOperatorDaemon};

use crate::cluster::{Cluster, NODE};
use crate::{operator, wait};

/// Switches SELinux and AppArmor on, has the daemon on guests alone, does something, and switches them off again, whether that went well or not.
///
/// # Panics
/// If nodes do not follow the configuration; and as `then` does.
#[expect(clippy::print_stdout, reason = "what a failed test has to tell")]
pub async fn on_guests(cluster: &Cluster, then: impl AsyncFnOnce()) {
    guests_only(cluster, true).await;
    let arguments = switch(cluster, true).await;
    assert_eq!(arguments, ["--with-selinux=true", "--with-raw-selinux=true", "--with-apparmor=true"]);
    // On the heap: unoptimized, what it holds is more than the stack of a test has room for.
    let outcome = AssertUnwindSafe(Box::pin(then())).catch_unwind().await;
    if outcome.is_err() {
        // Those of which this could be asked are gone in a moment.
        let daemons = format!("--selector=name={}", operator::DAEMON);
        let namespace = format!("--namespace={}", operator::NAMESPACE);
        println!("{}", cluster.kubectl(&["logs", &namespace, &daemons, "--all-containers", "--prefix", "--tail=120"]));
    }
    // Also after a failure, and the modules first: no installer is to run on the machine of the tests.
    assert_eq!(switch(cluster, false).await, [""; 0]);
    guests_only(cluster, false).await;
    outcome.unwrap_or_else(|failed| std::panic::resume_unwind(failed));
    operator::daemon_ready(cluster).await;
}

/// Keeps the daemon off the node that is the machine of the tests: whose first process no installer of a test is to look into.
async fn guests_only(cluster: &Cluster, only: bool) {
    let elsewhere = json!([{"key": "kubernetes.io/hostname", "operator": "NotIn", "values": [NODE]}]);
    let terms = json!({"nodeSelectorTerms": [{"matchExpressions": elsewhere}]});
    let affinity = json!({"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}});
    let affinity = if only { affinity } else { Value::Null };
    let patch = Patch::Merge(json!({"spec": {"template": {"spec": {"affinity": affinity}}}}));
    let sets = operator::daemon_sets(cluster);
    sets.patch(operator::DAEMON, &PatchParams::default(), &patch).await.expect("a DaemonSet can be changed");
}

/// Switches both modules on or off, waits until the configuration says that all nodes follow, and gives back the daemon's arguments.
async fn switch(cluster: &Cluster, on: bool) -> Vec<String> {
    let configurations: Api<SecurityProfilesOperatorDaemon> =
        Api::namespaced(cluster.client.clone(), operator::NAMESPACE);
    let options = json!({"allowedSystemProfiles": ["container", "net_container"]});
    let configuration = json!({
        "apiVersion": format!("{GROUP}/v1"),
        "kind": "SecurityProfilesOperatorDaemon",
        "metadata": {"name": "spod"},
        "spec": {"enableAppArmor": on, "selinux": {"enable": on, "options": options}},
    });
    let ours = PatchParams::apply("spo-tests").force();
    let made = configurations.patch("spod", &ours, &Patch::Apply(configuration)).await.expect("it can be configured");
    wait::until(&configurations, "spod", "to be in effect", |configuration| {
        let Some(status) = &configuration.status else { return false };
        let ready = status.conditions.iter().flatten().find(|condition| condition.r#type == "Ready");
        status.state == Some(DaemonState::Running)
            && ready.is_some_and(|ready| ready.observed_generation == made.metadata.generation)
    })
    .await;
    let set = operator::daemon_sets(cluster).get(operator::DAEMON).await.expect("there is the DaemonSet");
    let pod = set.spec.and_then(|spec| spec.template.spec).expect("it has pods");
    pod.containers
        .into_iter()
        .find(|container| container.name == "security-profiles-operator")
        .and_then(|daemon| daemon.args)
        .unwrap_or_default()
}
