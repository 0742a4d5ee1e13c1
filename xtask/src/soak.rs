//! `cargo xtask soak`: what the tests do a little of, done for long.

use anyhow::{Context, Result};
use clap::ValueEnum;

use crate::run::{Run, say};

/// So many scripts a test program plays at once, which is taken for hung if it takes too long. Each has an API server of its own; the cluster
/// stays up.
const FAULTS_AT_ONCE: u32 = 10;
const NODES_AT_ONCE: u32 = 20;

/// Runs tests for long: random scripts of faults, random profiles and calls.
///
/// A few seeds of each run in `cargo xtask test`, too. Ends with status 1 at the first seed that ends wrong, and says which it was.
///
///   cargo xtask soak
///   cargo xtask soak faults --seeds 20
///   cargo xtask soak nodes --from 40 --seeds 60
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Soak {
    /// One of them; all in turn without a name.
    #[arg(value_enum)]
    subject: Option<Subject>,
    /// How many scripts of faults are played; of each sort, as many.
    #[arg(long, value_name = "N", default_value_t = 100)]
    seeds: u32,
    /// The first seed, to go on where another run has ended.
    #[arg(long, value_name = "SEED", default_value_t = 0)]
    from: u32,
    /// How many comparisons are made of seccomp profiles at least.
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    comparisons: u32,
}

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Subject {
    /// Two hundred changes of profiles each, with the daemon, the manager and the API server killed in between.
    Faults,
    /// The same on nodes with AppArmor and with SELinux, of a cluster, with profiles of every kind: the daemon, its installer, the kubelets,
    /// the manager and the API server are killed.
    Nodes,
    /// What random calls do under random profiles, by our evaluator, our filters and libseccomp; and the same of what is made of two.
    Seccomp,
}

impl Soak {
    pub(crate) fn run(self) -> Result<()> {
        let wanted = |subject| self.subject.is_none_or(|one| one == subject);
        if wanted(Subject::Seccomp) {
            self.seccomp()?;
        }
        if wanted(Subject::Faults) {
            say(&format!("── faults: {} scripts", self.seeds));
            self.scripts(FAULTS_AT_ONCE, "api", "a_script_with_processes_killed")?;
        }
        if wanted(Subject::Nodes) {
            say(&format!("── nodes: {} scripts", self.seeds));
            self.scripts(
                NODES_AT_ONCE,
                "nodes",
                "a_script_with_daemon_installer_kubelet_manager_and_api_server_killed",
            )?;
        }
        Ok(())
    }

    fn seccomp(&self) -> Result<()> {
        say(&format!("── seccomp: {} comparisons in each test", self.comparisons));
        let tests = Run::cargo().args(["test", "--release", "--package", "spo-lsm"]);
        let tests = tests.args(["--test", "libseccomp", "--test", "effective", "--", "--nocapture"]);
        tests.env("SPO_SECCOMP_COMPARISONS", self.comparisons.to_string()).run()
    }

    /// Plays the scripts of a test, so many at once.
    fn scripts(&self, at_once: u32, layer: &str, test: &str) -> Result<()> {
        let this = std::env::current_exe().context("cannot find this program")?;
        let end = self.from.saturating_add(self.seeds);
        for first in (self.from..end).step_by(at_once as usize) {
            let count = at_once.min(end - first);
            let tests = Run::new(&this).args(["test", "--only", layer, "--", "--nocapture", test]);
            let tests = tests.env("SPO_SOAK_FROM", first.to_string()).env("SPO_SOAK_SEEDS", count.to_string());
            tests.run().with_context(|| format!("one of the scripts {first} to {} ended wrong", first + count - 1))?;
        }
        Ok(())
    }
}
