//! Errors as RFC 9457 problem documents: a stable `code` and a sentence for the client. Causes are logged
//! under the request id; personal data is in neither.

use std::fmt;

use axum::Json;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use ledger_app::fault::Fault;
use ledger_store::StoreError;
use ledger_store::vault::VaultError;
use serde::Serialize;
use utoipa::ToSchema;

/// An error, as a handler returns it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    /// HTTP status of the answer.
    pub status: StatusCode,
    /// Stable code in kebab-case, part of the API.
    pub code: &'static str,
    /// Description of the fault and a remedy, for the client.
    pub detail: String,
    /// Invalid parts of the input, if known.
    pub errors: Vec<FieldError>,
    /// Value of `Retry-After` in seconds; `None` if a retry does not help.
    pub retry_after: Option<u32>,
}

/// An invalid part of the input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// JSON pointer into the body, or a slash and the name of a query parameter.
    pub pointer: String,
    /// Description of the fault, without the given value.
    pub detail: String,
}

/// The problem document that is sent.
#[derive(Debug, Serialize, ToSchema)]
pub struct Problem {
    /// URN of the kind of problem.
    #[schema(example = "urn:call-ledger:problem:call-not-found")]
    pub r#type: String,
    /// The reason phrase of the HTTP status.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// Description of the fault and a remedy.
    pub detail: String,
    /// The path of the request.
    pub instance: String,
    /// Stable code of the kind of problem.
    pub code: String,
    /// Id of this request in the logs.
    pub request_id: String,
    /// Invalid parts of the input.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
}

impl ApiError {
    /// An error with a code and a sentence, without field errors.
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, detail: detail.into(), errors: Vec::new(), retry_after: None }
    }

    /// 404, the same for a missing object and for another tenant's.
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

    /// The same error about a field of an object in the body.
    #[must_use]
    pub fn within(mut self, object: &str) -> Self {
        for error in &mut self.errors {
            error.pointer = format!("/{object}{}", error.pointer);
            self.detail =
                format!("the field {} is not valid: {}", &error.pointer[1..], error.detail);
        }
        self
    }

    /// 403 because the tenant is frozen or closed.
    #[must_use]
    pub fn tenant_not_active() -> Self {
        Fault::TenantNotActive.into()
    }

    /// 503 with `Retry-After`: nothing was done, and a retry may succeed.
    #[must_use]
    pub fn unavailable(code: &'static str, detail: &str) -> Self {
        let error = Self::new(StatusCode::SERVICE_UNAVAILABLE, code, detail);
        Self { retry_after: Some(2), ..error }
    }

    /// 500 for an unexpected fault; the cause is logged under the request id.
    pub fn internal(cause: &dyn fmt::Display) -> Self {
        Fault::internal(cause).into()
    }
}

impl From<Fault> for ApiError {
    fn from(fault: Fault) -> Self {
        let detail = fault.to_string();
        match fault {
            Fault::TenantNotActive => Self::new(StatusCode::FORBIDDEN, fault.code(), detail),
            Fault::Internal => Self::new(StatusCode::INTERNAL_SERVER_ERROR, fault.code(), detail),
            Fault::KeyringUnavailable
            | Fault::KeyCorrupt
            | Fault::Overloaded
            | Fault::Unavailable => Self::unavailable(fault.code(), &detail),
        }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        Fault::from(error).into()
    }
}

impl From<sqlx::Error> for ApiError {
    fn from(error: sqlx::Error) -> Self {
        Fault::from(error).into()
    }
}

impl From<VaultError> for ApiError {
    fn from(error: VaultError) -> Self {
        Fault::from(error).into()
    }
}

impl IntoResponse for ApiError {
    /// Attaches the error to the response; [`finish`] writes the body, since only it has the path and the
    /// request id.
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// Writes the problem document of a response that carries an [`ApiError`].
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

/// Sets the headers that depend on the status: `Retry-After`, `Accept-Encoding`, `WWW-Authenticate`.
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
