//! The API server or the webhook goes away while clients list and watch the old version.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::StreamExt as _;
use kube::Client;
use kube::api::{ListParams, Patch, PatchParams, PostParams, WatchParams};
use serde_json::json;
use spo_api::Kind;
use spo_tests::wait;

use crate::front::Front;
use crate::kinds::{api, example};

const KIND: Kind = Kind::SeccompProfile;

/// Clients that list, write and watch the old version without pause, and count what happens to them.
struct Load {
    counts: Arc<Counts>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

#[derive(Default)]
struct Counts {
    good: AtomicU64,
    bad: AtomicU64,
    last: std::sync::Mutex<String>,
}

impl Counts {
    fn add<T>(&self, outcome: kube::Result<T>) {
        match outcome {
            Ok(_) => drop(self.good.fetch_add(1, Ordering::SeqCst)),
            Err(error) => {
                self.bad.fetch_add(1, Ordering::SeqCst);
                *self.last.lock().unwrap() = error.to_string();
            }
        }
    }
}

impl Load {
    async fn start(client: &Client) -> Self {
        let new = api(client, KIND, "v1");
        for number in 0..20 {
            new.create(&PostParams::default(), &example(KIND, "v1", &format!("load-{number}"))).await.unwrap();
        }
        let counts = Arc::new(Counts::default());
        let old = api(client, KIND, KIND.old_version());
        let lists = {
            let (old, counts) = (old.clone(), counts.clone());
            tokio::spawn(async move {
                loop {
                    counts.add(old.list(&ListParams::default()).await);
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            })
        };
        let watches = {
            let (old, counts) = (old.clone(), counts.clone());
            tokio::spawn(async move {
                loop {
                    let events = old.watch(&WatchParams::default().timeout(1), "0").await;
                    match events {
                        Err(error) => counts.add::<()>(Err(error)),
                        Ok(events) => {
                            let mut events = std::pin::pin!(events);
                            while let Some(event) = events.next().await {
                                counts.add(event);
                            }
                        }
                    }
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            })
        };
        let writes = {
            let counts = counts.clone();
            tokio::spawn(async move {
                for number in 0_u64.. {
                    let label = Patch::Merge(json!({"metadata": {"labels": {"n": number.to_string()}}}));
                    counts.add(old.patch("load-0", &PatchParams::default(), &label).await);
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            })
        };
        Self { counts, tasks: vec![lists, watches, writes] }
    }

    fn bad(&self) -> u64 {
        self.counts.bad.load(Ordering::SeqCst)
    }

    /// Waits until clients are served again, then demands that for a while nothing fails.
    async fn recovers(&self) {
        let good = self.counts.good.load(Ordering::SeqCst);
        wait::until_seen("clients to be served", || {
            (self.counts.good.load(Ordering::SeqCst) > good + 20).then_some(())
        })
        .await;
        self.is_served().await;
    }

    /// For two seconds every request of the load succeeds.
    async fn is_served(&self) {
        let (good, bad) = (self.counts.good.load(Ordering::SeqCst), self.bad());
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(self.bad(), bad, "failed after recovery: {}", self.counts.last.lock().unwrap());
        assert!(self.counts.good.load(Ordering::SeqCst) > good, "nothing was asked");
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.tasks.iter().for_each(tokio::task::JoinHandle::abort);
    }
}

#[tokio::test]
async fn after_a_restart_of_the_webhook_no_conversion_fails() {
    let Some((front, webhook)) = Front::take().await else { return };
    let load = Load::start(&front.server.client).await;
    load.recovers().await;
    webhook.kill();
    wait::until_seen("a request to fail", || (load.bad() > 0).then_some(())).await;
    let _webhook = front.webhook();
    load.recovers().await;
}

#[tokio::test]
async fn after_a_restart_of_the_api_server_no_conversion_fails() {
    let Some((front, _webhook)) = Front::take().await else { return };
    let load = Load::start(&front.server.client).await;
    load.recovers().await;
    front.server.restart().await;
    load.recovers().await;
}
