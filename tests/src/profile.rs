//! SeccompProfiles on the cluster: making them, and waiting for what becomes of them.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use kube::{Api, ResourceExt as _};
use serde_json::Value;
use spo_api::condition::ConditionStatus;
use spo_api::node_status::v1::SecurityProfileNodeStatus;
use spo_api::seccomp::v1::{SeccompProfile, SeccompProfileSpec};
use spo_api::{ProfileKey, ProfileKind, ProfileState, labels};

use crate::cluster::{Cluster, NODE};
use crate::wait;

/// Every SeccompProfile.
#[must_use]
pub fn all(cluster: &Cluster) -> Api<SeccompProfile> {
    Api::all(cluster.client.clone())
}

/// Every node status.
#[must_use]
pub fn statuses(cluster: &Cluster) -> Api<SecurityProfileNodeStatus> {
    Api::all(cluster.client.clone())
}

/// A profile with this specification, as YAML.
///
/// # Panics
/// If the specification is none.
#[must_use]
pub fn of(name: &str, spec: &str) -> SeccompProfile {
    let spec: SeccompProfileSpec = serde_saphyr::from_str(spec).expect("a specification of a SeccompProfile");
    SeccompProfile { metadata: ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() }, spec, status: None }
}

/// Makes a profile; one of the same name that an earlier run left is removed first.
///
/// # Panics
/// If it cannot be made.
pub async fn create(cluster: &Cluster, profile: &SeccompProfile) -> SeccompProfile {
    delete(cluster, &profile.name_any()).await;
    all(cluster).create(&PostParams::default(), profile).await.expect("a SeccompProfile can be made")
}

/// Replaces parts of a profile's specification; gives back the object with its new generation.
///
/// # Panics
/// If it cannot be changed.
pub async fn edit(cluster: &Cluster, name: &str, spec: Value) -> SeccompProfile {
    let patch = Patch::Merge(serde_json::json!({ "spec": spec }));
    all(cluster).patch(name, &PatchParams::default(), &patch).await.expect("a SeccompProfile can be changed")
}

/// Removes a profile, and waits until it is gone.
///
/// # Panics
/// If it cannot be removed.
pub async fn delete(cluster: &Cluster, name: &str) {
    match all(cluster).delete(name, &DeleteParams::default()).await {
        Ok(_) => wait::until_gone(&all(cluster), name).await,
        Err(kube::Error::Api(status)) if status.is_not_found() => {}
        Err(error) => panic!("{name} cannot be removed: {error}"),
    }
}

/// Waits until this node has the current generation of a profile installed, and says so.
///
/// # Panics
/// If it does not come to that.
pub async fn installed(cluster: &Cluster, profile: &SeccompProfile) -> SecurityProfileNodeStatus {
    let name = node_status_name(&profile.name_any());
    let generation = profile.metadata.generation;
    wait::until(&statuses(cluster), &name, "to say Installed", |status| {
        let Some(status) = &status.status else { return false };
        let ready = status.conditions.iter().flatten().find(|condition| condition.r#type == "Ready");
        status.status == Some(ProfileState::Installed)
            && ready
                .is_some_and(|ready| ready.status == ConditionStatus::True && ready.observed_generation == generation)
    })
    .await
}

/// The name of this node's status of a SeccompProfile.
///
/// # Panics
/// If the name is none that a profile can have.
#[must_use]
pub fn node_status_name(profile: &str) -> String {
    let name = profile.parse().expect("a profile's name");
    labels::node_status_name(&ProfileKey { kind: ProfileKind::Seccomp, name }, NODE)
}

/// Waits until the manager says of the current generation of a profile that it can be used.
///
/// # Panics
/// If it does not come to that.
pub async fn ready(cluster: &Cluster, profile: &SeccompProfile) -> SeccompProfile {
    let generation = profile.metadata.generation;
    wait::until(&all(cluster), &profile.name_any(), "to be ready", |profile| {
        let conditions = profile.status.as_ref().and_then(|status| status.conditions.as_deref()).unwrap_or_default();
        let ready = conditions.iter().find(|condition| condition.r#type == "Ready");
        profile.metadata.generation == generation && ready.is_some_and(|ready| ready.status == ConditionStatus::True)
    })
    .await
}

/// The file of a profile on the node, by the path that the container runtime takes.
#[must_use]
pub fn file(cluster: &Cluster, name: &str) -> std::path::PathBuf {
    cluster.node.profiles().join(format!("{name}.json"))
}

/// What the file of a profile says; nothing if there is none.
///
/// # Panics
/// If it is there and no JSON: a file is whole or absent.
#[must_use]
pub fn content(cluster: &Cluster, name: &str) -> Option<Value> {
    let bytes = cluster.node.read(&file(cluster, name)).expect("the node's files can be read")?;
    Some(serde_json::from_slice(&bytes).unwrap_or_else(|error| {
        panic!("the file of {name} is not whole: {error}: {:?}", String::from_utf8_lossy(&bytes))
    }))
}
