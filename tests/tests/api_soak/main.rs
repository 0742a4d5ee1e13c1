//! A script of changes to profiles, while the daemon, the manager and the API server are killed at random: it ends in exactly the
//! state that is desired, whatever happened when.
//!
//! Each seed is a script of its own. `SPO_SOAK_SEEDS` says how many are played, from `SPO_SOAK_FROM` on; `cargo xtask soak faults` plays a hundred.
#![expect(clippy::unwrap_used, reason = "what helps a test fails as the test does")]

mod script;
mod stage;
mod wish;

use spo_tests::api::server::Server;

use script::script;
use stage::Stage;

/// So many changes are a script.
const CHANGES: usize = 200;
/// So many scripts are played where nothing else is said.
const SEEDS: u64 = 3;

#[tokio::test]
async fn a_script_with_processes_killed_at_any_point_ends_in_the_desired_state() {
    let number = |variable: &str| std::env::var(variable).ok().map(|text| text.parse::<u64>().unwrap());
    let (first, count) = (number("SPO_SOAK_FROM").unwrap_or(0), number("SPO_SOAK_SEEDS").unwrap_or(SEEDS));
    for seed in first..first + count {
        let Some(server) = Server::take().await else { return };
        let mut stage = Stage::new(server);
        for change in script(seed, CHANGES) {
            stage.play(change).await;
        }
        let told = stage.ends_as_desired(seed).await;
        println!("seed {seed}: {told}");
    }
}
