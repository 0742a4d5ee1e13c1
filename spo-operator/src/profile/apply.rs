//! Carrying out what was planned: each action is one request.

use std::time::Duration;

use kube::api::{DeleteParams, Patch, PatchParams};
use kube::{Api, Client};
use serde_json::{Value, json};
use spo_api::{GROUP, ProfileKey, labels};

use super::plan::{Action, Status};
use super::{NODE_STATUS, resource};
use crate::watch::Slim;

/// The name under which this program owns fields.
const FIELD_MANAGER: &str = "spo-operator";
/// A request that takes longer is given up; the plan is made anew then.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A write that did not happen.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApplyError {
    /// The API server refused it or could not be reached.
    #[error("cannot write")]
    Request(#[source] kube::Error),
    /// There was no answer.
    #[error("the API server did not answer within {} seconds", TIMEOUT.as_secs())]
    Timeout,
}

/// Carries out `actions` in order. Gives back the profile as it is after the last write to it.
pub(crate) async fn apply(client: &Client, key: &ProfileKey, actions: &[Action]) -> Result<Option<Slim>, ApplyError> {
    let mut newest = None;
    for action in actions {
        let request = tokio::time::timeout(TIMEOUT, one(client, key, action));
        match request.await {
            Ok(Ok(object)) => newest = object.or(newest),
            Ok(Err(kube::Error::Api(status))) if status.code == 404 && of_a_node(action) => {}
            // The profile is gone, or someone was faster: the watch tells, and what is left is planned then.
            Ok(Err(kube::Error::Api(status))) if status.code == 404 || status.code == 409 => break,
            Ok(Err(error)) => return Err(ApplyError::Request(error)),
            Err(_elapsed) => return Err(ApplyError::Timeout),
        }
    }
    Ok(newest)
}

fn of_a_node(action: &Action) -> bool {
    matches!(action, Action::DeleteNodeStatus { .. })
}

async fn one(client: &Client, key: &ProfileKey, action: &Action) -> kube::Result<Option<Slim>> {
    let profiles: Api<Slim> = Api::all_with(client.clone(), &resource(key.kind));
    let name = key.name.as_str();
    let ours = PatchParams::apply(FIELD_MANAGER).force();
    match action {
        Action::Label => profiles.patch(name, &ours, &Patch::Apply(label(key))).await.map(Some),
        Action::Status(status) => profiles.patch_status(name, &ours, &Patch::Apply(body(key, status))).await.map(Some),
        Action::Finalizers { keep, resource_version } => {
            let params = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
            let patch = json!({"metadata": {"finalizers": keep, "resourceVersion": resource_version.to_string()}});
            tracing::info!(profile = %key, "removing finalizers that a reference operator left");
            profiles.patch(name, &params, &Patch::Merge(patch)).await.map(Some)
        }
        Action::DeleteNodeStatus { node, legacy_name } => {
            let statuses: Api<Slim> = Api::all_with(client.clone(), &NODE_STATUS);
            let name = legacy_name.as_deref().map_or_else(|| labels::node_status_name(key, node), str::to_owned);
            tracing::info!(profile = %key, node = %node, "deleting the status of a node that is gone");
            statuses.delete(&name, &DeleteParams::default()).await.map(|_| None)
        }
    }
}

fn label(key: &ProfileKey) -> Value {
    let id = labels::profile_id(key.kind, key.name.as_str());
    json!({
        "apiVersion": format!("{GROUP}/v1"),
        "kind": key.kind.as_str(),
        "metadata": {"name": key.name.as_str(), "labels": {labels::PROFILE_ID: id}},
    })
}

fn body(key: &ProfileKey, status: &Status) -> Value {
    let mut fields = json!({"status": status.state, "conditions": [status.ready]});
    if let Some(path) = &status.localhost_profile {
        fields["localhostProfile"] = path.as_str().into();
    }
    json!({
        "apiVersion": format!("{GROUP}/v1"),
        "kind": key.kind.as_str(),
        "metadata": {"name": key.name.as_str()},
        "status": fields,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use spo_api::ProfileKind;

    #[test]
    fn s9_a_name_of_69_characters_gets_the_hashed_label() {
        let key = ProfileKey { kind: ProfileKind::Seccomp, name: "n".repeat(69).parse().unwrap() };
        let label = label(&key)["metadata"]["labels"][labels::PROFILE_ID].as_str().unwrap().to_owned();
        assert_eq!(label.len(), 63);
        assert_eq!(label, labels::profile_id(key.kind, key.name.as_str()));
    }
}
