//! Why a report did not get to the API server, and whom that concerns.

use std::fmt;

/// A request that did not succeed.
#[derive(Debug, thiserror::Error)]
pub(super) enum DeliveryError {
    /// The API server refused it or could not be reached.
    #[error("the API server did not take {0}")]
    Request(Part, #[source] kube::Error),
    /// There was no answer.
    #[error("the API server did not answer for {0}")]
    Timeout(Part),
}

/// What a request is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Object,
    Status,
    Legacy,
    Event,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Object => "a node status",
            Self::Status => "the status of a node status",
            Self::Legacy => "a deletion",
            Self::Event => "an event",
        })
    }
}

impl DeliveryError {
    /// What was not delivered.
    pub(super) fn of(&self) -> Part {
        match self {
            Self::Request(part, _) | Self::Timeout(part) => *part,
        }
    }

    /// Whether a status that was to be changed is not there, or is another one by now. An API server that does not serve the kind yet answers
    /// with the same code, and no reason.
    pub(super) fn says_that_it_is_gone(&self) -> bool {
        let Self::Request(Part::Object | Part::Status, kube::Error::Api(status)) = self else { return false };
        matches!((status.code, &*status.reason), (404, "NotFound") | (409, "Conflict"))
    }

    /// Whether any other report would fare the same: the API server cannot be reached, asks for patience, or takes no statuses from
    /// this node at all.
    pub(super) fn concerns_all(&self) -> bool {
        match self {
            Self::Request(part, kube::Error::Api(status)) => match status.code {
                401 | 429 => true,
                403 => *part != Part::Event,
                _ => false,
            },
            Self::Request(_, error) => {
                matches!(error, kube::Error::Service(_) | kube::Error::HyperError(_) | kube::Error::Auth(_))
            }
            // The client itself goes on asking one that is overloaded, so that this is how that ends.
            Self::Timeout(part) => *part != Part::Event,
        }
    }
}
