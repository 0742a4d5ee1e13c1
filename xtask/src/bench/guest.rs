//! What guests cost: from the start of QEMU to the first program, and the tools of the security modules in them.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::Figure;
use crate::vm::{Guest, Lsm, Machine, prepare, scratch};

const PATIENCE: Duration = Duration::from_secs(600);

/// Prints how long each took that a program of the guest takes, in seconds.
const APPARMOR: &str = "
printf 'profile bench { file, network, }' >profile
took() { local start=$(date +%s%N); \"$@\" >/dev/null; echo $(($(date +%s%N) - start)); }
took apparmor_parser --replace --skip-cache profile
took apparmor_parser --remove profile
";

const SELINUX: &str = "
printf '(type bench_t)' >bench.cil
took() { local start=$(date +%s%N); \"$@\" >/dev/null; echo $(($(date +%s%N) - start)); }
took semodule -i bench.cil
took semodule -r bench
";

pub(crate) fn run() -> Result<Vec<Figure>> {
    let image = prepare()?;
    let size =
        |path: std::path::PathBuf| allocated(&path).with_context(|| format!("cannot look at {}", path.display()));
    let mut figures = vec![Figure::new("guest", "disk of the root", size(image.root())?, "MiB")];
    for (lsm, script, tools) in [
        (Lsm::Apparmor, APPARMOR, ["apparmor_parser --replace", "apparmor_parser --remove"]),
        (Lsm::Selinux, SELINUX, ["semodule -i", "semodule -r"]),
    ] {
        figures.extend(measure(lsm, script, tools)?);
    }
    Ok(figures)
}

fn measure(lsm: Lsm, script: &str, tools: [&str; 2]) -> Result<Vec<Figure>> {
    let job = scratch::folder()?;
    for (name, text) in [("nothing", "true\n"), ("script", script)] {
        fs::write(job.path().join(name), text).context("cannot write a script")?;
    }
    let guest = Guest::new(Machine::new(lsm), job.path())?;
    let start = Instant::now();
    guest.output("nothing", PATIENCE)?;
    let boot = start.elapsed().as_secs_f64();
    let mut figures = vec![Figure::new("guest", format!("{}, boot, nothing, power off", lsm.name()), boot, "s")];
    let printed = guest.output("script", PATIENCE)?;
    for (tool, line) in tools.into_iter().zip(printed.lines()) {
        let nanoseconds: f64 = line.parse().with_context(|| format!("the guest printed {line:?}, which is no time"))?;
        figures.push(Figure::new("guest", tool, nanoseconds / 1e9, "s"));
    }
    Ok(figures)
}

/// How much of the disk a file takes, in MiB: those of guests have holes.
fn allocated(path: &std::path::Path) -> std::io::Result<f64> {
    use std::os::unix::fs::MetadataExt as _;
    Ok(super::measure::mib(path.metadata()?.blocks() * 512))
}
