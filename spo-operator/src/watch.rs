//! Watching objects without keeping them: small types to decode into, and a stream that never ends.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use futures::{Stream, StreamExt};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{OwnerReference, Time};
use kube::api::ObjectMeta;
use kube::runtime::watcher::{self, Event};
use kube::{Api, Resource};
use serde::{Deserialize, Deserializer};

/// The longest pause between two tries to reach the API server.
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// The first pause.
const PAUSE_MIN: Duration = Duration::from_millis(100);

/// A kind of object, as its address needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Kind {
    pub(crate) group: &'static str,
    pub(crate) version: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) plural: &'static str,
}

impl Kind {
    /// What the API server calls objects of `kind`, in the version that they are stored in.
    pub(crate) const fn stored(kind: spo_api::Kind) -> Self {
        let (group, version) = (spo_api::GROUP, spo_api::STORED_VERSION);
        Self { group, version, kind: kind.as_str(), plural: kind.plural() }
    }
}

/// What this program wants of any object: who it is, and of `spec` and `status` what the types say; here which node it is about, and
/// the status as it stands.
///
/// The rest, `managedFields` and the whole of a profile's `spec` among it, is skipped while it is read. `status` is read as
/// plain JSON, so that one that does not fit its schema blinds nobody for the others.
#[derive(Debug, Clone, Deserialize)]
#[serde(bound = "Spec: Default + Deserialize<'de>, Status: Default + Deserialize<'de>")]
pub(crate) struct Slim<Spec = SlimSpec, Status = serde_json::Value> {
    #[serde(default, deserialize_with = "slim_metadata")]
    pub(crate) metadata: ObjectMeta,
    #[serde(default)]
    pub(crate) spec: Spec,
    #[serde(default)]
    pub(crate) status: Status,
}

/// The one field that is wanted of any `spec`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SlimSpec {
    #[serde(default)]
    pub(crate) node_name: Option<String>,
}

/// The part of `metadata` that is wanted.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SlimMetadata {
    name: Option<String>,
    namespace: Option<String>,
    uid: Option<String>,
    resource_version: Option<String>,
    generation: Option<i64>,
    labels: Option<BTreeMap<String, String>>,
    finalizers: Option<Vec<String>>,
    owner_references: Option<Vec<OwnerReference>>,
    deletion_timestamp: Option<Time>,
}

fn slim_metadata<'de, D: Deserializer<'de>>(from: D) -> Result<ObjectMeta, D::Error> {
    let slim = SlimMetadata::deserialize(from)?;
    Ok(ObjectMeta {
        name: slim.name,
        namespace: slim.namespace,
        uid: slim.uid,
        resource_version: slim.resource_version,
        generation: slim.generation,
        labels: slim.labels,
        finalizers: slim.finalizers,
        owner_references: slim.owner_references,
        deletion_timestamp: slim.deletion_timestamp,
        ..ObjectMeta::default()
    })
}

impl<Spec, Status> Resource for Slim<Spec, Status> {
    type DynamicType = Kind;
    type Scope = kube::core::DynamicResourceScope;

    fn kind(kind: &Kind) -> Cow<'_, str> {
        kind.kind.into()
    }

    fn group(kind: &Kind) -> Cow<'_, str> {
        kind.group.into()
    }

    fn version(kind: &Kind) -> Cow<'_, str> {
        kind.version.into()
    }

    fn plural(kind: &Kind) -> Cow<'_, str> {
        kind.plural.into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

/// Every change of the objects of `api`, for ever; `what` names them in logs.
///
/// The first objects come by a streaming list, which neither side has to hold in memory; an API server too old for it is asked
/// for pages. A lost connection is taken up again where it broke off, with pauses that grow to five seconds.
pub(crate) fn forever<K>(
    api: Api<K>,
    config: watcher::Config,
    what: &'static str,
) -> impl Stream<Item = Event<K>> + Send + 'static
where
    K: Resource + Clone + fmt::Debug + serde::de::DeserializeOwned + Send + 'static,
{
    let state = (start(&api, config.clone().streaming_lists()), PAUSE_MIN, true);
    futures::stream::unfold(state, move |(mut events, mut pause, mut streaming)| {
        let (api, config) = (api.clone(), config.clone());
        async move {
            loop {
                match events.next().await? {
                    Ok(event) => return Some((event, (events, PAUSE_MIN, streaming))),
                    Err(error) if streaming && refuses_streaming(&error) => {
                        tracing::info!(%what, "the API server knows no streaming lists, asking for pages");
                        (events, streaming) = (start(&api, config.clone()), false);
                    }
                    // So an API server ends the watches of a kind whose definition was changed; its objects are shown anew.
                    Err(watcher::Error::WatchError(status)) if status.code == 410 => {
                        tracing::debug!(%what, "the watch begins anew");
                    }
                    Err(error) => {
                        tracing::warn!(%what, error = &error as &dyn std::error::Error, "watch interrupted, trying again");
                        tokio::time::sleep(pause).await;
                        pause = (pause * 2).min(PAUSE_MAX);
                    }
                }
            }
        }
    })
}

type Events<K> = futures::stream::BoxStream<'static, watcher::Result<Event<K>>>;

fn start<K>(api: &Api<K>, config: watcher::Config) -> Events<K>
where
    K: Resource + Clone + fmt::Debug + serde::de::DeserializeOwned + Send + 'static,
{
    watcher::watcher(api.clone(), config).boxed()
}

/// An API server without the feature calls `sendInitialEvents` a forbidden field: status 422.
fn refuses_streaming(error: &watcher::Error) -> bool {
    matches!(error, watcher::Error::WatchStartFailed(kube::Error::Api(status)) if status.code == 422)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn managed_fields_and_the_spec_of_a_profile_are_left_out() {
        let object: Slim = serde_json::from_value(serde_json::json!({
            "metadata": {"name": "a", "managedFields": [{"manager": "x"}], "annotations": {"big": "text"}},
            "spec": {"syscalls": [{"names": ["read"]}]},
        }))
        .unwrap();
        assert_eq!(object.metadata, ObjectMeta { name: Some("a".into()), ..ObjectMeta::default() });
        assert!(object.status.is_null());
    }

    #[test]
    fn a_status_of_any_shape_is_read() {
        for status in [serde_json::json!(7), serde_json::json!({"conditions": "none"})] {
            let object = serde_json::json!({"metadata": {"name": "a"}, "status": status});
            serde_json::from_value::<Slim>(object).unwrap();
        }
    }
}
