//! Where the story is told: a temporary folder, and standard output.

use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anstyle::{AnsiColor, Style};
use anyhow::{Context, Result};
use tempfile::TempDir;

use super::on_stage;
use crate::run::print;

const HEADING: Style = AnsiColor::Cyan.on_default().bold();
const COMMAND: Style = Style::new().bold();

/// Longer files are shown by their beginning and their end.
const LONG: usize = 30;

/// The folder of the story, and how far it has come.
#[derive(Debug)]
pub(super) struct Stage {
    dir: TempDir,
    /// Where the binaries are.
    programs: PathBuf,
    chapter: u32,
}

/// What a command printed, on either output, and whether it ended well.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) success: bool,
    pub(super) text: String,
}

impl Stage {
    pub(super) fn set(programs: &Path) -> Result<Self> {
        let dir = tempfile::Builder::new().prefix("spo-demo.").tempdir().context("cannot make a temporary folder")?;
        Ok(Self { dir, programs: programs.to_owned(), chapter: 0 })
    }

    pub(super) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// A binary of this workspace.
    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.programs.join(name)
    }

    pub(super) fn heading(&mut self, text: &str) -> Result<()> {
        self.chapter += 1;
        print(&format!("\n{HEADING}{}. {text}{HEADING:#}", self.chapter))
    }

    /// Shows a command line.
    pub(super) fn command(&self, line: &str) -> Result<()> {
        print(&format!("\n{COMMAND}$ {line}{COMMAND:#}"))
    }

    pub(super) fn tell(&self, text: &str) -> Result<()> {
        print(&format!("\n{}", wrapped(text, 100)))
    }

    /// Shows a file of the stage.
    pub(super) fn show(&self, name: &str) -> Result<()> {
        self.command(&format!("cat {name}"))?;
        self.show_text(&self.read(name)?)
    }

    pub(super) fn show_text(&self, text: &str) -> Result<()> {
        let lines: Vec<&str> = text.lines().collect();
        if lines.len() <= LONG {
            return lines.iter().try_for_each(|line| print(&format!("  {line}")));
        }
        let (head, tail) = (&lines[..LONG - 6], &lines[lines.len() - 4..]);
        head.iter().try_for_each(|line| print(&format!("  {line}")))?;
        print(&format!("  … {} more lines …", lines.len() - head.len() - tail.len()))?;
        tail.iter().try_for_each(|line| print(&format!("  {line}")))
    }

    /// Runs spoc, showing the command line and what comes of it.
    pub(super) fn spoc(&self, args: &[&str]) -> Result<Ended> {
        let mut command = on_stage(self, self.program("spoc"));
        command.args(args);
        let words: Vec<String> = args.iter().map(|word| quoted(word)).collect();
        self.run(command, &format!("spoc {}", words.join(" ")))
    }

    /// Runs a line of shell, showing it and what comes of it; whether it succeeds is part of the story.
    pub(super) fn shell(&self, line: &str) -> Result<()> {
        let mut command = on_stage(self, "sh");
        command.args(["-c", line]);
        self.run(command, line)?;
        Ok(())
    }

    fn run(&self, command: Command, line: &str) -> Result<Ended> {
        self.command(line)?;
        let ended = capture(command).with_context(|| format!("cannot run {line}"))?;
        ended.text.lines().try_for_each(|line| print(&format!("  {line}")))?;
        Ok(ended)
    }

    pub(super) fn read(&self, name: &str) -> Result<String> {
        std::fs::read_to_string(self.dir().join(name)).with_context(|| format!("cannot read {name} of the demo"))
    }

    pub(super) fn file(&self, name: &str, text: &str) -> Result<()> {
        std::fs::write(self.dir().join(name), text).with_context(|| format!("cannot write {name} of the demo"))
    }

    pub(super) fn folder(&self, name: &str) -> Result<()> {
        std::fs::create_dir_all(self.dir().join(name)).with_context(|| format!("cannot make {name} of the demo"))
    }

    pub(super) fn executable(&self, name: &str) -> Result<()> {
        let mode = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(self.dir().join(name), mode).with_context(|| format!("cannot make {name} executable"))
    }

    pub(super) fn copy(&self, from: &str, to: &str) -> Result<()> {
        self.command(&format!("cp {from} {to}"))?;
        std::fs::copy(self.dir().join(from), self.dir().join(to))
            .with_context(|| format!("cannot copy {from} to {to}"))?;
        Ok(())
    }
}

/// Runs a command to its end. Both outputs go into one pipe, so that their order is that of a terminal.
fn capture(mut command: Command) -> Result<Ended> {
    let (mut reader, writer) = std::io::pipe().context("cannot make a pipe")?;
    command.stdout(writer.try_clone().context("cannot copy a pipe")?).stderr(writer);
    let mut child = command.spawn().context("cannot start it")?;
    // The command holds the ends to write to: they must go, or the pipe never ends.
    drop(command);
    let mut text = String::new();
    reader.read_to_string(&mut text).context("cannot read what it prints")?;
    let status = child.wait().context("cannot wait for it")?;
    Ok(Ended { success: status.success(), text })
}

/// As a shell would want the word.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=".contains(c);
    if word.chars().all(plain) { word.to_owned() } else { format!("'{word}'") }
}

/// Broken into lines of at most this width, at blanks.
fn wrapped(text: &str, width: usize) -> String {
    let mut out = String::new();
    let mut column = 0;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if column > 0 && column + 1 + length > width {
            out.push('\n');
            column = 0;
        } else if column > 0 {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += length;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_outputs_are_read_in_their_order_and_the_status_with_them() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo one; echo two >&2; echo three; exit 1"]);
        let ended = capture(command).unwrap();
        assert_eq!((ended.success, ended.text.as_str()), (false, "one\ntwo\nthree\n"));
    }

    #[test]
    fn words_that_a_shell_would_split_are_quoted() {
        assert_eq!(quoted("./hello"), "./hello");
        assert_eq!(quoted("a && b"), "'a && b'");
    }

    #[test]
    fn prose_is_broken_at_blanks() {
        assert_eq!(wrapped("one two three", 7), "one two\nthree");
        assert_eq!(wrapped("  one\n two ", 80), "one two");
    }
}
