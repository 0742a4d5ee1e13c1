//! Reviews of an API server: whatever is answered is JSON, both forms of a review give the same answer, and an object that was
//! converted settles: once it was there and back, another journey changes nothing.
#![cfg_attr(fuzzing, no_main)]
#![forbid(unsafe_code)]

use serde_json::Value;
use spo_api::Kind;
use spo_convert::{ConversionReview, Version, convert, review, review_bytes};

spo_fuzz::target!(target);

fn target(data: &[u8]) {
    let Ok(answer) = review_bytes(data) else {
        assert!(ConversionReview::read(data).is_err(), "one form of a review is refused, the other is not");
        return;
    };
    let answer: Value = serde_json::from_slice(&answer).expect("an answer is JSON");
    let typed = review(ConversionReview::read(data).expect("it was read before"));
    assert_eq!(serde_json::to_value(&typed.response).expect("it can be written"), answer["response"]);
    for object in answer["response"]["convertedObjects"].as_array().into_iter().flatten() {
        settles(object);
    }
}

fn settles(object: &Value) {
    let Some(once) = there_and_back(object) else { return };
    let twice = there_and_back(&once).expect("what was converted once can be converted again");
    assert_eq!(once, twice);
}

/// The object in its other version and back, unless there is no room for what the older version cannot hold.
fn there_and_back(object: &Value) -> Option<Value> {
    let kind: Kind = object["kind"].as_str()?.parse().expect("an answer has objects of this API");
    let old: Version = kind.old_version().parse().expect("conversion knows the versions of every kind");
    let is_v1 = object["apiVersion"].as_str()?.ends_with("/v1");
    let (there, back) = if is_v1 { (old, Version::V1) } else { (Version::V1, old) };
    let other = convert(object.to_string().as_bytes(), there).ok()?;
    serde_json::from_slice(&convert(&other, back).ok()?).expect("an object is JSON")
}
