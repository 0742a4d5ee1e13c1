//! What conversion costs through HTTPS: processor time, and the most that is ever in memory.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use super::Figure;
use super::measure::{mib, release};
use super::process::{Process, free_port};
use crate::run::Run;

/// The review of the reference's figures.
const LARGE: [usize; 2] = [1500, 10_000];
/// Nearly 64 MiB.
const LARGEST: [usize; 2] = [6400, 10_000];
const ROUNDS: usize = 10;
/// Reviews of one object.
const SMALL_ROUNDS: usize = 2000;
/// So long after the last request, what is in memory is what stays.
const SETTLE: Duration = Duration::from_secs(5);

/// The programs, and a certificate.
struct Stage {
    webhook: PathBuf,
    client: PathBuf,
    certificates: tempfile::TempDir,
}

/// What the client found.
#[derive(Debug, Deserialize)]
struct Asked {
    /// The size of the review, in bytes.
    body: u64,
    /// Milliseconds.
    median: f64,
    slowest: f64,
}

pub(super) fn figures() -> Result<Vec<Figure>> {
    let stage = Stage::new()?;
    Ok([stage.time()?, stage.one()?, stage.many("four of them at once", LARGE, 4)?, stage.many("64 MiB", LARGEST, 1)?]
        .concat())
}

fn figure(metric: impl Into<String>, value: f64, unit: &'static str) -> Figure {
    Figure::new("convert", format!("HTTPS, {}", metric.into()), value, unit)
}

impl Stage {
    fn new() -> Result<Self> {
        let certificates = tempfile::tempdir().context("cannot make a temporary folder")?;
        let signed =
            rcgen::generate_simple_self_signed(["localhost".to_owned()]).context("cannot make a certificate")?;
        write(&certificates.path().join("tls.crt"), &signed.cert.pem())?;
        write(&certificates.path().join("tls.key"), &signed.signing_key.serialize_pem())?;
        let (webhook, client) = (release("spo-operator", "spo-operator")?, release("spo-tests", "review")?);
        Ok(Self { webhook, client, certificates })
    }

    /// A server that has done nothing yet.
    fn start(&self) -> Result<(Process, u16)> {
        let port = free_port()?;
        let mut command = Command::new(&self.webhook);
        command.args(["webhook", "--convert-only", "--port", &port.to_string(), "--cert-dir"]);
        command.arg(self.certificates.path()).stdin(Stdio::null()).stdout(Stdio::null());
        let process = Process::start(command, "webhook", &self.certificates.path().join("log"))?;
        Ok((process, port))
    }

    fn ask(&self, port: u16, [objects, bytes]: [usize; 2], clients: usize, rounds: usize) -> Result<Asked> {
        let numbers = [objects, bytes, clients, rounds].map(|number| number.to_string());
        let certificate = self.certificates.path().join("tls.crt");
        let client = Run::new(&self.client).arg(port.to_string()).arg(certificate).args(numbers);
        serde_json::from_str(&client.quiet().output()?).context("the client printed no JSON")
    }

    /// Processor time, which hardly depends on what else the machine does.
    fn time(&self) -> Result<Vec<Figure>> {
        let (process, port) = self.start()?;
        self.ask(port, LARGE, 1, 1)?;
        let before = process.cpu_seconds()?;
        let asked = self.ask(port, LARGE, 1, ROUNDS)?;
        let large = (process.cpu_seconds()? - before) * 1e6 / (ROUNDS * LARGE[0]) as f64;
        let before = process.cpu_seconds()?;
        let small = self.ask(port, [1, LARGE[1]], 1, SMALL_ROUNDS)?;
        let one = (process.cpu_seconds()? - before) * 1e6 / SMALL_ROUNDS as f64;
        Ok(vec![
            figure("1,500 objects of 10 kB, processor per object", large, "µs").baseline(451.0).at_most(90.0),
            figure("1,500 objects of 10 kB, median", asked.median, "ms").baseline(687.0),
            figure("one object of 10 kB, processor", one, "µs").baseline(753.0).at_most(150.0),
            figure("one object of 10 kB, median", small.median, "ms").baseline(0.92),
        ])
    }

    /// Memory, from a fresh start to a while after.
    fn one(&self) -> Result<Vec<Figure>> {
        let (process, port) = self.start()?;
        std::thread::sleep(SETTLE);
        let idle = process.memory()?.rss_bytes;
        let asked = self.ask(port, LARGE, 1, 1)?;
        let peak = process.memory()?.peak_bytes;
        std::thread::sleep(SETTLE);
        let settled = process.memory()?.rss_bytes;
        Ok(vec![
            figure("RSS, idle", mib(idle), "MiB").baseline(72.0).at_most(15.0),
            figure("1,500 objects of 10 kB, peak RSS", mib(peak), "MiB").baseline(211.0),
            figure("the same / body", peak as f64 / asked.body as f64, "ratio").at_most(3.0),
            figure("RSS a while after", mib(settled), "MiB"),
        ])
    }

    fn many(&self, what: &str, review: [usize; 2], clients: usize) -> Result<Vec<Figure>> {
        let (process, port) = self.start()?;
        let asked = self.ask(port, review, clients, 1)?;
        ensure!(asked.body <= 64 << 20, "the review has {} bytes", asked.body);
        let peak = figure(format!("{what}, peak RSS"), mib(process.memory()?.peak_bytes), "MiB").at_most(192.0);
        let peak = if clients > 1 { peak.baseline(571.0) } else { peak };
        Ok(vec![peak, figure(format!("{what}, the slowest"), asked.slowest, "ms")])
    }
}

fn write(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}
