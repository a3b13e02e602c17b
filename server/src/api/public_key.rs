//! `GET /v1/ledger/public-key`: the public key of the signing key, to verify certificates with.

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use ledger_app::fault::{Fault, chain};

use crate::app::App;
use crate::http::operation::{Authorized, operation};
use crate::http::params::NoQuery;
use crate::problem::{ApiError, Problem};

operation! {
    GetPublicKey { id: "get_public_key", action: "ledger.public_key", access: Read, audit: ReadsFacts }
}

/// Returns the public key of the installation as a line of text, `name+id+key`: the key of a C2SP signed note.
/// Certificates of erasures verify with it, also without the ledger.
///
/// # Errors
/// 503 `keyring-unavailable` if the signing key cannot be read.
#[utoipa::path(
    get, path = "/v1/ledger/public-key", tag = "operations",
    responses(
        (status = 200, body = String, content_type = "text/plain", description = "The public key"),
        (status = 400, body = Problem, content_type = "application/problem+json", description = "A query parameter was sent"),
        (status = 401, body = Problem, content_type = "application/problem+json", description = "No valid API key"),
        (status = 403, body = Problem, content_type = "application/problem+json", description = "The key lacks scope read"),
        (status = 503, body = Problem, content_type = "application/problem+json", description = "The signing key cannot be read, or the database does not answer"),
    ),
)]
#[tracing::instrument(name = "api.public_key", skip_all)]
pub async fn handler(
    _: Authorized<GetPublicKey>,
    State(app): State<App>,
    _: NoQuery,
) -> Result<impl IntoResponse, ApiError> {
    let key = app.store.signing().key().map_err(|error| {
        tracing::error!(error = chain(&error), "request.signing_key");
        Fault::KeyringUnavailable
    })?;
    let text = format!("{}\n", key.note_key());
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text))
}
