//! Answers with the position of their projection or event.

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use ledger_core::ids::Position;
use serde::Serialize;

use crate::problem::ApiError;
use crate::read_budget::Reservation;

/// An answer with the position of its projection in `Ledger-Position`.
pub fn with_read_position<T: Serialize>(body: T, reached: Position) -> Response {
    let mut response = axum::Json(body).into_response();
    response.headers_mut().insert("ledger-position", HeaderValue::from(reached.0));
    response
}

/// An answer with opened sections; holds its memory reservation until it is sent.
///
/// # Errors
/// 500 if serialization failed.
pub fn opened_page(
    reservation: Reservation,
    written: serde_json::Result<Vec<u8>>,
    reached: Position,
) -> Result<Response, ApiError> {
    let written = written.map_err(|error| ApiError::internal(&error))?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (HeaderName::from_static("ledger-position"), HeaderValue::from(reached.0)),
    ];
    Ok((headers, Body::from(reservation.hold(written))).into_response())
}

/// A 201 answer, with the position of the recorded event in `Ledger-Position`.
pub fn created<T: Serialize>(body: T, position: Option<Position>) -> Response {
    with_write_position((StatusCode::CREATED, axum::Json(body)).into_response(), position)
}

/// Adds the position of the recorded event in `Ledger-Position`, if there is one.
#[must_use]
pub fn with_write_position(mut response: Response, position: Option<Position>) -> Response {
    if let Some(position) = position {
        response.headers_mut().insert("ledger-position", HeaderValue::from(position.0));
    }
    response
}
