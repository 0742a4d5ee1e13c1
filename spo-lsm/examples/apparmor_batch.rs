//! Loads AppArmor profiles on this host, as root: each by itself, then all at once, then once more, round by round; prints how long each
//! took, in milliseconds: `<each|together|again> <ms>`, and as `parsed <0|1>` whether the last pass has run any program. `cargo xtask bench
//! apparmor` runs it in a guest.
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, reason = "what it measured is all that it is for")]

use std::time::Instant;

use spo_api::apparmor::v1::AppArmorProfileSpec;
use spo_lsm::host::{AppArmorHost, Change, Host, Step};
use spo_lsm::{Policy, check, parse, render};

type Error = Box<dyn std::error::Error>;

fn main() -> Result<(), Error> {
    let mut arguments = std::env::args().skip(1);
    let rounds: u32 = arguments.next().ok_or("usage: apparmor_batch ROUNDS [COUNT]")?.parse()?;
    let count: usize = arguments.next().map_or(Ok(50), |count| count.parse())?;
    let mut host = AppArmorHost::new();
    host.support()?;
    let steps = (0..count).map(install).collect::<Result<Vec<_>, _>>()?;
    for _ in 0..rounds {
        let mut each = 0.0;
        for step in &steps {
            each += apply(&mut host, std::slice::from_ref(step), Change::Written)?;
        }
        clear(&mut host, &steps)?;
        let together = apply(&mut host, &steps, Change::Written)?;
        let before = faults_of_children()?;
        let again = apply(&mut host, &steps, Change::Unchanged)?;
        let parsed = u8::from(faults_of_children()? != before);
        clear(&mut host, &steps)?;
        println!("each {each}\ntogether {together}\nagain {again}\nparsed {parsed}");
    }
    Ok(())
}

/// The page faults of all children that have ended: it grows with any, for no program starts without some.
fn faults_of_children() -> Result<u64, Error> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let (_, numbers) = stat.rsplit_once(')').ok_or("/proc/self/stat has no name")?;
    Ok(numbers.split_whitespace().nth(8).ok_or("/proc/self/stat is short")?.parse()?)
}

fn clear(host: &mut AppArmorHost, steps: &[Step]) -> Result<(), Error> {
    let removals: Vec<Step> = steps
        .iter()
        .map(|step| Step::Remove { key: step.key().clone(), file_name: spo_lsm::file_name(step.key()) })
        .collect();
    apply(host, &removals, Change::Removed).map(drop)
}

/// How long it took. Something else than what was expected to happen is an error.
fn apply(host: &mut AppArmorHost, steps: &[Step], expected: Change) -> Result<f64, Error> {
    let begin = Instant::now();
    let outcomes = host.apply(steps);
    let took = begin.elapsed().as_secs_f64() * 1000.0;
    for outcome in outcomes {
        let change = outcome.result?;
        if change != expected {
            return Err(format!("{}: {change:?}, and not {expected:?}", outcome.key).into());
        }
    }
    Ok(took)
}

/// A profile of the size that recordings have.
fn install(number: usize) -> Result<Step, Error> {
    let read: Vec<String> = (0..40).map(|at| format!("/srv/{number}/read/{at}/**")).collect();
    let written: Vec<String> = (0..10).map(|at| format!("/srv/{number}/written/{at}/*")).collect();
    let spec = serde_json::json!({"abstract": {
        "executable": {"allowedExecutables": ["/bin/sh", "/usr/bin/env"]},
        "filesystem": {"readOnlyPaths": read, "readWritePaths": written},
        "network": {"allowedProtocols": {"allowTcp": true}},
    }});
    let spec: AppArmorProfileSpec = serde_json::from_value(spec)?;
    let name = format!("batch-{number}").parse()?;
    let profile = parse(name, &spec).map_err(|violations| violations[0].to_string())?;
    let checked = check(&profile, &Policy::default()).map_err(|violations| violations[0].to_string())?;
    Ok(Step::Install { artifact: render(&checked), checked })
}
