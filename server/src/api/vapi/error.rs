//! Errors in Vapi's form: `message`, `error` and `statusCode`.

use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::problem::{ApiError, FieldError, set_headers};

/// First path segments of Vapi's API. Errors below them have Vapi's form, also for endpoints that do not
/// exist here.
const RESOURCES: [&str; 20] = [
    "analytics",
    "assistant",
    "call",
    "campaign",
    "chat",
    "eval",
    "file",
    "insight",
    "knowledge-base",
    "log",
    "logs",
    "phone-number",
    "provider",
    "reporting",
    "session",
    "squad",
    "structured-output",
    "tool",
    "v2",
    "workflow",
];

/// An error in Vapi's form.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct VapiError {
    /// Description: a sentence, or a list of them for invalid input.
    message: Sentences,
    /// The reason phrase of the HTTP status.
    #[schema(example = "Bad Request")]
    error: String,
    /// The HTTP status.
    #[schema(example = 400)]
    status_code: u16,
}

/// Form of a description: a sentence or a list.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
enum Sentences {
    /// About the request as a whole.
    One(String),
    /// A sentence for each invalid part of the input.
    Each(Vec<String>),
}

/// 400 for invalid input, with every fault.
pub(super) fn refused(faults: Vec<String>) -> ApiError {
    let sentence = faults.join("; ");
    let errors = faults.into_iter().map(|detail| FieldError { pointer: String::new(), detail });
    let errors = errors.collect();
    let refusal = ApiError::new(StatusCode::BAD_REQUEST, "invalid-parameter", sentence);
    ApiError { errors, ..refusal }
}

/// Writes the error of a response in Vapi's form, if `path` is below a resource of Vapi's API.
pub fn finish(response: &mut Response, path: &str) {
    let first = path.split('/').nth(1).unwrap_or_default();
    if !RESOURCES.contains(&first) {
        return;
    }
    let Some(error) = response.extensions_mut().remove::<ApiError>() else { return };
    let message = if error.errors.is_empty() {
        Sentences::One(error.detail)
    } else {
        Sentences::Each(error.errors.into_iter().map(|fault| fault.detail).collect())
    };
    let reason = error.status.canonical_reason().unwrap_or("Error").to_owned();
    let body = VapiError { message, error: reason, status_code: error.status.as_u16() };
    let allowed = response.headers_mut().remove(header::ALLOW);
    *response = (error.status, Json(body)).into_response();
    let headers = response.headers_mut();
    set_headers(headers, error.status, error.retry_after);
    headers.extend(allowed.map(|methods| (header::ALLOW, methods)));
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn worded(error: ApiError, path: &str) -> (StatusCode, String) {
        let mut response = error.into_response();
        finish(&mut response, path);
        let status = response.status();
        let body = axum::body::to_bytes(response.into_body(), 10_000).await.expect("a body");
        (status, String::from_utf8(body.to_vec()).expect("UTF-8"))
    }

    #[tokio::test]
    async fn a_refusal_names_every_fault_and_its_status() {
        let error = refused(vec!["limit must not be greater than 1000".into(), "x".into()]);
        let (status, body) = worded(error, "/call").await;
        assert_eq!(status, 400);
        let wanted = r#"{"message":["limit must not be greater than 1000","x"],"error":"Bad Request","statusCode":400}"#;
        assert_eq!(body, wanted);
    }

    #[tokio::test]
    async fn a_refusal_without_parts_is_one_sentence() {
        let (status, body) = worded(ApiError::not_found("x", "call"), "/call/c-1").await;
        assert_eq!(status, 404);
        let wanted = r#"{"message":"there is no such call","error":"Not Found","statusCode":404}"#;
        assert_eq!(body, wanted);
    }

    #[tokio::test]
    async fn elsewhere_it_words_nothing() {
        let (_, body) = worded(ApiError::not_found("x", "call"), "/v1/calls/c-1").await;
        assert_eq!(body, "");
    }
}
