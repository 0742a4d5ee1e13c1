//! What a node has in memory with all modules on and a thousand profiles of all kinds: the daemon, and beside it the installer.
//!
//! No kernel has both AppArmor and SELinux, so there are two guests. In each, the profiles of the module that it lacks are held, and told to be
//! of no use there.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::Figure;
use super::measure::release;
use super::profiles;
use crate::run::say;
use crate::vm::{self, Guest, Lsm, Machine, scratch};

/// What may be resident, in MiB.
const BARS: [(&str, f64); 2] = [("daemon", 30.0), ("installer", 15.0)];
/// Transactions of SELinux, and a thousand filters, on a processor that is emulated.
const PATIENCE: Duration = Duration::from_secs(1200);
const SCRIPT: &str = "script";

/// Prints how much each process has in memory once every profile has a status and ten seconds have passed, and how many are installed.
const JOB: &str = r#"
set -e
mkdir -p /run/spo-node /run/status
./spo-node installer --on-host --socket /run/spo-node/socket 2>/run/installer.log &
installer=$!
./spo-node daemon --source directory:profiles --status-dir /run/status --health-port 0 --with-selinux --with-apparmor \
    --installer-socket /run/spo-node/socket 2>/run/daemon.log &
daemon=$!
stand() { cat /run/status/*.yaml 2>/dev/null | grep -cE "profile-state: ($1)\$" || true; }
until [ "$(stand 'Installed|Error')" -ge "$1" ]; do
    kill -0 $installer && kill -0 $daemon || { cat /run/*.log >&2; exit 1; }
    sleep 3
done
sleep 10
for name in installer daemon; do
    while read -r field value _; do
        case $field in VmRSS:|VmHWM:|RssAnon:) echo "$name $field $value" ;; esac
    done </proc/${!name}/status
done
echo "installed $(stand Installed)"
"#;

pub(super) fn figures() -> Result<Vec<Figure>> {
    if let Some(obstacle) = vm::obstacle() {
        say(&format!("not measured: a node with all modules on, which needs a guest: {obstacle}"));
        return Ok(Vec::new());
    }
    let program = release("spo-node", "spo-node")?;
    let job = scratch::folder()?;
    vm::bring(&program, job.path(), "spo-node")?;
    let profiles = profiles::mixed();
    let folder = job.path().join("profiles");
    fs::create_dir(&folder).context("cannot make the folder of profiles")?;
    profiles.iter().try_for_each(|profile| profiles::write(&folder, profile))?;
    fs::write(job.path().join(SCRIPT), format!("set -- {}\n{JOB}", profiles.len()))
        .context("cannot write the script")?;
    let mut figures = Vec::new();
    for lsm in Lsm::ALL {
        let printed = Guest::new(Machine::new(lsm), job.path())?.output(SCRIPT, PATIENCE)?;
        figures.extend(of(lsm, &printed)?);
    }
    Ok(figures)
}

fn of(lsm: Lsm, printed: &str) -> Result<Vec<Figure>> {
    // Those of the other module are not.
    let installed = number(printed, "installed")?;
    ensure!((installed - 950.0).abs() < 0.5, "{installed} profiles are installed in the guest with {}", lsm.name());
    let mut figures = Vec::new();
    for (process, bar) in BARS {
        let mib = |field: &str| Ok::<_, anyhow::Error>(number(printed, &format!("{process} {field}:"))? / 1024.0);
        let figure = |what: &str, value| {
            Figure::new(
                "memory",
                format!("{process}, all modules on, 1,000 profiles, {}: {what}", lsm.name()),
                value,
                "MiB",
            )
        };
        figures.extend([
            figure("RSS", mib("VmRSS")?).at_most(bar),
            figure("anonymous", mib("RssAnon")?),
            figure("peak RSS", mib("VmHWM")?),
        ]);
    }
    Ok(figures)
}

/// The number in the line that begins so.
fn number(printed: &str, name: &str) -> Result<f64> {
    let line = printed.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    let number = line.and_then(|line| line.trim().parse().ok());
    number.with_context(|| format!("the guest did not say {name}; it says:\n{printed}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRINTED: &str = "installer VmHWM: 9216\ninstaller VmRSS: 8192\ninstaller RssAnon: 1024\n\
        daemon VmHWM: 40960\ndaemon VmRSS: 20480\ndaemon RssAnon: 10240\ninstalled 950\n";

    #[test]
    fn what_the_guest_prints_is_held_against_the_bars() {
        let figures = of(Lsm::Apparmor, PRINTED).unwrap();
        assert_eq!(figures.iter().map(|figure| figure.value).collect::<Vec<_>>(), [20.0, 10.0, 40.0, 8.0, 1.0, 9.0]);
        assert!(figures.iter().all(|figure| figure.reached() != Some(false)));
        assert!(of(Lsm::Apparmor, &PRINTED.replace("950", "949")).is_err());
    }
}
