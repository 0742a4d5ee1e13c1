//! What the daemon, the manager and the webhook server have in memory: with nothing to do, with what
//! webhooks have to know, and with a thousand profiles. Nodes with all modules on are measured in guests: see `modules`.

use std::time::Duration;

use anyhow::Result;

use super::Figure;
use super::measure::mib;
use super::operator::Stage;
use super::process::{Memory, Process};

const PROFILES: &str = "1000";
/// Recordings and bindings, half of the number each.
const FRONT: &str = "3000";
/// So long after the last event, what is in memory is what stays: allocator and connections have given back what they do not need.
const SETTLE: Duration = Duration::from_secs(10);

pub(crate) fn run() -> Result<Vec<Figure>> {
    let mut figures = super::modules::figures()?;
    let stage = Stage::new()?;
    let (running, webhook) = (stage.run()?, stage.webhook()?);
    let processes = [("daemon", &running.daemon, 75.0, 20.0), ("manager", &running.manager, 78.0, 20.0)];
    std::thread::sleep(SETTLE);
    for (name, process, reference, bar) in processes.into_iter().chain([("webhook", &webhook, 72.0, 15.0)]) {
        figures.extend(idle(name, process.memory()?, reference, bar));
    }
    stage.load(&["front", FRONT])?;
    std::thread::sleep(SETTLE);
    let known = webhook.memory()?;
    figures.push(
        Figure::new("memory", "webhook, 3,000 recordings and bindings, RSS", mib(known.rss_bytes), "MiB").at_most(40.0),
    );
    stage.load(&["create", PROFILES])?;
    std::thread::sleep(SETTLE);
    for (name, process, ..) in processes {
        figures.extend(loaded(name, process)?);
    }
    Ok(figures)
}

fn idle(name: &str, memory: Memory, reference: f64, bar: f64) -> [Figure; 2] {
    [
        Figure::new("memory", format!("{name}, idle, RSS"), mib(memory.rss_bytes), "MiB")
            .baseline(reference)
            .at_most(bar),
        Figure::new("memory", format!("{name}, idle, anonymous"), mib(memory.anonymous_bytes), "MiB").baseline(15.0),
    ]
}

fn loaded(name: &str, process: &Process) -> Result<[Figure; 2]> {
    let memory = process.memory()?;
    Ok([
        Figure::new("memory", format!("{name}, 1,000 profiles, RSS"), mib(memory.rss_bytes), "MiB"),
        Figure::new("memory", format!("{name}, 1,000 profiles, anonymous"), mib(memory.anonymous_bytes), "MiB"),
    ])
}
