//! Refusals as RFC 9457 problem documents: a stable `code` and a sentence for the sender. Whatever
//! else is known goes to the log with the request id; personal data goes to neither.

use std::fmt;

use axum::Json;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use ledger_store::StoreError;
use ledger_store::appender::AppendError;
use ledger_store::keyring::KeyringError;
use ledger_store::vault::VaultError;
use serde::Serialize;
use utoipa::ToSchema;

/// A refusal, as a handler returns it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    /// HTTP status.
    pub status: StatusCode,
    /// Stable, kebab-case.
    pub code: &'static str,
    /// What happened and what to do, for the sender.
    pub detail: String,
    /// The parts of the input that are at fault.
    pub errors: Vec<FieldError>,
    /// Seconds after which trying again may help.
    pub retry_after: Option<u32>,
}

/// One fault of the input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// JSON pointer, or the name of a query parameter behind a slash.
    pub pointer: String,
    /// What is wrong with it.
    pub detail: String,
}

/// The document that is sent.
#[derive(Debug, Serialize, ToSchema)]
pub struct Problem {
    /// Names the kind of problem.
    #[schema(example = "urn:call-ledger:problem:call-not-found")]
    pub r#type: String,
    /// The HTTP status in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What happened and what to do.
    pub detail: String,
    /// The path that was asked.
    pub instance: String,
    /// Stable code.
    pub code: String,
    /// Names this request in the logs.
    pub request_id: String,
    /// The parts of the input that are at fault.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
}

impl ApiError {
    /// A refusal with a code and a sentence.
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, detail: detail.into(), errors: Vec::new(), retry_after: None }
    }

    /// 404, alike for what does not exist and for another tenant's.
    #[must_use]
    pub fn not_found(code: &'static str, what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, format!("there is no such {what}"))
    }

    /// 400 about one query parameter.
    pub fn parameter(name: &str, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        let errors = vec![FieldError { pointer: format!("/{name}"), detail: detail.clone() }];
        let sentence = format!("the query parameter {name} is not valid: {detail}");
        Self { errors, ..Self::new(StatusCode::BAD_REQUEST, "invalid-parameter", sentence) }
    }

    /// 422 about one field of a JSON body.
    pub fn field(name: &str, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        let errors = vec![FieldError { pointer: format!("/{name}"), detail: detail.clone() }];
        let sentence = format!("the field {name} is not valid: {detail}");
        Self { errors, ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid-field", sentence) }
    }

    /// 403: the tenant is frozen or closed.
    #[must_use]
    pub fn tenant_not_active() -> Self {
        let detail = "this tenant is frozen or closed: it takes no events";
        Self::new(StatusCode::FORBIDDEN, "tenant-not-active", detail)
    }

    /// 503: nothing was done, try again.
    #[must_use]
    pub fn unavailable(code: &'static str, detail: &str) -> Self {
        let error = Self::new(StatusCode::SERVICE_UNAVAILABLE, code, detail);
        Self { retry_after: Some(2), ..error }
    }

    /// 500 for what should not happen; the cause is in the log under the request id.
    pub fn internal(cause: &dyn fmt::Display) -> Self {
        tracing::error!(error = %cause, "request.failed");
        let detail = "an unexpected fault; the log knows more under this request id";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail)
    }
}

/// An error and its causes in one line, for the log.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |told, cause| format!("{told}: {cause}"))
}

/// 503 for a delivery or a question that no key is at hand for; the log says which file.
pub(crate) fn without_keys(error: &KeyringError) -> ApiError {
    tracing::error!(error = chain(error), "request.keyring");
    ApiError::unavailable("keyring-unavailable", "the keys are not available; try again")
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::Keyring(error) => return without_keys(error),
            StoreError::Vault(VaultError::Keyring(error)) => return without_keys(error),
            StoreError::Append(AppendError::Refused { reason })
                if reason == "tenant_not_active" =>
            {
                return Self::tenant_not_active();
            }
            StoreError::WeakSecret { detail } => return Self::field("secret", detail.clone()),
            _ => {}
        }
        if error.is_unavailable() {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            tracing::warn!(error = %error, cause, "request.unavailable");
            return Self::unavailable("unavailable", "the ledger cannot answer now; try again");
        }
        Self::internal(&error)
    }
}

impl From<sqlx::Error> for ApiError {
    fn from(error: sqlx::Error) -> Self {
        StoreError::Database(error).into()
    }
}

impl From<VaultError> for ApiError {
    fn from(error: VaultError) -> Self {
        StoreError::Vault(error).into()
    }
}

impl IntoResponse for ApiError {
    /// The body is written by [`finish`], which knows the path and the request id.
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// Writes the document of a response that carries an [`ApiError`].
pub fn finish(response: &mut Response, instance: &str, request_id: &str) {
    let Some(error) = response.extensions_mut().remove::<ApiError>() else { return };
    let problem = Problem {
        r#type: format!("urn:call-ledger:problem:{}", error.code),
        title: error.status.canonical_reason().unwrap_or("Error").to_owned(),
        status: error.status.as_u16(),
        detail: error.detail,
        instance: instance.to_owned(),
        code: error.code.to_owned(),
        request_id: request_id.to_owned(),
        errors: error.errors,
    };
    *response = (error.status, Json(problem)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    set_headers(headers, error.status, error.retry_after);
}

/// What a refusal says in headers, however its body is worded.
pub(crate) fn set_headers(headers: &mut HeaderMap, status: StatusCode, retry_after: Option<u32>) {
    if let Some(seconds) = retry_after {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    if status == StatusCode::UNSUPPORTED_MEDIA_TYPE {
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    }
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
}
