//! Guests as nodes of the cluster: what is live on each, and that our daemon does there what it does on any node.

use k8s_openapi::api::core::v1::Node;
use kube::Api;
use spo_tests::cluster::Cluster;
use spo_tests::{ns, operator, pod, profile, wait};

#[tokio::test]
async fn each_guest_is_a_node_and_its_kernel_has_the_security_module_it_is_called_after() {
    let Some(cluster) = Cluster::with_guests().await else { return };
    let nodes: Api<Node> = Api::all(cluster.client.clone());
    let namespace = ns::create(&cluster.client).await;
    for guest in &cluster.guests {
        wait::until(&nodes, guest, "to be ready", is_ready).await;
        let ended = pod::on_host(&cluster, &namespace, guest, guest, "cat /sys/kernel/security/lsm").await;
        assert!(ended.log.split(',').any(|module| module == guest), "{guest}: {}", ended.log);
    }
    ns::delete(&cluster.client, &namespace).await;
}

#[tokio::test]
async fn a_pod_is_confined_by_a_seccomp_profile_that_our_daemon_has_installed_on_each_guest() {
    let Some(cluster) = Cluster::with_guests().await else { return };
    operator::cluster().await;
    const NO_MKDIR: &str =
        "{defaultAction: SCMP_ACT_ALLOW, syscalls: [{names: [mkdir, mkdirat], action: SCMP_ACT_ERRNO}]}";
    let made = profile::create(&cluster, &profile::of("guests-no-mkdir", NO_MKDIR)).await;
    // Which the manager says when every node has it.
    profile::ready(&cluster, &made).await;
    let namespace = ns::create(&cluster.client).await;
    for guest in &cluster.guests {
        let mut pod = pod::of(&cluster, guest, "mkdir /tmp/d 2>&1; grep Seccomp: /proc/self/status");
        pod::on_node(&mut pod, guest);
        pod::container(&mut pod)["securityContext"] = pod::seccomp("operator/guests-no-mkdir.json");
        let ended = pod::to_end(&cluster, &namespace, pod).await;
        assert_eq!(
            ended.log, "mkdir: can't create directory '/tmp/d': Operation not permitted\nSeccomp:\t2\n",
            "{guest}"
        );
    }
    ns::delete(&cluster.client, &namespace).await;
    profile::delete(&cluster, "guests-no-mkdir").await;
}

fn is_ready(node: &Node) -> bool {
    let conditions = node.status.as_ref().and_then(|status| status.conditions.as_deref()).unwrap_or_default();
    conditions.iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}
