//! What loads on the node from a privileged pod confines other pods there, by AppArmor and by SELinux: what an installer builds upon.

use serde_json::json;
use spo_tests::cluster::Cluster;
use spo_tests::{ns, pod};

#[tokio::test]
async fn a_pod_is_confined_by_an_apparmor_profile_that_another_pod_has_loaded() {
    let Some(cluster) = Cluster::with_guests().await else { return };
    let namespace = ns::create(&cluster.client).await;
    let load = "echo 'profile nodes-confined flags=(attach_disconnected,mediate_deleted) {
        file, capability, network, signal, deny /tmp/no w, }' | apparmor_parser --replace --skip-cache 2>&1
        grep nodes-confined /sys/kernel/security/apparmor/profiles";
    let loaded = pod::on_host(&cluster, &namespace, "loader", "apparmor", load).await;
    assert_eq!(loaded.log, "nodes-confined (enforce)\n");
    let mut pod =
        pod::of(&cluster, "confined", "exec 2>&1; echo x >/tmp/yes && echo written; echo x >/tmp/no || echo refused");
    pod::on_node(&mut pod, "apparmor");
    pod::container(&mut pod)["securityContext"] =
        json!({"appArmorProfile": {"type": "Localhost", "localhostProfile": "nodes-confined"}});
    let ended = pod::to_end(&cluster, &namespace, pod).await;
    assert!(ended.log.contains("written\n") && ended.log.ends_with("refused\n"), "{}", ended.log);
    ns::delete(&cluster.client, &namespace).await;
}

#[tokio::test]
async fn a_pod_is_confined_by_a_selinux_type_that_another_pod_has_loaded() {
    let Some(cluster) = Cluster::with_guests().await else { return };
    let namespace = ns::create(&cluster.client).await;
    let load = format!(
        "echo '{TYPE}' >/tmp/nodes_confined.cil; semodule -i /tmp/nodes_confined.cil 2>&1 && semodule -lfull | grep nodes_confined
         echo secret >/var/log/nodes-confined; chcon -t var_log_t /var/log/nodes-confined; cat /sys/fs/selinux/enforce"
    );
    let loaded = pod::on_host(&cluster, &namespace, "loader", "selinux", &load).await;
    assert!(loaded.log.starts_with("400 nodes_confined") && loaded.log.ends_with('1'), "{}", loaded.log);
    // What any container is, and ours, which may also read logs.
    for (name, kind, reads) in [("usual", "container_t", false), ("own", "nodes_confined_t", true)] {
        let script = "exec 2>&1; cat /proc/self/attr/current; echo; cat /host/nodes-confined; echo x >>/host/nodes-confined || echo not written";
        let mut pod = pod::of(&cluster, name, script);
        pod::on_node(&mut pod, "selinux");
        pod["spec"]["securityContext"] = json!({"seLinuxOptions": {"type": kind}});
        pod["spec"]["volumes"] = json!([{"name": "host", "hostPath": {"path": "/var/log"}}]);
        pod::container(&mut pod)["volumeMounts"] = json!([{"name": "host", "mountPath": "/host"}]);
        let ended = pod::to_end(&cluster, &namespace, pod).await;
        assert!(ended.log.contains(&format!(":{kind}:")), "{name}: {}", ended.log);
        assert_eq!(ended.log.contains("secret\n"), reads, "{name}: {}", ended.log);
        assert!(ended.log.ends_with("not written\n"), "{name}: {}", ended.log);
    }
    ns::delete(&cluster.client, &namespace).await;
}

/// A type for containers that may read logs as well.
const TYPE: &str = "
(type nodes_confined_t) (roletype system_r nodes_confined_t)
(typeattributeset domain (nodes_confined_t)) (typeattributeset container_domain (nodes_confined_t))
(typeattributeset container_system_domain (nodes_confined_t)) (typeattributeset mcs_constrained_type (nodes_confined_t))
(allow nodes_confined_t var_log_t (dir (getattr open read search)))
(allow nodes_confined_t var_log_t (file (getattr open read)))
";
