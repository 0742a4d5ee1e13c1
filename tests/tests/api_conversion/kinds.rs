//! Objects of every kind, in both of its versions.

use kube::api::{ApiResource, DynamicObject};
use kube::{Api, Client};
use serde_json::Value;
use spo_api::{GROUP, Kind};
use spo_tests::manifest;

/// Where the namespaced ones are.
pub(crate) const PLACE: &str = "shop";

/// The example of a kind in one of its versions, with this name.
pub(crate) fn example(kind: Kind, version: &str, name: &str) -> DynamicObject {
    let old = if version == kind.old_version() { format!("-{version}") } else { String::new() };
    let file = format!("spo-api/tests/data/examples/{}{old}.yaml", kind.as_str().to_lowercase());
    let mut object: DynamicObject = manifest::objects(&manifest::text(&file).unwrap()).unwrap().remove(0);
    object.metadata.name = Some(name.to_owned());
    object.metadata.namespace = kind.is_namespaced().then(|| PLACE.to_owned());
    object
}

/// The objects of a kind, in one of its versions.
pub(crate) fn api(client: &Client, kind: Kind, version: &str) -> Api<DynamicObject> {
    let resource = resource(kind, version);
    if kind.is_namespaced() {
        Api::namespaced_with(client.clone(), PLACE, &resource)
    } else {
        Api::all_with(client.clone(), &resource)
    }
}

fn resource(kind: Kind, version: &str) -> ApiResource {
    ApiResource {
        group: GROUP.to_owned(),
        version: version.to_owned(),
        api_version: format!("{GROUP}/{version}"),
        kind: kind.as_str().to_owned(),
        plural: kind.plural().to_owned(),
    }
}

/// The `apiVersion` of an object.
pub(crate) fn version(object: &DynamicObject) -> &str {
    object.types.as_ref().and_then(|types| types.api_version.rsplit('/').next()).unwrap_or_default()
}

/// What an example of the old version says in v1: the words of the two kinds whose words differ are replaced, and what only older
/// releases wrote is left out.
pub(crate) fn in_v1(kind: Kind, spec: &Value) -> Value {
    let mut spec = spec.clone();
    let mut replace = |pointer: &str, words: &[(&str, &str)]| {
        let Some(value) = spec.pointer_mut(pointer) else { return };
        let word = words.iter().find(|(old, _)| value == old).unwrap_or_else(|| panic!("no word for {value}"));
        *value = word.1.into();
    };
    replace("/enricher/logEnricherSource", &[("auditd", "Auditd"), ("bpf", "Bpf")]);
    if kind == Kind::ProfileRecording {
        replace("/recorder", &[("bpf", "Bpf"), ("logs", "Logs")]);
        replace("/mergeStrategy", &[("none", "None"), ("containers", "Containers")]);
    }
    spec
}
