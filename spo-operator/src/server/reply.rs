//! The body of an answer: sent in pieces, so that it is known how far the client has come.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::{Body, Bytes, Frame, SizeHint};

use super::budget::Share;
use super::deadline::{Deadline, Transfer};

/// So much is given to the connection at a time; it asks for more when nearly all of it is sent.
const PIECE_BYTES: usize = 64 * 1024;
/// Between two requests. Longer than the 90 seconds of an API server, which would otherwise send a request down a connection that
/// is just being closed, and fail.
const IDLE: Duration = Duration::from_secs(120);

/// What is left to be sent.
pub(super) struct Reply {
    bytes: Bytes,
    sent: Transfer,
    deadline: Deadline,
    /// What the request and this answer hold.
    _share: Option<Share>,
}

impl Reply {
    pub(super) fn new(bytes: Bytes, share: Option<Share>, deadline: Deadline) -> Self {
        Self { bytes, sent: Transfer::begin(), deadline, _share: share }
    }
}

impl Body for Reply {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = self.get_mut();
        if this.bytes.is_empty() {
            return Poll::Ready(None);
        }
        let piece = this.bytes.split_to(this.bytes.len().min(PIECE_BYTES));
        this.deadline.move_to(this.sent.deadline());
        this.sent.moved(piece.len());
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.len() as u64)
    }
}

/// The connection has the last of it, or is gone.
impl Drop for Reply {
    fn drop(&mut self) {
        self.deadline.allow(IDLE);
    }
}
