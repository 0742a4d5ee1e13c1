//! Clients that read and write an old version all the while.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::StreamExt as _;
use kube::api::{DynamicObject, Patch, PatchParams, PostParams};
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, ResourceExt as _};
use serde_json::json;
use spo_api::GROUP;
use tokio::task::JoinHandle;

const PROFILE: &str = "under-load";
/// What the last write says.
const END: &str = "end";

/// A client that writes, and one that watches; each write is converted on its way in, out, and to the watch.
pub(crate) struct Load {
    api: Api<DynamicObject>,
    stop: Arc<AtomicBool>,
    writing: JoinHandle<Vec<kube::Result<()>>>,
    watching: JoinHandle<watcher::Result<()>>,
}

impl Load {
    pub(crate) async fn start(api: &Api<DynamicObject>) -> Self {
        let profile = json!({
            "apiVersion": format!("{GROUP}/v1beta1"),
            "kind": "SeccompProfile",
            "metadata": {"name": PROFILE},
            "spec": {"defaultAction": "SCMP_ACT_ALLOW"},
        });
        api.create(&PostParams::default(), &serde_json::from_value(profile).unwrap()).await.unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let (writer, watched) = (api.clone(), api.clone());
        let stopped = stop.clone();
        let writing = tokio::spawn(async move {
            let mut outcomes = Vec::new();
            while !stopped.load(Ordering::Relaxed) {
                outcomes.push(write(&writer, &outcomes.len().to_string()).await);
            }
            outcomes
        });
        let watching = tokio::spawn(async move { watch(&watched).await });
        Self { api: api.clone(), stop, writing, watching }
    }

    /// Ends it. Every write was taken, and the watch has seen the last.
    pub(crate) async fn ends_without_a_failure(self) {
        self.stop.store(true, Ordering::Relaxed);
        let writes = self.writing.await.unwrap();
        let failed: Vec<_> = writes.iter().filter_map(|write| write.as_ref().err()).collect();
        assert!(failed.is_empty(), "{} of {} writes failed, the first: {}", failed.len(), writes.len(), failed[0]);
        write(&self.api, END).await.unwrap();
        let seen = self.watching.await.unwrap();
        assert!(seen.is_ok(), "the watch broke: {seen:?}");
    }
}

async fn write(api: &Api<DynamicObject>, text: &str) -> kube::Result<()> {
    let patch = Patch::Merge(json!({"metadata": {"annotations": {"writes": text}}}));
    api.patch(PROFILE, &PatchParams::default(), &patch).await.map(drop)
}

/// Watches until the last write is seen. Whenever a definition changes, API servers end the watches of its kind: like any client,
/// this one then begins anew; what it does not expect is a failed conversion.
async fn watch(api: &Api<DynamicObject>) -> watcher::Result<()> {
    let config = watcher::Config::default().fields(&format!("metadata.name={PROFILE}"));
    let mut events = watcher(api.clone(), config).touched_objects().boxed();
    while let Some(event) = events.next().await {
        match event {
            Ok(object) if object.annotations().get("writes").is_some_and(|text| text == END) => break,
            Err(watcher::Error::WatchError(status)) if status.code == 410 => {}
            outcome => drop(outcome?),
        }
    }
    Ok(())
}
