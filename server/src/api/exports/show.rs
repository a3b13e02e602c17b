//! `GET /v1/exports/{export_id}`: the state of an export.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use ledger_app::access_export::ExportStatus;
use ledger_core::ids::ExportId;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::refused::{not_found, refused};
use crate::api::words::{ExportFailureName, ExportStateName, RequesterName};
use crate::app::App;
use crate::http::operation::{Authorized, operation};
use crate::http::params::{NoQuery, PathId};
use crate::problem::{ApiError, Problem};

/// An export of a person's data.
#[derive(Serialize, ToSchema)]
pub struct ExportView {
    /// The export.
    export_id: Uuid,
    /// The person.
    subject_id: Uuid,
    /// `requested` while the file is made, and `failed` if it was not: the export is to be requested again then.
    /// `ready` until the file expires. `deleted` is a file that was deleted before its expiry, such as by an
    /// erasure.
    #[schema(value_type = ExportStateName)]
    state: &'static str,
    /// Reason for which the file was not made.
    #[schema(value_type = Option<ExportFailureName>)]
    failure: Option<String>,
    /// The party that requested it.
    #[schema(value_type = RequesterName)]
    requested_by: &'static str,
    /// Receipt of the request.
    received_at: DateTime<Utc>,
    /// End of the term of the request.
    due_at: DateTime<Utc>,
    /// Time after which the file is deleted.
    expires_at: DateTime<Utc>,
    /// Position up to which the log was read; null before the file is there, as all fields below.
    last_position: Option<i64>,
    /// Number of events about the person, all of which are in the file.
    events: Option<u64>,
    /// Number of opened sections.
    sections: Option<u64>,
    /// Number of sections that were left out because they may be about another person.
    withheld_sections: Option<u64>,
    /// Size of the file in bytes.
    bytes: Option<u64>,
    /// SHA-256 of `manifest.json`, which has a digest of each file in the zip.
    manifest_sha256: Option<String>,
}

impl ExportView {
    fn of(status: ExportStatus) -> Self {
        let requested = status.export.requested;
        let made = status.export.exported;
        let made = made.as_ref();
        let is_failed = made.is_none();
        Self {
            export_id: requested.export_id.0,
            subject_id: status.subject_id.0,
            state: status.state.as_str(),
            failure: status.failure.filter(|_| is_failed),
            requested_by: requested.requester.as_str(),
            received_at: requested.received_at,
            due_at: requested.due_at,
            expires_at: status.expires_at,
            last_position: made.map(|made| made.position),
            events: made.map(|made| made.events),
            sections: made.map(|made| made.sections),
            withheld_sections: made.map(|made| made.withheld),
            bytes: made.map(|made| made.bytes),
            manifest_sha256: made.map(|made| made.digest.to_string()),
        }
    }
}

operation! {
    GetExport { id: "get_export", action: "exports.show", access: Compliance, audit: ReadsFacts }
}

/// Returns the state of an export, without personal data.
///
/// # Errors
/// 404 `export-not-found`, the same for an unknown export and for another tenant's.
#[utoipa::path(
    get, path = "/v1/exports/{export_id}", tag = "privacy",
    params(("export_id" = String, Path, description = "The export")),
    responses(
        (status = 200, body = ExportView),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    ),
)]
#[tracing::instrument(name = "api.exports.show", skip_all)]
pub async fn handler(
    caller: Authorized<GetExport>,
    State(app): State<App>,
    PathId(export_id): PathId,
    _: NoQuery,
) -> Result<Json<ExportView>, ApiError> {
    let export_id = ExportId(export_id.ok_or_else(not_found)?);
    let status = app.exports.status(caller.tenant_id(), export_id).await.map_err(refused)?;
    Ok(Json(ExportView::of(status.ok_or_else(not_found)?)))
}
