//! Reading a webhook's body, within bounds of size and time.

use std::error::Error;
use std::future::poll_fn;
use std::time::Duration;

use axum::body::{Body, HttpBody, to_bytes};
use axum::http::{HeaderMap, StatusCode, header};

use crate::limits::Limits;
use crate::problem::ApiError;

/// The length a sender tells in advance.
pub(super) fn told_length(headers: &HeaderMap) -> Option<usize> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Reads on and keeps nothing: a sender that is still talking does not hear the answer. One that
/// does not stop is cut off.
pub(super) async fn discard(body: Body, limits: &Limits) {
    let mut body = std::pin::pin!(body);
    let read = async {
        let mut left = 4 * limits.max_body;
        while let Some(Ok(frame)) = poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
            let bytes = frame.data_ref().map_or(0, axum::body::Bytes::len);
            let Some(less) = left.checked_sub(bytes) else { return };
            left = less;
        }
    };
    // Whether it came to its end or not, nothing more is heard.
    let _ = tokio::time::timeout(limits.body_patience, read).await;
}

/// The whole body.
///
/// # Errors
/// 413, 408, or 400 when it broke off.
pub(crate) async fn read(
    body: Body,
    limit: usize,
    patience: Duration,
) -> Result<Vec<u8>, ApiError> {
    let read = tokio::time::timeout(patience, to_bytes(body, limit)).await.map_err(|_| {
        let detail = "the body did not arrive in time";
        ApiError::new(StatusCode::REQUEST_TIMEOUT, "body-too-slow", detail)
    })?;
    read.map(Vec::from).map_err(|error| {
        let is_too_large =
            error.source().is_some_and(|source| source.to_string().contains("length limit"));
        if is_too_large {
            return too_large(limit);
        }
        ApiError::new(StatusCode::BAD_REQUEST, "body-broken", "the body broke off")
    })
}

pub(super) fn too_large(limit: usize) -> ApiError {
    let detail = format!("the body is larger than {limit} bytes");
    ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "body-too-large", detail)
}
