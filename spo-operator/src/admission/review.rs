//! `AdmissionReview` as the API server sends it and wants it back, in the versions `v1` and `v1beta1`, which are one shape.
//!
//! The types of `kube::core::admission` do not serve: their objects must have metadata, which the options of `kubectl exec` have not,
//! and they write a patch as a list of numbers. Here objects stay text until a webhook reads the part it needs.

mod answer;

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

const KIND: &str = "AdmissionReview";
const VERSIONS: [&str; 2] = ["admission.k8s.io/v1", "admission.k8s.io/v1beta1"];

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
    pub(crate) kind: ObjectKind,
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

/// What an object is. Its group and version are settled by the rules of the webhook.
#[derive(Debug, Deserialize)]
pub(crate) struct ObjectKind {
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
    #[error("a pod with {0} containers is too large to be looked at; {1} are possible")]
    TooManyContainers(usize, usize),
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
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

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
        let body = format!(
            r#"{{"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1",
                "request": {{"uid": "1", "kind": {{"kind": "Pod"}}, "operation": "CREATE", "oldObject": {deep}}}}}"#
        );
        let review = read(body.as_bytes()).unwrap();
        assert!(matches!(review.request.old_object::<Value>(), Err(NoObject::Shape("oldObject", _))));
    }
}
