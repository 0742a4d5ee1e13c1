//! A ConversionReview: what the API server asks, and what it is answered.
//!
//! Objects are converted one by one and in order. Each is read, converted, written and forgotten before the next one is looked
//! at, so that a review of a thousand objects takes the memory of its body, of the answer and of one object.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use crate::error::{BadReview, Error};
use crate::node::cut;
use crate::object::convert_into;
use crate::version::Version;

/// The group of the API that a review belongs to.
const REVIEW_GROUP: &str = "apiextensions.k8s.io/";

/// A review, as a request or as an answer. What borrows does so from the body that it was read from.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConversionReview<'a> {
    /// `apiextensions.k8s.io/v1`
    #[serde(borrow, default, deserialize_with = "or_default", skip_serializing_if = "str::is_empty")]
    pub api_version: Cow<'a, str>,
    /// `ConversionReview`
    #[serde(borrow, default, deserialize_with = "or_default", skip_serializing_if = "str::is_empty")]
    pub kind: Cow<'a, str>,
    /// What is asked.
    #[serde(borrow, default, deserialize_with = "some_object", skip_serializing_if = "Option::is_none")]
    pub request: Option<Request<'a>>,
    /// What is answered. A request has none, and whatever it says here is not looked at.
    #[serde(skip_deserializing, skip_serializing_if = "Option::is_none")]
    pub response: Option<Response<'a>>,
}

/// What is asked: objects in another version.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request<'a> {
    /// Which request it is; the answer says it again.
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub uid: Cow<'a, str>,
    /// The version that is wanted, with its group.
    #[serde(borrow, default, rename = "desiredAPIVersion", deserialize_with = "or_default")]
    pub desired_api_version: Cow<'a, str>,
    /// The objects, each in the JSON that it came in.
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub objects: Vec<&'a RawValue>,
}

/// What is answered: every object in the wanted version, or why one of them cannot be.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Response<'a> {
    /// That of the request.
    pub uid: Cow<'a, str>,
    /// Whether all objects were converted.
    pub result: Outcome,
    /// The objects in the order of the request; none after a failure, and where none were sent.
    pub converted_objects: Option<Vec<Box<RawValue>>>,
}

/// Whether all objects were converted, in the form of a `metav1.Status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Outcome {
    metadata: NoMetadata,
    status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
}

impl Outcome {
    const SUCCESS: Self = Self { metadata: NoMetadata {}, status: Status::Success, message: None };

    fn failure(message: String) -> Self {
        Self { metadata: NoMetadata {}, status: Status::Failure, message: Some(message) }
    }

    /// Why the objects were not converted; `None` if they were.
    pub fn failed(&self) -> Option<&str> {
        self.message.as_deref()
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct NoMetadata {}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
enum Status {
    Success,
    Failure,
}

/// `null` counts as absent, also where a value is not optional.
fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<T, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// Reads an object or `null`. By itself, a derived reader takes a list of values for an object too.
fn some_object<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    struct SomeObject<T>(PhantomData<T>);
    impl<'de, T: Deserialize<'de>> Visitor<'de> for SomeObject<T> {
        type Value = Option<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_unit<E>(self) -> Result<Option<T>, E> {
            Ok(None)
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Option<T>, A::Error> {
            T::deserialize(MapAccessDeserializer::new(map)).map(Some)
        }
    }
    deserializer.deserialize_any(SomeObject(PhantomData))
}

/// A whole body.
#[derive(Deserialize)]
#[serde(transparent)]
struct Whole<'a>(#[serde(borrow, deserialize_with = "some_object")] Option<ConversionReview<'a>>);

impl<'a> ConversionReview<'a> {
    /// Reads the body of a request.
    ///
    /// # Errors
    /// It is no review, or has no request.
    pub fn read(body: &'a [u8]) -> Result<Self, BadReview> {
        let Whole(review) = serde_json::from_slice(body).map_err(BadReview::Unreadable)?;
        let review = review.unwrap_or_default();
        let is_review = ["ConversionReview", ""].contains(&&*review.kind)
            && (review.api_version.is_empty() || review.api_version.starts_with(REVIEW_GROUP));
        if !is_review {
            let (kind, api_version) = (cut(&review.kind).to_owned(), cut(&review.api_version).to_owned());
            return Err(BadReview::OtherKind { kind, api_version });
        }
        if review.request.is_none() { Err(BadReview::NoRequest) } else { Ok(review) }
    }
}

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
