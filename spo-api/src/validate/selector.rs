//! Label selectors: what `metav1.LabelSelector` leaves to its reader.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement};

use crate::{FieldPath, Violation, names};

/// The most characters of a label's value, and of its key behind the prefix.
const LABEL_MAX: usize = 63;

/// What would keep a selector from being used.
pub(super) fn validate(selector: Option<&LabelSelector>, path: &FieldPath) -> Vec<Violation> {
    let Some(selector) = selector else { return Vec::new() };
    let mut found = Vec::new();
    let labels = path.child("matchLabels");
    for (name, text) in selector.match_labels.iter().flatten() {
        found.extend(key(name, labels.key(name)));
        found.extend(value(text, labels.key(name)));
    }
    let expressions = path.child("matchExpressions");
    for (index, requirement) in selector.match_expressions.iter().flatten().enumerate() {
        expression(requirement, &expressions.index(index), &mut found);
    }
    found
}

fn expression(requirement: &LabelSelectorRequirement, path: &FieldPath, found: &mut Vec<Violation>) {
    found.extend(key(&requirement.key, path.child("key")));
    let values = requirement.values.as_deref().unwrap_or_default();
    match (requirement.operator.as_str(), values.is_empty()) {
        ("In" | "NotIn", false) | ("Exists" | "DoesNotExist", true) => {}
        (operator @ ("In" | "NotIn"), true) => {
            found.push(Violation::new(
                path.child("values"),
                format!("is missing or empty, which {operator} has no use for"),
            ));
        }
        (operator @ ("Exists" | "DoesNotExist"), false) => {
            found.push(Violation::new(path.child("values"), format!("has no meaning with {operator}; leave it out")));
        }
        (operator, _) => {
            let reason = format!("{operator:?} is no operator; expected In, NotIn, Exists, DoesNotExist");
            found.push(Violation::new(path.child("operator"), reason));
        }
    }
    for (index, text) in values.iter().enumerate() {
        found.extend(value(text, path.child("values").index(index)));
    }
}

/// A key: a name, with a DNS subdomain and a slash before it or not.
fn key(text: &str, path: FieldPath) -> Option<Violation> {
    let (prefix, name) = text.split_once('/').map_or((None, text), |(prefix, name)| (Some(prefix), name));
    let fits = prefix.is_none_or(|prefix| names::subdomain(prefix).is_ok()) && is_word(name);
    (!fits).then(|| {
        Violation::new(
            path,
            format!("{text:?} is no key of a label: {WORD}, with a DNS subdomain and '/' before it or not"),
        )
    })
}

fn value(text: &str, path: FieldPath) -> Option<Violation> {
    let fits = text.is_empty() || is_word(text);
    (!fits).then(|| Violation::new(path, format!("{text:?} is no value of a label: {WORD}")))
}

const WORD: &str = "up to 63 letters, digits, '-', '_' and '.', starting and ending with a letter or digit";

fn is_word(text: &str) -> bool {
    let bytes = text.as_bytes();
    let edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    bytes.len() <= LABEL_MAX
        && edge(bytes.first())
        && edge(bytes.last())
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    fn violations(selector: Value) -> Vec<String> {
        let selector: LabelSelector = serde_json::from_value(selector).unwrap();
        validate(Some(&selector), &FieldPath::default()).iter().map(Violation::to_string).collect()
    }

    #[test]
    fn a_selector_that_can_be_used_is_right() {
        let selector = json!({
            "matchLabels": {"app": "web", "example.org/tier": "", "a_B.c": "A.b_c-1"},
            "matchExpressions": [
                {"key": "app", "operator": "In", "values": ["web", ""]}, {"key": "app", "operator": "NotIn", "values": ["db"]},
                {"key": "app", "operator": "Exists"}, {"key": "app", "operator": "DoesNotExist", "values": []},
            ],
        });
        assert_eq!(violations(selector), [""; 0]);
        assert_eq!(violations(json!({})), [""; 0]);
        assert_eq!(validate(None, &FieldPath::default()), []);
    }

    #[rstest]
    #[case(json!({"matchExpressions": [{"key": "a", "operator": "In"}]}), "matchExpressions[0].values: is missing or empty, which In has no use for")]
    #[case(json!({"matchExpressions": [{"key": "a", "operator": "Exists", "values": ["x"]}]}), "matchExpressions[0].values: has no meaning with Exists; leave it out")]
    #[case(json!({"matchExpressions": [{"key": "a", "operator": "in", "values": ["x"]}]}), "matchExpressions[0].operator: \"in\" is no operator; expected In, NotIn, Exists, DoesNotExist")]
    #[case(json!({"matchExpressions": [{"key": "", "operator": "Exists"}]}), "matchExpressions[0].key: \"\" is no key of a label")]
    #[case(json!({"matchLabels": {"Example.org/a": "x"}}), "matchLabels[Example.org/a]: \"Example.org/a\" is no key of a label")]
    #[case(json!({"matchLabels": {"a": "-x"}}), "matchLabels[a]: \"-x\" is no value of a label")]
    #[case(json!({"matchLabels": {"a": "x".repeat(64)}}), "matchLabels[a]: \"xxx")]
    fn what_cannot_be_used_is_told(#[case] selector: Value, #[case] expected: &str) {
        let found = violations(selector);
        assert!(found.len() == 1 && found[0].starts_with(expected), "{found:?}");
    }
}
