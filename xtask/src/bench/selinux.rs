//! What installing many SELinux profiles at once costs, beside one: in a guest, since this machine need not have SELinux, with the policy that
//! Debian's containers need. Policies of whole distributions are larger, so that what is done once weighs more there.

use anyhow::Result;

use super::Figure;
use super::batch::{MANY, PICKS, printed};
use crate::vm::{Lsm, Machine, Policy};

/// What many may cost, as a multiple of one.
const BAR: f64 = 1.3;
const PROGRAM: &str = "selinux_batch";

pub(crate) fn run() -> Result<Vec<Figure>> {
    let machine = Machine { policy: Policy::Default, ..Machine::new(Lsm::Selinux) };
    printed(machine, PROGRAM)?.map_or_else(|| Ok(Vec::new()), |printed| figures(&printed))
}

fn figures(printed: &str) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for what in ["install", "remove"] {
        for pick in PICKS {
            let of = |count: usize| pick.take(printed, &format!("{what} {count}"));
            let (one, many) = (of(1)?, of(MANY)?);
            let figure = |metric: String, value, unit| {
                Figure::new("selinux", format!("{what} {metric}, {}", pick.name), value, unit)
            };
            figures.extend([
                figure("1 profile".to_owned(), one, "ms"),
                figure(format!("{MANY} profiles at once"), many, "ms"),
                figure(format!("{MANY} as a multiple of 1"), many / one, "ratio").at_most(BAR),
            ]);
        }
    }
    Ok(figures)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_guest_become_ratios() {
        let printed = "install 1 100\nremove 1 80\ninstall 50 120.5\nremove 50 88\ninstall 1 110\ninstall 50 110\n";
        let figures = figures(printed).unwrap();
        assert!((figures[3].value - 105.0).abs() < 1e-9, "{:?}", figures[3]);
        assert_eq!(figures.len(), 12);
        assert!((figures[2].value - 1.1).abs() < 1e-9, "{:?}", figures[2]);
        assert!(super::figures("").is_err());
    }
}
