//! What `cargo xtask bench propagate` and `memory` ask of an API server: `load KUBECONFIG COMMAND [COUNT]`.
//!
//! - `prepare` makes what the operator needs: the kinds, its namespace, a node.
//! - `create COUNT` makes profiles, all at once, and waits until each is Installed; `plain COUNT` makes as many profiles and the five
//!   writes that a profile takes, as a plain client would, and waits for nobody. Both print the seconds that took.
//! - `front COUNT` makes as many recordings and bindings, which webhooks have to know.
//! - `requests` prints how many requests the API server has served, by verb and resource.
//! - `clear` takes all of it away.
#![forbid(unsafe_code)]

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use k8s_openapi::api::core::v1::{Namespace, Node};
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{DeleteParams, GetParams, ListParams, Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Client, Config, ResourceExt as _};
use serde_json::{Value, json};
use spo_api::binding::v1::ProfileBinding;
use spo_api::node_status::v1::SecurityProfileNodeStatus;
use spo_api::recording::v1::ProfileRecording;
use spo_api::seccomp::v1::SeccompProfile;
use spo_api::{GROUP, Kind, ProfileState};
use spo_tests::{manifest, wait};

/// How many requests a plain client has under way.
const CONCURRENT: usize = 16;
/// How long all profiles may take to be Installed.
const PATIENCE: Duration = Duration::from_secs(300);
const NODE: &str = "node1";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let mut words = std::env::args().skip(1);
    let (Some(file), Some(command)) = (words.next(), words.next()) else {
        bail!("usage: load KUBECONFIG prepare|create COUNT|plain COUNT|front COUNT|requests|clear");
    };
    let count = words.next().map(|count| count.parse()).transpose().context("COUNT is no number")?.unwrap_or(0);
    let client = client(&file).await?;
    let answer = match command.as_str() {
        "prepare" => prepare(&client).await.map(|()| Value::Null)?,
        "create" => json!(create(&client, count).await?),
        "plain" => json!(plain(&client, count).await?),
        "front" => front(&client, count).await.map(|()| Value::Null)?,
        "requests" => json!(requests(&client).await?),
        "clear" => clear(&client).await.map(|()| Value::Null)?,
        other => bail!("{other:?} is no command"),
    };
    writeln!(std::io::stdout().lock(), "{answer}").context("cannot write to standard output")
}

async fn client(file: &str) -> Result<Client> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let config = Kubeconfig::read_from(file).with_context(|| format!("cannot read {file}"))?;
    Ok(Client::try_from(Config::from_custom_kubeconfig(config, &KubeConfigOptions::default()).await?)?)
}

async fn prepare(client: &Client) -> Result<()> {
    manifest::apply_objects(client, &manifest::definitions()?).await?;
    let ours = PatchParams::apply("load").force();
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let namespace =
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "security-profiles-operator"}});
    namespaces.patch("security-profiles-operator", &ours, &Patch::Apply(namespace)).await?;
    let nodes: Api<Node> = Api::all(client.clone());
    nodes
        .patch(NODE, &ours, &Patch::Apply(json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE}})))
        .await?;
    // A kind is served a moment after it was made.
    let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
    for kind in Kind::ALL {
        wait::until(&definitions, &kind.crd_name(), "to be served", manifest::is_served).await;
    }
    Ok(())
}

/// A profile of usual size.
fn profile(number: usize) -> Result<SeccompProfile> {
    let names: Vec<&str> = "accept4 access arch_prctl bind brk capget capset chdir clone clone3 close connect dup2 epoll_create1 epoll_ctl \
        epoll_pwait epoll_wait eventfd2 execve exit exit_group faccessat2 fchown fcntl fstat fstatfs futex getcwd getdents64 getegid geteuid \
        getgid getpid getppid getrandom getsockname getsockopt getuid ioctl listen lseek mkdir mmap mprotect munmap nanosleep newfstatat \
        openat pipe2 prctl pread64 prlimit64 pwrite64 read recvfrom recvmsg rename rseq rt_sigaction rt_sigprocmask rt_sigreturn \
        sched_getaffinity sendmsg sendto set_robust_list set_tid_address setgid setgroups setitimer setsockopt setuid sigaltstack socket \
        socketpair stat statx sysinfo umask uname unlink wait4 write writev"
        .split_whitespace()
        .collect();
    serde_json::from_value(json!({
        "apiVersion": format!("{GROUP}/v1"),
        "kind": "SeccompProfile",
        "metadata": {"name": format!("bench-{number:05}")},
        "spec": {
            "defaultAction": "SCMP_ACT_ERRNO",
            "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64"],
            "syscalls": [{"names": names, "action": "SCMP_ACT_ALLOW"}],
        },
    }))
    .context("a profile is what its type says")
}

/// Seconds from the first request until every profile is Installed.
async fn create(client: &Client, count: usize) -> Result<f64> {
    let profiles: Api<SeccompProfile> = Api::all(client.clone());
    let mut changes = watcher(profiles.clone(), watcher::Config::default().streaming_lists())
        .default_backoff()
        .touched_objects()
        .boxed();
    let start = Instant::now();
    let all_installed = async {
        let mut installed = BTreeSet::new();
        while installed.len() < count {
            let profile = changes.try_next().await?.context("the watch ended")?;
            if profile.status.as_ref().and_then(|status| status.status) == Some(ProfileState::Installed) {
                installed.insert(profile.name_any());
            }
        }
        Ok::<(), anyhow::Error>(())
    };
    let create =
        stream::iter(0..count).map(Ok::<usize, anyhow::Error>).try_for_each_concurrent(CONCURRENT, async |number| {
            profiles.create(&PostParams::default(), &profile(number)?).await.context("cannot create a profile")?;
            Ok(())
        });
    let done = async { tokio::try_join!(all_installed, create) };
    tokio::time::timeout(PATIENCE, done).await.context("waited in vain for all profiles to be Installed")??;
    Ok(start.elapsed().as_secs_f64())
}

/// Seconds for the same writes by a client that does nothing else.
async fn plain(client: &Client, count: usize) -> Result<f64> {
    let start = Instant::now();
    stream::iter(0..count).map(Ok).try_for_each_concurrent(CONCURRENT, |number| one(client, number)).await?;
    Ok(start.elapsed().as_secs_f64())
}

/// A profile, and five writes about it.
async fn one(client: &Client, number: usize) -> Result<()> {
    let profiles: Api<SeccompProfile> = Api::all(client.clone());
    let statuses: Api<SecurityProfileNodeStatus> = Api::all(client.clone());
    let events: Api<Event> = Api::namespaced(client.clone(), "default");
    let (new, change) = (PostParams::default(), PatchParams::default());
    let profile = profiles.create(&new, &profile(number)?).await?;
    let name = profile.name_any();
    let kind =
        json!({"apiVersion": format!("{GROUP}/v1"), "kind": "SeccompProfile", "name": name, "uid": profile.uid()});
    let mut owner = kind.clone();
    owner["controller"] = true.into();
    let condition = json!([{"type": "Ready", "status": "True", "reason": "Available", "message": "installed",
        "lastTransitionTime": "2026-01-02T03:04:05Z", "observedGeneration": 1}]);
    let status = json!({"status": {"status": "Installed", "conditions": condition}});

    let node_status = json!({"apiVersion": format!("{GROUP}/v1"), "kind": "SecurityProfileNodeStatus", "spec": {"nodeName": NODE},
        "metadata": {"name": format!("{name}-{NODE}"), "ownerReferences": [owner], "labels": {"a": "1", "b": "2", "c": "3", "d": "4"}}});
    let node_status = statuses.create(&new, &serde_json::from_value(node_status)?).await?;
    statuses.patch_status(&node_status.name_any(), &change, &Patch::Merge(&status)).await?;
    let event = json!({"metadata": {"name": format!("{name}.1"), "namespace": "default"}, "regarding": kind, "type": "Normal",
        "eventTime": "2026-01-02T03:04:05.000000Z", "action": "Reconcile", "reason": "SavedSeccompProfile", "note": "saved",
        "reportingController": "load", "reportingInstance": NODE});
    events.create(&new, &serde_json::from_value(event)?).await?;
    profiles.patch(&name, &change, &Patch::Merge(json!({"metadata": {"labels": {"a": "1"}}}))).await?;
    profiles.patch_status(&name, &change, &Patch::Merge(&status)).await?;
    Ok(())
}

/// Recordings and bindings of usual size, half of the number each.
async fn front(client: &Client, count: usize) -> Result<()> {
    let (bindings, recordings): (Api<ProfileBinding>, Api<ProfileRecording>) =
        (Api::namespaced(client.clone(), "default"), Api::namespaced(client.clone(), "default"));
    stream::iter(0..count)
        .map(Ok)
        .try_for_each_concurrent(CONCURRENT, async |number| {
            let metadata =
                json!({"name": format!("bench-{number:05}"), "labels": {"app.kubernetes.io/part-of": "bench"}});
            if number % 2 == 0 {
                let spec = json!({"profileRef": {"kind": "SeccompProfile", "name": format!("bench-{number:05}")},
                    "image": format!("registry.example/team/service-{number:05}:v1.2.3")});
                let binding = object("ProfileBinding", &metadata, &spec)?;
                bindings.create(&PostParams::default(), &binding).await.map(drop)
            } else {
                let spec = json!({"kind": "SeccompProfile", "recorder": "Bpf", "mergeStrategy": "Containers",
                    "podSelector": {"matchLabels": {"app.kubernetes.io/name": format!("service-{number:05}")}}});
                let recording = object("ProfileRecording", &metadata, &spec)?;
                recordings.create(&PostParams::default(), &recording).await.map(drop)
            }
            .context("cannot create a binding or a recording")
        })
        .await
}

fn object<K: serde::de::DeserializeOwned>(kind: &str, metadata: &Value, spec: &Value) -> Result<K> {
    let object = json!({"apiVersion": format!("{GROUP}/v1"), "kind": kind, "metadata": metadata, "spec": spec});
    serde_json::from_value(object).with_context(|| format!("no {kind}"))
}

/// `VERB resource` or `VERB resource/subresource`, and how often it was served.
async fn requests(client: &Client) -> Result<BTreeMap<String, f64>> {
    let request = kube::core::Request::new("").get("metrics", &GetParams::default())?;
    let text = client.request_text(request).await.context("cannot read the metrics of the API server")?;
    let mut counts = BTreeMap::new();
    for line in text.lines().filter_map(|line| line.strip_prefix("apiserver_request_total{")) {
        let Some((labels, value)) = line.rsplit_once("} ") else { continue };
        let label = |name: &str| {
            labels
                .split(',')
                .find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
                .unwrap_or("")
                .trim_matches('"')
        };
        let resource = match label("subresource") {
            "" => label("resource").to_owned(),
            subresource => format!("{}/{subresource}", label("resource")),
        };
        *counts.entry(format!("{} {resource}", label("verb"))).or_default() += value.parse::<f64>().unwrap_or(0.0);
    }
    Ok(counts)
}

async fn clear(client: &Client) -> Result<()> {
    let (how, all) = (DeleteParams::default(), ListParams::default());
    Api::<SeccompProfile>::all(client.clone()).delete_collection(&how, &all).await?;
    Api::<SecurityProfileNodeStatus>::all(client.clone()).delete_collection(&how, &all).await?;
    Api::<Event>::namespaced(client.clone(), "default").delete_collection(&how, &all).await?;
    Ok(())
}
