//! `GET /v1/erasures/{erasure_id}/certificate`: a certificate, as a signed note.

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use ledger_core::erasure::certificate::CertificateKind;
use ledger_core::ids::ErasureId;

use super::found::found;
use crate::api::words::CertificateKindName;
use crate::app::App;
use crate::http::operation::{Authorized, operation};
use crate::http::params::{Params, PathId};
use crate::problem::{ApiError, Problem};

operation! {
    GetCertificate {
        id: "get_erasure_certificate",
        action: "erasures.certificate",
        access: Compliance,
        audit: ReadsFacts,
    }
}

/// Returns the newest certificate of an erasure, or the one of a kind. It is a C2SP signed note without
/// personal data; `call-ledger verify certificate` checks it without a server.
///
/// # Errors
/// 404 `erasure-not-found`, or `certificate-not-found` while it is not issued.
#[utoipa::path(
    get, path = "/v1/erasures/{erasure_id}/certificate", tag = "privacy",
    params(
        ("erasure_id" = String, Path, description = "The erasure"),
        ("kind" = Option<CertificateKindName>, Query, description = "`live`: keys destroyed here; `final`: no copy can be opened; the newest by default"),
    ),
    responses(
        (status = 200, body = String, content_type = "text/plain; charset=utf-8", description = "The signed note"),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    ),
)]
#[tracing::instrument(name = "api.erasures.certificate", skip_all)]
pub async fn handler(
    caller: Authorized<GetCertificate>,
    State(app): State<App>,
    PathId(erasure_id): PathId,
    mut params: Params,
) -> Result<Response, ApiError> {
    let kind = params.one_of("kind", CertificateKindName::ALL)?;
    params.reject_unknown()?;
    let row = found(&app, &caller, erasure_id).await?;
    let erasure_id = ErasureId(row.erasure_id);
    let kinds = CertificateKind::ALL.into_iter().rev();
    for kind in kinds.filter(|one| kind.as_deref().is_none_or(|kind| kind == one.as_str())) {
        let issued = app.store.certificate(caller.tenant_id(), erasure_id, kind).await?;
        if let Some(certificate) = issued {
            let plain = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];
            return Ok((plain, certificate.text).into_response());
        }
    }
    Err(ApiError::not_found("certificate-not-found", "certificate yet"))
}
