//! Watching without an end.

use std::fmt;
use std::time::Duration;

use futures::stream::BoxStream;
use futures::{Stream, StreamExt};
use kube::runtime::watcher::{self, Config, Event};
use kube::{Api, Resource};
use serde::de::DeserializeOwned;

/// The first pause between two tries to reach the API server, and the longest.
const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// Every change of the objects of `api`, for ever; `what` names them in logs.
///
/// The first objects come by a streaming list, which neither side has to hold in memory; an API server too old for it is asked
/// for pages. A lost connection is taken up again where it broke off, with pauses that grow to five seconds.
pub(super) fn forever<K>(api: Api<K>, config: Config, what: String) -> impl Stream<Item = Event<K>> + Send + 'static
where
    K: Resource + Clone + fmt::Debug + DeserializeOwned + Send + 'static,
{
    let start = move |config: Config| -> Events<K> { watcher::watcher(api.clone(), config).boxed() };
    let state = (start(config.clone().streaming_lists()), PAUSE_MIN, true);
    futures::stream::unfold((state, start), move |((mut events, mut pause, mut streaming), start)| {
        let (config, what) = (config.clone(), what.clone());
        async move {
            loop {
                match events.next().await? {
                    Ok(event) => {
                        let pause = pause_after(&event, pause);
                        return Some((event, ((events, pause, streaming), start)));
                    }
                    Err(error) if streaming && refuses_streaming(&error) => {
                        tracing::info!(what, "the API server knows no streaming lists, asking for pages");
                        (events, streaming) = (start(config.clone()), false);
                    }
                    Err(error) => {
                        tracing::warn!(
                            what,
                            error = &error as &dyn std::error::Error,
                            "watch interrupted, trying again"
                        );
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

type Events<K> = BoxStream<'static, watcher::Result<Event<K>>>;

/// An API server without the feature calls `sendInitialEvents` a forbidden field: status 422.
fn refuses_streaming(error: &watcher::Error) -> bool {
    matches!(error, watcher::Error::WatchStartFailed(kube::Error::Api(status)) if status.code == 422)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_that_is_only_begun_does_not_make_the_next_pause_short_again() {
        assert_eq!(pause_after(&Event::<()>::Init, PAUSE_MAX), PAUSE_MAX);
        for shown in [Event::InitApply(()), Event::InitDone, Event::Apply(()), Event::Delete(())] {
            assert_eq!(pause_after(&shown, PAUSE_MAX), PAUSE_MIN, "{shown:?}");
        }
    }
}
