//! What the webhook server answers at which path.

/// The largest review that is converted. An API server sends all objects of a list in one.
const REVIEW_BYTES: u64 = 64 << 20;

/// What can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route {
    /// Objects from one version to another.
    Convert,
}

/// An answer that was decided.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

/// The paths that this process serves.
#[derive(Debug, Default)]
pub(crate) struct Routes {}

impl Route {
    /// What a body may be.
    pub(crate) fn most_bytes(self) -> u64 {
        match self {
            Self::Convert => REVIEW_BYTES,
        }
    }
}

impl Routes {
    /// What is at `path`.
    pub(crate) fn find(&self, path: &str) -> Option<Route> {
        match path {
            "/convert" => Some(Route::Convert),
            _ => None,
        }
    }

    /// Decides. May take as long as a large body needs.
    pub(crate) fn answer(&self, route: Route, body: Vec<u8>) -> Answer {
        match route {
            Route::Convert => match spo_convert::review_bytes(&body) {
                Ok(body) => Answer { status: 200, body },
                // As the reference: no body.
                Err(_) => Answer { status: 400, body: Vec::new() },
            },
        }
    }
}
