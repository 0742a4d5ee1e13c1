//! Running other programs: every command line is shown, and a failure names it.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// A program to run, shown on standard error before it starts.
#[derive(Debug)]
pub(crate) struct Run {
    command: Command,
    quiet: bool,
}

impl Run {
    pub(crate) fn new(program: impl AsRef<OsStr>) -> Self {
        let mut command = Command::new(program);
        command.stdin(Stdio::null());
        Self { command, quiet: false }
    }

    /// `cargo` of the toolchain that runs this tool.
    pub(crate) fn cargo() -> Self {
        Self::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
    }

    pub(crate) fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.command.arg(arg);
        self
    }

    pub(crate) fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.command.args(args);
        self
    }

    pub(crate) fn env(mut self, key: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.command.env(key, value);
        self
    }

    pub(crate) fn env_remove(mut self, key: impl AsRef<OsStr>) -> Self {
        self.command.env_remove(key);
        self
    }

    pub(crate) fn dir(mut self, dir: impl AsRef<Path>) -> Self {
        self.command.current_dir(dir);
        self
    }

    /// Does not show the command line.
    pub(crate) fn quiet(mut self) -> Self {
        self.quiet = true;
        self
    }

    /// Runs it to its end; anything but exit status 0 is an error.
    pub(crate) fn run(mut self) -> Result<()> {
        self.show();
        let status = self.command.status().with_context(|| format!("cannot start {}", self.line()))?;
        if !status.success() {
            bail!("{} ended with {status}", self.line());
        }
        Ok(())
    }

    /// Runs it and gives back its standard output; standard error passes through.
    pub(crate) fn output(mut self) -> Result<String> {
        self.show();
        let line = self.line();
        let output =
            self.command.stderr(Stdio::inherit()).output().with_context(|| format!("cannot start {line}"))?;
        if !output.status.success() {
            bail!("{line} ended with {}", output.status);
        }
        String::from_utf8(output.stdout).with_context(|| format!("the output of {line} is not UTF-8"))
    }

    /// Whether it starts and ends with exit status 0; its output is dropped.
    pub(crate) fn succeeds(mut self) -> bool {
        self.command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
    }

    /// The command itself, for what the above does not cover.
    pub(crate) fn into_command(self) -> Command {
        self.show();
        self.command
    }

    fn show(&self) {
        if !self.quiet {
            say(&format!("$ {}", self.line()));
        }
    }

    fn line(&self) -> String {
        let words = std::iter::once(self.command.get_program()).chain(self.command.get_args());
        words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
    }
}

/// A line for the person watching, on standard error.
pub(crate) fn say(line: &str) {
    anstream::eprintln!("{}{line}{}", anstyle::Style::new().dimmed().render(), anstyle::Reset.render());
}

/// The root of the workspace.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

/// Where this workspace keeps what is costly to make: outside the clone, so that a new clone finds it.
/// `$SPO_CACHE`, else `$HOME/.cache/spo`.
pub(crate) fn cache() -> Result<PathBuf> {
    if let Some(dir) = std::env::var_os("SPO_CACHE") {
        return Ok(dir.into());
    }
    let home = std::env::var_os("HOME").context("HOME is not set, so there is no place for caches; set SPO_CACHE")?;
    Ok(Path::new(&home).join(".cache/spo"))
}

/// Where cargo puts what it builds.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}
