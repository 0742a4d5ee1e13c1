//! A script of changes to profiles of every kind, while the daemon, its installer, the kubelets of the nodes, the manager and the API server are
//! killed at random: it ends on every node in exactly the state that is desired, whatever happened when.
//!
//! Each seed is a script of its own. `SPO_SOAK_SEEDS` says how many are played, from `SPO_SOAK_FROM` on; `cargo xtask soak nodes` plays many.

mod hands;
mod script;
mod stage;
mod wish;

use std::time::Instant;

use spo_tests::cluster::Cluster;
use spo_tests::{modules, operator};

use script::script;
use stage::Stage;

/// So many changes are a script.
const CHANGES: usize = 200;
/// So many scripts are played where nothing else is said.
const SEEDS: u64 = 3;

#[tokio::test]
async fn a_script_with_daemon_installer_kubelet_manager_and_api_server_killed_ends_in_the_desired_state_on_every_node()
{
    let Some(_guests) = Cluster::with_guests().await else { return };
    let Some(cluster) = operator::cluster().await else { return };
    let number = |variable: &str| Some(std::env::var(variable).ok()?.parse::<u64>().expect("a number"));
    let (first, count) = (number("SPO_SOAK_FROM").unwrap_or(0), number("SPO_SOAK_SEEDS").unwrap_or(SEEDS));
    modules::on_guests(&cluster, async || {
        let mut stage = Stage::set(&cluster).await;
        for seed in first..first + count {
            let begin = Instant::now();
            for change in script(seed, CHANGES, &cluster.guests) {
                stage.play(change).await;
            }
            let played = begin.elapsed().as_secs();
            let told = stage.ends_as_desired(seed).await;
            println!("seed {seed}: {told}; played in {played} s, right after {} s", begin.elapsed().as_secs());
        }
        stage.clear().await;
    })
    .await;
}
