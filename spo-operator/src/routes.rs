//! What the webhook server answers at which path.

use crate::admission::{Admission, Webhook};

pub(crate) use crate::admission::Answer;

/// The largest review that is converted. An API server sends all objects of a list in one.
const REVIEW_BYTES: u64 = 64 << 20;

/// What can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route {
    /// Objects from one version to another.
    Convert,
    /// Whether an object may come in, and how.
    Admit(Webhook),
}

/// The paths that this process serves: `/convert`, and those of admission where there is one.
#[derive(Debug, Default)]
pub(crate) struct Routes {
    pub(crate) admission: Option<Admission>,
}

impl Route {
    /// What a body may be.
    pub(crate) fn most_bytes(self) -> u64 {
        match self {
            Self::Convert => REVIEW_BYTES,
            Self::Admit(_) => Webhook::MOST_BYTES,
        }
    }
}

impl Routes {
    /// What is at `path`.
    pub(crate) fn find(&self, path: &str) -> Option<Route> {
        match path {
            "/convert" => Some(Route::Convert),
            _ => self.admission.as_ref().and_then(|_| Webhook::at(path)).map(Route::Admit),
        }
    }

    /// Converts. May take as long as a large body needs.
    pub(crate) fn convert(body: &[u8]) -> Answer {
        match spo_convert::review_bytes(body) {
            Ok(body) => Answer { status: 200, body },
            // As the reference: no body.
            Err(_) => Answer { status: 400, body: Vec::new() },
        }
    }

    /// Decides about an object; may wait for a moment.
    pub(crate) async fn admit(&self, webhook: Webhook, body: &[u8]) -> Answer {
        match &self.admission {
            Some(admission) => admission.answer(webhook, body).await,
            None => Answer { status: 404, body: Vec::new() },
        }
    }
}
