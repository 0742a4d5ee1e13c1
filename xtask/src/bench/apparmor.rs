//! What loading many AppArmor profiles at once costs, beside loading each by itself: in a guest, since this machine need not have AppArmor.

use anyhow::Result;

use super::Figure;
use super::batch::{MANY, PICKS, printed};
use crate::vm::{Lsm, Machine};

/// What all at once may cost, as a multiple of the sum of each by itself.
const BAR: f64 = 1.1;
const PROGRAM: &str = "apparmor_batch";

pub(crate) fn run() -> Result<Vec<Figure>> {
    printed(Machine::new(Lsm::Apparmor), PROGRAM)?.map_or_else(|| Ok(Vec::new()), |printed| figures(&printed))
}

fn figures(printed: &str) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for pick in PICKS {
        let of = |what: &str| pick.take(printed, what);
        let (each, together, again) = (of("each")?, of("together")?, of("again")?);
        let figure =
            |metric: &str, value, unit| Figure::new("apparmor", format!("{metric}, {}", pick.name), value, unit);
        figures.extend([
            figure(&format!("{MANY} profiles, each by itself"), each, "ms"),
            figure(&format!("{MANY} profiles at once"), together, "ms"),
            figure("at once / each by itself", together / each, "ratio").at_most(BAR),
            figure("once more, nothing to do", again, "ms"),
            figure("once more, calls of the parser", of("parsed")?, "calls").at_most(0.0),
        ]);
    }
    Ok(figures)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_guest_become_ratios() {
        let printed = "each 100\ntogether 80\nagain 1\nparsed 0\neach 110\ntogether 99\nagain 2\nparsed 0\n";
        let figures = figures(printed).unwrap();
        assert_eq!(figures.len(), 10);
        assert!((figures[2].value - 0.8).abs() < 1e-9, "{:?}", figures[2]);
        assert!(super::figures("").is_err());
    }
}
