//! `cargo xtask bench`: figures, as lines of JSON for programs and as a table for people.
//!
//! One file per bench in `bench/`, each a function that measures and gives back [`Figure`]s. A figure stands beside what the reference
//! operator needs for the same thing (`baseline`) and beside the bar this project sets itself; a bar that is missed makes the
//! command fail.

use std::path::Path;

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use serde::Serialize;

use crate::run::{print, root, say};

mod apparmor;
mod batch;
mod cli;
mod convert;
mod guest;
mod https;
pub(crate) mod measure;
mod memory;
mod modules;
mod operator;
mod process;
mod profiles;
mod propagate;
mod recorder;
mod seccomp;
mod selinux;
mod trace;

/// Measures, and writes each figure as a line of JSON to target/bench/NAME.jsonl, and a table.
///
/// Builds what it measures with the release profile. Other work on the machine spoils wall times: figures are minima or
/// medians of interleaved runs where that matters. Ends with status 1 if a bar is missed.
#[derive(Debug, clap::Args)]
pub(crate) struct Bench {
    /// Which one; all of them without it.
    name: Option<Name>,
}

/// The benches there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Name {
    /// `spoc version` beside `/bin/true`; `spoc record /bin/true`.
    Cli,
    /// Objects from one version to the other, beside `serde_json`, and through HTTPS.
    Convert,
    /// Guests: their disk, their boot, and the tools in them.
    Guest,
    /// What the daemon, the manager and the webhook server have in memory.
    Memory,
    /// A thousand profiles until all are Installed, beside a plain client that does as many writes.
    Propagate,
    /// What recording costs a system call, beside a program that does nothing.
    Recorder,
    /// A thousand seccomp profiles in a folder, most of which build on others: the first pass, a second, a restart, and what is written.
    Seccomp,
    /// Fifty AppArmor profiles at once beside each by itself, in a guest; and once more, when nothing is to be done.
    Apparmor,
    /// Fifty SELinux profiles at once beside one, in a guest: installing and removing them.
    Selinux,
}

impl Name {
    fn run(self) -> Result<Vec<Figure>> {
        match self {
            Self::Cli => cli::run(),
            Self::Convert => convert::run(),
            Self::Guest => guest::run(),
            Self::Memory => memory::run(),
            Self::Propagate => propagate::run(),
            Self::Recorder => recorder::run(),
            Self::Seccomp => seccomp::run(),
            Self::Apparmor => apparmor::run(),
            Self::Selinux => selinux::run(),
        }
    }
}

/// What has to hold for a figure to be good enough.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Bar {
    AtMost(f64),
    AtLeast(f64),
}

/// One measured number.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Figure {
    bench: &'static str,
    metric: String,
    value: f64,
    unit: &'static str,
    baseline: Option<f64>,
    #[serde(skip)]
    bar: Option<Bar>,
}

impl Figure {
    /// `unit` as people write it: `ms`, `MiB`, `ratio`, `requests`.
    pub(crate) fn new(bench: &'static str, metric: impl Into<String>, value: f64, unit: &'static str) -> Self {
        Self { bench, metric: metric.into(), value, unit, baseline: None, bar: None }
    }

    /// What the reference operator needs for the same, in the same unit.
    pub(crate) fn baseline(mut self, value: f64) -> Self {
        self.baseline = Some(value);
        self
    }

    /// The bar: the value must not be above this.
    pub(crate) fn at_most(mut self, bar: f64) -> Self {
        self.bar = Some(Bar::AtMost(bar));
        self
    }

    /// The bar: the value must not be below this.
    pub(crate) fn at_least(mut self, bar: f64) -> Self {
        self.bar = Some(Bar::AtLeast(bar));
        self
    }

    /// Whether the bar is reached, if there is one. What is not a number reaches none.
    fn reached(&self) -> Option<bool> {
        self.bar.map(|bar| match bar {
            Bar::AtMost(bar) => self.value <= bar,
            Bar::AtLeast(bar) => self.value >= bar,
        })
    }
}

impl Bench {
    pub(crate) fn run(self) -> Result<()> {
        let names = self.name.map_or_else(|| Name::value_variants().to_vec(), |name| vec![name]);
        let mut missed = Vec::new();
        for name in names {
            let title = title(name)?;
            say(&format!("bench {title}"));
            let figures = name.run().with_context(|| format!("bench {title}"))?;
            let path = root().join("target/bench").join(format!("{title}.jsonl"));
            save(&path, &figures)?;
            table(&figures).iter().try_for_each(|line| print(line))?;
            print(&format!("figures: {}", path.display()))?;
            missed.extend(figures.into_iter().filter(|figure| figure.reached() == Some(false)));
        }
        if missed.is_empty() {
            return Ok(());
        }
        let list: Vec<String> = missed.iter().map(|figure| format!("{} {}", figure.bench, figure.metric)).collect();
        bail!("bars missed: {}", list.join(", "))
    }
}

/// The name as it is typed.
fn title(name: Name) -> Result<String> {
    let value = name.to_possible_value().context("every bench has a name")?;
    Ok(value.get_name().to_owned())
}

/// Writes the figures, one line of JSON each, in place of those of an earlier run.
fn save(path: &Path, figures: &[Figure]) -> Result<()> {
    let mut lines = String::new();
    for figure in figures {
        lines += &serde_json::to_string(figure).context("a figure is plain data")?;
        lines.push('\n');
    }
    let dir = path.parent().context("figures are written below target")?;
    std::fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    std::fs::write(path, lines).with_context(|| format!("cannot write {}", path.display()))
}

/// The figures in columns.
fn table(figures: &[Figure]) -> Vec<String> {
    let mut rows = vec![["metric", "value", "unit", "reference", "bar", ""].map(str::to_owned)];
    rows.extend(figures.iter().map(row));
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let [metric, value, unit, baseline, bar] = [0, 1, 2, 3, 4].map(width);
    rows.iter()
        .map(|[m, v, u, b, t, r]| {
            let line = format!("{m:metric$}  {v:>value$} {u:unit$}  {b:>baseline$}  {t:>bar$}  {r}");
            line.trim_end().to_owned()
        })
        .collect()
}

fn row(figure: &Figure) -> [String; 6] {
    let bar = match figure.bar {
        None => String::new(),
        Some(Bar::AtMost(bar)) => format!("≤ {}", number(bar)),
        Some(Bar::AtLeast(bar)) => format!("≥ {}", number(bar)),
    };
    let reached = match figure.reached() {
        None => "",
        Some(true) => "ok",
        Some(false) => "MISSED",
    };
    let baseline = figure.baseline.map_or_else(String::new, number);
    [figure.metric.clone(), number(figure.value), figure.unit.to_owned(), baseline, bar, reached.to_owned()]
}

/// Three significant digits, without an exponent.
fn number(value: f64) -> String {
    let digits = if value == 0.0 { 0.0 } else { value.abs().log10().floor() };
    let decimals = (2.0 - digits).clamp(0.0, 6.0);
    let text = format!("{value:.0$}", decimals as usize);
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_is_a_line_of_json_with_the_five_keys_that_scripts_read() {
        let figure = Figure::new("cli", "version", 1.5, "ms").baseline(40.0).at_most(3.0);
        let line = serde_json::to_string(&figure).unwrap();
        assert_eq!(line, r#"{"bench":"cli","metric":"version","value":1.5,"unit":"ms","baseline":40.0}"#);
        let line = serde_json::to_string(&Figure::new("cli", "version", 1.0, "ms")).unwrap();
        assert!(line.ends_with(r#""baseline":null}"#), "{line}");
    }

    #[test]
    fn a_bar_is_reached_at_its_value_and_never_by_what_is_not_a_number() {
        assert_eq!(Figure::new("x", "m", 3.0, "ms").at_most(3.0).reached(), Some(true));
        assert_eq!(Figure::new("x", "m", 3.1, "ms").at_most(3.0).reached(), Some(false));
        assert_eq!(Figure::new("x", "m", f64::NAN, "ms").at_most(3.0).reached(), Some(false));
        assert_eq!(Figure::new("x", "m", 1.0, "ms").reached(), None);
    }

    #[test]
    fn numbers_are_short_whatever_their_size() {
        let shown: Vec<String> = [0.0, 0.012_34, 1.5, 356.4, 20432.0].into_iter().map(number).collect();
        assert_eq!(shown, ["0", "0.0123", "1.5", "356", "20432"]);
    }

    #[test]
    fn columns_line_up() {
        let figures =
            [Figure::new("x", "short", 1.0, "ms"), Figure::new("x", "a longer one", 20.0, "MiB").at_most(25.0)];
        let lines = table(&figures);
        assert_eq!(lines[1], "short             1 ms");
        assert_eq!(lines[2], "a longer one     20 MiB              ≤ 25  ok");
    }
}
