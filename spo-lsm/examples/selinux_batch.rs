//! Installs and removes SELinux profiles on this host, as root: one, then fifty at once, round by round, and prints how long each took, in
//! milliseconds: `<install|remove> <count> <ms>`. `cargo xtask bench selinux` runs it in a guest.
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, reason = "what it measured is all that it is for")]

use std::time::Instant;

use spo_api::selinux::v1::SelinuxProfileSpec;
use spo_lsm::host::{Host, SelinuxHost, Step};
use spo_lsm::{Policy, check, parse, render};

type Error = Box<dyn std::error::Error>;

fn main() -> Result<(), Error> {
    let mut arguments = std::env::args().skip(1);
    let rounds: u32 = arguments.next().ok_or("usage: selinux_batch ROUNDS [COUNT]")?.parse()?;
    let count: usize = arguments.next().map_or(Ok(50), |count| count.parse())?;
    let mut host = SelinuxHost::new();
    host.support()?;
    // What the host lacks of templates is no part of the measurement.
    measure(&mut host, 1)?;
    for _ in 0..rounds {
        for count in [1, count] {
            let (install, remove) = measure(&mut host, count)?;
            println!("install {count} {install}\nremove {count} {remove}");
        }
    }
    Ok(())
}

/// How long it took to install so many profiles, and to remove them.
fn measure(host: &mut SelinuxHost, count: usize) -> Result<(f64, f64), Error> {
    let names = (0..count).map(|number| format!("batch-{number}"));
    let installs = names.map(install).collect::<Result<Vec<_>, _>>()?;
    let removals: Vec<Step> = installs.iter().map(removal).collect();
    Ok((apply(host, &installs)?, apply(host, &removals)?))
}

fn apply(host: &mut SelinuxHost, steps: &[Step]) -> Result<f64, Error> {
    let begin = Instant::now();
    let outcomes = host.apply(steps);
    let took = begin.elapsed().as_secs_f64() * 1000.0;
    outcomes.into_iter().try_for_each(|outcome| outcome.result.map(drop))?;
    Ok(took)
}

/// A profile of the size of the published example: three classes with some permissions.
fn install(name: String) -> Result<Step, Error> {
    let allow = r#"{"allow": {"var_log_t": {
        "dir": ["open", "read", "getattr", "lock", "search", "ioctl", "add_name", "remove_name", "write"],
        "file": ["getattr", "read", "write", "append", "ioctl", "lock", "map", "open", "create"],
        "sock_file": ["getattr", "read", "write", "append", "open"]}}}"#;
    let spec: SelinuxProfileSpec = serde_json::from_str(allow)?;
    let profile = parse(name.parse()?, &spec).map_err(|violations| violations[0].to_string())?;
    let checked = check(&profile, &Policy::default()).map_err(|violations| violations[0].to_string())?;
    Ok(Step::Install { artifact: render(&checked), checked })
}

fn removal(step: &Step) -> Step {
    Step::Remove { key: step.key().clone(), file_name: step.file_name().to_owned() }
}
