//! Lists the profiles of a cluster and follows what becomes of them: `cargo run -p spo-api --example watch_profiles`.
//!
//! The cluster is that of `kubectl`: `$KUBECONFIG`, or the account of the pod that this runs in.
#![expect(clippy::print_stdout, reason = "an example prints")]

use anyhow::{Context, Result};
use futures::TryStreamExt as _;
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Client, ResourceExt as _};
use spo_api::seccomp::v1::SeccompProfile;
use spo_api::{ProfileState, SecurityProfile as _};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let client = Client::try_default().await.context("no cluster to ask")?;
    let profiles: Api<SeccompProfile> = Api::all(client);
    let changes = watcher(profiles, watcher::Config::default()).default_backoff().applied_objects();
    changes
        .try_for_each(async |profile| {
            let state = profile.state().unwrap_or(ProfileState::Pending);
            let path = profile.status.as_ref().and_then(|status| status.localhost_profile.as_deref());
            println!("{}: {state}, {}", profile.name_any(), path.unwrap_or("not installed yet"));
            Ok(())
        })
        .await
        .context("the watch ended")
}
