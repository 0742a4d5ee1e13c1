//! The programs that are recorded, built by the machine's C compiler.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A program to record.
pub(crate) struct Subject {
    path: PathBuf,
    /// Its name, unlike any other of the machine, so that it can be chosen by it.
    name: String,
}

impl Subject {
    /// Builds `tests/recording/NAME.c`.
    pub(crate) fn build(dir: &Path, name: &str, flags: &[&str]) -> Self {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("recording").join(name).with_extension("c");
        let unique = format!("subject-{name}-{}", std::process::id());
        let path = dir.join(&unique);
        let mut cc = Command::new("cc");
        cc.args(["-O1", "-Wall", "-Werror", "-pthread"]).args(flags).arg("-o").arg(&path).arg(source);
        let built = cc.output().expect("a C compiler");
        assert!(built.status.success(), "{cc:?}: {}", String::from_utf8_lossy(&built.stderr));
        Self { path, name: unique }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// It, to be started. What it prints is dropped.
    pub(crate) fn command(&self) -> Command {
        quiet(Command::new(&self.path))
    }

    /// It, followed by strace, which writes to `log`.
    pub(crate) fn traced(&self, log: &Path) -> Command {
        let mut strace = Command::new("strace");
        strace.args(["-f", "-qq", "-s", "0", "-o"]).arg(log).arg(&self.path);
        quiet(strace)
    }
}

fn quiet(mut command: Command) -> Command {
    command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    command
}
