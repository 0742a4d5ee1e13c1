//! Namespaces for the length of a test.

use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use kube::api::{DeleteParams, PostParams};
use kube::{Api, Client};
use serde_json::json;

use crate::wait;

/// Makes a namespace in which pods can run, and gives back its name.
///
/// # Panics
/// If it cannot be made.
pub async fn create(client: &Client) -> String {
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let wanted = serde_json::from_value(json!({"metadata": {"generateName": "test-"}})).expect("a namespace");
    let made = namespaces.create(&PostParams::default(), &wanted).await.expect("a namespace can be made");
    let name = made.metadata.name.expect("the API server named it");
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), &name);
    // Pods are refused before it is there.
    wait::until(&accounts, "default", "to be there", |_| true).await;
    name
}

/// Has a namespace removed, with all that is in it. Nobody waits for it.
///
/// # Panics
/// If it cannot be removed.
pub async fn delete(client: &Client, name: &str) {
    let namespaces: Api<Namespace> = Api::all(client.clone());
    namespaces.delete(name, &DeleteParams::default()).await.expect("a namespace can be removed");
}
