//! All of ours on the cluster, from the generated manifests, with their roles.

use anyhow::{Context, Result};
use k8s_openapi::api::admissionregistration::v1::MutatingWebhookConfiguration;
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{DeleteParams, DynamicObject, ListParams};
use kube::{Api, ResourceExt as _};
use tokio::sync::OnceCell;

use crate::cluster::{Cluster, NODE};
use crate::{manifest, wait};

/// The namespace of the operator.
pub const NAMESPACE: &str = "security-profiles-operator";

/// The name of the daemon's DaemonSet, and of the label `name` of its pods.
pub const DAEMON: &str = "spod";

/// The Deployment of the webhook server.
const WEBHOOK: &str = "security-profiles-operator-webhook";

/// The folder that the manifests take for the kubelet's.
const USUAL_KUBELET: &str = "/var/lib/kubelet";

/// The cluster with the operator on it; installs that for the first test that asks. Without a cluster the test is skipped.
///
/// # Panics
/// If it cannot be installed.
pub async fn cluster() -> Option<Cluster> {
    static INSTALLED: OnceCell<()> = OnceCell::const_new();
    let cluster = Cluster::connect().await?;
    let installed = INSTALLED.get_or_try_init(|| install(&cluster)).await;
    installed.unwrap_or_else(|error| panic!("the operator cannot be installed: {error:#}"));
    Some(cluster)
}

async fn install(cluster: &Cluster) -> Result<()> {
    let crds: Api<CustomResourceDefinition> = Api::all(cluster.client.clone());
    for crd in manifest::definitions()? {
        manifest::apply_objects(&cluster.client, std::slice::from_ref(&crd)).await?;
        wait::until(&crds, &crd.name_any(), "to be served", manifest::is_served).await;
    }
    let text = manifest::text("deploy/manifests/operator.yaml")?;
    let kubelet = cluster.node.kubelet().to_str().context("the kubelet's folder is not UTF-8")?;
    let mut objects: Vec<DynamicObject> = manifest::objects(&text.replace(USUAL_KUBELET, kubelet))?;
    // A cluster that was kept may run another image of the same name; a change of the template has the pods replaced.
    for template in objects.iter_mut().filter_map(|object| object.data.pointer_mut("/spec/template/metadata")) {
        template["annotations"]["spo-tests/image"] = cluster.image_digest.as_str().into();
    }
    keep_off_guests(&mut objects);
    manifest::apply_objects(&cluster.client, &objects).await?;
    let deployments: Api<Deployment> = Api::namespaced(cluster.client.clone(), NAMESPACE);
    wait::until(&deployments, NAMESPACE, "to be rolled out", is_rolled_out).await;
    // The API server answers with 429 while it makes the storage of a kind anew, which it does when the kind's definition changes.
    for crd in manifest::definitions()? {
        wait::until(&crds, &crd.name_any(), "to trust the server of conversions", trusts_its_webhook).await;
    }
    daemon_ready(cluster).await;
    Ok(())
}

fn trusts_its_webhook(definition: &CustomResourceDefinition) -> bool {
    let conversion = definition.spec.conversion.as_ref().and_then(|conversion| conversion.webhook.as_ref());
    conversion.is_none_or(|webhook| webhook.client_config.as_ref().is_some_and(|config| config.ca_bundle.is_some()))
}

/// What has to run on any one node runs on that whose processor is not emulated.
fn keep_off_guests(objects: &mut [DynamicObject]) {
    for object in objects {
        let is_deployment = object.types.as_ref().is_some_and(|types| types.kind == "Deployment");
        if let Some(spec) = object.data.pointer_mut("/spec/template/spec").filter(|_| is_deployment) {
            spec["nodeSelector"]["kubernetes.io/hostname"] = NODE.into();
        }
    }
}

/// The same with the webhook server and its configurations.
///
/// # Panics
/// If they cannot be installed.
pub async fn cluster_with_webhooks() -> Option<Cluster> {
    static INSTALLED: OnceCell<()> = OnceCell::const_new();
    let cluster = cluster().await?;
    let installed = INSTALLED.get_or_try_init(|| install_webhooks(&cluster)).await;
    installed.unwrap_or_else(|error| panic!("the webhooks cannot be installed: {error:#}"));
    Some(cluster)
}

async fn install_webhooks(cluster: &Cluster) -> Result<()> {
    let deployments: Api<Deployment> = Api::namespaced(cluster.client.clone(), NAMESPACE);
    wait::until(&deployments, WEBHOOK, "to be rolled out", is_rolled_out).await;
    for file in ["webhooks.yaml", "webhooks-exec.yaml"] {
        manifest::apply(&cluster.client, &manifest::text(&format!("deploy/manifests/{file}"))?).await?;
    }
    let configurations: Api<MutatingWebhookConfiguration> = Api::all(cluster.client.clone());
    for name in ["spo-mutating-webhook-configuration", "spo-exec-webhook-configuration"] {
        wait::until(&configurations, name, "to hold a CA", |configuration| {
            configuration.webhooks.iter().flatten().all(|webhook| webhook.client_config.ca_bundle.is_some())
        })
        .await;
    }
    Ok(())
}

fn is_rolled_out(deployment: &Deployment) -> bool {
    let wanted = deployment.spec.as_ref().and_then(|spec| spec.replicas);
    deployment.status.as_ref().is_some_and(|status| {
        status.observed_generation == deployment.metadata.generation
            && status.updated_replicas == wanted
            && status.available_replicas == wanted
    })
}

/// Waits until the daemon is ready on every node.
///
/// # Panics
/// If it does not come to that.
pub async fn daemon_ready(cluster: &Cluster) {
    // All nodes are ready by now, those of a cluster that somebody has brought up with guests as well.
    let nodes = i32::try_from(1 + cluster.guests.len()).expect("a few nodes");
    wait::until(&daemon_sets(cluster), DAEMON, "to be rolled out", |set| {
        set.status.as_ref().is_some_and(|status| {
            status.observed_generation == set.metadata.generation
                && status.desired_number_scheduled >= nodes
                && status.updated_number_scheduled == Some(status.desired_number_scheduled)
                && status.number_available == Some(status.desired_number_scheduled)
        })
    })
    .await;
}

/// The DaemonSet of the daemon is among these.
#[must_use]
pub fn daemon_sets(cluster: &Cluster) -> Api<DaemonSet> {
    Api::namespaced(cluster.client.clone(), NAMESPACE)
}

/// The pods of the operator.
#[must_use]
pub fn pods(cluster: &Cluster) -> Api<Pod> {
    Api::namespaced(cluster.client.clone(), NAMESPACE)
}

/// The pod of the daemon that is not on its way out, if there is one.
///
/// # Panics
/// If pods cannot be listed.
pub async fn daemon_pod(cluster: &Cluster) -> Option<Pod> {
    let daemons = ListParams::default().labels(&format!("name={DAEMON}"));
    let pods = pods(cluster).list(&daemons).await.expect("pods can be listed");
    pods.items.into_iter().find(|pod| pod.metadata.deletion_timestamp.is_none())
}

/// Has the pod of the daemon killed at once; the DaemonSet makes another.
///
/// # Panics
/// If there is none, or it cannot be removed.
pub async fn kill_daemon(cluster: &Cluster) {
    let pod = daemon_pod(cluster).await.expect("the daemon runs");
    let at_once = DeleteParams::default().grace_period(0);
    pods(cluster).delete(&pod.name_any(), &at_once).await.expect("a pod can be removed");
}
