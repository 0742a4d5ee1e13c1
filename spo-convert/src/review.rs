//! A ConversionReview: what the API server asks, and what it is answered.
//!
//! Objects are converted one by one and in order. Each is read, converted, written and forgotten before the next one is looked
//! at, so that a review of a thousand objects takes the memory of its body, of the answer and of one object.

use std::borrow::Cow;

use serde_json::value::RawValue;

use crate::envelope::{ConversionReview, Outcome, Request, Response};
use crate::error::{BadReview, Error};
use crate::object::convert_into;
use crate::version::Version;

/// Answers a review. Every request has an answer: what cannot be converted makes it a failure that names the first such object.
///
/// [`review_bytes`] does the same from body to body, and needs less memory.
pub fn review(review: ConversionReview<'_>) -> ConversionReview<'_> {
    let ConversionReview { api_version, kind, request, .. } = review;
    let response = match request {
        Some(request) => respond(request),
        None => Response {
            uid: Cow::Borrowed(""),
            result: Outcome::failure(BadReview::NoRequest.to_string()),
            converted_objects: None,
        },
    };
    ConversionReview { api_version, kind, request: None, response: Some(response) }
}

fn respond(request: Request<'_>) -> Response<'_> {
    let mut converted = Vec::with_capacity(request.objects.len());
    let mut out = Vec::new();
    let result = each(&request, &mut out, |out| {
        let object = std::mem::take(out);
        converted.extend(String::from_utf8(object).ok().and_then(|object| RawValue::from_string(object).ok()));
    });
    let is_answered = result == Outcome::SUCCESS && !converted.is_empty();
    Response { uid: request.uid, result, converted_objects: is_answered.then_some(converted) }
}

/// Answers the body of a request by the body of an answer.
///
/// It takes about twice the memory of the body: the body itself, and the answer.
///
/// # Errors
/// The body is no review. An HTTP server answers that by status 400, and what this function gives by status 200.
///
/// ```
/// let body = br#"{
///     "apiVersion": "apiextensions.k8s.io/v1",
///     "kind": "ConversionReview",
///     "request": {
///         "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
///         "desiredAPIVersion": "security-profiles-operator.x-k8s.io/v1",
///         "objects": [{
///             "apiVersion": "security-profiles-operator.x-k8s.io/v1beta1",
///             "kind": "SeccompProfile",
///             "metadata": {"name": "web"},
///             "spec": {"defaultAction": "SCMP_ACT_ERRNO"}
///         }]
///     }
/// }"#;
/// let answer: serde_json::Value = serde_json::from_slice(&spo_convert::review_bytes(body)?)?;
/// assert_eq!(answer["response"]["result"]["status"], "Success");
/// assert_eq!(answer["response"]["convertedObjects"][0]["apiVersion"], "security-profiles-operator.x-k8s.io/v1");
///
/// assert!(spo_convert::review_bytes(b"{}").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn review_bytes(body: &[u8]) -> Result<Vec<u8>, BadReview> {
    let review = ConversionReview::read(body)?;
    let request = review.request.as_ref().ok_or(BadReview::NoRequest)?;
    let mut out = Vec::with_capacity(body.len() + request.objects.len() * ADDED + 1024);
    write_answer(&review, request, &mut out).map_err(BadReview::Unreadable)?;
    Ok(out)
}

/// How much longer a converted object is than the one it came from, at most in most cases: an empty status.
const ADDED: usize = 32;

fn write_answer(review: &ConversionReview<'_>, request: &Request<'_>, out: &mut Vec<u8>) -> serde_json::Result<()> {
    out.push(b'{');
    for (name, value) in [("apiVersion", &review.api_version), ("kind", &review.kind)] {
        if !value.is_empty() {
            serde_json::to_writer(&mut *out, name)?;
            out.push(b':');
            serde_json::to_writer(&mut *out, value)?;
            out.push(b',');
        }
    }
    out.extend_from_slice(br#""response":{"uid":"#);
    serde_json::to_writer(&mut *out, &request.uid)?;
    let start = out.len();
    out.extend_from_slice(br#","convertedObjects":["#);
    let result = each(request, out, |out| out.push(b','));
    if result == Outcome::SUCCESS && out.last() == Some(&b',') {
        out.pop();
        out.push(b']');
    } else {
        out.truncate(start);
        out.extend_from_slice(br#","convertedObjects":null"#);
    }
    out.extend_from_slice(br#","result":"#);
    serde_json::to_writer(&mut *out, &result)?;
    out.extend_from_slice(b"}}");
    Ok(())
}

/// Converts object after object, writes each into `out`, and calls `written` behind it. Ends at the first that cannot be converted.
fn each(request: &Request<'_>, out: &mut Vec<u8>, mut written: impl FnMut(&mut Vec<u8>)) -> Outcome {
    let to = Version::of(&request.desired_api_version);
    for (index, object) in request.objects.iter().enumerate() {
        make_room(out, object.get().len());
        if let Err(Error { object, reason }) = convert_into(out, object.get(), to, &request.desired_api_version) {
            return Outcome::failure(format!("objects[{index}], {object}: {reason}"));
        }
        written(out);
    }
    Outcome::SUCCESS
}

/// Makes sure that an object of this length fits in most cases, without the doubling by which a vector grows on its own.
fn make_room(out: &mut Vec<u8>, object: usize) {
    if out.capacity() - out.len() < object + ADDED {
        out.reserve_exact((object + ADDED).max(out.len() / 8));
    }
}
