//! `POST /v1/subjects/{subject_id}/export`: makes a copy of a person's data.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use ledger_app::access_export::{ExportState, NewExport, Passphrase};
use ledger_core::event::Requester;
use ledger_core::ids::SubjectId;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::refused::{refused, subject_not_found};
use crate::api::words::{ExportFormatName, ExportStateName, RequesterName};
use crate::app::App;
use crate::http::fields;
use crate::http::json_body::OptionalJsonBody;
use crate::http::operation::{Authorized, operation};
use crate::http::params::{NoQuery, PathId};
use crate::http::response::with_write_position;
use crate::problem::{ApiError, Problem};

/// A request for a copy of a person's data.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExportRequest {
    /// The passphrase of the file. Without one, one is generated and returned in this answer only.
    #[serde(default, deserialize_with = "passphrase")]
    #[schema(value_type = Option<String>, min_length = 12, max_length = 1024)]
    passphrase: Option<Passphrase>,
    /// The party that requests it; `person` by default.
    #[serde(default, deserialize_with = "requester")]
    #[schema(value_type = Option<RequesterName>)]
    requested_by: Option<Requester>,
    /// The form of the file: a zip that is encrypted in the format of age.
    #[serde(default, deserialize_with = "format")]
    #[schema(value_type = Option<ExportFormatName>)]
    #[expect(dead_code, reason = "there is one form")]
    format: Option<()>,
}

fn passphrase<'de, D: Deserializer<'de>>(field: D) -> Result<Option<Passphrase>, D::Error> {
    let text = Option::<String>::deserialize(field);
    let text = text.map_err(|_| D::Error::custom("it is not a text"))?;
    let detail = "it needs at least 12 characters and no control characters";
    let parse = |text| Passphrase::parse(text).ok_or_else(|| D::Error::custom(detail));
    text.map(parse).transpose()
}

fn requester<'de, D: Deserializer<'de>>(field: D) -> Result<Option<Requester>, D::Error> {
    let words = || RequesterName::ALL.join(", ");
    let parse = |word: String| {
        Requester::parse(&word)
            .ok_or_else(|| D::Error::custom(format!("it is none of {}", words())))
    };
    fields::text(field)?.map(parse).transpose()
}

fn format<'de, D: Deserializer<'de>>(field: D) -> Result<Option<()>, D::Error> {
    let is_known = |word: &String| ExportFormatName::ALL.contains(&word.as_str());
    match fields::text(field)? {
        Some(word) if !is_known(&word) => Err(D::Error::custom("it is not zip")),
        word => Ok(word.map(drop)),
    }
}

/// An export that was requested.
#[derive(Serialize, ToSchema)]
pub struct RequestedExport {
    /// The export.
    export_id: Uuid,
    /// Its state.
    #[schema(value_type = ExportStateName)]
    state: &'static str,
    /// End of the term in which the request has to be fulfilled.
    due_at: DateTime<Utc>,
    /// Time after which the file is deleted.
    expires_at: DateTime<Utc>,
    /// The generated passphrase, which is stored nowhere; null if one was given.
    passphrase: Option<String>,
}

operation! {
    ExportSubject {
        id: "export_subject",
        action: "subjects.export",
        access: Compliance,
        audit: Changes,
    }
}

/// Requests a copy of everything that the log has about a person (Articles 15 and 20), as a file that is
/// encrypted to a passphrase. The file is made in the background: see `GET /v1/exports/{export_id}`. The
/// passphrase is stored nowhere. A request with an `Idempotency-Key` needs one, because a generated passphrase
/// could not be returned again.
///
/// # Errors
/// 404 `subject-not-found`, for another tenant's too; 409 `subject-erased`, or `subject-merged` with the contact
/// to name; 422 for a field that is not of its form.
#[utoipa::path(
    post, path = "/v1/subjects/{subject_id}/export", tag = "privacy",
    params(("subject_id" = String, Path, description = "The contact")),
    request_body(content = Option<ExportRequest>, content_type = "application/json"),
    responses(
        (status = 202, body = RequestedExport, headers(("ledger-position" = i64, description = "Where the request is recorded"))),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json", description = "The key lacks scope compliance, or the tenant takes no events"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 408, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "The person is erased, or the contact was merged"),
        (status = 413, body = Problem, content_type = "application/problem+json"),
        (status = 422, body = Problem, content_type = "application/problem+json", description = "A field is unknown or not of its form"),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    ),
)]
#[tracing::instrument(name = "api.exports.create", skip_all)]
pub async fn handler(
    caller: Authorized<ExportSubject>,
    State(app): State<App>,
    PathId(subject_id): PathId,
    _: NoQuery,
    OptionalJsonBody(request): OptionalJsonBody<ExportRequest>,
) -> Result<Response, ApiError> {
    caller.read_permit.release();
    let subject_id = SubjectId(subject_id.ok_or_else(subject_not_found)?);
    let by = caller.actor();
    let generated = request.passphrase.is_none().then(Passphrase::generate);
    if generated.is_some() && by.command_id.is_some() {
        let detail = "it is missing: a request with an Idempotency-Key needs a passphrase of its own, because a \
                      generated one is returned once";
        return Err(ApiError::field("passphrase", detail));
    }
    let passphrase = generated.clone().or(request.passphrase);
    let new = NewExport {
        subject_id,
        requester: request.requested_by.unwrap_or(Requester::Person),
        passphrase: passphrase.ok_or_else(|| ApiError::field("passphrase", "it is missing"))?,
    };
    let requested = app.exports.request(&by, caller.tenant_id(), new).await.map_err(refused)?;
    tracing::info!(export_id = %requested.export_id, "export.requested");
    let answer = RequestedExport {
        export_id: requested.export_id.0,
        state: ExportState::Requested.as_str(),
        due_at: requested.due_at,
        expires_at: requested.expires_at,
        passphrase: generated.map(|passphrase| passphrase.as_str().to_owned()),
    };
    let response = (StatusCode::ACCEPTED, Json(answer)).into_response();
    Ok(with_write_position(response, requested.position))
}
