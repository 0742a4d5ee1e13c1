//! The types of a ConversionReview, and how one is read.
//!
//! They belong to `apiextensions.k8s.io/v1`. They are ours, so that no version of `k8s-openapi` has to be chosen, and so that
//! objects stay pieces of the body until their turn comes.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use crate::error::BadReview;
use crate::node::cut;

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
    pub(crate) const SUCCESS: Self = Self { metadata: NoMetadata {}, status: Status::Success, message: None };

    pub(crate) fn failure(message: String) -> Self {
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
