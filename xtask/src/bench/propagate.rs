//! A thousand profiles, made at once, until all are Installed: beside a plain client that does as many writes on the same API server,
//! in turns.
//!
//! A profile takes its creation and at most five more writes: the node's status object, its status and an event by the daemon;
//! label and status by the manager. The plain client makes the same six, and waits for nothing.

use std::collections::BTreeMap;

use anyhow::{Context, Result};

use super::Figure;
use super::measure::median;
use super::operator::{Running, Stage};
use crate::run::say;

const PROFILES: u32 = 1000;
/// How often both take their turn.
const ROUNDS: usize = 3;
/// The verbs that change something, as the API server's metrics call them.
const WRITES: [&str; 5] = ["APPLY", "DELETE", "PATCH", "POST", "PUT"];

pub(crate) fn run() -> Result<Vec<Figure>> {
    let stage = Stage::new()?;
    let mut rounds = Vec::new();
    for number in 1..=ROUNDS {
        let round = Round::take(&stage)?;
        say(&format!("round {number} of {ROUNDS}: ours {:.1} s, plain client {:.1} s", round.ours, round.plain));
        rounds.push(round);
    }
    figures(&rounds)
}

/// What one turn of each took.
struct Round {
    plain: f64,
    ours: f64,
    writes: f64,
    lists: f64,
    requests: f64,
    daemon_cpu: f64,
    manager_cpu: f64,
    daemon_start: f64,
    manager_start: f64,
}

impl Round {
    fn take(stage: &Stage) -> Result<Self> {
        let count = PROFILES.to_string();
        let plain = stage.seconds(&["plain", &count])?;
        stage.load(&["clear"])?;
        let Running { daemon, manager } = stage.run()?;
        let before = Requests::now(stage)?;
        let cpu = (daemon.cpu_seconds()?, manager.cpu_seconds()?);
        let ours = stage.seconds(&["create", &count])?;
        // The last event may still be on its way; it is counted below, and the lease beside it is not.
        std::thread::sleep(std::time::Duration::from_secs(2));
        let made = Requests::now(stage)?.since(&before);
        let round = Self {
            plain,
            ours,
            writes: made.writes() / f64::from(PROFILES) - 1.0,
            lists: made.lists(),
            requests: made.all(),
            daemon_cpu: daemon.cpu_seconds()? - cpu.0,
            manager_cpu: manager.cpu_seconds()? - cpu.1,
            daemon_start: daemon.start.as_secs_f64(),
            manager_start: manager.start.as_secs_f64(),
        };
        drop((daemon, manager));
        stage.load(&["clear"])?;
        Ok(round)
    }
}

/// How many requests of which kind the API server has served that are about profiles.
struct Requests(BTreeMap<String, f64>);

impl Requests {
    fn now(stage: &Stage) -> Result<Self> {
        let all: BTreeMap<String, f64> = serde_json::from_value(stage.load(&["requests"])?).context("no counts")?;
        let ours = ["seccompprofiles", "securityprofilenodestatuses", "events", "nodes", "pods"];
        let about = |request: &String| {
            let resource = request.split_once(' ').map_or("", |(_, resource)| resource);
            ours.contains(&resource.split('/').next().unwrap_or_default())
        };
        Ok(Self(all.into_iter().filter(|(request, _)| about(request)).collect()))
    }

    fn since(&self, before: &Self) -> Self {
        let grown = |(request, count): (&String, &f64)| {
            let grown = count - before.0.get(request).copied().unwrap_or_default();
            (grown > 0.0).then(|| (request.clone(), grown))
        };
        Self(self.0.iter().filter_map(grown).collect())
    }

    fn writes(&self) -> f64 {
        self.sum(|verb| WRITES.contains(&verb))
    }

    fn lists(&self) -> f64 {
        self.sum(|verb| verb == "LIST")
    }

    fn all(&self) -> f64 {
        self.sum(|_| true)
    }

    fn sum(&self, counts: impl Fn(&str) -> bool) -> f64 {
        let verb = |request: &str| request.split_once(' ').is_some_and(|(verb, _)| counts(verb));
        self.0.iter().filter(|(request, _)| verb(request)).fold(0.0, |sum, (_, count)| sum + count)
    }
}

fn figures(rounds: &[Round]) -> Result<Vec<Figure>> {
    let middle = |of: fn(&Round) -> f64| median(&rounds.iter().map(of).collect::<Vec<_>>()).context("no rounds");
    let figure = |metric: &str, of: fn(&Round) -> f64, unit| {
        Ok::<_, anyhow::Error>(Figure::new("propagate", metric, middle(of)?, unit))
    };
    Ok(vec![
        figure("1,000 profiles created → all Installed", |round| round.ours, "s")?.baseline(356.0),
        figure("plain client, as many writes", |round| round.plain, "s")?,
        figure("ours / plain client", |round| round.ours / round.plain, "ratio")?.at_most(1.5),
        figure("writes per profile", |round| round.writes, "requests")?.at_most(5.0),
        figure("LISTs after start", |round| round.lists, "requests")?.at_most(0.0),
        figure("requests in all, creations among them", |round| round.requests, "requests")?.baseline(20_432.0),
        figure("daemon, CPU", |round| round.daemon_cpu, "s")?.baseline(14.5).at_most(1.45),
        figure("manager, CPU", |round| round.manager_cpu, "s")?.baseline(23.1).at_most(2.31),
        figure("daemon, start to ready", |round| round.daemon_start, "s")?.baseline(0.26).at_most(1.0),
        figure("manager, start to ready", |round| round.manager_start, "s")?.baseline(24.7).at_most(2.0),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn requests(counts: &[(&str, f64)]) -> Requests {
        Requests(counts.iter().map(|(request, count)| ((*request).to_owned(), *count)).collect())
    }

    #[test]
    fn writes_and_lists_are_told_apart_by_their_verb() {
        let before = requests(&[("POST seccompprofiles", 5.0), ("LIST nodes", 2.0)]);
        let after = requests(&[
            ("POST seccompprofiles", 15.0),
            ("APPLY seccompprofiles/status", 10.0),
            ("LIST nodes", 2.0),
            ("WATCH seccompprofiles", 1.0),
        ]);
        let made = after.since(&before);
        assert_eq!((made.writes(), made.lists(), made.all()), (20.0, 0.0, 21.0));
    }
}
