//! What the conversion of objects between versions costs.
//!
//! The library is measured by an example of its own, built with the release profile: beside `serde_json`, which has to read and
//! write the same bytes, in turns. [`super::https`] measures the server around it.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde::Deserialize;

use super::Figure;
use crate::run::{Run, target};

pub(crate) fn run() -> Result<Vec<Figure>> {
    Ok([library()?, super::https::figures()?].concat())
}

/// `spo-convert` by itself: no connection, one thread.
fn library() -> Result<Vec<Figure>> {
    Run::cargo().args(["build", "--release", "--package", "spo-convert", "--example", "measure"]).run()?;
    let measured = Measured::read(&Run::new(target().join("release/examples/measure")).quiet().output()?)?;
    let (plain, plain_allocations) =
        (measured.get("serde_json, ns, median")?, measured.get("serde_json, allocations")?);
    let mut figures = Vec::new();
    for direction in ["to v1", "to v1beta1"] {
        let (median, least) = (format!("{direction}, ns, median"), format!("{direction}, ns, minimum"));
        let (median, least) = (measured.get(&median)?, measured.get(&least)?);
        let allocations = measured.get(&format!("{direction}, allocations"))?;
        let of = |what: &str| format!("10 kB {direction}, {what}");
        figures.extend([
            Figure::new("convert", of("median"), median / 1000.0, "µs").baseline(600.0),
            // A fifth of what the reference needs in its best case. The least of ours is that of an undisturbed run.
            Figure::new("convert", of("minimum"), least / 1000.0, "µs").baseline(600.0).at_most(120.0),
            Figure::new("convert", of("/ serde_json, medians"), median / plain, "ratio").at_most(3.0),
            Figure::new("convert", of("allocations"), allocations, "allocations").baseline(780.0),
        ]);
    }
    figures.extend([
        Figure::new("convert", "10 kB, serde_json reads and writes, median", plain / 1000.0, "µs"),
        Figure::new("convert", "the same, allocations", plain_allocations, "allocations"),
        Figure::new(
            "convert",
            "1,500 objects of 10 kB, per object",
            measured.get("review, ns per object")? / 1000.0,
            "µs",
        ),
        Figure::new(
            "convert",
            "1,500 objects of 10 kB, peak heap / body",
            measured.get("review, peak / body")?,
            "ratio",
        )
        .at_most(3.0),
    ]);
    Ok(figures)
}

/// What the example printed: a line of JSON for each number.
struct Measured(BTreeMap<String, f64>);

#[derive(Deserialize)]
struct Line {
    metric: String,
    value: f64,
}

impl Measured {
    fn read(text: &str) -> Result<Self> {
        let lines = text.lines().map(|line| {
            let line: Line = serde_json::from_str(line).with_context(|| format!("the example printed {line:?}"))?;
            Ok((line.metric, line.value))
        });
        lines.collect::<Result<_>>().map(Self)
    }

    fn get(&self, metric: &str) -> Result<f64> {
        self.0.get(metric).copied().with_context(|| format!("the example did not measure {metric:?}"))
    }
}
