//! What the HTTPS server answers at which path. How much of it is read, and when, is the server's.

use crate::admission::{Admission, Webhook};

/// The largest review that is converted. An API server sends all objects of a list in one.
const CONVERSION_MOST_BYTES: u64 = 64 << 20;

/// What can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route {
    /// Objects in another version.
    Convert,
    /// What is to happen to an object on its way into the cluster.
    Admission(Webhook),
}

/// An answer that was decided.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
    /// Why the request cannot be answered as it would like.
    pub(crate) complaint: Option<String>,
}

/// The paths that this process serves: conversion always, admission where it knows the cluster's objects.
#[derive(Debug, Default)]
pub(crate) struct Routes {
    pub(crate) admission: Option<Admission>,
}

impl Route {
    /// What a body may be.
    pub(crate) fn most_bytes(self) -> u64 {
        match self {
            Self::Convert => CONVERSION_MOST_BYTES,
            Self::Admission(_) => Webhook::MOST_BYTES,
        }
    }
}

impl Routes {
    /// What is at `path`.
    pub(crate) fn find(&self, path: &str) -> Option<Route> {
        match path {
            "/convert" => Some(Route::Convert),
            path => Webhook::at(path).filter(|_| self.admission.is_some()).map(Route::Admission),
        }
    }
}

/// Converts. Takes as long as a large body needs, and gives its memory back before it ends.
pub(crate) fn convert(body: Vec<u8>) -> Answer {
    match spo_convert::review_bytes(&body) {
        Ok(body) => Answer { status: 200, body, complaint: None },
        // As the reference: no body.
        Err(error) => Answer { status: 400, body: Vec::new(), complaint: Some(error.to_string()) },
    }
}

/// Decides about an object; waits at most two seconds for what it depends on.
pub(crate) async fn admit(admission: &Admission, webhook: Webhook, body: Vec<u8>) -> Answer {
    let answer = admission.answer(webhook, &body).await;
    let complaint = (answer.status != 200).then(|| String::from_utf8_lossy(&answer.body).into_owned());
    Answer { status: answer.status, body: answer.body, complaint }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_the_clusters_objects_only_conversion_is_served() {
        let routes = Routes::default();
        assert_eq!(routes.find("/convert"), Some(Route::Convert));
        for path in ["/mutate-v1-pod-binding", "/validate-rawselinuxprofile", "/convert/", ""] {
            assert_eq!(routes.find(path), None, "{path}");
        }
    }

    #[test]
    fn what_is_no_review_is_answered_by_400_and_an_empty_body_and_told() {
        let answer = convert(b"{}".to_vec());
        assert_eq!((answer.status, answer.body), (400, Vec::new()));
        assert!(answer.complaint.is_some());
    }
}
