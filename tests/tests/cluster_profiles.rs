//! Profiles on a cluster: from the object to the file, to the pod that is confined by it, and back.
//!
//! The tests run beside each other, so each has profiles of its own, and none touches the daemon.

use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, ListParams, PostParams};
use kube::{Api, ResourceExt as _};
use serde_json::{Value, json};
use spo_api::node_status::v1::SecurityProfileNodeStatus;
use spo_api::seccomp::v1::{SeccompProfile, SeccompProfileSpec};
use spo_api::{ProfileKind, ProfileState, finalizers, labels};
use spo_tests::cluster::{Cluster, NODE};
use spo_tests::node::Access;
use spo_tests::{manifest, ns, operator, pod, profile, wait};

const NO_MKDIR: &str = "
defaultAction: SCMP_ACT_ALLOW
syscalls:
- {names: [mkdir, mkdirat], action: SCMP_ACT_ERRNO}
";

/// Tries what the profile forbids, and shows which mode the kernel has the process in.
const PROBE: &str = "mkdir /tmp/d 2>&1 && echo mkdir worked; grep Seccomp: /proc/self/status";

#[tokio::test]
async fn a_pod_with_an_installed_profile_is_refused_what_it_forbids() {
    let Some(cluster) = operator::cluster().await else { return };
    let made = profile::create(&cluster, &profile::of("no-mkdir", NO_MKDIR)).await;
    profile::installed(&cluster, &made).await;
    let made = profile::ready(&cluster, &made).await;
    let localhost_profile = made.status.as_ref().and_then(|status| status.localhost_profile.as_deref());
    assert_eq!(localhost_profile, Some("operator/no-mkdir.json"));

    let namespace = ns::create(&cluster.client).await;
    let ended = pod::run(&cluster, &namespace, "probe", "operator/no-mkdir.json", PROBE).await;
    assert_eq!(ended.log, "mkdir: can't create directory '/tmp/d': Operation not permitted\nSeccomp:\t2\n");
    assert_eq!(ended.phase, "Succeeded");
    ns::delete(&cluster.client, &namespace).await;
    profile::delete(&cluster, "no-mkdir").await;
}

#[tokio::test]
async fn the_same_pod_is_not_refused_by_a_profile_that_allows_it() {
    let Some(cluster) = operator::cluster().await else { return };
    let made = profile::create(&cluster, &profile::of("any-mkdir", "defaultAction: SCMP_ACT_ALLOW")).await;
    profile::installed(&cluster, &made).await;
    let namespace = ns::create(&cluster.client).await;
    let ended = pod::run(&cluster, &namespace, "probe", "operator/any-mkdir.json", PROBE).await;
    assert_eq!(ended.log, "mkdir worked\nSeccomp:\t2\n");
    ns::delete(&cluster.client, &namespace).await;
    profile::delete(&cluster, "any-mkdir").await;
}

/// What runc needs of the kernel between the filter and the container's own program: the calls of the reference's example
/// `baseprofile-runc.yaml`.
const RUNC: &str = "
defaultAction: SCMP_ACT_ERRNO
architectures: [SCMP_ARCH_X86_64]
syscalls:
- action: SCMP_ACT_ALLOW
  names: [arch_prctl, brk, capget, capset, chdir, close, close_range, epoll_ctl, epoll_pwait, execve, exit_group, faccessat2, fcntl, fstat,
    fstatfs, futex, getcwd, getdents64, getpid, getppid, getuid, mmap, mprotect, nanosleep, newfstatat, openat, openat2, prctl, read,
    recvfrom, rt_sigreturn, sched_yield, set_tid_address, setgid, setgroups, setuid, sigaltstack, statx, tgkill, write]
";

/// What busybox needs to say something.
const HELLO: &str = "
defaultAction: SCMP_ACT_ERRNO
baseProfileName: s2-runc
syscalls:
- action: SCMP_ACT_ALLOW
  names: [arch_prctl, brk, execve, exit_group, getrandom, getuid, mprotect, prctl, prlimit64, readlink, rseq, set_robust_list,
    set_tid_address, write]
";

#[tokio::test]
async fn s2_a_pod_greets_under_a_profile_that_builds_on_what_the_runtime_needs() {
    let Some(cluster) = operator::cluster().await else { return };
    let base = profile::create(&cluster, &profile::of("s2-runc", RUNC)).await;
    profile::ready(&cluster, &base).await;
    let made = profile::create(&cluster, &profile::of("s2-hello", HELLO)).await;
    profile::installed(&cluster, &made).await;
    profile::ready(&cluster, &made).await;
    let namespace = ns::create(&cluster.client).await;
    let ended = pod::run(&cluster, &namespace, "hello", "operator/s2-hello.json", "echo hello; mkdir /tmp/d").await;
    let mut said: Vec<&str> = ended.log.lines().collect();
    // Standard error may come before standard output.
    said.sort_unstable();
    assert_eq!(said, ["hello", "mkdir: can't create directory '/tmp/d': Operation not permitted"]);
    ns::delete(&cluster.client, &namespace).await;
    profile::delete(&cluster, "s2-hello").await;
    profile::delete(&cluster, "s2-runc").await;
}

#[tokio::test]
async fn editing_a_profile_reaches_the_file() {
    let Some(cluster) = operator::cluster().await else { return };
    let made = profile::create(&cluster, &profile::of("edited", NO_MKDIR)).await;
    profile::installed(&cluster, &made).await;
    assert_file_is_spec(&cluster, &made);

    let edited = profile::edit(&cluster, "edited", json!({"defaultAction": "SCMP_ACT_LOG"})).await;
    assert_ne!(edited.metadata.generation, made.metadata.generation);
    profile::installed(&cluster, &edited).await;
    assert_file_is_spec(&cluster, &edited);
    profile::delete(&cluster, "edited").await;
}

#[tokio::test]
async fn deleting_a_profile_removes_the_file_and_the_node_status() {
    let Some(cluster) = operator::cluster().await else { return };
    let made = profile::create(&cluster, &profile::of("deleted", NO_MKDIR)).await;
    profile::installed(&cluster, &made).await;
    profile::delete(&cluster, "deleted").await;
    wait::until_seen("the file of a deleted profile to go", || absent(&cluster, "deleted")).await;
    wait::until_gone(&profile::statuses(&cluster), &profile::node_status_name("deleted")).await;
}

#[tokio::test]
async fn a_profile_that_cannot_be_installed_says_why_and_has_no_file() {
    let Some(cluster) = operator::cluster().await else { return };
    // What is wrong in itself does not get past the webhooks; what it builds on is found out on the node.
    let spec = "{baseProfileName: nowhere, defaultAction: SCMP_ACT_ERRNO}";
    profile::create(&cluster, &profile::of("refused", spec)).await;
    let name = profile::node_status_name("refused");
    let status = wait::until(&profile::statuses(&cluster), &name, "to say Error", |status| {
        status.status.as_ref().is_some_and(|status| status.status == Some(ProfileState::Error))
    })
    .await;
    let conditions = status.status.and_then(|status| status.conditions).unwrap();
    assert!(conditions[0].message.contains("spec.baseProfileName"), "{conditions:?}");
    assert!(profile::content(&cluster, "refused").is_none());
    profile::delete(&cluster, "refused").await;
}

#[tokio::test]
async fn a_file_that_was_deleted_or_tampered_with_is_restored() {
    let Some(cluster) = operator::cluster().await else { return };
    let made = profile::create(&cluster, &profile::of("guarded", NO_MKDIR)).await;
    profile::installed(&cluster, &made).await;
    let file = profile::file(&cluster, "guarded");
    let original = cluster.node.read(&file).unwrap().unwrap();
    let restored = || cluster.node.read(&file).unwrap().filter(|bytes| *bytes == original);

    cluster.node.remove(&file).unwrap();
    wait::until_seen("a deleted file to be restored", restored).await;
    cluster.node.overwrite(&file, br#"{"defaultAction":"SCMP_ACT_ALLOW"}"#).unwrap();
    wait::until_seen("a file that was tampered with to be restored", restored).await;
    profile::delete(&cluster, "guarded").await;
}

#[tokio::test]
async fn s1_the_three_examples_are_installed_as_they_stand() {
    let Some(cluster) = operator::cluster().await else { return };
    let root = cluster.node.profiles();
    assert_eq!(cluster.node.link(&root).unwrap().to_str(), Some("/var/lib/security-profiles-operator"));
    assert_eq!(cluster.node.access(&root).unwrap(), Access { mode: 0o744, uid: 65535, gid: 65535 });

    for example in ["allow", "complain", "block-all"] {
        let text = manifest::text(&format!("examples/seccomp-{example}.yaml")).unwrap();
        let wanted = manifest::objects::<SeccompProfile>(&text).unwrap().remove(0);
        let made = profile::create(&cluster, &wanted).await;
        profile::ready(&cluster, &made).await;
        profile::installed(&cluster, &made).await;
        // The object, not the manifest: the API server has filled in defaults.
        assert_file_is_spec(&cluster, &made);
        let access = cluster.node.access(&profile::file(&cluster, &wanted.name_any())).unwrap();
        assert_eq!(access, Access { mode: 0o644, uid: 65535, gid: 65535 });
        profile::delete(&cluster, &wanted.name_any()).await;
    }
}

#[tokio::test]
async fn s7_a_finalizer_and_a_status_of_a_node_that_is_gone_do_not_hold_a_profile_back() {
    let Some(cluster) = operator::cluster().await else { return };
    let mut wanted = profile::of("haunted", NO_MKDIR);
    let finalizer = finalizers::legacy_node_finalizer("ghost");
    wanted.metadata.finalizers = Some(vec![finalizer.clone()]);
    let made = profile::create(&cluster, &wanted).await;
    let ghost = ghost_status(&made);
    profile::statuses(&cluster).create(&PostParams::default(), &ghost).await.unwrap();
    profile::installed(&cluster, &made).await;

    profile::delete(&cluster, "haunted").await;
    wait::until_seen("the file of a haunted profile to go", || absent(&cluster, "haunted")).await;
    wait::until_gone(&profile::statuses(&cluster), &ghost.name_any()).await;
}

/// A node status as the reference operator's daemon wrote it on another node.
fn ghost_status(profile: &SeccompProfile) -> SecurityProfileNodeStatus {
    let name = profile.name_any();
    serde_json::from_value(json!({
        "apiVersion": "security-profiles-operator.x-k8s.io/v1",
        "kind": "SecurityProfileNodeStatus",
        "metadata": {
            "name": labels::legacy_node_status_name(&name, "ghost"),
            "labels": {
                labels::PROFILE_ID: labels::profile_id(ProfileKind::Seccomp, &name),
                labels::NODE_NAME: "ghost",
                labels::PROFILE_STATE: "Installed",
                labels::PROFILE_KIND: "SeccompProfile",
            },
            "ownerReferences": [{
                "apiVersion": "security-profiles-operator.x-k8s.io/v1",
                "kind": "SeccompProfile",
                "name": name,
                "uid": profile.uid(),
                "controller": true,
                "blockOwnerDeletion": true,
            }],
        },
        "spec": {"nodeName": "ghost"},
    }))
    .expect("a node status")
}

#[tokio::test]
async fn s8_a_profile_stays_until_the_pod_that_names_it_anywhere_is_gone() {
    let Some(cluster) = operator::cluster().await else { return };
    let namespace = ns::create(&cluster.client).await;
    let pods: Api<Pod> = Api::namespaced(cluster.client.clone(), &namespace);
    for form in ["pod", "container", "init", "annotation"] {
        let name = format!("s8-{form}");
        let made = profile::create(&cluster, &profile::of(&name, NO_MKDIR)).await;
        profile::installed(&cluster, &made).await;
        let pod = serde_json::from_value(using(&cluster, form, &format!("operator/{name}.json"))).unwrap();
        pods.create(&PostParams::default(), &pod).await.unwrap();
        let phase = |pod: &Pod| pod.status.as_ref().and_then(|status| status.phase.clone());
        wait::until(&pods, form, "to run", |pod| phase(pod).as_deref() == Some("Running")).await;
        let held = |profile: &SeccompProfile| profile.finalizers() == [finalizers::IN_USE];
        let held = wait::until(&profile::all(&cluster), &name, "to be held", held).await;
        let users = held.status.and_then(|status| status.active_workloads);
        assert!(users.is_none_or(|users| users == [format!("{namespace}/{form}")]), "{form}");

        profile::all(&cluster).delete(&name, &DeleteParams::default()).await.unwrap();
        wait::until(&profile::statuses(&cluster), &profile::node_status_name(&name), "to be Terminating", |status| {
            status.status.as_ref().and_then(|status| status.status) == Some(ProfileState::Terminating)
        })
        .await;
        assert!(profile::content(&cluster, &name).is_some(), "{form}");
        pods.delete(form, &DeleteParams::default()).await.unwrap();
        wait::until_gone(&profile::all(&cluster), &name).await;
        wait::until_seen("its file to go", || absent(&cluster, &name)).await;
    }
    ns::delete(&cluster.client, &namespace).await;
}

/// A pod that stays, and names the profile in this place.
fn using(cluster: &Cluster, form: &str, path: &str) -> Value {
    let mut pod = pod::of(cluster, form, "sleep 600");
    match form {
        "pod" => pod["spec"]["securityContext"] = pod::seccomp(path),
        "container" => pod::container(&mut pod)["securityContext"] = pod::seccomp(path),
        "init" => {
            let mut init = pod::container(&mut pod).clone();
            init["name"] = "init".into();
            init["command"] = json!(["/bin/true"]);
            init["securityContext"] = pod::seccomp(path);
            pod["spec"]["initContainers"] = json!([init]);
        }
        _ => {
            pod["metadata"]["annotations"] =
                json!({"seccomp.security.alpha.kubernetes.io/pod": format!("localhost/{path}")});
        }
    }
    pod
}

#[tokio::test]
async fn s9_statuses_of_a_profile_with_a_long_name_are_found_by_the_hashed_label() {
    let Some(cluster) = operator::cluster().await else { return };
    let name = "a-profile-whose-name-has-exactly-sixty-nine-characters-and-not-one-mo";
    assert_eq!(name.len(), 69);
    let made = profile::create(&cluster, &profile::of(name, NO_MKDIR)).await;
    profile::installed(&cluster, &made).await;
    let id = labels::profile_id(ProfileKind::Seccomp, name);
    assert!(id.len() <= 63 && !id.contains(name), "{id} is no hash");
    let selector = ListParams::default().labels(&format!("{}={id}", labels::PROFILE_ID));
    let statuses = profile::statuses(&cluster).list(&selector).await.unwrap();
    let nodes: Vec<&str> = statuses.iter().map(|status| status.spec.node_name.as_str()).collect();
    assert_eq!(nodes, [NODE]);
    profile::delete(&cluster, name).await;
}

fn assert_file_is_spec(cluster: &Cluster, profile: &SeccompProfile) {
    let content = profile::content(cluster, &profile.name_any()).expect("an installed profile has a file");
    let content: SeccompProfileSpec = serde_json::from_value(content).expect("a file has the form of a specification");
    assert_eq!(content, profile.spec);
}

fn absent(cluster: &Cluster, name: &str) -> Option<()> {
    profile::content(cluster, name).is_none().then_some(())
}
