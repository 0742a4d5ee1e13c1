//! What the tests of conversion share: reviews, data, and one object there and back.
#![allow(dead_code, unreachable_pub, reason = "each test program uses a part of it")]
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test that cannot go on panics, and one that is skipped says so"
)]

use std::path::Path;

use serde_json::{Value, json};
use spo_api::{GROUP, Kind};
use spo_convert::Version;

/// The annotation that holds what the older version cannot.
pub const STASH: &str = spo_api::labels::CONVERSION;

pub fn old_version(kind: Kind) -> Version {
    kind.old_version().parse().unwrap()
}

/// A review that asks for objects in a version, as an API server sends it.
pub fn request(desired: &str, objects: &Value) -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "ConversionReview",
        "request": {"uid": "u-1", "desiredAPIVersion": desired, "objects": objects},
    })
}

/// The answer to such a review.
pub fn answer(desired: &str, objects: &Value) -> Value {
    answer_to(request(desired, objects).to_string().as_bytes())
}

/// The answer to the body of a review.
#[track_caller]
pub fn answer_to(body: &[u8]) -> Value {
    serde_json::from_slice(&spo_convert::review_bytes(body).unwrap()).unwrap()
}

/// An object of a kind in a version, called `x`.
pub fn object(kind: &str, version: Version, spec: Value) -> Value {
    json!({"apiVersion": format!("{GROUP}/{version}"), "kind": kind, "metadata": {"name": "x"}, "spec": spec})
}

/// One object in another version.
#[track_caller]
pub fn convert(object: &Value, to: Version) -> Value {
    let converted = spo_convert::convert(object.to_string().as_bytes(), to);
    serde_json::from_slice(&converted.unwrap_or_else(|error| panic!("{error}: {object}"))).unwrap()
}

pub fn to_v1(object: &Value) -> Value {
    convert(object, Version::V1)
}

pub fn to_old(object: &Value) -> Value {
    convert(object, old_version(kind_of(object)))
}

pub fn kind_of(object: &Value) -> Kind {
    object["kind"].as_str().unwrap().parse().unwrap()
}

/// Why an object cannot be converted.
#[track_caller]
pub fn refusal(object: &Value, to: Version) -> String {
    spo_convert::convert(object.to_string().as_bytes(), to).unwrap_err().to_string()
}

/// What was set aside in an object of an older version.
pub fn stash(object: &Value) -> Option<Value> {
    Some(serde_json::from_str(object["metadata"]["annotations"].get(STASH)?.as_str()?).unwrap())
}

/// The same object with what was set aside as JSON instead of text, so that the order of its fields does not matter.
pub fn readable(mut object: Value) -> Value {
    if let Some(stash) = stash(&object) {
        object["metadata"]["annotations"][STASH] = stash;
    }
    object
}

/// A file of tests/data.
pub fn data(name: &str) -> Value {
    read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name))
}

pub fn read(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A file that lies beside the workspace, where it is there.
pub fn shared(path: &str) -> Option<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared").join(path);
    if !path.is_file() {
        println!("skipped: no {}", path.display());
        return None;
    }
    Some(read(&path))
}
