//! What the standard test harness prints, read line by line.
//!
//! Test programs run with `--show-output`, so that the output of tests that passed is printed too: it is where a test says that it was
//! skipped. The rest of it is held back.

use std::collections::BTreeSet;

/// A test that did not run, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Skip {
    pub(super) test: String,
    pub(super) reason: String,
}

/// What became of the tests of one program, or of many.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Report {
    pub(super) passed: usize,
    /// Names, with the program before them.
    pub(super) failed: Vec<String>,
    pub(super) skipped: Vec<Skip>,
}

impl Report {
    pub(super) fn merge(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed.extend(other.failed);
        self.skipped.extend(other.skipped);
    }
}

/// Where in the output the reader is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Running,
    /// The output of tests that passed.
    Successes,
    Failures,
}

/// So much of what a test died of goes into the report.
const REASON: usize = 240;

/// The test whose output follows this line.
fn heading(line: &str) -> Option<&str> {
    line.strip_prefix("---- ")?.strip_suffix(" stdout ----")
}

/// Reads the output of one test program.
#[derive(Debug)]
pub(super) struct Reader {
    program: String,
    part: Part,
    /// Whose output follows.
    current: Option<String>,
    /// Whether this is where it says what a test died of.
    in_reason: bool,
    report: Report,
    reported: BTreeSet<String>,
    /// Tests that passed since the last result line.
    passing: usize,
    /// Tests that passed for the harness, and said that they were skipped.
    skipped_while_passing: usize,
    finished: bool,
}

impl Reader {
    pub(super) fn new(program: &str) -> Self {
        Self {
            program: program.to_owned(),
            part: Part::Running,
            current: None,
            in_reason: false,
            report: Report::default(),
            reported: BTreeSet::new(),
            passing: 0,
            skipped_while_passing: 0,
            finished: false,
        }
    }

    /// Takes a line, and says whether a person wants to see it.
    pub(super) fn line(&mut self, line: &str) -> bool {
        if let Some((_, result)) = line.split_once("test result: ") {
            self.result(result);
            return true;
        }
        match line {
            "successes:" => self.part = Part::Successes,
            "failures:" => self.part = Part::Failures,
            _ => match self.part {
                Part::Running => return self.running(line),
                Part::Successes => self.success(line),
                Part::Failures => self.failure(line),
            },
        }
        self.part == Part::Failures
    }

    fn running(&mut self, line: &str) -> bool {
        if let Some(reason) = line.strip_prefix("skipped: ") {
            self.skip(None, reason);
        } else if let Some((name, outcome)) = line.strip_prefix("test ").and_then(|rest| rest.rsplit_once(" ... ")) {
            self.outcome(name, outcome);
        }
        !line.is_empty()
    }

    fn outcome(&mut self, name: &str, outcome: &str) {
        self.reported.insert(name.to_owned());
        if outcome == "ok" {
            self.passing += 1;
        } else if outcome == "FAILED" {
            self.report.failed.push(format!("{}: {name}", self.program));
        } else if let Some(reason) = outcome.strip_prefix("ignored") {
            let reason = reason.trim_start_matches(", ");
            self.skip(Some(name), if reason.is_empty() { "ignored, and no reason is given" } else { reason });
        }
    }

    /// A line of what tests that passed have printed.
    fn success(&mut self, line: &str) {
        if let Some(name) = heading(line) {
            self.current = Some(name.to_owned());
        } else if let Some(reason) = line.strip_prefix("skipped: ") {
            // Taken, so that a test that skips a second part as well counts once.
            if let Some(name) = self.current.take() {
                self.skipped_while_passing += 1;
                self.skip(Some(&name), reason);
            }
        }
    }

    /// A line of what tests that failed have printed. What the first panic of each says goes into the report, for whoever reads no more than
    /// its end.
    fn failure(&mut self, line: &str) {
        if let Some(name) = heading(line) {
            (self.current, self.in_reason) = (Some(name.to_owned()), false);
        } else if line.starts_with("thread '") && line.contains("panicked at ") {
            self.in_reason = self.current.is_some();
        } else if line.is_empty() || line == "stack backtrace:" || line.starts_with("note: run with ") {
            // Others follow, of what the test has done after it.
            self.current.take_if(|_| std::mem::take(&mut self.in_reason));
        } else if self.in_reason {
            self.reason(line.trim());
        }
    }

    fn reason(&mut self, part: &str) {
        let test = self.current.as_ref().map(|name| format!("{}: {name}", self.program)).unwrap_or_default();
        let is_it =
            |failed: &str| failed.strip_prefix(&test).is_some_and(|said| said.is_empty() || said.starts_with(": "));
        if let Some(failed) = self.report.failed.iter_mut().find(|failed| is_it(failed)) {
            let left = REASON.saturating_sub(failed.chars().count() - test.chars().count());
            failed.push_str(if failed.len() == test.len() { ": " } else { " " });
            failed.extend(part.chars().take(left));
        }
    }

    fn skip(&mut self, test: Option<&str>, reason: &str) {
        let test = test.map_or_else(|| self.program.clone(), |test| format!("{}: {test}", self.program));
        self.report.skipped.push(Skip { test, reason: reason.to_owned() });
    }

    /// `ok. 5 passed; 0 failed; 1 ignored; …`: its count is right even where a line of a test was garbled by other output.
    fn result(&mut self, text: &str) {
        let counts = text.split([';', '.']).filter_map(|part| part.trim().strip_suffix(" passed"));
        let passed = counts.filter_map(|count| count.parse().ok()).next();
        self.report.passed += passed.unwrap_or(self.passing);
        self.passing = 0;
        self.part = Part::Running;
        self.finished = true;
    }

    /// The result. `listed` are the names of all tests; `ending` says how the program ended, if not well.
    pub(super) fn end(mut self, listed: &[String], ending: Option<&str>) -> Report {
        self.report.passed = (self.report.passed + self.passing).saturating_sub(self.skipped_while_passing);
        let Some(ending) = ending else {
            return self.report;
        };
        if !self.finished {
            let open: Vec<&str> =
                listed.iter().map(String::as_str).filter(|name| !self.reported.contains(*name)).collect();
            self.report.failed.push(format!("{}: {ending}; not finished: {}", self.program, open.join(", ")));
        } else if self.report.failed.is_empty() {
            self.report.failed.push(format!("{}: {ending}, and its output names no test that failed", self.program));
        }
        self.report
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "
running 4 tests
test a::passes ... ok
test a::needs_root ... ok
test a::is_slow ... ignored, takes an hour
test b::fails ... FAILED

successes:

---- a::needs_root stdout ----
skipped: needs root
skipped: needs root for the second part too

---- a::passes stdout ----
chatter

successes:
    a::needs_root
    a::passes

failures:

---- b::fails stdout ----

thread 'b::fails' (7) panicked at src/lib.rs:1:1:
assertion failed
  left: 1
 right: 2
stack backtrace:
   0: main

failures:
    b::fails

test result: FAILED. 2 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s
";

    fn read(output: &str, ending: Option<&str>) -> (Report, Vec<String>) {
        let mut reader = Reader::new("spo-lsm");
        let shown = output.lines().filter(|line| reader.line(line)).map(str::to_owned).collect();
        (reader.end(&["a".to_owned(), "b".to_owned()], ending), shown)
    }

    #[test]
    fn passed_failed_and_skipped_are_told_apart() {
        let (report, _) = read(OUTPUT, Some("ended with exit status: 101"));
        assert_eq!(report.passed, 1);
        assert_eq!(report.failed, ["spo-lsm: b::fails: assertion failed left: 1 right: 2"]);
        let skipped: Vec<(&str, &str)> = report.skipped.iter().map(|s| (s.test.as_str(), s.reason.as_str())).collect();
        assert_eq!(skipped, [("spo-lsm: a::is_slow", "takes an hour"), ("spo-lsm: a::needs_root", "needs root")]);
    }

    #[test]
    fn what_tests_that_passed_have_printed_is_held_back_and_failures_are_shown() {
        let (_, shown) = read(OUTPUT, None);
        assert!(!shown.iter().any(|line| line == "chatter"), "{shown:?}");
        assert!(shown.iter().any(|line| line == "assertion failed"), "{shown:?}");
        assert!(shown.iter().any(|line| line.starts_with("test result: FAILED")), "{shown:?}");
    }

    #[test]
    fn several_results_in_one_output_add_up() {
        let once = "test x ... ok
test result: ok. 1 passed; 0 failed; 0 ignored
";
        assert_eq!(read(&once.repeat(3), None).0.passed, 3);
    }

    #[test]
    fn a_program_that_dies_names_the_tests_it_did_not_finish() {
        let (report, _) = read(
            "running 2 tests
test a ... ok
",
            Some("killed after 600 s"),
        );
        assert_eq!(report.passed, 1);
        assert_eq!(report.failed, ["spo-lsm: killed after 600 s; not finished: b"]);
    }

    #[test]
    fn a_bad_exit_status_is_never_a_success() {
        let (report, _) = read(
            "test result: ok. 1 passed; 0 failed
",
            Some("ended with exit status: 1"),
        );
        assert_eq!(report.failed.len(), 1);
    }
}
