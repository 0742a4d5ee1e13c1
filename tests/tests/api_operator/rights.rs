//! What the roles withhold. That they give enough, every other test shows.

use k8s_openapi::api::apps::v1::DaemonSet;
use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use kube::{Api, Client};
use serde_json::json;
use spo_api::node_status::v1::SecurityProfileNodeStatus;
use spo_api::seccomp::v1::SeccompProfile;
use spo_api::selinux::v1::SelinuxProfile;

use spo_tests::api::server::{NAMESPACE, Server};

fn refused<T: std::fmt::Debug>(outcome: kube::Result<T>, what: &str) {
    match outcome {
        Err(kube::Error::Api(status)) if status.code == 403 => {}
        other => panic!("{what} should be forbidden: {other:?}"),
    }
}

async fn secrets_are_refused(client: &Client) {
    let secrets: Api<Secret> = Api::all(client.clone());
    refused(secrets.list(&ListParams::default()).await, "reading secrets");
}

async fn secrets_and_pods_are_refused(client: &Client) {
    secrets_are_refused(client).await;
    let pods: Api<Pod> = Api::namespaced(client.clone(), "default");
    refused(pods.list(&ListParams::default()).await, "listing the pods of others");
}

#[tokio::test]
async fn the_daemon_may_not_change_profiles() {
    let Some(server) = Server::take().await else { return };
    server.profile("rights").await;
    let client = server.client_of("spod").await;
    let profiles: Api<SeccompProfile> = Api::all(client.clone());
    let label = Patch::Merge(json!({"metadata": {"labels": {"a": "b"}}}));
    refused(profiles.patch("rights", &PatchParams::default(), &label).await, "labelling a profile");
    refused(profiles.delete("rights", &DeleteParams::default()).await, "deleting a profile");
    secrets_and_pods_are_refused(&client).await;
}

#[tokio::test]
async fn the_manager_may_change_one_daemon_set_and_no_other_and_delete_none() {
    let Some(server) = Server::take().await else { return };
    let client = server.client_of(NAMESPACE).await;
    let label = Patch::Merge(json!({"metadata": {"labels": {"a": "b"}}}));
    for (namespace, name) in [(NAMESPACE, "another"), ("default", "spod")] {
        let sets: Api<DaemonSet> = Api::namespaced(client.clone(), namespace);
        refused(sets.patch(name, &PatchParams::default(), &label).await, "changing another DaemonSet");
    }
    let sets: Api<DaemonSet> = Api::namespaced(client.clone(), NAMESPACE);
    refused(sets.delete("spod", &DeleteParams::default()).await, "deleting the DaemonSet");
}

#[tokio::test]
async fn the_manager_may_not_speak_for_nodes_nor_change_pods_nor_delete_profiles_of_the_other_modules() {
    let Some(server) = Server::take().await else { return };
    let client = server.client_of(NAMESPACE).await;
    let statuses: Api<SecurityProfileNodeStatus> = Api::all(client.clone());
    let installed = Patch::Merge(json!({"status": {"status": "Installed"}}));
    refused(statuses.patch_status("any", &PatchParams::default(), &installed).await, "writing a node status");
    let profiles: Api<SelinuxProfile> = Api::all(client.clone());
    refused(profiles.delete("any", &DeleteParams::default()).await, "deleting a SelinuxProfile");
    let pods: Api<Pod> = Api::namespaced(client.clone(), "default");
    refused(pods.delete("any", &DeleteParams::default()).await, "deleting a pod");
    let label = Patch::Merge(json!({"metadata": {"labels": {"a": "b"}}}));
    refused(pods.patch("any", &PatchParams::default(), &label).await, "changing a pod");
    secrets_are_refused(&client).await;
}

#[tokio::test]
async fn the_webhook_server_may_read_three_secrets_and_change_no_profile() {
    let Some(server) = Server::take().await else { return };
    server.profile("rights").await;
    let client = server.client_of("spo-webhook").await;
    let secrets: Api<Secret> = Api::namespaced(client.clone(), NAMESPACE);
    refused(secrets.list(&ListParams::default()).await, "reading the other secrets of its namespace");
    for name in ["webhook-ca", "webhook-server-cert", "metrics-server-cert"] {
        let one = ListParams::default().fields(&format!("metadata.name={name}"));
        secrets.list(&one).await.unwrap();
        refused(secrets.delete(name, &DeleteParams::default()).await, "deleting a secret");
    }
    let profiles: Api<SeccompProfile> = Api::all(client.clone());
    let label = Patch::Merge(json!({"metadata": {"labels": {"a": "b"}}}));
    refused(profiles.patch("rights", &PatchParams::default(), &label).await, "labelling a profile");
    secrets_and_pods_are_refused(&client).await;
}
