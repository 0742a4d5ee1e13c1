//! Conversion between the versions of the Security Profiles Operator's API.
//!
//! Every kind has two versions: `v1`, in which objects are stored, and an older one. An API server asks a webhook to convert an object
//! whenever somebody reads or writes the version that it is not stored in; [`review_bytes`] is all of that webhook but the
//! connection. [`convert`] does the same for one object, [`to_v1`] and [`from_v1`] for the types of `spo-api`.
//!
//! # The contract
//!
//! * **Total.** Every review has an answer. An object is refused only if it is no object of this API, or has a field of a
//!   wrong type; values are not judged, whatever a schema says of them.
//! * **Lossless.** What the older version cannot hold travels in the annotation [`spo_api::labels::CONVERSION`] and comes back, also when
//!   the object was changed in between. So do the fields of a `v1` that is newer than this crate.
//! * **Metadata is left alone**, but for that annotation. The order of objects and of lists is kept.
//! * **Objects of releases before 1.0** are understood on the way to `v1`, though their versions have the same names.
//! * **Bounded.** A review takes the memory of its body, of its answer and of one object. No input makes it panic.
//!
//! The crate does no I/O. It works on JSON and not on types, because words that no type knows have to pass.
#![forbid(unsafe_code)]
#![warn(missing_docs, clippy::wildcard_enum_match_arm)]

/// The README's example is a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod envelope;
mod error;
mod kinds;
mod legacy;
mod metadata;
mod node;
mod object;
mod pass;
mod place;
mod review;
mod shape;
mod stash;
mod time;
mod typed;
mod types;
mod version;

pub use envelope::{ConversionReview, Outcome, Request, Response};
pub use error::{BadReview, Error, Reason};
pub use object::convert;
pub use review::{review, review_bytes};
pub use typed::{Old, from_v1, to_v1};
pub use version::{UnknownVersion, Version};
