//! Watching objects without keeping them: small types to decode into, and a stream that never ends.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use futures::{Stream, StreamExt};
use kube::api::ObjectMeta;
use kube::runtime::watcher::{self, Event};
use kube::{Api, Resource};
use serde::de::IgnoredAny;
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

/// What this program wants of any object: who it is, and of `spec` and `status` what the types say; by default nothing, and the status
/// as it stands.
///
/// The rest, `managedFields` and the whole of a profile's `spec` among it, is skipped while it is read. `status` is read as
/// plain JSON, so that one that does not fit its schema blinds nobody for the others. Annotations are read only where they are wanted.
#[derive(Debug, Clone, Deserialize)]
#[serde(bound = "Spec: Default + Deserialize<'de>, Status: Default + Deserialize<'de>")]
pub(crate) struct Slim<Spec = IgnoredAny, Status = serde_json::Value, const ANNOTATED: bool = false> {
    #[serde(default, deserialize_with = "metadata::<_, ANNOTATED>")]
    pub(crate) metadata: ObjectMeta,
    #[serde(default)]
    pub(crate) spec: Spec,
    #[serde(default)]
    pub(crate) status: Status,
}

fn metadata<'de, D: Deserializer<'de>, const ANNOTATED: bool>(from: D) -> Result<ObjectMeta, D::Error> {
    if ANNOTATED { spo_api::metadata::annotated(from) } else { spo_api::metadata::slim(from) }
}

impl<Spec, Status, const ANNOTATED: bool> Resource for Slim<Spec, Status, ANNOTATED> {
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
                    Ok(event) => {
                        let pause = pause_after(&event, pause);
                        return Some((event, (events, pause, streaming)));
                    }
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

/// How long the pause after the next failure is. That a list is begun is said before the API server was asked for it, so that
/// only what it showed proves that it answers.
fn pause_after<K>(event: &Event<K>, pause: Duration) -> Duration {
    if let Event::Init = event { pause } else { PAUSE_MIN }
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
    fn a_list_that_is_only_begun_does_not_make_the_next_pause_short_again() {
        assert_eq!(pause_after(&Event::<()>::Init, PAUSE_MAX), PAUSE_MAX);
        for shown in [Event::InitApply(()), Event::InitDone, Event::Apply(()), Event::Delete(())] {
            assert_eq!(pause_after(&shown, PAUSE_MAX), PAUSE_MIN, "{shown:?}");
        }
    }

    #[test]
    fn a_status_of_any_shape_is_read() {
        for status in [serde_json::json!(7), serde_json::json!({"conditions": "none"})] {
            let object = serde_json::json!({"metadata": {"name": "a"}, "status": status});
            serde_json::from_value::<Slim>(object).unwrap();
        }
    }
}
