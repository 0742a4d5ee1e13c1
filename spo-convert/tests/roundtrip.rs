//! Any object there and back. Objects are made from the schemas and not from the tables of conversion, which could be wrong in the
//! same way.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod generate;
mod support;

use generate::{Make, objects};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::Union;
use serde_json::{Value, json};
use spo_api::Kind;
use spo_convert::Version;
use support::{old_version, to_old, to_v1};

fn kinds() -> impl Strategy<Value = Kind> {
    select(Kind::ALL.to_vec())
}

/// An object of any kind in `v1`.
fn new(make: Make) -> impl Strategy<Value = Value> {
    Union::new(Kind::ALL.map(|kind| objects(kind, Version::V1, make)))
}

/// An object of any kind in its older version, as 1.0 writes it.
fn old(make: Make) -> impl Strategy<Value = Value> {
    Union::new(Kind::ALL.map(|kind| objects(kind, old_version(kind), make)))
}

/// What conversion writes where nothing was said.
fn filled(mut object: Value) -> Value {
    let kind: Kind = object["kind"].as_str().unwrap().parse().unwrap();
    let is_v1 = object["apiVersion"].as_str().unwrap().ends_with("/v1");
    let word = |old: &str, new: &str| json!(if is_v1 { new } else { old });
    let fields = match kind {
        Kind::SeccompProfile | Kind::SelinuxProfile | Kind::RawSelinuxProfile => vec![("/spec", json!({}))],
        Kind::AppArmorProfile => vec![("/spec", json!({})), ("/spec/abstract", json!({}))],
        Kind::ProfileBinding | Kind::SecurityProfileNodeStatus => vec![],
        Kind::ProfileRecording => vec![
            ("/spec", json!({})),
            ("/spec/recorder", word("logs", "Logs")),
            ("/spec/mergeStrategy", word("none", "None")),
        ],
        Kind::SecurityProfilesOperatorDaemon => vec![
            ("/spec", json!({})),
            ("/spec/webhook", json!({})),
            ("/spec/enricher", json!({})),
            ("/spec/enricher/logEnricherSource", word("auditd", "Auditd")),
            ("/status", json!({})),
            ("/status/state", word("PENDING", "Pending")),
        ],
    };
    for (path, value) in fields.into_iter().chain([("/status", json!({}))]) {
        let (parent, name) = path.rsplit_once('/').unwrap();
        let parent = object.pointer_mut(parent).unwrap().as_object_mut().unwrap();
        if parent.get(name).is_none_or(|there| *there == "") {
            parent.insert(name.to_owned(), value);
        }
    }
    object
}

/// The same value without anything that a reader takes for nothing.
fn stripped(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(stripped).collect(),
        Value::Object(fields) => {
            let inner = fields.iter().map(|(name, value)| (name.clone(), stripped(value)));
            Value::Object(inner.filter(|(_, value)| !is_nothing(value)).collect())
        }
        other => other.clone(),
    }
}

fn is_nothing(value: &Value) -> bool {
    [json!(null), json!(""), json!(0), json!(false), json!([]), json!({})].contains(value)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    #[test]
    fn an_object_of_v1_comes_back_as_it_was(object in new(Make::Full)) {
        prop_assert_eq!(to_v1(&to_old(&object)), filled(object));
    }

    #[test]
    fn fields_of_a_later_v1_come_back(object in new(Make::Later)) {
        prop_assert_eq!(to_v1(&to_old(&object)), filled(object));
    }

    #[test]
    fn an_object_of_the_older_version_comes_back_as_it_was(object in old(Make::Full)) {
        prop_assert_eq!(to_old(&to_v1(&object)), filled(object));
    }

    #[test]
    fn empty_values_are_all_that_may_be_left_out(new in new(Make::Any), old in old(Make::Any)) {
        prop_assert_eq!(stripped(&to_v1(&to_old(&new))), stripped(&filled(new)));
        prop_assert_eq!(stripped(&to_old(&to_v1(&old))), stripped(&filled(old)));
    }

    #[test]
    fn a_second_journey_changes_nothing(object in new(Make::Later)) {
        let there = to_old(&object);
        prop_assert_eq!(to_old(&to_v1(&there)), there);
    }

    /// A group that holds an empty list is written as an empty one, as the reference does; the next time it is none.
    #[test]
    fn a_third_journey_changes_nothing_even_of_what_is_empty(object in new(Make::Any)) {
        let back = to_v1(&to_old(&to_v1(&to_old(&object))));
        prop_assert_eq!(to_v1(&to_old(&back)), back);
    }

    #[test]
    fn metadata_is_left_alone(object in new(Make::Any)) {
        let mut there = to_old(&object);
        let metadata = there["metadata"].as_object_mut().unwrap();
        if let Some(annotations) = metadata.get_mut("annotations") {
            annotations.as_object_mut().unwrap().remove(support::STASH);
            if *annotations == json!({}) {
                metadata.remove("annotations");
            }
        }
        prop_assert_eq!(&there["metadata"], &object["metadata"]);
        prop_assert_eq!(&to_v1(&to_old(&object))["metadata"], &object["metadata"]);
    }

    #[test]
    fn what_only_v1_has_survives_any_edit_of_the_rest(new in objects(Kind::SecurityProfilesOperatorDaemon, Version::V1, Make::Full), edited in objects(Kind::SecurityProfilesOperatorDaemon, Version::V1alpha1, Make::Full)) {
        let mut old = to_old(&new);
        old["spec"] = edited["spec"].clone();
        let back = to_v1(&old);
        for field in ["selinux/options/deniedTypes", "selinux/options/deniedClasses", "selinux/options/deniedPermissions", "security/allowedIdentityRegexp", "security/allowedOidcIssuerRegexp"] {
            let field = format!("/spec/{field}");
            prop_assert_eq!(back.pointer(&field), new.pointer(&field), "{}", field);
        }
    }

    #[test]
    fn words_that_no_schema_knows_pass(kind in kinds(), word in "[A-Za-z]{1,8}") {
        let version = old_version(kind);
        let mut object = support::object(kind.as_str(), version, json!({"state": word, "mode": word, "kind": word, "defaultAction": word}));
        object["status"] = json!({"status": word});
        let new = to_v1(&object);
        for field in ["/spec/state", "/spec/mode", "/spec/kind", "/spec/defaultAction", "/status/status"] {
            prop_assert!(new.pointer(field).is_none_or(|there| *there == word), "{} in {}", field, new);
        }
        prop_assert_eq!(to_v1(&to_old(&new)), new);
    }
}
