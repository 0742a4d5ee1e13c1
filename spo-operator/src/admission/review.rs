//! `AdmissionReview` as the API server sends it and wants it back, in the versions `v1` and `v1beta1`, which are one shape.
//!
//! The types of `kube::core::admission` do not serve: their objects must have metadata, which the options of `kubectl exec` have not,
//! and they write a patch as a list of numbers. Here objects stay text until a webhook reads the part it needs.

use std::borrow::Cow;
use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::decision::{Decision, Verdict};

const KIND: &str = "AdmissionReview";
const VERSIONS: [&str; 2] = ["admission.k8s.io/v1", "admission.k8s.io/v1beta1"];
/// More warnings are left out, with a line that says so. The API server hands on 4 kB of them.
const WARNINGS_MAX: usize = 16;
/// The API server cuts longer ones.
const WARNING_MAX_BYTES: usize = 256;

/// A body that asks nothing that can be answered.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoReview {
    /// It is not JSON, or not of the shape of a review.
    #[error("the body is no AdmissionReview")]
    Shape(#[source] serde_json::Error),
    /// It is something else, or of a version that came later.
    #[error(
        "the body is a {kind} of {api_version}; a webhook takes an AdmissionReview of {} or {}",
        VERSIONS[0],
        VERSIONS[1]
    )]
    Kind { kind: String, api_version: String },
    /// It is one, and asks nothing.
    #[error("the AdmissionReview has no request")]
    NoRequest,
}

/// What the API server asks.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Request<'a> {
    /// The one of this request, to be given back.
    pub(crate) uid: String,
    /// What the object is.
    pub(crate) kind: GroupVersionKind,
    /// Empty for the object itself.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) sub_resource: String,
    /// Empty while the API server has not made one from `generateName`.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) name: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) namespace: String,
    pub(crate) operation: Operation,
    /// Nothing may be written because of it.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) dry_run: bool,
    /// The object as it is to be.
    #[serde(borrow)]
    object: Option<&'a RawValue>,
    /// The object as it is.
    #[serde(borrow)]
    old_object: Option<&'a RawValue>,
}

/// What an object is.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct GroupVersionKind {
    pub(crate) group: String,
    pub(crate) version: String,
    pub(crate) kind: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Operation {
    Create,
    Update,
    Delete,
    Connect,
}

/// An object of the request that is not what the webhook was told it is.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoObject {
    #[error("the request has no {0}")]
    Missing(&'static str),
    #[error("the {0} of the request cannot be read")]
    Shape(&'static str, #[source] serde_json::Error),
}

impl Request<'_> {
    /// The object as it is to be.
    pub(crate) fn object<T: DeserializeOwned>(&self) -> Result<T, NoObject> {
        read_object("object", self.object)
    }

    /// The object as it is.
    pub(crate) fn old_object<T: DeserializeOwned>(&self) -> Result<T, NoObject> {
        read_object("oldObject", self.old_object)
    }
}

fn read_object<T: DeserializeOwned>(which: &'static str, text: Option<&RawValue>) -> Result<T, NoObject> {
    let text = text.ok_or(NoObject::Missing(which))?;
    serde_json::from_str(text.get()).map_err(|error| NoObject::Shape(which, error))
}

/// A request, and the version in which its answer is expected.
#[derive(Debug)]
pub(crate) struct Review<'a> {
    api_version: &'static str,
    pub(crate) request: Request<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<'a> {
    #[serde(borrow, default)]
    kind: Cow<'a, str>,
    #[serde(borrow, default)]
    api_version: Cow<'a, str>,
    #[serde(borrow)]
    request: Option<&'a RawValue>,
}

/// Reads a review. What it is said to be counts before what is in it.
pub(crate) fn read(body: &[u8]) -> Result<Review<'_>, NoReview> {
    let envelope: Envelope<'_> = serde_json::from_slice(body).map_err(NoReview::Shape)?;
    let known = VERSIONS.into_iter().find(|version| *version == envelope.api_version);
    let (KIND, Some(api_version)) = (&*envelope.kind, known) else {
        let (kind, api_version) = (envelope.kind.into_owned(), envelope.api_version.into_owned());
        return Err(NoReview::Kind { kind, api_version });
    };
    let request = envelope.request.ok_or(NoReview::NoRequest)?;
    Ok(Review { api_version, request: serde_json::from_str(request.get()).map_err(NoReview::Shape)? })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer<'a> {
    kind: &'static str,
    api_version: &'static str,
    response: Response<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Response<'a> {
    uid: &'a str,
    allowed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Status<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    patch: Option<ByteString>,
    #[serde(skip_serializing_if = "Option::is_none")]
    patch_type: Option<&'static str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    audit_annotations: BTreeMap<&'static str, &'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<Cow<'a, str>>,
}

#[derive(Serialize)]
struct Status<'a> {
    code: u16,
    message: &'a str,
}

impl Review<'_> {
    /// The body of the answer.
    pub(crate) fn answer(&self, decision: &Decision) -> serde_json::Result<Vec<u8>> {
        let mut response = Response {
            uid: &self.request.uid,
            allowed: true,
            status: None,
            patch: None,
            patch_type: None,
            audit_annotations: decision.audit.iter().map(|(key, value)| (*key, value.as_str())).collect(),
            warnings: warnings(&decision.warnings),
        };
        match &decision.verdict {
            Verdict::Allowed { patch, message } => {
                response.status = message.map(|message| Status { code: 200, message });
                if !patch.0.is_empty() {
                    response.patch = Some(ByteString(serde_json::to_vec(patch)?));
                    response.patch_type = Some("JSONPatch");
                }
            }
            Verdict::Refused { code, message } => {
                response.allowed = false;
                response.status = Some(Status { code: *code, message });
            }
        }
        serde_json::to_vec(&Answer { kind: KIND, api_version: self.api_version, response })
    }
}

/// What the API server hands on to whoever asked.
fn warnings(all: &[String]) -> Vec<Cow<'_, str>> {
    let cut = |text: &'_ str| -> usize { text.floor_char_boundary(WARNING_MAX_BYTES) };
    let kept = if all.len() > WARNINGS_MAX { WARNINGS_MAX - 1 } else { all.len() };
    let mut shown: Vec<_> = all[..kept].iter().map(|text| Cow::Borrowed(&text[..cut(text)])).collect();
    if kept < all.len() {
        shown.push(Cow::Owned(format!("and {} more warnings", all.len() - kept)));
    }
    shown
}

/// `null` counts as absent.
pub(super) fn or_default<'de, D, T>(from: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use json_patch::{Patch, PatchOperation};
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    fn review(version: &str) -> Vec<u8> {
        let review = json!({
            "kind": "AdmissionReview", "apiVersion": format!("admission.k8s.io/{version}"),
            "request": {
                "uid": "0c9a8d74", "kind": {"group": "", "version": "v1", "kind": "Pod"},
                "resource": {"group": "", "version": "v1", "resource": "pods"},
                "namespace": "web", "operation": "CREATE", "userInfo": {"username": "admin"},
                "object": {"metadata": {"generateName": "web-"}}, "oldObject": null, "dryRun": false,
            },
        });
        serde_json::to_vec(&review).unwrap()
    }

    fn answer(version: &str, decision: &Decision) -> Value {
        let body = review(version);
        serde_json::from_slice(&read(&body).unwrap().answer(decision).unwrap()).unwrap()
    }

    #[rstest]
    fn the_answer_is_of_the_version_asked_and_names_the_request(#[values("v1", "v1beta1")] version: &str) {
        let want = json!({"kind": "AdmissionReview", "apiVersion": format!("admission.k8s.io/{version}"),
            "response": {"uid": "0c9a8d74", "allowed": true}});
        assert_eq!(answer(version, &Decision::allowed()), want);
    }

    #[test]
    fn a_patch_is_base64_of_a_json_patch() {
        let operation: PatchOperation = serde_json::from_value(json!({"op": "add", "path": "/a", "value": 1})).unwrap();
        let response = answer("v1", &Decision::patched(Patch(vec![operation])))["response"].clone();
        assert_eq!(response["patchType"], "JSONPatch");
        // [{"op":"add","path":"/a","value":1}]
        assert_eq!(response["patch"], "W3sib3AiOiJhZGQiLCJwYXRoIjoiL2EiLCJ2YWx1ZSI6MX1d");
    }

    #[test]
    fn a_refusal_has_a_code_and_a_message() {
        let response = answer("v1", &Decision::refused(403, "no"))["response"].clone();
        assert_eq!(response, json!({"uid": "0c9a8d74", "allowed": false, "status": {"code": 403, "message": "no"}}));
    }

    #[test]
    fn warnings_are_few_and_short() {
        let long = "ä".repeat(200);
        let mut decision = Decision::allowed();
        decision.warnings = vec![long; 40];
        let response = answer("v1", &decision)["response"]["warnings"].clone();
        let shown: Vec<String> = serde_json::from_value(response).unwrap();
        assert_eq!((shown.len(), shown[0].len(), shown[15].as_str()), (16, 256, "and 25 more warnings"));
    }

    #[rstest]
    #[case::no_json("{", "no AdmissionReview")]
    #[case::a_list("[]", "no AdmissionReview")]
    #[case::another_kind(
        r#"{"kind": "ConversionReview", "apiVersion": "apiextensions.k8s.io/v1"}"#,
        "a ConversionReview of"
    )]
    #[case::a_later_version(
        r#"{"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v2"}"#,
        "admission.k8s.io/v2"
    )]
    #[case::no_request(r#"{"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1"}"#, "no request")]
    #[case::null(r#"{"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": null}"#, "no request")]
    #[case::twice(r#"{"kind": "AdmissionReview", "kind": "x"}"#, "no AdmissionReview")]
    fn what_is_no_review_is_told_why(#[case] body: &str, #[case] why: &str) {
        let error = read(body.as_bytes()).unwrap_err();
        assert!(error.to_string().contains(why), "{error}");
    }

    #[test]
    fn options_of_an_exec_need_no_metadata() {
        let body = json!({
            "kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1",
            "request": {"uid": "1", "kind": {"group": "", "version": "v1", "kind": "PodExecOptions"}, "operation": "CONNECT",
                "subResource": "exec", "object": {"kind": "PodExecOptions", "command": ["ls"]}},
        })
        .to_string();
        let review = read(body.as_bytes()).unwrap();
        let options: Value = review.request.object().unwrap();
        assert_eq!((review.request.operation, options["command"][0].as_str()), (Operation::Connect, Some("ls")));
        assert!(matches!(review.request.old_object::<Value>(), Err(NoObject::Missing("oldObject"))));
    }

    #[test]
    fn nesting_that_no_webhook_reads_costs_nothing() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        let body =
            String::from_utf8(review("v1")).unwrap().replace(r#""oldObject":null"#, &format!(r#""oldObject":{deep}"#));
        let review = read(body.as_bytes()).unwrap();
        assert!(matches!(review.request.old_object::<Value>(), Err(NoObject::Shape("oldObject", _))));
    }
}
