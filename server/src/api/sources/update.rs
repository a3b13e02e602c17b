//! `PATCH /v1/sources/{source_id}`: changes settings of a source.

use axum::extract::State;
use axum::response::Response;
use ledger_core::ids::SourceId;
use ledger_core::tools::{Speech, ToolNames};
use ledger_store::admin_events::Attribution;
use ledger_store::source::change::SourcePatch;
use serde::Deserialize;
use utoipa::ToSchema;

use super::settings::{SourceSettings, answer, not_found};
use super::{refused, tools};
use crate::api::words::{SpeechName, ToolName};
use crate::app::App;
use crate::http::fields::{self, Change};
use crate::http::json_body::JsonBody;
use crate::http::operation::{Authorized, operation};
use crate::http::params::{NoQuery, PathId};
use crate::problem::{ApiError, Problem};

/// Settings to change. An absent field keeps its value.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SourceChanges {
    /// Name of the source; must not be a person's name. Null removes the name.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 200, value_type = Option<String>)]
    name: Change,
    /// True to record streaming telemetry too, which the end-of-call report repeats.
    #[serde(default, deserialize_with = "fields::flag")]
    record_all: Option<bool>,
    /// Assistant to return when the platform requests one for a call; null for none.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 200, value_type = Option<String>)]
    assistant_id: Change,
    /// Names of tools of voice agents, each with the tool of the ledger that answers it; an object replaces all of them. At most 50 names of
    /// 1 to 100 letters, digits, blanks, `-`, `_` and `.`, compared without case, blanks, `-` and `_`.
    #[serde(default, deserialize_with = "tools::names")]
    #[schema(value_type = Option<BTreeMap<String, ToolName>>)]
    tools: Option<ToolNames>,
    /// `verbatim` to have Vapi speak the answers to these tools word by word.
    #[serde(default, deserialize_with = "tools::speech")]
    #[schema(value_type = Option<SpeechName>)]
    speech: Option<Speech>,
}

operation! {
    UpdateSource {
        id: "update_source",
        action: "sources.update",
        access: Admin,
        audit: Administers,
    }
}

/// Changes settings of a webhook source.
///
/// This server applies the change to the next webhook, others within five seconds.
///
/// # Errors
/// 404 `source-not-found`, the same for an unknown source and for another tenant's; 422 for an unknown or
/// malformed field, named in the answer; 403 `tenant-not-active` for a frozen or closed tenant.
#[utoipa::path(
    patch, path = "/v1/sources/{source_id}", tag = "operations",
    params(("source_id" = String, Path, description = "The webhook source")),
    request_body(content = SourceChanges, content_type = "application/json"),
    responses(
        (status = 200, body = SourceSettings, description = "The source as it is now", headers(("ledger-position" = i64, description = "Where it is recorded, when something changed; a shared source is in no log"))),
        (status = 400, body = Problem, content_type = "application/problem+json", description = "The body is no JSON object"),
        (status = 401, body = Problem, content_type = "application/problem+json", description = "No valid API key"),
        (status = 403, body = Problem, content_type = "application/problem+json", description = "The key lacks scope admin, or the tenant takes no events"),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "No such source"),
        (status = 408, body = Problem, content_type = "application/problem+json", description = "The body did not arrive in time"),
        (status = 413, body = Problem, content_type = "application/problem+json", description = "The body is too large"),
        (status = 422, body = Problem, content_type = "application/problem+json", description = "A field is unknown or not of its form"),
        (status = 503, body = Problem, content_type = "application/problem+json", description = "The database does not answer"),
    ),
)]
#[tracing::instrument(name = "api.sources.update", skip_all)]
pub async fn handler(
    caller: Authorized<UpdateSource>,
    State(app): State<App>,
    PathId(source_id): PathId,
    _: NoQuery,
    JsonBody(request): JsonBody<SourceChanges>,
) -> Result<Response, ApiError> {
    let SourceChanges { name, record_all, assistant_id, tools, speech } = request;
    let (name, assistant_id) = (name.into_option(), assistant_id.into_option());
    let patch = SourcePatch { name, record_all, assistant_id, tool_names: tools, speech };
    let source_id = SourceId(source_id.ok_or_else(not_found)?);
    let by = Attribution::key(caller.key.key_id, caller.request_id);
    let tenant_id = Some(caller.tenant_id());
    let changed = app.store.update_source(&by, tenant_id, source_id, patch).await;
    let changed = changed.map_err(refused)?;
    tracing::info!(%source_id, "source.changed");
    Ok(answer(changed, app.store.clock().now()))
}
