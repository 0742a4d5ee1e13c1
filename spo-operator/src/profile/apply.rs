//! Carrying out what was planned: each action is one request.

use std::time::Duration;

use k8s_openapi::api::core::v1::ObjectReference;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, Preconditions};
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::{Api, Client};
use serde_json::{Value, json};
use spo_api::{GROUP, Kind, ProfileKey, labels};

use super::decode::{Uid, place_field};
use super::plan::{Action, Status, Why};
use super::{Object, Subject};
use crate::watch;

/// The name under which this program owns fields.
const FIELD_MANAGER: &str = "spo-operator";
/// What the reference operator calls the event about a profile that the configuration forbids.
const NOT_ALLOWED: &str = "ProfileNotAllowed";
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

/// Who writes.
#[derive(Clone)]
pub(crate) struct Writer {
    client: Client,
    events: Recorder,
}

/// Carries out `actions` in order. Gives back the object as it is after the last write to it.
pub(crate) async fn apply(
    writer: &Writer,
    subject: &Subject,
    actions: &[Action],
) -> Result<Option<Object>, ApplyError> {
    let mut newest = None;
    for action in actions {
        let request = tokio::time::timeout(TIMEOUT, writer.write(subject, action));
        match request.await {
            Ok(Ok(object)) => newest = object.or(newest),
            Ok(Err(kube::Error::Api(status))) if [404, 409].contains(&status.code) && of_a_node(action) => {}
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

impl Writer {
    pub(crate) fn new(client: Client) -> Self {
        let reporter = Reporter { controller: FIELD_MANAGER.to_owned(), instance: None };
        Self { events: Recorder::new(client.clone(), reporter), client }
    }

    async fn write(&self, subject: &Subject, action: &Action) -> kube::Result<Option<Object>> {
        match action {
            Action::Finalizers { keep, resource_version } => {
                let patch = json!({"metadata": {"finalizers": keep, "resourceVersion": resource_version.to_string()}});
                tracing::info!(%subject, finalizers = ?keep, "setting finalizers");
                self.objects(subject).patch(subject.name(), &merging(), &Patch::Merge(patch)).await.map(Some)
            }
            // An applied list would keep the entries of whoever wrote it before, a reference operator's say.
            Action::Workloads(pods) => {
                let patch = json!({"status": {"activeWorkloads": pods}});
                self.objects(subject).patch_status(subject.name(), &merging(), &Patch::Merge(patch)).await.map(Some)
            }
            _ => match subject {
                Subject::Profile(key) => self.write_profile(key, action).await,
                Subject::Binding { .. } => Ok(None), // nothing else is planned for one
            },
        }
    }

    async fn write_profile(&self, key: &ProfileKey, action: &Action) -> kube::Result<Option<Object>> {
        let profiles: Api<Object> = Api::all_with(self.client.clone(), &watch::Kind::stored(key.kind.into()));
        let name = key.name.as_str();
        let ours = PatchParams::apply(FIELD_MANAGER).force();
        match action {
            Action::Metadata { uid, syscalls } => {
                profiles.patch(name, &ours, &Patch::Apply(metadata(key, uid, syscalls.as_deref()))).await.map(Some)
            }
            Action::Status(status) => {
                profiles.patch_status(name, &ours, &Patch::Apply(body(key, status))).await.map(Some)
            }
            Action::DeleteNodeStatus { node, legacy_name, resource_version, stray_of } => {
                if let Some(owner) = stray_of {
                    // A list of one, for the manager may list and watch profiles, and needs no other right to read them.
                    let it = ListParams::default().fields(&format!("metadata.name={name}"));
                    let there = profiles.list_metadata(&it).await?.items;
                    if there.iter().any(|one| Uid::from(one.metadata.uid.as_deref().unwrap_or_default()) == *owner) {
                        return Ok(None); // its watch has yet to show it
                    }
                }
                let why = if stray_of.is_some() { "its profile is gone" } else { "the node is gone" };
                tracing::info!(profile = %key, %node, why, "deleting a node status");
                let name = legacy_name.as_deref().map_or_else(|| labels::node_status_name(key, node), str::to_owned);
                self.delete_node_status(&name, *resource_version).await
            }
            Action::Delete { why, resource_version } => {
                tracing::info!(profile = %key, why = %why.text, "deleting a profile that is not permitted any more");
                profiles.delete(name, &as_seen(*resource_version)).await?;
                self.tell(key, why, "Delete").await;
                Ok(None)
            }
            Action::Event(why) => {
                self.tell(key, why, "Check").await;
                Ok(None)
            }
            Action::Finalizers { .. } | Action::Workloads(_) => Ok(None), // of any subject, and carried out before
        }
    }

    async fn delete_node_status(&self, name: &str, resource_version: u64) -> kube::Result<Option<Object>> {
        let kind = watch::Kind::stored(Kind::SecurityProfileNodeStatus);
        let statuses: Api<Object> = Api::all_with(self.client.clone(), &kind);
        statuses.delete(name, &as_seen(resource_version)).await.map(|_| None)
    }

    /// An event is good to have, and no more: what it says is in the status, too.
    async fn tell(&self, key: &ProfileKey, why: &Why, action: &str) {
        let event = Event {
            type_: EventType::Warning,
            reason: NOT_ALLOWED.to_owned(),
            note: Some(why.text.to_string()),
            action: action.to_owned(),
            secondary: None,
        };
        let about = ObjectReference {
            api_version: Some(format!("{GROUP}/v1")),
            kind: Some(key.kind.to_string()),
            name: Some(key.name.to_string()),
            uid: Some(why.uid.to_string()),
            ..ObjectReference::default()
        };
        if let Err(error) = self.events.publish(&event, &about).await {
            tracing::warn!(profile = %key, error = &error as &dyn std::error::Error, "cannot write an event");
        }
    }

    fn objects(&self, subject: &Subject) -> Api<Object> {
        match subject {
            Subject::Profile(key) => Api::all_with(self.client.clone(), &watch::Kind::stored(key.kind.into())),
            Subject::Binding { namespace, .. } => {
                let kind = watch::Kind::stored(Kind::ProfileBinding);
                Api::namespaced_with(self.client.clone(), namespace, &kind)
            }
        }
    }
}

/// Deletes an object only if it still is as it was seen.
fn as_seen(resource_version: u64) -> DeleteParams {
    let as_seen = Preconditions { resource_version: Some(resource_version.to_string()), uid: None };
    DeleteParams { preconditions: Some(as_seen), ..DeleteParams::default() }
}

fn merging() -> PatchParams {
    PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() }
}

/// Without the `uid`, applying it to a profile that was just deleted would make an empty one: only the SeccompProfile needs a spec.
fn metadata(key: &ProfileKey, uid: &str, syscalls: Option<&str>) -> Value {
    let id = labels::profile_id(key.kind, key.name.as_str());
    let mut metadata = json!({"name": key.name.as_str(), "uid": uid, "labels": {labels::PROFILE_ID: id}});
    if let Some(syscalls) = syscalls {
        metadata["annotations"] = json!({labels::SYSCALLS: syscalls});
    }
    json!({"apiVersion": format!("{GROUP}/v1"), "kind": key.kind.as_str(), "metadata": metadata})
}

fn body(key: &ProfileKey, status: &Status) -> Value {
    let mut fields = json!({"status": status.state, "conditions": [status.ready]});
    if let (Some(field), Some(place)) = (place_field(key.kind), &status.place) {
        fields[field] = place.as_str().into();
    }
    json!({
        "apiVersion": format!("{GROUP}/v1"),
        "kind": key.kind.as_str(),
        "metadata": {"name": key.name.as_str(), "uid": status.uid},
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
        let label = metadata(&key, "u1", None)["metadata"]["labels"][labels::PROFILE_ID].as_str().unwrap().to_owned();
        assert_eq!(label.len(), 63);
        assert_eq!(label, labels::profile_id(key.kind, key.name.as_str()));
    }
}
