//! `POST /v1/sources`.

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use ledger_core::ids::SourceId;
use ledger_core::provider::Provider;
use ledger_store::change::Author;
use ledger_store::source::{NewSource, check_secret};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::api::fields::Fields;
use crate::api::words::ProviderName;
use crate::api::{NoQuery, created};
use crate::app::App;
use crate::auth::{Caller, Scope};
use crate::problem::{ApiError, Problem};
use crate::system::fresh_secret;

/// What a webhook source is made from.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "for the contract; what is sent is taken apart by `Fields`")]
pub struct SourceRequest {
    /// The voice platform: `vapi`.
    #[schema(value_type = ProviderName)]
    provider: String,
    /// What to call it; no person's name.
    #[schema(min_length = 1, max_length = 200)]
    name: Option<String>,
    /// Whether streaming telemetry, which the report repeats, is recorded too; false when not said.
    record_all: Option<bool>,
    /// Which assistant answers the telephone when the platform asks.
    #[schema(min_length = 1, max_length = 200)]
    assistant_id: Option<String>,
    /// The shared secret: 16 to 200 visible ASCII characters that do not repeat themselves or count; a
    /// fresh one of 256 random bits when not said.
    #[schema(min_length = 16, max_length = 200, pattern = "^[!-~]*$")]
    secret: Option<String>,
}

/// A new webhook source. Its secret is shown this once.
#[derive(Serialize, ToSchema)]
pub struct CreatedSource {
    /// Its id.
    source_id: Uuid,
    /// Where webhooks are posted to.
    path: String,
    /// What the platform has to send with each webhook.
    secret: String,
    /// The platform that calls it.
    #[schema(value_type = ProviderName)]
    provider: &'static str,
    /// What you call it.
    name: Option<String>,
    /// Whether streaming telemetry is recorded too.
    record_all: bool,
    /// Which assistant answers the telephone when the platform asks.
    assistant_id: Option<String>,
}

/// Makes a webhook source. The installation's key makes a shared one: routes say whose each message is.
///
/// # Errors
/// 422 for a field that is unknown or not of its form, by name; 403 for a tenant that takes no events
/// any more.
#[utoipa::path(
    post, path = "/v1/sources", operation_id = "create_source", tag = "operations", security(("api_key" = [])),
    request_body(content = SourceRequest, content_type = "application/json"),
    responses(
        (status = 201, body = CreatedSource, headers(("ledger-position" = i64, description = "Where it is recorded; a shared source is in no log"))),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 408, body = Problem, content_type = "application/problem+json"),
        (status = 413, body = Problem, content_type = "application/problem+json"),
        (status = 422, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    ),
)]
#[tracing::instrument(name = "api.sources.create", skip_all)]
pub async fn handler(
    State(app): State<App>,
    caller: Caller,
    _: NoQuery,
    body: Body,
) -> Result<Response, ApiError> {
    caller.require(&app, Scope::Admin, "sources.create").await?;
    let mut fields = Fields::read(body).await?;
    let provider = provider(fields.text("provider")?)?;
    let name = fields.text("name")?;
    let record_all = fields.flag("record_all")?.unwrap_or(false);
    let assistant_id = fields.text("assistant_id")?;
    let secret = fields.text("secret")?.unwrap_or_else(fresh_secret);
    fields.finish()?;
    check_secret(&secret).map_err(|weak| ApiError::field("secret", weak.to_string()))?;
    let new = NewSource {
        tenant_id: caller.tenant_id(),
        provider,
        secret: &secret,
        name: name.as_deref(),
        record_all,
        assistant_id: assistant_id.as_deref(),
    };
    let author = Author::key(caller.key.key_id, caller.request_id);
    let (source_id, position) = app.store.create_source_by(&author, &new, None).await?;
    tracing::info!(%source_id, "source.created");
    let shown = CreatedSource {
        source_id: source_id.0,
        path: path(source_id),
        secret: secret.clone(),
        provider: provider.as_str(),
        name: name.clone(),
        record_all,
        assistant_id: assistant_id.clone(),
    };
    Ok(created(shown, position))
}

/// Where a source's webhooks are posted to.
pub(super) fn path(source_id: SourceId) -> String {
    format!("/ingest/{source_id}")
}

fn provider(name: Option<String>) -> Result<Provider, ApiError> {
    let name = name.ok_or_else(|| ApiError::field("provider", "it is missing"))?;
    Provider::parse(&name).ok_or_else(|| {
        let known: Vec<_> = Provider::ALL.iter().map(|known| known.as_str()).collect();
        ApiError::field("provider", format!("this build speaks {}", known.join(", ")))
    })
}
