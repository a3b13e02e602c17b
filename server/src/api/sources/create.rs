//! `POST /v1/sources`: creates a webhook source.

use axum::extract::State;
use axum::response::Response;
use ledger_core::ids::SourceId;
use ledger_core::provider::Provider;
use ledger_core::tools::{Speech, ToolNames, ToolSettings};
use ledger_store::source::{NewSource, check_secret};
use serde::de::{Deserializer, Error};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{refused, tools};
use crate::api::words::{ProviderName, SpeechName, ToolName};
use crate::app::App;
use crate::http::fields;
use crate::http::json_body::JsonBody;
use crate::http::operation::{Authorized, operation};
use crate::http::params::NoQuery;
use crate::http::response::created;
use crate::problem::{ApiError, Problem};

/// Settings of the source to create.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SourceRequest {
    /// Name of the voice platform: `vapi`.
    #[serde(deserialize_with = "provider")]
    #[schema(value_type = ProviderName)]
    provider: Provider,
    /// Name of the source; must not be a person's name.
    #[serde(default, deserialize_with = "fields::text")]
    #[schema(min_length = 1, max_length = 200)]
    name: Option<String>,
    /// True to record streaming telemetry too, which the end-of-call report repeats; default: false.
    #[serde(default, deserialize_with = "fields::flag")]
    record_all: Option<bool>,
    /// Assistant to return when the platform requests one for a call.
    #[serde(default, deserialize_with = "fields::text")]
    #[schema(min_length = 1, max_length = 200)]
    assistant_id: Option<String>,
    /// Names of tools of voice agents, each with the tool of the ledger that answers it; default: none, only the built-in names. At most 50 names of
    /// 1 to 100 letters, digits, blanks, `-`, `_` and `.`, compared without case, blanks, `-` and `_`.
    #[serde(default, deserialize_with = "tools::names")]
    #[schema(value_type = Option<BTreeMap<String, ToolName>>)]
    tools: Option<ToolNames>,
    /// `verbatim` to have Vapi speak the answers to these tools word by word; default: `model`.
    #[serde(default, deserialize_with = "tools::speech")]
    #[schema(value_type = Option<SpeechName>)]
    speech: Option<Speech>,
    /// Shared secret: 16 to 200 visible ASCII characters without repetitions or sequences; default: 256
    /// random bits.
    #[serde(default, deserialize_with = "fields::text")]
    #[schema(min_length = 16, max_length = 200, pattern = "^[!-~]*$")]
    secret: Option<String>,
}

/// A new webhook source. The secret is returned only this once.
#[derive(Serialize, ToSchema)]
pub struct CreatedSource {
    /// Id of the source.
    source_id: Uuid,
    /// Path of the webhook URL.
    path: String,
    /// Secret the platform has to send with each webhook.
    secret: String,
    /// Name of the voice platform.
    #[schema(value_type = ProviderName)]
    provider: &'static str,
    /// Name given to the source.
    name: Option<String>,
    /// True if streaming telemetry is recorded too.
    record_all: bool,
    /// Assistant to return when the platform requests one for a call.
    assistant_id: Option<String>,
    /// Names of tools that the source maps, beside those that are built in.
    #[schema(value_type = BTreeMap<String, ToolName>)]
    tools: ToolNames,
    /// How answers to tools are spoken.
    #[schema(value_type = SpeechName)]
    speech: &'static str,
}

operation! {
    CreateSource {
        id: "create_source",
        action: "sources.create",
        access: Admin,
        audit: Administers,
    }
}

/// Creates a webhook source.
///
/// The installation's key creates a shared one; routes assign its messages to tenants.
///
/// # Errors
/// 422 for an unknown or malformed field, named in the answer; 403 for a frozen or closed tenant.
#[utoipa::path(
    post, path = "/v1/sources", tag = "operations",
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
    caller: Authorized<CreateSource>,
    State(app): State<App>,
    _: NoQuery,
    JsonBody(request): JsonBody<SourceRequest>,
) -> Result<Response, ApiError> {
    let SourceRequest { provider, name, record_all, assistant_id, tools, speech, secret } = request;
    let tools =
        ToolSettings { names: tools.unwrap_or_default(), speech: speech.unwrap_or_default() };
    let record_all = record_all.unwrap_or(false);
    let secret = secret.unwrap_or_else(|| caller.new_secret());
    check_secret(&secret).map_err(|weak| ApiError::field("secret", weak.to_string()))?;
    let new = NewSource {
        tenant_id: caller.tenant_id(),
        provider,
        secret: &secret,
        name: name.as_deref(),
        record_all,
        assistant_id: assistant_id.as_deref(),
        tools: Some(&tools),
    };
    let actor = caller.actor();
    let made = app.store.create_source_by(&actor, &new, None).await;
    let (source_id, position) = made.map_err(refused)?;
    tracing::info!(%source_id, "source.created");
    let body = CreatedSource {
        source_id: source_id.0,
        path: path(source_id),
        secret: secret.clone(),
        provider: provider.as_str(),
        name: name.clone(),
        record_all,
        assistant_id: assistant_id.clone(),
        speech: tools.speech.as_str(),
        tools: tools.names.clone(),
    };
    Ok(created(body, position))
}

/// Path of a source's webhook URL.
pub(super) fn path(source_id: SourceId) -> String {
    format!("/ingest/{source_id}")
}

/// Deserializes the name of a voice platform.
fn provider<'de, D: Deserializer<'de>>(field: D) -> Result<Provider, D::Error> {
    let name = fields::text(field)?.ok_or_else(|| D::Error::missing_field("provider"))?;
    Provider::parse(&name).ok_or_else(|| {
        let known: Vec<_> = Provider::ALL.iter().map(|known| known.as_str()).collect();
        D::Error::custom(format!("this build speaks {}", known.join(", ")))
    })
}
