//! One request and its answer.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::{Body, Bytes, Incoming};
use hyper::header::{ALLOW, CONTENT_TYPE, EXPECT, HeaderValue, RETRY_AFTER};
use hyper::{Method, Request, Response, StatusCode};
use tokio::sync::Semaphore;

use super::body::{self, BodyError};
use super::budget::{Budget, SMALL_BYTES, Share};
use super::deadline::Deadline;
use super::notice::{Notices, Trouble};
use super::reply::Reply;
use crate::routes::{self, Answer, Route, Routes};

/// A request waits so long for memory. An API server has given up by then.
const QUEUE: Duration = Duration::from_secs(30);
/// What is decided sooner than a thread is woken.
const AT_ONCE_BYTES: usize = 64 * 1024;
/// From the header to the first byte of the answer: the queue, the body, the work.
const ANSWER: Duration = Duration::from_secs(90);

/// What answers requests.
pub(super) struct Exchange {
    routes: Routes,
    budget: Budget,
    /// Large reviews are worked on one at a time, so that a thread is left for small ones.
    large_work: Semaphore,
    notices: Arc<Notices>,
}

/// Why a request gets no answer of its own.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("there is nothing at {0}")]
    NoSuchPath(String),
    #[error("webhooks are called with POST, not {0}")]
    Method(Method),
    #[error(transparent)]
    Body(BodyError),
    #[error("there is no room for it, try again")]
    Full,
}

impl Exchange {
    pub(super) fn new(routes: Routes, notices: Arc<Notices>) -> Self {
        Self { routes, budget: Budget::new(), large_work: Semaphore::new(1), notices }
    }

    pub(super) async fn answer(
        self: Arc<Self>,
        request: Request<Incoming>,
        deadline: Deadline,
    ) -> Result<Response<Reply>, Infallible> {
        deadline.allow(ANSWER);
        let (response, share) = match self.respond(request).await {
            Ok((answer, share)) => (answered(answer), Some(share)),
            Err(refusal) => (self.refused(&refusal), None),
        };
        Ok(response.map(|bytes| Reply::new(bytes, share, deadline)))
    }

    async fn respond(&self, request: Request<Incoming>) -> Result<(Answer, Share), Refusal> {
        let path = request.uri().path();
        let route = self.routes.find(path).ok_or_else(|| Refusal::NoSuchPath(path.to_owned()))?;
        if request.method() != Method::POST {
            return Err(Refusal::Method(request.method().clone()));
        }
        let most = route.most_bytes();
        let announced = request.body().size_hint().exact().unwrap_or(most);
        if announced > most {
            discard(request);
            return Err(Refusal::Body(BodyError::TooLarge(most)));
        }
        let share = tokio::time::timeout(QUEUE, self.budget.share(announced)).await;
        let share = share.ok().flatten().ok_or(Refusal::Full)?;
        let body = body::read(request.into_body(), most).await.map_err(Refusal::Body)?;
        Ok(self.work(route, body, share).await)
    }

    async fn work(&self, route: Route, body: Vec<u8>, share: Share) -> (Answer, Share) {
        let (answer, share) = match (route, &self.routes.admission) {
            (Route::Admission(webhook), Some(admission)) => (routes::admit(admission, webhook, body).await, share),
            _ => self.convert(body, share).await,
        };
        if let Some(complaint) = &answer.complaint {
            self.notices.tell(Trouble::Request, complaint);
        }
        (answer, share)
    }

    /// What takes a while is done on a thread of its own, so that other requests go on meanwhile. The share goes along, for the
    /// body is in memory until the work is done, even if its client is gone by then.
    async fn convert(&self, body: Vec<u8>, share: Share) -> (Answer, Share) {
        if body.len() <= AT_ONCE_BYTES {
            return (routes::convert(body), share);
        }
        let large = body.len() as u64 > SMALL_BYTES;
        let _turn = if large { self.large_work.acquire().await.ok() } else { None };
        match tokio::task::spawn_blocking(move || (routes::convert(body), share)).await {
            Ok(done) => done,
            Err(failed) => std::panic::resume_unwind(failed.into_panic()),
        }
    }

    fn refused(&self, refusal: &Refusal) -> Response<Bytes> {
        let (trouble, status) = match refusal {
            Refusal::NoSuchPath(_) => (Trouble::Request, StatusCode::NOT_FOUND),
            Refusal::Method(_) => (Trouble::Request, StatusCode::METHOD_NOT_ALLOWED),
            Refusal::Body(BodyError::TooLarge(_)) => (Trouble::Request, StatusCode::PAYLOAD_TOO_LARGE),
            Refusal::Body(BodyError::Slow) => (Trouble::Slow, StatusCode::REQUEST_TIMEOUT),
            Refusal::Body(BodyError::Broken(_)) => (Trouble::Slow, StatusCode::BAD_REQUEST),
            Refusal::Full => (Trouble::Full, StatusCode::SERVICE_UNAVAILABLE),
        };
        self.notices.tell(trouble, refusal);
        let mut response = Response::new(Bytes::from(format!("{refusal}\n")));
        *response.status_mut() = status;
        match refusal {
            Refusal::Method(_) => response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST")),
            Refusal::Full => response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1")),
            _ => None,
        };
        response
    }
}

fn answered(answer: Answer) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(answer.body));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// Takes what the client goes on sending, beside the answer; one that asks first whether it may is told by the answer.
fn discard(request: Request<Incoming>) {
    if !request.headers().contains_key(EXPECT) {
        tokio::spawn(body::discard(request.into_body()));
    }
}
