//! Running other programs: every command line is shown, and a failure names it.

use std::ffi::{OsStr, OsString};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

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
        let mut cargo = Self::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        // `cargo run` describes this tool in its environment. Build scripts that look there, such as ring's, would take that for
        // a change, and be built anew whenever cargo is called from here and by hand in turn.
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("CARGO_PKG_") || name.to_string_lossy().starts_with("CARGO_MANIFEST_")
            {
                cargo.command.env_remove(name);
            }
        }
        cargo
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
        let output = self.command.stderr(Stdio::inherit()).output().with_context(|| format!("cannot start {line}"))?;
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
        let program = self.command.get_program();
        // By the name that a person would type, not by where the toolchain lies.
        let shown = if *program == *cargo() { OsStr::new("cargo") } else { program };
        let words = std::iter::once(shown).chain(self.command.get_args());
        words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
    }
}

/// `cargo` of the toolchain that runs this tool, which says so.
fn cargo() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// A line for the person watching, on standard error.
pub(crate) fn say(line: &str) {
    anstream::eprintln!("{}{line}{}", anstyle::Style::new().dimmed().render(), anstyle::Reset.render());
}

/// A line of what a command is asked for, on standard output.
pub(crate) fn print(line: &str) -> Result<()> {
    writeln!(anstream::stdout().lock(), "{line}").context("cannot write to standard output")
}

/// What went wrong, on standard error.
pub(crate) fn complain(what: &str) {
    let red = anstyle::AnsiColor::Red.on_default().bold();
    anstream::eprintln!("{red}error:{red:#} {what}");
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

/// Kills a process and all below it. What is gone already needs no killing.
pub(crate) fn kill_tree(pid: u32) {
    for pid in tree_of(pid).into_iter().filter_map(|pid| Pid::from_raw(pid.cast_signed())) {
        let _gone_already = kill_process(pid, Signal::KILL);
    }
}

/// A process and all below it, parents first.
fn tree_of(root: u32) -> Vec<u32> {
    let parents = parents();
    let mut tree = vec![root];
    let mut next = 0;
    while let Some(&parent) = tree.get(next) {
        tree.extend(parents.iter().filter(|(_, of)| *of == parent).map(|(pid, _)| *pid));
        next += 1;
    }
    tree
}

/// Every process with its parent.
fn parents() -> Vec<(u32, u32)> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    pids.filter_map(|pid| Some((pid, parent(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)?))).collect()
}

/// The parent in a line of `/proc/PID/stat`. The name before it is in parentheses, and may hold some itself.
fn parent(stat: &str) -> Option<u32> {
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_names_the_command_line() {
        let error = Run::new("false").arg("with arguments").quiet().run().unwrap_err();
        assert!(error.to_string().starts_with("false with arguments ended with"), "{error}");
    }

    #[test]
    fn cargo_is_shown_by_its_name() {
        assert_eq!(Run::cargo().arg("fmt").line(), "cargo fmt");
    }

    #[test]
    fn the_parent_is_found_behind_any_name() {
        assert_eq!(parent("7 (a) b (c)) S 42 7 7 0"), Some(42));
    }

    #[test]
    fn a_process_is_at_the_head_of_its_tree() {
        assert_eq!(tree_of(std::process::id())[0], std::process::id());
    }
}
