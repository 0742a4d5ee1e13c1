//! Quantities: a number with a unit, as Kubernetes writes memory and processor time.

const UNITS: [&str; 16] = ["", "n", "u", "m", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];

/// Whether a text is a quantity by the pattern of the schema: a number and a unit, or a number and a power of ten.
pub(super) fn is_quantity(text: &str) -> bool {
    let Some(rest) = after_number(unsigned(text)) else { return false };
    let exponent = rest.strip_prefix(['e', 'E']).and_then(|power| after_number(unsigned(power)));
    UNITS.contains(&rest) || exponent == Some("")
}

fn unsigned(text: &str) -> &str {
    text.strip_prefix(['+', '-']).unwrap_or(text)
}

/// What follows a number, which has a digit before or behind its point.
fn after_number(text: &str) -> Option<&str> {
    let whole = text.trim_start_matches(|c: char| c.is_ascii_digit());
    match whole.strip_prefix('.') {
        None => (whole.len() < text.len()).then_some(whole),
        Some(fraction) => {
            let rest = fraction.trim_start_matches(|c: char| c.is_ascii_digit());
            (whole.len() < text.len() || rest.len() < fraction.len()).then_some(rest)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::schema::kubernetes::QUANTITY;

    proptest! {
        #[test]
        fn whatever_the_pattern_of_the_schema_admits_is_a_quantity(text in QUANTITY.trim_matches(['^', '$'])) {
            prop_assert!(is_quantity(&text));
        }

        #[test]
        fn a_unit_or_exponent_without_a_number_is_none(text in "[+-]?\\.?[eEnumkMGTPi]*") {
            prop_assert!(!is_quantity(&text));
        }
    }

    #[test]
    fn quantities_of_kubernetes_are_recognised() {
        for text in ["1", "0.5Gi", "500m", "128Mi", "1e3", "1E3", "1E", "+.5", "-1.", "1e-3", "1.5e+.5", "100n", "12u"]
        {
            assert!(is_quantity(text), "{text}");
        }
        for text in ["", "Mi", "1 Mi", "1mi", "1KiB", "1K", ".", "-", "1e", "e3", "1.2.3", "0x1", "١"] {
            assert!(!is_quantity(text), "{text}");
        }
    }
}
