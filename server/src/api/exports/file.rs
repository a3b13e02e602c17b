//! `GET /v1/exports/{export_id}/file`: the file of an export.

use std::io;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use ledger_app::access_export::{ExportState, ExportStatus};
use ledger_core::ids::{ExportId, SubjectId};
use tokio::fs::File;
use tokio::io::AsyncReadExt;

use super::refused::{not_found, refused};
use crate::app::App;
use crate::http::operation::{Authorized, operation};
use crate::http::params::{NoQuery, PathId};
use crate::problem::{ApiError, Problem};

/// Bytes that are read at once.
const PIECE: usize = 64 << 10;

operation! {
    GetExportFile {
        id: "get_export_file",
        action: "exports.file",
        access: Compliance,
        audit: ReadsPersonalData,
    }
}

/// Returns the file of an export: a zip, encrypted to its passphrase in the format of age. The read is recorded
/// before a byte is sent.
///
/// # Errors
/// 404 `export-not-found`, the same for an unknown export and for another tenant's; 409 `export-not-ready`; 410
/// `export-expired` for a file that was deleted; 503 `export-elsewhere` if this server does not have the directory of
/// the server that made it.
#[utoipa::path(
    get, path = "/v1/exports/{export_id}/file", tag = "privacy",
    params(("export_id" = String, Path, description = "The export")),
    responses(
        (status = 200, body = Vec<u8>, content_type = "application/octet-stream"),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "The file is not made yet, or could not be made"),
        (status = 410, body = Problem, content_type = "application/problem+json", description = "The file was deleted"),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    ),
)]
#[tracing::instrument(name = "api.exports.file", skip_all)]
pub async fn handler(
    caller: Authorized<GetExportFile>,
    State(app): State<App>,
    PathId(export_id): PathId,
    _: NoQuery,
) -> Result<Response, ApiError> {
    let tenant_id = caller.tenant_id();
    let export_id = ExportId(export_id.ok_or_else(not_found)?);
    let status = app.exports.status(tenant_id, export_id).await.map_err(refused)?;
    let status = status.ok_or_else(not_found)?;
    check_ready(&status)?;
    let path = app.exports.files().path(tenant_id, export_id);
    let file = File::open(&path).await.map_err(|error| elsewhere(&error))?;
    let length = file.metadata().await.map_err(|error| elsewhere(&error))?.len();
    let subjects = subjects(&status);
    caller.audit_personal_read(&app, caller.action, Some(export_id.0), 1, subjects).await?;
    let name = format!("attachment; filename=\"{}.age\"", export_id.0);
    let name = HeaderValue::from_str(&name).map_err(|error| ApiError::internal(&error))?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream")),
        (header::CONTENT_LENGTH, HeaderValue::from(length)),
        (header::CONTENT_DISPOSITION, name),
    ];
    Ok((headers, Body::from_stream(pieces(file))).into_response())
}

fn subjects(status: &ExportStatus) -> Vec<SubjectId> {
    let parts = status.export.exported.iter().flat_map(|made| made.parts.iter().copied());
    std::iter::once(status.subject_id).chain(parts).collect()
}

fn check_ready(status: &ExportStatus) -> Result<(), ApiError> {
    match status.state {
        ExportState::Ready => Ok(()),
        ExportState::Requested | ExportState::Failed => {
            let detail = "the file of this export is not there; look at the state of the export";
            Err(ApiError::new(StatusCode::CONFLICT, "export-not-ready", detail))
        }
        ExportState::Expired | ExportState::Deleted => {
            let detail = "the file of this export was deleted; request another one";
            Err(ApiError::new(StatusCode::GONE, "export-expired", detail))
        }
    }
}

/// The file of an export that is ready is not in the directory of this server.
fn elsewhere(error: &io::Error) -> ApiError {
    tracing::error!(error = %error, "export.file_missing");
    let detail = "this server does not have the file: it is in the directory for exports of the server that made \
                  it";
    ApiError::unavailable("export-elsewhere", detail)
}

/// The bytes of a file, as they are read.
fn pieces(file: File) -> impl futures_util::Stream<Item = io::Result<Vec<u8>>> {
    stream::try_unfold(file, async |mut file| {
        let mut piece = Vec::with_capacity(PIECE);
        let read = (&mut file).take(PIECE as u64).read_to_end(&mut piece).await?;
        Ok((read > 0).then_some((piece, file)))
    })
}
