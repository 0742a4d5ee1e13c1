//! Whole reviews: what is answered, what is no review, and that no input does harm.

mod support;

use rstest::rstest;
use serde_json::{Value, json};
use spo_api::{GROUP, Kind};
use spo_convert::{BadReview, ConversionReview, Version, review, review_bytes};
use support::{answer, answer_to, data, object, old_version, request};

fn v1() -> String {
    format!("{GROUP}/v1")
}

fn seccomp(name: &str) -> Value {
    let mut profile = object("SeccompProfile", Version::V1beta1, json!({"defaultAction": "SCMP_ACT_ERRNO"}));
    profile["metadata"]["name"] = json!(name);
    profile
}

#[test]
fn an_answer_says_which_request_it_is_for_and_nothing_else_of_it() {
    let answer = answer(&v1(), &json!([seccomp("a")]));
    let fields: Vec<&String> = answer.as_object().unwrap().keys().collect();
    assert_eq!(fields, ["apiVersion", "kind", "response"]);
    assert_eq!(answer["apiVersion"], "apiextensions.k8s.io/v1");
    assert_eq!(answer["kind"], "ConversionReview");
    assert_eq!(answer["response"]["uid"], "u-1");
    assert_eq!(answer["response"]["result"], json!({"metadata": {}, "status": "Success"}));
}

#[test]
fn objects_keep_their_order_whatever_their_kinds() {
    let binding = object("ProfileBinding", Version::V1alpha1, json!({"image": "*"}));
    let objects: Vec<Value> = ["c", "a", "b"].map(seccomp).into_iter().chain([binding, seccomp("d")]).collect();
    let answer = answer(&v1(), &json!(objects));
    let names =
        |objects: &Value| objects.as_array().unwrap().iter().map(|o| o["metadata"]["name"].clone()).collect::<Vec<_>>();
    assert_eq!(names(&answer["response"]["convertedObjects"]), names(&json!(objects)));
}

#[test]
fn one_object_that_cannot_be_converted_fails_the_review_and_is_named() {
    let mut bad = seccomp("bad");
    bad["spec"]["defaultAction"] = json!(5);
    let answer = answer(&v1(), &json!([seccomp("a"), bad, seccomp("b")]));
    let message = "objects[1], SeccompProfile \"bad\": spec.defaultAction: expected text, found 5";
    let result = json!({"metadata": {}, "status": "Failure", "message": message});
    assert_eq!(answer["response"], json!({"uid": "u-1", "result": result, "convertedObjects": null}));
}

#[test]
fn no_objects_are_a_success_without_objects() {
    for objects in [json!([]), json!(null)] {
        let answer = answer(&v1(), &objects);
        assert_eq!(answer["response"]["result"]["status"], "Success");
        assert_eq!(answer["response"]["convertedObjects"], json!(null));
    }
}

#[rstest]
#[case("security-profiles-operator.x-k8s.io/v2")]
#[case("apps/v1")]
#[case("v1")]
#[case("")]
fn a_version_that_nobody_serves_fails(#[case] desired: &str) {
    let answer = answer(desired, &json!([seccomp("a")]));
    let message = answer["response"]["result"]["message"].as_str().unwrap();
    assert!(message.contains(&format!("the wanted version is {desired:?}")), "{message}");
}

#[test]
fn w_api_1_every_kind_is_converted_in_both_directions() {
    for kind in Kind::ALL {
        let versions = [Version::V1, old_version(kind)];
        for (from, to) in [(versions[0], versions[1]), (versions[1], versions[0])] {
            let answer = answer(&format!("{GROUP}/{to}"), &json!([object(kind.as_str(), from, json!({}))]));
            assert_eq!(answer["response"]["result"]["status"], "Success", "{kind} to {to}: {answer}");
            assert_eq!(answer["response"]["convertedObjects"][0]["apiVersion"], format!("{GROUP}/{to}"));
        }
    }
}

#[rstest]
#[case::nothing("")]
#[case::no_json("conversion, please")]
#[case::half_of_it(r#"{"kind":"ConversionReview","request":{"uid":"#)]
#[case::a_list("[]")]
#[case::a_list_of_what_belongs_into_it(r#"["apiextensions.k8s.io/v1", "ConversionReview", {}]"#)]
#[case::a_request_as_a_list(r#"{"request":["u", "security-profiles-operator.x-k8s.io/v1", []]}"#)]
#[case::two_of_them(r#"{"request":{}} {"request":{}}"#)]
#[case::a_uid_that_is_no_text(r#"{"request":{"uid":5}}"#)]
#[case::objects_that_are_no_list(r#"{"request":{"objects":{}}}"#)]
#[case::a_request_twice(r#"{"request":{},"request":{"uid":"x"}}"#)]
#[case::a_uid_twice(r#"{"request":{"uid":"a","uid":"b"}}"#)]
#[case::a_broken_object(r#"{"request":{"objects":[{"a":}]}}"#)]
fn what_is_no_review_is_a_bad_one(#[case] body: &str) {
    let error = review_bytes(body.as_bytes()).unwrap_err();
    assert!(matches!(error, BadReview::Unreadable(_)), "{error}");
}

#[rstest]
#[case("AdmissionReview", "admission.k8s.io/v1")]
#[case("ConversionReview", "admission.k8s.io/v1")]
#[case("ConversionReviewList", "apiextensions.k8s.io/v1")]
fn a_review_that_lies_about_its_kind_is_a_bad_one(#[case] kind: &str, #[case] api_version: &str) {
    let mut review = request(&v1(), &json!([]));
    review["kind"] = json!(kind);
    review["apiVersion"] = json!(api_version);
    let error = review_bytes(review.to_string().as_bytes()).unwrap_err().to_string();
    assert!(error.contains(kind) && error.contains(api_version), "{error}");
}

#[test]
fn a_review_without_a_request_is_a_bad_one() {
    for body in ["{}", "null", r#"{"kind":"ConversionReview","apiVersion":"apiextensions.k8s.io/v1","request":null}"#] {
        assert!(matches!(review_bytes(body.as_bytes()).unwrap_err(), BadReview::NoRequest), "{body}");
    }
}

#[test]
fn text_that_is_not_utf_8_is_a_bad_review() {
    let mut body = request(&v1(), &json!([seccomp("NAME")])).to_string().into_bytes();
    let at = body.windows(4).position(|window| window == b"NAME").unwrap();
    body[at] = 0xff;
    assert!(review_bytes(&body).is_err());
}

#[test]
fn ten_thousand_levels_fail_the_review_with_the_object_named() {
    let deep = "[".repeat(10_000) + &"]".repeat(10_000);
    let whole = seccomp("deep").to_string().replace("\"SCMP_ACT_ERRNO\"", &deep);
    let body = request(&v1(), &json!(["OBJECT"])).to_string().replace("\"OBJECT\"", &whole);
    let message = answer_to(body.as_bytes())["response"]["result"]["message"].as_str().unwrap().to_owned();
    assert!(
        message.starts_with("objects[0], SeccompProfile \"deep\": spec: cannot be read: recursion limit"),
        "{message}"
    );
    let envelope = format!(r#"{{"request":{{"unknown":{deep}}}}}"#);
    assert_eq!(answer_to(envelope.as_bytes())["response"]["result"]["status"], "Success");
}

#[rstest]
#[case(
    r#""apiVersion":"security-profiles-operator.x-k8s.io/v1beta1","kind":"SeccompProfile","kind":"Pod""#,
    "\"kind\""
)]
#[case(
    r#""apiVersion":"security-profiles-operator.x-k8s.io/v1beta1","kind":"SeccompProfile","spec":{"defaultAction":"a","default\u0041ction":"b"}"#,
    "spec: cannot be read: field \"defaultAction\""
)]
#[case(
    r#""apiVersion":"security-profiles-operator.x-k8s.io/v1beta1","kind":"SeccompProfile","metadata":{"annotations":{"a":"","a":""}}"#,
    "metadata.annotations: cannot be read: field \"a\""
)]
fn a_field_that_is_written_twice_fails_the_review_and_is_named(#[case] fields: &str, #[case] named: &str) {
    let body = request(&v1(), &json!(["OBJECT"])).to_string().replace("\"OBJECT\"", &format!("{{{fields}}}"));
    let answer = answer_to(body.as_bytes());
    let message = answer["response"]["result"]["message"].as_str().unwrap();
    assert!(message.contains(&format!("{named} is written twice")), "{message}");
}

#[rstest]
#[case(json!(5), "objects[0], the object: cannot be read: invalid type")]
#[case(json!(null), "objects[0], the object: apiVersion is \"\"")]
#[case(json!({"kind": 5}), "objects[0], the object: kind: cannot be read")]
#[case(json!({"apiVersion": "v1", "kind": "Pod", "metadata": 5}), "objects[0], Pod without a name: apiVersion is \"v1\"")]
fn what_is_no_object_of_ours_fails_the_review(#[case] object: Value, #[case] expected: &str) {
    let answer = answer(&v1(), &json!([object]));
    let message = answer["response"]["result"]["message"].as_str().unwrap();
    assert!(message.starts_with(expected), "{message}");
}

#[test]
fn an_object_without_metadata_gets_empty_metadata() {
    let mut profile = seccomp("x");
    for metadata in [None, Some(json!(null))] {
        let fields = profile.as_object_mut().unwrap();
        fields.remove("metadata");
        fields.extend(metadata.map(|metadata| ("metadata".to_owned(), metadata)));
        assert_eq!(answer(&v1(), &json!([profile]))["response"]["convertedObjects"][0]["metadata"], json!({}));
    }
}

#[test]
fn messages_stay_short_whatever_was_sent() {
    let long = "x".repeat(100_000);
    let mut objects = vec![json!({"apiVersion": long, "kind": long, "metadata": {"name": long}}), seccomp(&long)];
    objects[1]["spec"]["defaultAction"] = json!([]);
    objects.push(seccomp("a"));
    objects[2]["spec"] = json!(long);
    for object in objects {
        let answer = answer(&v1(), &json!([object]));
        assert!(answer["response"]["result"]["message"].as_str().unwrap().len() < 600, "{answer}");
    }
    assert!(
        review_bytes(request(&v1(), &json!([])).to_string().replace("ConversionReview", &long).as_bytes())
            .unwrap_err()
            .to_string()
            .len()
            < 600
    );
}

#[test]
fn both_forms_of_a_review_give_the_same_answer() {
    for vector in data("vectors.json")["vectors"].as_array().unwrap() {
        let body = request(vector["desiredAPIVersion"].as_str().unwrap(), &vector["objects"]).to_string();
        let typed = review(ConversionReview::read(body.as_bytes()).unwrap());
        let typed: Value = serde_json::from_str(&serde_json::to_string(&typed).unwrap()).unwrap();
        assert_eq!(typed, answer_to(body.as_bytes()), "{}", vector["name"]);
    }
    let nothing = review(ConversionReview::default()).response.unwrap();
    assert_eq!(nothing.result.failed(), Some("the ConversionReview has no request"));
}
