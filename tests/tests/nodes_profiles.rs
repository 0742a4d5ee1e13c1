//! Profiles for SELinux and AppArmor, switched on by the configuration, and pods that they confine on the nodes which have those modules.

use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use kube::{Api, Resource as _};
use serde_json::{Value, json};
use spo_api::apparmor::v1::AppArmorProfile;
use spo_api::binding::v1::ProfileBinding;
use spo_api::node_status::v1::SecurityProfileNodeStatus;
use spo_api::raw_selinux::v1::RawSelinuxProfile;
use spo_api::selinux::v1::SelinuxProfile;
use spo_api::{ProfileKey, ProfileKind, ProfileState, labels};
use spo_tests::cluster::Cluster;
use spo_tests::{modules, ns, operator, pod, profile, wait};

#[tokio::test]
async fn x8_both_modules_are_switched_on_and_confine_pods_and_are_switched_off_again() {
    let Some(_guests) = Cluster::with_guests().await else { return };
    let Some(cluster) = operator::cluster_with_webhooks().await else { return };
    modules::on_guests(&cluster, async || {
        tokio::join!(selinux(&cluster), apparmor(&cluster));
    })
    .await;
}

/// Makes an object; one that an earlier run left is removed first.
async fn make<K>(cluster: &Cluster, name: &str, spec: Value) -> Api<K>
where
    K: kube::Resource<DynamicType = (), Scope = kube::core::ClusterResourceScope>
        + Clone
        + std::fmt::Debug
        + Send
        + serde::Serialize
        + serde::de::DeserializeOwned
        + 'static,
{
    let api: Api<K> = Api::all(cluster.client.clone());
    if api.delete(name, &DeleteParams::default()).await.is_ok() {
        wait::until_gone(&api, name).await;
    }
    let object =
        json!({"apiVersion": K::api_version(&()), "kind": K::kind(&()), "metadata": {"name": name}, "spec": spec});
    let object = serde_json::from_value(object).expect("an object of the kind");
    api.create(&PostParams::default(), &object).await.expect("it can be made");
    api
}

/// What a node says of a profile, once it says `state`.
async fn says(cluster: &Cluster, kind: ProfileKind, name: &str, node: &str, state: ProfileState) -> String {
    let key = ProfileKey { kind, name: name.parse().expect("a profile's name") };
    let status: SecurityProfileNodeStatus =
        wait::until(&profile::statuses(cluster), &labels::node_status_name(&key, node), state.as_str(), |status| {
            status.status.as_ref().is_some_and(|status| status.status == Some(state))
        })
        .await;
    let conditions = status.status.and_then(|status| status.conditions).unwrap_or_default();
    conditions.into_iter().map(|condition| condition.message).collect()
}

/// Every rule of the reference's example `errorlogger`; without the last, nothing can be written.
fn errorlogger(complete: bool) -> Value {
    let mut file = vec!["getattr", "read", "lock", "ioctl"];
    if complete {
        file.extend(["write", "append", "map", "open", "create"]);
    }
    json!({"inherit": [{"name": "container"}], "allow": {"var_log_t": {
        "dir": ["open", "read", "getattr", "lock", "search", "ioctl", "add_name", "remove_name", "write"],
        "file": file,
    }}})
}

fn with(mut spec: Value, key: &str, value: &str) -> Value {
    spec[key] = value.into();
    spec
}

/// A pod of this SELinux type that writes to the node's log folder; its exit status is that of the write.
fn writer(cluster: &Cluster, name: &str, usage: &str) -> Value {
    let mut pod = unlabelled_writer(cluster, name);
    pod::container(&mut pod)["securityContext"] = json!({"seLinuxOptions": {"type": usage}});
    pod
}

/// The same without a type of its own.
fn unlabelled_writer(cluster: &Cluster, name: &str) -> Value {
    let mut pod =
        pod::of(cluster, name, &format!("exec 2>&1; cat /proc/self/attr/current; echo; echo hello >>/host/{name}.log"));
    pod::on_node(&mut pod, "selinux");
    pod["spec"]["volumes"] = json!([{"name": "host", "hostPath": {"path": "/var/log"}}]);
    pod::container(&mut pod)["volumeMounts"] = json!([{"name": "host", "mountPath": "/host"}]);
    pod
}

const RAW: &str = "(blockinherit container)
(allow process var_log_t ( dir ( open read getattr lock search ioctl add_name remove_name write )))
(allow process var_log_t ( file ( getattr read write append ioctl lock map open create  )))
(allow process var_log_t ( sock_file ( getattr read write append open  )))
";

/// A pod of this SELinux type that wants to talk to itself, where nobody listens.
async fn caller(cluster: &Cluster, namespace: &str, name: &str) -> String {
    let mut pod = pod::of(cluster, &format!("{name}-calls"), "exec 2>&1; nc -w 1 127.0.0.1 9 </dev/null; echo ended");
    pod::on_node(&mut pod, "selinux");
    pod::container(&mut pod)["securityContext"] = json!({"seLinuxOptions": {"type": format!("{name}.process")}});
    pod::to_end(cluster, namespace, pod).await.log
}

/// X9 and X10: a pod that says nothing of SELinux gets the type of the profile that is bound to its image, where its namespace wants
/// bindings; elsewhere it has that of any container, which may not do what this one does.
async fn bound(cluster: &Cluster) {
    let (wants, does_not) = (ns::create(&cluster.client).await, ns::create(&cluster.client).await);
    let namespaces: Api<Namespace> = Api::all(cluster.client.clone());
    let label = Patch::Merge(json!({"metadata": {"labels": {"spo.x-k8s.io/enable-binding": ""}}}));
    namespaces.patch(&wants, &PatchParams::default(), &label).await.expect("it can be labelled");
    let run = async |namespace: &str| {
        let bindings: Api<ProfileBinding> = Api::namespaced(cluster.client.clone(), namespace);
        let binding = json!({
            "apiVersion": ProfileBinding::api_version(&()), "kind": ProfileBinding::kind(&()), "metadata": {"name": "any"},
            "spec": {"profileRef": {"kind": "SelinuxProfile", "name": "nodes-x1"}, "image": "*"},
        });
        let binding = serde_json::from_value(binding).expect("a binding");
        bindings.create(&PostParams::default(), &binding).await.expect("it can be made");
        pod::to_end(cluster, namespace, unlabelled_writer(cluster, "bound")).await
    };
    let (in_wants, in_other) = tokio::join!(run(&wants), run(&does_not));
    assert_eq!(in_wants.phase, "Succeeded", "{}", in_wants.log);
    assert!(in_wants.log.contains(":nodes-x1.process:"), "{}", in_wants.log);
    assert_eq!(in_other.phase, "Failed", "{}", in_other.log);
    assert!(in_other.log.contains("ermission denied") && !in_other.log.contains("nodes-x1"), "{}", in_other.log);
    ns::delete(&cluster.client, &wants).await;
    ns::delete(&cluster.client, &does_not).await;
}

/// X1, X2, X3, X5, X6, X7, X9 and X10.
async fn selinux(cluster: &Cluster) {
    let namespace = ns::create(&cluster.client).await;
    let x1 = make::<SelinuxProfile>(cluster, "nodes-x1", errorlogger(true)).await;
    let x2 = make::<RawSelinuxProfile>(cluster, "nodes-x2", json!({"policy": RAW})).await;
    let net = json!({"inherit": [{"name": "container"}, {"name": "net_container"}]});
    make::<SelinuxProfile>(cluster, "nodes-x3", net).await;
    make::<SelinuxProfile>(cluster, "nodes-x5", errorlogger(false)).await;
    make::<SelinuxProfile>(cluster, "nodes-x6", with(errorlogger(false), "mode", "Permissive")).await;
    make::<SelinuxProfile>(cluster, "nodes-x7", with(errorlogger(true), "state", "Disabled")).await;

    for name in ["nodes-x1", "nodes-x3", "nodes-x5", "nodes-x6"] {
        says(cluster, ProfileKind::Selinux, name, "selinux", ProfileState::Installed).await;
    }
    says(cluster, ProfileKind::RawSelinux, "nodes-x2", "selinux", ProfileState::Installed).await;
    let why = says(cluster, ProfileKind::Selinux, "nodes-x1", "apparmor", ProfileState::Error).await;
    assert!(why.contains("SELinux"), "{why}");
    let listed = pod::on_host(cluster, &namespace, "list", "selinux", "semodule -lfull").await.log;
    for name in ["nodes-x1", "nodes-x2", "nodes-x3", "nodes-x5", "nodes-x6"] {
        assert!(listed.contains(&format!(" {name} ")), "{name}: {listed}");
    }
    assert!(!listed.contains("nodes-x7"), "{listed}");

    let run = |name: &'static str| {
        let pod = writer(cluster, name, &format!("{name}.process"));
        pod::to_end(cluster, &namespace, pod)
    };
    let (x1_ended, x2_ended, x5_ended, x6_ended, ()) = tokio::join!(
        run("nodes-x1"),
        run("nodes-x2"),
        run("nodes-x5"),
        run("nodes-x6"),
        cannot_start(cluster, &namespace, "nodes-x7"),
    );
    for (name, ended) in [("nodes-x1", &x1_ended), ("nodes-x2", &x2_ended), ("nodes-x6", &x6_ended)] {
        assert_eq!(ended.phase, "Succeeded", "{name}: {}", ended.log);
        assert!(ended.log.contains(&format!(":{name}.process:")), "{name}: {}", ended.log);
    }
    assert_eq!(x5_ended.phase, "Failed", "{}", x5_ended.log);
    assert!(x5_ended.log.contains("ermission denied"), "{}", x5_ended.log);

    let (with_network, without) =
        tokio::join!(caller(cluster, &namespace, "nodes-x3"), caller(cluster, &namespace, "nodes-x5"));
    assert!(with_network.contains("refused"), "{with_network}");
    assert!(without.contains("ermission denied"), "{without}");
    bound(cluster).await;

    ns::delete(&cluster.client, &namespace).await;
    let namespace = ns::create(&cluster.client).await;
    x1.delete("nodes-x1", &DeleteParams::default()).await.expect("it can be removed");
    x2.delete("nodes-x2", &DeleteParams::default()).await.expect("it can be removed");
    let gone = "for try in $(seq 30); do semodule -l | grep -qE 'nodes-x[12]' || exit 0; sleep 1; done; exit 1";
    assert_eq!(pod::on_host(cluster, &namespace, "gone", "selinux", gone).await.phase, "Succeeded");
    ns::delete(&cluster.client, &namespace).await;
    for name in ["nodes-x3", "nodes-x5", "nodes-x6", "nodes-x7"] {
        x1.delete(name, &DeleteParams::default()).await.expect("it can be removed");
    }
}

/// A pod whose profile is not installed is made, and its container never runs: containerd says so when it is started, others when it
/// is made.
async fn cannot_start(cluster: &Cluster, namespace: &str, name: &str) {
    let pods: Api<Pod> = Api::namespaced(cluster.client.clone(), namespace);
    let pod = serde_json::from_value(writer(cluster, name, &format!("{name}.process"))).expect("a pod");
    pods.create(&PostParams::default(), &pod).await.expect("a pod can be made");
    wait::until(&pods, name, "to be refused by the runtime", |pod| {
        let containers = pod.status.as_ref().and_then(|status| status.container_statuses.as_deref());
        let states = containers.unwrap_or_default().iter().filter_map(|container| container.state.as_ref());
        let reasons = states.flat_map(|state| {
            let waiting = state.waiting.as_ref().and_then(|waiting| waiting.reason.as_deref());
            [waiting, state.terminated.as_ref().and_then(|ended| ended.reason.as_deref())]
        });
        reasons.flatten().any(|reason| matches!(reason, "CreateContainerError" | "RunContainerError" | "StartError"))
    })
    .await;
}

/// A pod on the node with AppArmor, under a profile.
fn confined(cluster: &Cluster, name: &str, profile: &str, script: &str) -> Value {
    let mut pod = pod::of(cluster, name, script);
    pod::on_node(&mut pod, "apparmor");
    pod::container(&mut pod)["securityContext"] =
        json!({"appArmorProfile": {"type": "Localhost", "localhostProfile": profile}});
    pod
}

/// A profile that is enforced permits what it says, and no more.
async fn enforced(cluster: &Cluster, namespace: &str) {
    let spec = json!({"abstract": {
        "executable": {"allowedExecutables": ["/bin/*"], "allowedLibraries": ["/lib/**"]},
        "filesystem": {"readOnlyPaths": ["/", "/bin/", "/proc/**"], "readWritePaths": ["/tmp/**"]},
    }});
    let profiles = make::<AppArmorProfile>(cluster, "nodes-enforced", spec).await;
    says(cluster, ProfileKind::AppArmor, "nodes-enforced", "apparmor", ProfileState::Installed).await;
    let script = "exec 2>&1; cat /proc/self/attr/current; echo x >/tmp/x && echo written; echo x >/etc/x";
    let ended = pod::to_end(cluster, namespace, confined(cluster, "enforced", "nodes-enforced", script)).await;
    let denied = "nodes-enforced (enforce)\nwritten\n/bin/sh: can't create /etc/x: Permission denied\n";
    assert_eq!(ended.log, denied);
    profiles.delete("nodes-enforced", &DeleteParams::default()).await.expect("it can be removed");
}

/// R11, and what is enforced.
async fn apparmor(cluster: &Cluster) {
    let namespace = ns::create(&cluster.client).await;
    let profiles = make::<AppArmorProfile>(cluster, "nodes-r11", json!({"mode": "Complain", "abstract": {}})).await;
    says(cluster, ProfileKind::AppArmor, "nodes-r11", "apparmor", ProfileState::Installed).await;
    let why = says(cluster, ProfileKind::AppArmor, "nodes-r11", "selinux", ProfileState::Error).await;
    assert!(why.contains("AppArmor"), "{why}");
    let script = "exec 2>&1; cat /proc/self/attr/current; echo x >/tmp/x && echo written";
    let ended = pod::to_end(cluster, &namespace, confined(cluster, "r11", "nodes-r11", script)).await;
    // What a profile in this mode does not know to run goes on below it, by a name of the kernel's.
    assert!(ended.log.starts_with("nodes-r11") && ended.log.ends_with("(complain)\nwritten\n"), "{}", ended.log);
    enforced(cluster, &namespace).await;
    ns::delete(&cluster.client, &namespace).await;
    profiles.delete("nodes-r11", &DeleteParams::default()).await.expect("it can be removed");
}
