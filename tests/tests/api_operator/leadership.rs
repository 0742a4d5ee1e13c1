//! One manager writes at a time, and the next one need not wait.

use std::time::{Duration, Instant};

use k8s_openapi::api::coordination::v1::Lease;
use kube::api::{Patch, PatchParams};
use kube::{Api, ResourceExt as _};
use serde_json::json;
use spo_tests::wait;

use spo_tests::api::process::{Process, manager};
use spo_tests::api::server::{NAMESPACE, Server, a_while, version};

const LEASE: &str = "security-profiles-operator-lock";

fn holder(lease: &Lease) -> String {
    lease.spec.as_ref().and_then(|spec| spec.holder_identity.clone()).unwrap_or_default()
}

/// Waits until `manager` leads.
async fn leads(leases: &Api<Lease>, manager: &Process) {
    wait::until(leases, LEASE, "to be held", |lease| holder(lease).ends_with(&manager.id())).await;
}

#[tokio::test]
async fn w_x_25_a_manager_that_ends_gives_its_lease_back() {
    let Some(server) = Server::take().await else { return };
    let leases: Api<Lease> = Api::namespaced(server.client.clone(), NAMESPACE);
    let first = manager(&server);
    leads(&leases, &first).await;
    first.terminate();
    assert_eq!(holder(&leases.get(LEASE).await.unwrap()), "");

    let begin = Instant::now();
    leads(&leases, &manager(&server)).await;
    // One that was not given back would be waited for fifteen seconds long.
    assert!(begin.elapsed() < Duration::from_secs(8), "{:?}", begin.elapsed());
}

#[tokio::test]
async fn w_x_19_sigterm_ends_the_manager_within_a_second_and_with_status_0() {
    let Some(server) = Server::take().await else { return };
    let leases: Api<Lease> = Api::namespaced(server.client.clone(), NAMESPACE);
    let running = manager(&server);
    leads(&leases, &running).await;
    let (ended, took) = running.terminate();
    assert!(ended.success() && took < Duration::from_secs(1), "{ended} after {took:?}");
}

#[tokio::test]
async fn only_the_leader_writes() {
    let Some(server) = Server::take().await else { return };
    let leases: Api<Lease> = Api::namespaced(server.client.clone(), NAMESPACE);
    held_by_another(&leases, 3600).await;
    let _standby = manager(&server);
    let profile = server.profile("standby").await;
    a_while().await;
    assert_eq!(version(&server.profiles.get("standby").await.unwrap()), version(&profile));
    held_by_another(&leases, 1).await;
    wait::until(&server.profiles, "standby", "to be labelled", |profile| !profile.labels().is_empty()).await;
}

#[tokio::test]
async fn a_leader_is_succeeded_by_the_next_in_line() {
    let Some(server) = Server::take().await else { return };
    let leases: Api<Lease> = Api::namespaced(server.client.clone(), NAMESPACE);
    let leader = manager(&server);
    leads(&leases, &leader).await;
    let standby = manager(&server);
    a_while().await;
    assert!(holder(&leases.get(LEASE).await.unwrap()).ends_with(&leader.id()));
    leader.terminate();
    leads(&leases, &standby).await;
}

#[tokio::test]
async fn a_lease_that_somebody_annotates_is_still_taken_and_renewed() {
    let Some(server) = Server::take().await else { return };
    let leases: Api<Lease> = Api::namespaced(server.client.clone(), NAMESPACE);
    held_by_another(&leases, 4).await;
    let candidate = manager(&server);
    a_while().await; // it has seen the lease by now, and waits for it to expire
    annotate(&leases, "first").await;
    leads(&leases, &candidate).await;
    let before = annotate(&leases, "second").await.spec.unwrap().renew_time;
    let renewed =
        |lease: &Lease| holder(lease).ends_with(&candidate.id()) && lease.spec.as_ref().unwrap().renew_time > before;
    wait::until(&leases, LEASE, "to be renewed", renewed).await;
}

/// Has somebody hold the lease who does not renew it.
async fn held_by_another(leases: &Api<Lease>, seconds: i32) {
    let spec = json!({"holderIdentity": "another", "leaseDurationSeconds": seconds, "leaseTransitions": seconds});
    let lease =
        json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": LEASE}, "spec": spec});
    leases.patch(LEASE, &PatchParams::apply("another").force(), &Patch::Apply(lease)).await.unwrap();
}

async fn annotate(leases: &Api<Lease>, text: &str) -> Lease {
    let patch = Patch::Merge(json!({"metadata": {"annotations": {"note": text}}}));
    leases.patch(LEASE, &PatchParams::default(), &patch).await.unwrap()
}
