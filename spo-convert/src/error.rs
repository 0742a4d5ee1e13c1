//! What can be wrong with an object or with a whole review.

use spo_api::{FieldPath, GROUP, Kind};

use crate::node::cut;
use crate::version::Version;

/// An object that cannot be converted, and why.
#[derive(Debug, thiserror::Error)]
#[error("{object}: {reason}")]
pub struct Error {
    /// The object, as far as it could be made out: `SeccompProfile "web"`.
    pub object: String,
    /// What is wrong with it, or with what was asked for.
    pub reason: Reason,
}

/// Why an object cannot be converted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Reason {
    /// It is no JSON, no object, or an object that has a field twice, or that nests deeper than 128 levels.
    #[error("{field}cannot be read: {error}", field = .field.as_ref().map_or_else(String::new, |field| format!("{field}: ")))]
    Unreadable {
        /// The top-level field, if the mistake is in one.
        field: Option<FieldPath>,
        /// What is wrong, and where in the object or the field.
        error: serde_json::Error,
    },
    /// Its `apiVersion` is missing or one of another API, or the wanted version is.
    #[error("{what} is {api_version:?}; expected {GROUP}/v1, or the older version of the kind")]
    OtherApi {
        /// `apiVersion`, or the name of the field that asks for a version.
        what: &'static str,
        /// What stands there, cut if it is long.
        api_version: String,
    },
    /// Its kind is missing, or none of this API. A list is no kind: its items are converted one by one.
    #[error("kind is {0:?}, and must be one of the kinds of {GROUP}; of a list, convert the items")]
    UnknownKind(String),
    /// There is no such version of the kind.
    #[error("there is no {version} of this kind; it has {}", .kind.versions().join(" and "))]
    NoSuchVersion {
        /// The version that the object is in, or that is wanted.
        version: Version,
        /// The kind of the object.
        kind: Kind,
    },
    /// It is in the wanted version already.
    #[error("it is in {0} already; ask for the other version")]
    SameVersion(Version),
    /// A field has a value of another type, or a number that does not fit.
    #[error("{path}: expected {expected}, found {found}")]
    WrongType {
        /// The field.
        path: FieldPath,
        /// What belongs there.
        expected: &'static str,
        /// What is there, cut if it is long.
        found: String,
    },
    /// The annotations have no room for what the older version cannot hold.
    #[error(
        "{needed} bytes of annotations are needed to keep what {version} cannot hold, and an object may have {most}; read it as v1, or remove annotations"
    )]
    NoRoom {
        /// The older version.
        version: Version,
        /// What all annotations would take.
        needed: usize,
        /// What Kubernetes permits.
        most: usize,
    },
}

impl Reason {
    pub(crate) fn other_api(what: &'static str, api_version: &str) -> Self {
        Self::OtherApi { what, api_version: cut(api_version).to_owned() }
    }
}

impl From<serde_json::Error> for Reason {
    fn from(error: serde_json::Error) -> Self {
        Self::Unreadable { field: None, error }
    }
}

/// A body that is no review. An HTTP server answers it with status 400; anything else is answered by a review.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BadReview {
    /// It is no JSON, or its envelope has other types than that of a ConversionReview, or a field twice.
    #[error("the body is no ConversionReview in JSON: {0}")]
    Unreadable(serde_json::Error),
    /// It says that it is something else.
    #[error("the body is a {kind:?} of {api_version:?}; expected a ConversionReview of apiextensions.k8s.io")]
    OtherKind {
        /// Its `kind`, cut if it is long.
        kind: String,
        /// Its `apiVersion`, cut if it is long.
        api_version: String,
    },
    /// It has no request.
    #[error("the ConversionReview has no request")]
    NoRequest,
}
