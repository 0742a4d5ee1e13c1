//! Reading the body of a request.

use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};

use super::deadline::Transfer;

/// Where no length was announced, memory is taken in steps of this.
const STEP_BYTES: usize = 64 * 1024;
/// For so long is read on what nobody wants.
const DISCARD: Duration = Duration::from_secs(5);

/// A body that was not read.
#[derive(Debug, thiserror::Error)]
pub(super) enum BodyError {
    #[error("it is larger than the {0} bytes that are permitted")]
    TooLarge(u64),
    #[error("its body did not arrive in time")]
    Slow,
    #[error("its body broke off")]
    Broken(#[source] hyper::Error),
}

/// Reads all of it. Memory for the length that was announced is taken in one piece, and used as the bytes arrive: whoever
/// announces much and sends nothing costs nothing.
pub(super) async fn read(mut body: Incoming, most_bytes: u64) -> Result<Vec<u8>, BodyError> {
    let announced = body.size_hint().exact().unwrap_or(STEP_BYTES as u64);
    let most = usize::try_from(most_bytes).unwrap_or(usize::MAX);
    let mut bytes = Vec::with_capacity(usize::try_from(announced).unwrap_or(most).min(most));
    let mut transfer = Transfer::begin();
    loop {
        let frame = tokio::time::timeout_at(transfer.deadline(), body.frame()).await;
        let Some(frame) = frame.map_err(|_elapsed| BodyError::Slow)? else { return Ok(bytes) };
        let Ok(data) = frame.map_err(BodyError::Broken)?.into_data() else { continue }; // trailers say nothing
        if data.len() > most - bytes.len() {
            return Err(BodyError::TooLarge(most_bytes));
        }
        if data.len() > bytes.capacity() - bytes.len() {
            bytes.reserve_exact(bytes.len().max(data.len()).min(most - bytes.len()));
        }
        transfer.moved(data.len());
        bytes.extend_from_slice(&data);
    }
}

/// Reads what is left and forgets it, for a while: a client that is still sending would not see the answer otherwise.
pub(super) async fn discard(mut body: Incoming) {
    let rest = async { while let Some(Ok(_)) = body.frame().await {} };
    let _ = tokio::time::timeout(DISCARD, rest).await;
}
