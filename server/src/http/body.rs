//! Reads the body of a request within limits of size, time and rate.

use std::future::poll_fn;
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::http::{HeaderMap, StatusCode, header};
use tokio::time::{Instant, timeout_at};

use crate::limits::Limits;
use crate::problem::ApiError;

/// Time before the minimum rate applies, because a connection may start slowly.
const START_GRACE: Duration = Duration::from_secs(4);
/// Minimum average rate in bytes per second; slower senders are disconnected. The slowest reports
/// of a platform arrive a hundred times as fast.
const MIN_BYTES_PER_SECOND: usize = 16 << 10;

/// Returns the content length the sender announced.
pub(crate) fn announced_length(headers: &HeaderMap) -> Option<usize> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Reads and discards the rest of a body, because a client that is still sending does not read the
/// response. Stops at a size limit or at the minimum rate.
pub(crate) async fn discard(body: Body, limits: &Limits) {
    let limit = 4 * limits.max_body;
    // Complete or not, nothing more is read.
    let _ = each_frame(body, limit, limits.body_timeout, |_| ()).await;
}

/// Reads the whole body.
///
/// # Errors
/// 413 if it is too large, 408 if it is late or slow, 400 if the connection broke.
pub(crate) async fn read_body(
    body: Body,
    limit: usize,
    max_wait: Duration,
) -> Result<Vec<u8>, ApiError> {
    // Reserved pages do not count as memory in use before they are written.
    let content_length =
        body.size_hint().exact().and_then(|content_length| usize::try_from(content_length).ok());
    let mut whole = Vec::with_capacity(content_length.unwrap_or(0).min(limit));
    each_frame(body, limit, max_wait, |bytes| whole.extend_from_slice(&bytes)).await?;
    Ok(whole)
}

/// Passes each data frame to `take`, enforcing the limits of size, time and rate.
async fn each_frame(
    body: Body,
    limit: usize,
    max_wait: Duration,
    mut take: impl FnMut(Bytes),
) -> Result<(), ApiError> {
    let mut body = std::pin::pin!(body);
    let began = Instant::now();
    let mut seen = 0_usize;
    loop {
        let next =
            timeout_at(due(began, seen, max_wait), poll_fn(|cx| body.as_mut().poll_frame(cx)));
        let frame = match next.await {
            Ok(Some(Ok(frame))) => frame,
            Ok(None) => return Ok(()),
            Ok(Some(Err(_))) => {
                let detail = "the body broke off";
                return Err(ApiError::new(StatusCode::BAD_REQUEST, "body-incomplete", detail));
            }
            Err(_) => {
                let detail = "the body did not arrive in time";
                return Err(ApiError::new(StatusCode::REQUEST_TIMEOUT, "body-too-slow", detail));
            }
        };
        let Ok(bytes) = frame.into_data() else { continue };
        seen += bytes.len();
        if seen > limit {
            return Err(too_large(limit));
        }
        take(bytes);
    }
}

/// Returns the deadline of the next frame, after `seen` bytes.
fn due(began: Instant, seen: usize, max_wait: Duration) -> Instant {
    let paced = Duration::from_millis((seen / (MIN_BYTES_PER_SECOND / 1000)) as u64);
    began + paced.max(START_GRACE).min(max_wait)
}

pub(crate) fn too_large(limit: usize) -> ApiError {
    let detail = format!("the body is larger than {limit} bytes");
    ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "body-too-large", detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(20);

    #[test]
    fn each_piece_is_due_after_its_grace_its_pace_and_never_after_the_deadline() {
        let began = Instant::now();
        let after = |seen| (due(began, seen, TIMEOUT) - began).as_secs();
        assert_eq!(after(0), START_GRACE.as_secs());
        assert_eq!(after(2 * MIN_BYTES_PER_SECOND), START_GRACE.as_secs());
        assert_eq!(
            after(10 * MIN_BYTES_PER_SECOND + 1_000),
            10,
            "fast at first is not fast for ever"
        );
        assert_eq!(after(5_000_000), TIMEOUT.as_secs());
        let short = Duration::from_millis(300);
        assert_eq!(due(began, 5_000_000, short) - began, short);
    }

    #[tokio::test]
    async fn a_body_is_whole_or_too_large() {
        let body = || Body::from(vec![b'x'; 300_000]);
        assert_eq!(read_body(body(), 300_000, TIMEOUT).await.expect("it comes").len(), 300_000);
        let refused = read_body(body(), 299_999, TIMEOUT).await.expect_err("it is too large");
        assert_eq!(refused.code, "body-too-large");
    }
}
