//! Tests in guests: one boot for all programs of a security module, and a second of the same disk for those that ask for it.
//!
//! Programs are named `guest_<module>…`; those that end in `_after_reboot` are for the second boot. Both guests run side by side, as one
//! alone keeps one processor busy; what the second one prints is shown when the first is through.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};

use super::job::{Job, send_lines};
use super::libtest::{Reader, Report, Skip};
use super::skip;
use crate::run::{print, say};
use crate::vm::{self, Ended, Guest, Lsm, Machine, forward, quoted};

/// Begins the lines that say which program's output follows: no test prints it.
const MARK: &str = "\u{1e}";

/// How the names of programs for the second boot end.
const SECOND: &str = "_after_reboot";

/// Runs the programs of all guests.
pub(super) fn run(jobs: &[Job], programs: &[PathBuf], args: &[String], patience: Duration) -> Result<Report> {
    if let Some(reason) = vm::obstacle() {
        return skipped(jobs, reason);
    }
    vm::prepare()?;
    let mut guests = Vec::new();
    for (lsm, jobs) in by_guest(jobs)? {
        let disk = job_disk(lsm, &jobs, programs, args, patience)?;
        let (sender, lines) = channel();
        let boots = scripts(&jobs);
        let thread = std::thread::spawn(move || boot(lsm, disk.path(), &boots, patience, &sender));
        guests.push((lsm, jobs, lines, thread));
    }
    let mut report = Report::default();
    for (lsm, jobs, lines, thread) in guests {
        say(&format!("─ the guest with {}", lsm.name()));
        report.merge(follow(&jobs, &lines, thread)?);
    }
    Ok(skip::judge_in_guest(report))
}

/// Every test, skipped for the same reason.
fn skipped(jobs: &[Job], reason: &str) -> Result<Report> {
    let mut report = Report::default();
    for job in jobs {
        let tests = job.tests()?.into_iter().map(|test| format!("{}: {test}", job.name));
        report.skipped.extend(tests.map(|test| Skip { test, reason: reason.to_owned() }));
    }
    Ok(report)
}

/// The programs of each guest that has any, those for the first boot first.
fn by_guest(jobs: &[Job]) -> Result<Vec<(Lsm, Vec<Program>)>> {
    let mut guests: Vec<(Lsm, Vec<Program>)> = Lsm::ALL.map(|lsm| (lsm, Vec::new())).into();
    for job in jobs {
        let program = Program::of(job)?;
        let guest = guests.iter_mut().find(|(lsm, _)| program.target.starts_with(&format!("guest_{}", lsm.name())));
        let Some((_, programs)) = guest else {
            bail!("tests/tests/{} is for no guest: begin its name with guest_apparmor or guest_selinux", program.target)
        };
        programs.push(program);
    }
    guests.retain(|(_, programs)| !programs.is_empty());
    Ok(guests)
}

/// A test program.
#[derive(Debug)]
struct Program {
    /// As the results name it.
    name: String,
    target: String,
    path: PathBuf,
    /// The names of its tests.
    tests: Vec<String>,
}

impl Program {
    fn of(job: &Job) -> Result<Self> {
        let built = job.built().context("the examples are in no guest")?;
        let (target, path) = (built.target.clone(), built.program.clone());
        Ok(Self { name: job.name.clone(), target, path, tests: job.tests()? })
    }

    fn is_second(&self) -> bool {
        self.target.ends_with(SECOND)
    }
}

/// The scripts of a guest's boots.
fn scripts(programs: &[Program]) -> Vec<&'static str> {
    let boot = |name, second| programs.iter().any(|program| program.is_second() == second).then_some(name);
    [boot("first", false), boot("second", true)].into_iter().flatten().collect()
}

/// What a guest finds in `/job`: the tests, the programs that they start, and a script for each boot.
fn job_disk(
    lsm: Lsm,
    tests: &[Program],
    programs: &[PathBuf],
    args: &[String],
    patience: Duration,
) -> Result<tempfile::TempDir> {
    let disk = vm::scratch::folder()?;
    for test in tests {
        vm::bring(&test.path, &disk.path().join("tests"), &test.target)?;
    }
    for program in programs {
        let name = program.file_name().context("a program has a name")?.to_string_lossy();
        if NEEDED.contains(&name.as_ref()) {
            vm::bring(program, &disk.path().join("programs"), &name)?;
        }
    }
    for (name, second) in [("first", false), ("second", true)] {
        let tests: Vec<&Program> = tests.iter().filter(|test| test.is_second() == second).collect();
        fs::write(disk.path().join(name), script(lsm, &tests, args, patience)).context("cannot write a script")?;
    }
    Ok(disk)
}

/// Programs of ours that tests in guests start.
const NEEDED: &[&str] = &["spo-node", "spoc"];

fn script(lsm: Lsm, tests: &[&Program], args: &[String], patience: Duration) -> String {
    let mut text = format!("export SPO_TEST_GUEST={} SPO_TEST_PROGRAMS=/job/programs\n", lsm.name());
    let args: Vec<String> = args.iter().map(|arg| quoted(arg)).collect();
    for test in tests {
        let target = &test.target;
        // Ended from within, so that those after it still run.
        text += &format!(
            "printf '\\n\\036begin %s\\n' {target}\n\
             timeout -k 5 {} /job/tests/{target} --show-output --test-threads=1 {}\n\
             printf '\\n\\036end %s %s\\n' {target} $?\n",
            patience.as_secs() / 2,
            args.join(" "),
        );
    }
    text
}

/// Boots a guest as often as its programs want, and sends what they print.
fn boot(lsm: Lsm, disk: &Path, scripts: &[&str], patience: Duration, lines: &Sender<String>) -> Result<()> {
    let guest = Guest::new(Machine::new(lsm), disk)?;
    for script in scripts {
        let readers = |child: &mut Child| -> Vec<JoinHandle<()>> {
            let out = child.stdout.take().map(|out| send_lines(out, lines.clone()));
            out.into_iter().chain(forward(child.stderr.take(), std::io::stderr())).collect()
        };
        match guest.boot(script, patience, readers)? {
            Ended::Status(0) => {}
            Ended::Status(status) => bail!("its script ended with {status}"),
            Ended::Failed(why) => bail!(why),
        }
    }
    Ok(())
}

/// Passes on what a guest prints, and reads the results of its programs.
fn follow(programs: &[Program], lines: &Receiver<String>, thread: JoinHandle<Result<()>>) -> Result<Report> {
    let mut results = Results { programs, current: None, done: Vec::new(), report: Report::default() };
    for line in lines {
        if results.line(&line) {
            print(&line)?;
        }
    }
    let ended = thread.join().unwrap_or_else(|_| Err(anyhow!("the thread of the guest panicked")));
    Ok(results.end(ended.err()))
}

/// What the output of a guest says so far.
#[derive(Debug)]
struct Results<'a> {
    programs: &'a [Program],
    /// The program whose output follows.
    current: Option<(&'a Program, Reader)>,
    done: Vec<&'a str>,
    report: Report,
}

impl Results<'_> {
    /// Takes a line, and says whether a person wants to see it.
    fn line(&mut self, line: &str) -> bool {
        match line.strip_prefix(MARK).map(|mark| mark.split(' ').collect::<Vec<_>>()).as_deref() {
            Some(["begin", target]) => self.begin(target),
            Some(["end", _, "0"]) => self.finish(None),
            Some(["end", _, status]) => self.finish(Some(&format!("ended with exit status: {status}"))),
            _ => return self.current.as_mut().is_some_and(|(_, reader)| reader.line(line)),
        }
        false
    }

    fn begin(&mut self, target: &str) {
        self.current = self.programs.iter().find(|program| program.target == target).map(|program| {
            say(&format!("─ {}", program.name));
            (program, Reader::new(&program.name))
        });
    }

    fn finish(&mut self, ending: Option<&str>) {
        if let Some((program, reader)) = self.current.take() {
            self.report.merge(reader.end(&program.tests, ending));
            self.done.push(&program.target);
        }
    }

    /// The results of all programs, also of those that the guest did not come to.
    fn end(mut self, error: Option<anyhow::Error>) -> Report {
        self.finish(Some("the guest ended before it"));
        let missing: Vec<&Program> = self.programs.iter().filter(|p| !self.done.contains(&p.target.as_str())).collect();
        self.report.failed.extend(missing.iter().map(|program| format!("{}: was not run", program.name)));
        self.report.failed.extend(error.map(|error| format!("{error:#}")));
        self.report
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(target: &str) -> Program {
        let (name, path) = (format!("spo-tests tests/{target}"), PathBuf::from("/t"));
        Program { name, target: target.to_owned(), path, tests: vec!["a".to_owned(), "b".to_owned()] }
    }

    fn read(programs: &[Program], output: &str, error: Option<anyhow::Error>) -> Report {
        let mut results = Results { programs, current: None, done: Vec::new(), report: Report::default() };
        for line in output.lines() {
            results.line(line);
        }
        results.end(error)
    }

    #[test]
    fn the_results_of_each_program_are_read_from_the_output_of_all() {
        let programs = [program("guest_selinux"), program("guest_selinux_after_reboot")];
        let output = "\n\u{1e}begin guest_selinux\ntest a ... ok\ntest b ... FAILED\n\
                      test result: FAILED. 1 passed; 1 failed\n\n\u{1e}end guest_selinux 101\n\
                      \u{1e}begin guest_selinux_after_reboot\ntest a ... ok\ntest b ... ok\n\
                      test result: ok. 2 passed; 0 failed\n\n\u{1e}end guest_selinux_after_reboot 0\n";
        let report = read(&programs, output, None);
        assert_eq!((report.passed, report.failed), (3, vec!["spo-tests tests/guest_selinux: b".to_owned()]));
    }

    #[test]
    fn programs_that_a_guest_did_not_come_to_have_failed() {
        let programs = [program("guest_apparmor"), program("guest_apparmor_after_reboot")];
        let output = "\u{1e}begin guest_apparmor\ntest a ... ok\n";
        let report = read(&programs, output, Some(anyhow!("the guest failed: panic")));
        assert_eq!(report.passed, 1);
        assert_eq!(report.failed.len(), 3, "{:?}", report.failed);
        assert!(report.failed[0].ends_with("not finished: b"), "{:?}", report.failed);
    }

    #[test]
    fn programs_that_end_in_after_reboot_are_for_the_second_boot() {
        assert_eq!(scripts(&[program("guest_selinux")]), ["first"]);
        assert_eq!(scripts(&[program("guest_selinux"), program("guest_selinux_after_reboot")]), ["first", "second"]);
        let text = script(Lsm::Selinux, &[&program("guest_selinux")], &["it's".to_owned()], Duration::from_secs(60));
        assert!(text.contains("timeout -k 5 30 /job/tests/guest_selinux --show-output --test-threads=1 'it'\\''s'"));
    }
}
