//! What libFuzzer prints, as far as people want to know.

/// Where a run stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Progress {
    /// How many inputs were tried.
    pub(super) runs: u64,
    /// How many places of the code were reached.
    pub(super) coverage: u64,
    /// How many inputs are kept, as each reaches something that the others do not.
    pub(super) corpus: u64,
}

/// What a line means.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line<'a> {
    /// How far the run has come. A line may say a part of it.
    Progress(Progress),
    /// Something went wrong, and the lines from here on say what.
    Trouble,
    /// An input was written to this file.
    Written(&'a str),
    Other,
}

/// What tells that a target fails: a panic, an allocation that was refused, too deep a recursion, or libFuzzer itself.
const TROUBLE: [&str; 4] = ["panicked at", "memory allocation of", "overflowed its stack", "ERROR: libFuzzer"];

pub(super) fn read(line: &str) -> Line<'_> {
    if let Some((_, file)) = line.split_once("Test unit written to ") {
        return Line::Written(file.trim());
    }
    if TROUBLE.iter().any(|sign| line.contains(sign)) {
        return Line::Trouble;
    }
    progress(line).map_or(Line::Other, Line::Progress)
}

/// `#1024 NEW cov: 512 ft: 700 corp: 30/1200b …`, or with several jobs `#1024: cov: 512 ft: 700 corp: 30 …`; `Done 2048 runs in 9 second(s)`.
fn progress(line: &str) -> Option<Progress> {
    let mut words = line.split_whitespace();
    let first = words.next()?;
    if first == "Done" {
        return Some(Progress { runs: words.next()?.parse().ok()?, ..Progress::default() });
    }
    let runs = first.strip_prefix('#')?.trim_end_matches(':').parse().ok()?;
    let rest: Vec<&str> = words.collect();
    let after = |name: &str| {
        let value = rest.iter().skip_while(|word| **word != name).nth(1)?;
        value.split('/').next()?.parse().ok()
    };
    Some(Progress { runs, coverage: after("cov:")?, corpus: after("corp:")? })
}

impl Progress {
    /// Takes in a later line.
    pub(super) fn advance(&mut self, later: &Self) {
        self.runs = self.runs.max(later.runs);
        self.coverage = self.coverage.max(later.coverage);
        if later.corpus > 0 {
            self.corpus = later.corpus;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_of_one_job_and_of_several_say_how_far_they_are() {
        let expected = Line::Progress(Progress { runs: 1024, coverage: 512, corpus: 30 });
        let one = "#1024\tNEW    cov: 512 ft: 700 corp: 30/1200b lim: 4 exec/s: 0 rss: 40Mb L: 2/4 MS: 1 InsertByte-";
        assert_eq!(read(one), expected);
        assert_eq!(
            read("#1024: cov: 512 ft: 700 corp: 30 exec/s 512 oom/timeout/crash: 0/0/0 time: 2s job: 1"),
            expected
        );
        assert_eq!(read("INFO: Seed: 1"), Line::Other);
    }

    #[test]
    fn the_last_line_counts_the_runs_and_nothing_else() {
        let mut progress = Progress { runs: 1024, coverage: 512, corpus: 30 };
        let Line::Progress(last) = read("Done 2048 runs in 9 second(s)") else { panic!("it is not read") };
        progress.advance(&last);
        assert_eq!(progress, Progress { runs: 2048, coverage: 512, corpus: 30 });
    }

    #[test]
    fn trouble_is_told_from_progress() {
        assert_eq!(read("thread '<unnamed>' panicked at fuzz/src/lib.rs:61:5:"), Line::Trouble);
        assert_eq!(read("==7== ERROR: libFuzzer: timeout after 10 seconds"), Line::Trouble);
        let written = "artifact_prefix='fuzz/artifacts/x/'; Test unit written to fuzz/artifacts/x/crash-0a";
        assert_eq!(read(written), Line::Written("fuzz/artifacts/x/crash-0a"));
    }
}
