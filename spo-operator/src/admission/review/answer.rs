//! The answer to a review.

use std::borrow::Cow;
use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use serde::Serialize;

use super::super::decision::{Decision, Verdict};
use super::{KIND, Review};

/// More warnings are left out, with a line that says so. The API server hands on 4 kB of them.
const WARNINGS_MAX: usize = 16;
/// The API server cuts longer ones.
const WARNING_MAX_BYTES: usize = 256;

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

#[cfg(test)]
mod tests {
    use json_patch::{Patch, PatchOperation};
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::super::read;
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
}
