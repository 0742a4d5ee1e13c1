//! The schema of a kind, applied to a manifest as the API server applies it to an object.
//!
//! A folder has no API server before it. What that would refuse or silently drop, a field that is spelt wrong above all, is refused
//! here, with the field's path and, where one is near, the name that was probably meant. Patterns are left to the parser of
//! profiles, which knows their meaning.

use std::collections::HashSet;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use serde_json::{Map, Value};
use spo_api::{FieldPath, Violation};

/// The fields of `metadata`, which CRDs do not describe: `metav1.ObjectMeta`.
const METADATA: [&str; 15] = [
    "annotations",
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "finalizers",
    "generateName",
    "generation",
    "labels",
    "managedFields",
    "name",
    "namespace",
    "ownerReferences",
    "resourceVersion",
    "selfLink",
    "uid",
];

/// More violations than anybody reads.
const MAX_VIOLATIONS: usize = 32;

/// What a schema does not permit.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Fields that it does not have.
    pub(crate) unknown: Vec<Violation>,
    /// Everything else.
    pub(crate) wrong: Vec<Violation>,
}

impl Found {
    /// All of it, or as much as anybody reads; the last of that says that there is more.
    pub(crate) fn all(mut self) -> Vec<Violation> {
        self.unknown.append(&mut self.wrong);
        if self.unknown.len() > MAX_VIOLATIONS {
            self.unknown.truncate(MAX_VIOLATIONS);
            if let Some(last) = self.unknown.last_mut() {
                last.reason += "; and more is wrong than is told at once";
            }
        }
        self.unknown
    }

    /// Whether more than is read is known to be wrong. A file has room for a million mistakes, and each is written out.
    fn is_full(&self) -> bool {
        self.unknown.len() + self.wrong.len() > MAX_VIOLATIONS
    }
}

/// Everything in `object` that its kind's `schema` does not permit. `status` is not looked at: nobody writes it into a file on purpose.
pub(crate) fn validate(object: &Map<String, Value>, schema: &JSONSchemaProps) -> Found {
    let mut found = Found::default();
    let known = schema.properties.as_ref();
    let names = || known.into_iter().flat_map(|known| known.keys().map(String::as_str));
    for (field, value) in object {
        if found.is_full() {
            break;
        }
        let path = FieldPath::new(field);
        match (field.as_str(), known.and_then(|known| known.get(field))) {
            ("apiVersion" | "kind" | "status", _) => {}
            ("metadata", _) => metadata(value, &path, &mut found),
            (_, Some(schema)) => check(value, schema, &path, &mut found),
            (_, None) => found.unknown.push(unknown(&path, field, names())),
        }
    }
    required(object, schema, &FieldPath::default(), &mut found);
    found
}

fn metadata(value: &Value, path: &FieldPath, found: &mut Found) {
    let Value::Object(fields) = value else {
        return found.wrong.push(wrong_type(path, "object", value));
    };
    for field in fields.keys().filter(|field| !METADATA.contains(&field.as_str())).take(MAX_VIOLATIONS + 1) {
        found.unknown.push(unknown(&path.child(field), field, METADATA.into_iter()));
    }
    for field in ["labels", "annotations"] {
        texts(fields.get(field), &path.child(field), found);
    }
}

/// A map of texts, as labels are. YAML makes a truth value of an unquoted `true`, and a number of `1`.
fn texts(value: Option<&Value>, path: &FieldPath, found: &mut Found) {
    match value {
        None | Some(Value::Null) => {}
        Some(Value::Object(map)) => {
            let other = map.iter().filter(|(_, value)| !value.is_string()).take(MAX_VIOLATIONS + 1);
            found.wrong.extend(other.map(|(key, value)| {
                Violation::new(
                    path.key(key),
                    format!("expected a string, found {}; put it into quotes", describe(value)),
                )
            }));
        }
        Some(other) => found.wrong.push(wrong_type(path, "object", other)),
    }
}

fn check(value: &Value, schema: &JSONSchemaProps, path: &FieldPath, found: &mut Found) {
    if found.is_full() || value.is_null() {
        return; // null is "not given" to an API server
    }
    if let Some(wanted) = schema.type_.as_deref().filter(|wanted| !is_type(value, wanted)) {
        return found.wrong.push(wrong_type(path, wanted, value));
    }
    match value {
        Value::Object(fields) => object(fields, schema, path, found),
        Value::Array(items) => list(items, schema, path, found),
        Value::String(text) => one_of(text, schema, path, found),
        Value::Number(number) => bounds(number, schema, path, found),
        Value::Null | Value::Bool(_) => {}
    }
}

fn object(fields: &Map<String, Value>, schema: &JSONSchemaProps, path: &FieldPath, found: &mut Found) {
    if schema.x_kubernetes_preserve_unknown_fields == Some(true) {
        return;
    }
    let known = schema.properties.as_ref();
    for (field, value) in fields {
        if found.is_full() {
            return;
        }
        let path = path.child(field);
        match (known.and_then(|known| known.get(field)), &schema.additional_properties) {
            (Some(schema), _) => check(value, schema, &path, found),
            (None, Some(JSONSchemaPropsOrBool::Schema(schema))) => check(value, schema, &path, found),
            (None, Some(JSONSchemaPropsOrBool::Bool(true))) => {}
            (None, _) => {
                let names = known.into_iter().flat_map(|known| known.keys().map(String::as_str));
                found.unknown.push(unknown(&path, field, names));
            }
        }
    }
    required(fields, schema, path, found);
}

fn required(fields: &Map<String, Value>, schema: &JSONSchemaProps, path: &FieldPath, found: &mut Found) {
    let missing = schema.required.iter().flatten().filter(|field| fields.get(*field).is_none_or(Value::is_null));
    found.wrong.extend(missing.map(|field| Violation::new(path.child(field), "is required and missing")));
}

fn list(items: &[Value], schema: &JSONSchemaProps, path: &FieldPath, found: &mut Found) {
    let length = i64::try_from(items.len()).unwrap_or(i64::MAX);
    if let Some(min) = schema.min_items.filter(|min| length < *min) {
        found.wrong.push(Violation::new(path.clone(), format!("has {length} items, at least {min} are needed")));
    }
    if let Some(max) = schema.max_items.filter(|max| length > *max) {
        found.wrong.push(Violation::new(path.clone(), format!("has {length} items, at most {max} are possible")));
    }
    if schema.x_kubernetes_list_type.as_deref() == Some("set") {
        let mut seen = HashSet::new();
        let repeated = items.iter().enumerate().find(|(_, item)| !seen.insert(*item));
        found.wrong.extend(repeated.map(|(index, item)| {
            Violation::new(path.index(index), format!("{item} stands in the list twice; remove one"))
        }));
    }
    if let Some(JSONSchemaPropsOrArray::Schema(schema)) = &schema.items {
        for (index, item) in items.iter().enumerate() {
            check(item, schema, &path.index(index), found);
        }
    }
}

fn one_of(text: &str, schema: &JSONSchemaProps, path: &FieldPath, found: &mut Found) {
    let Some(values) = &schema.enum_ else { return };
    let known: Vec<&str> = values.iter().filter_map(|value| value.0.as_str()).collect();
    if !known.contains(&text) {
        let hint = nearest(text, known.iter().copied())
            .map_or_else(|| format!("one of {}", known.join(", ")), |near| format!("did you mean {near}?"));
        found.wrong.push(Violation::new(path.clone(), format!("{text:?} is no possible value; {hint}")));
    }
}

fn bounds(number: &serde_json::Number, schema: &JSONSchemaProps, path: &FieldPath, found: &mut Found) {
    let Some(value) = number.as_f64() else { return };
    if let Some(min) = schema.minimum.filter(|min| value < *min) {
        found.wrong.push(Violation::new(path.clone(), format!("is {number}, at least {min} is needed")));
    }
    if let Some(max) = schema.maximum.filter(|max| value > *max) {
        found.wrong.push(Violation::new(path.clone(), format!("is {number}, at most {max} is possible")));
    }
}

fn is_type(value: &Value, wanted: &str) -> bool {
    match wanted {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        _ => true,
    }
}

fn wrong_type(path: &FieldPath, wanted: &str, value: &Value) -> Violation {
    let wanted = match wanted {
        "array" => "a list",
        "object" => "fields",
        "integer" => "a whole number",
        "boolean" => "true or false",
        "string" => "a string",
        _ => "a number",
    };
    Violation::new(path.clone(), format!("expected {wanted}, found {}", describe(value)))
}

fn describe(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Bool(truth) => format!("the truth value {truth}"),
        Value::Number(number) => format!("the number {number}"),
        Value::String(text) if text.len() <= 40 => format!("the string {text:?}"),
        Value::String(_) => "a string".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "fields".to_owned(),
    }
}

fn unknown<'a>(path: &FieldPath, field: &str, known: impl Iterator<Item = &'a str> + Clone) -> Violation {
    let hint = match nearest(field, known.clone()) {
        Some(near) => format!("did you mean {near}?"),
        None => format!("known here: {}", known.collect::<Vec<_>>().join(", ")),
    };
    Violation::new(path.clone(), format!("unknown field; {hint}"))
}

/// The known word that was probably meant: at most a third of its letters differ. What constants of one family begin with, as `SCMP_ACT_`,
/// makes none of them like another.
///
/// The distance of two words takes memory in proportion to the product of their lengths, so it is not asked of one that is too long.
pub(crate) fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let distance = |near: &str| {
        let (word, near) = match (word.rsplit_once('_'), near.rsplit_once('_')) {
            (Some((family, word)), Some((same, near))) if family.eq_ignore_ascii_case(same) => (word, near),
            _ => (word, near),
        };
        let distance = strsim::damerau_levenshtein(&word.to_lowercase(), &near.to_lowercase());
        (distance <= near.len().div_ceil(3)).then_some(distance)
    };
    known
        .filter(|near| word.len() <= 2 * near.len())
        .filter_map(|near| Some((distance(near)?, near)))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, near)| near)
}

#[cfg(test)]
mod tests {
    use kube::CustomResourceExt;
    use rstest::rstest;
    use serde_json::json;
    use spo_api::seccomp::v1::SeccompProfile;

    use super::*;

    fn violations(object: Value) -> Vec<String> {
        let crd = SeccompProfile::crd();
        let schema = crd.spec.versions[0].schema.as_ref().unwrap().open_api_v3_schema.as_ref().unwrap();
        validate(object.as_object().unwrap(), schema).all().iter().map(Violation::to_string).collect()
    }

    fn with(spec: Value) -> Value {
        json!({"apiVersion": "x", "kind": "SeccompProfile", "metadata": {"name": "web"}, "spec": spec})
    }

    #[test]
    fn what_the_api_server_accepts_is_accepted() {
        let spec = json!({
            "defaultAction": "SCMP_ACT_ERRNO", "architectures": ["SCMP_ARCH_X86_64"], "baseProfileName": null, "flags": [],
            "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ALLOW", "errnoRet": 0,
                "args": [{"index": 0, "value": i64::MAX, "op": "SCMP_CMP_EQ"}]}],
        });
        assert_eq!(violations(with(spec)), [""; 0]);
    }

    #[rstest]
    #[case(json!({"defaultAction": "SCMP_ACT_ALLOW", "sycalls": []}), "spec.sycalls: unknown field; did you mean syscalls?")]
    #[case(json!({"defaultAction": "SCMP_ACT_ALLOW", "zebra": 1}), "spec.zebra: unknown field; known here: architectures, baseProfileName, defaultAction, flags, listenerMetadata, listenerPath, state, syscalls")]
    #[case(json!({"defaultAction": "SCMP_ACT_ALOW"}), "spec.defaultAction: \"SCMP_ACT_ALOW\" is no possible value; did you mean SCMP_ACT_ALLOW?")]
    #[case(json!({"defaultAction": "SCMP_ACT_MAYBE"}), "spec.defaultAction: \"SCMP_ACT_MAYBE\" is no possible value; one of SCMP_ACT_KILL, SCMP_ACT_KILL_PROCESS, SCMP_ACT_KILL_THREAD, SCMP_ACT_TRAP, SCMP_ACT_ERRNO, SCMP_ACT_TRACE, SCMP_ACT_ALLOW, SCMP_ACT_LOG, SCMP_ACT_NOTIFY")]
    #[case(json!({}), "spec.defaultAction: is required and missing")]
    #[case(json!({"defaultAction": true}), "spec.defaultAction: expected a string, found the truth value true")]
    #[case(json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": {"names": []}}), "spec.syscalls: expected a list, found fields")]
    #[case(json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": [], "action": "SCMP_ACT_LOG"}]}), "spec.syscalls[0].names: has 0 items, at least 1 are needed")]
    #[case(json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["read", "read"], "action": "SCMP_ACT_LOG"}]}), "spec.syscalls[0].names[1]: \"read\" stands in the list twice; remove one")]
    #[case(json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["read"], "action": "SCMP_ACT_LOG", "errnoRet": -1}]}), "spec.syscalls[0].errnoRet: is -1, at least 0 is needed")]
    fn a_violation_names_the_field_and_the_next_step(#[case] spec: Value, #[case] expected: &str) {
        assert_eq!(violations(with(spec)), [expected]);
    }

    #[test]
    fn a_word_of_a_megabyte_resembles_nothing() {
        let found = violations(with(json!({"defaultAction": "SCMP_ACT_LOG", "x".repeat(1 << 20): 1})));
        assert!(found[0].contains("unknown field; known here: "));
    }

    #[test]
    fn as_many_mistakes_are_told_as_anybody_reads() {
        let spec: Map<String, Value> = (0..100_000).map(|at| (format!("x{at}"), json!(1))).collect();
        let found = violations(with(spec.into()));
        assert_eq!(found.len(), MAX_VIOLATIONS);
        assert!(found[MAX_VIOLATIONS - 1].ends_with("; and more is wrong than is told at once"), "{found:?}");
        let spec: Map<String, Value> = (1..MAX_VIOLATIONS).map(|at| (format!("x{at}"), json!(1))).collect();
        let found = violations(with(spec.into()));
        assert!(found.len() == MAX_VIOLATIONS && !found.iter().any(|found| found.contains("and more")), "{found:?}");
    }

    #[test]
    fn metadata_is_checked_too() {
        let object = json!({"metadata": {"nmae": "web", "labels": {"spo.x-k8s.io/partial": true}}, "spce": {}, "spec": {"defaultAction": "SCMP_ACT_LOG"}});
        let mut found = violations(object);
        found.sort();
        assert_eq!(
            found,
            [
                "metadata.labels[spo.x-k8s.io/partial]: expected a string, found the truth value true; put it into quotes",
                "metadata.nmae: unknown field; did you mean name?",
                "spce: unknown field; did you mean spec?",
            ]
        );
    }
}
