//! `GET /v1/sources`: webhook sources with their counts.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use ledger_core::ids::SourceId;
use ledger_core::tools::ToolNames;
use ledger_store::source::list::{self, SourceInfo};
use ledger_store::{TenantTx, webhook_counts};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::api::webhook_counts::{CountSummary, TypeCounts, WebhookCounts, hours};
use crate::api::words::{SpeechName, ToolName};
use crate::app::App;
use crate::http::operation::{Authorized, operation};
use crate::http::page::page_params;
use crate::http::params::Params;
use crate::http::times::is_rfc3339;
use crate::problem::{ApiError, Problem};

/// A page of webhook sources, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct SourcePage {
    /// Sources with their settings and counts.
    data: Vec<SourceView>,
    /// Value of `cursor` for the next page; null on the last.
    next_cursor: Option<String>,
}

/// A webhook source with the counts of its webhooks.
#[derive(Debug, Serialize, ToSchema)]
pub struct SourceView {
    /// Id of the source.
    source_id: Uuid,
    /// Name of the voice platform.
    provider: String,
    /// Name given to the source.
    name: Option<String>,
    /// Path of the webhook URL.
    path: String,
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
    /// Time of creation.
    created_at: DateTime<Utc>,
    /// Time since when the source answers 404; null while enabled.
    disabled_at: Option<DateTime<Utc>>,
    /// Time until which the previous secret is accepted too; null if only the current one is.
    old_secret_until: Option<DateTime<Utc>>,
    /// Counts of the requested hours.
    #[serde(flatten)]
    webhook_counts: WebhookCounts,
    /// Time of the last authenticated webhook in these hours.
    last_received_at: Option<DateTime<Utc>>,
    /// Counts by message type.
    by_type: Vec<TypeCounts>,
}

impl SourceView {
    fn new(source: SourceInfo, sum: &CountSummary, now: DateTime<Utc>) -> Self {
        Self {
            source_id: source.source_id.0,
            provider: source.provider,
            name: source.name,
            path: super::create::path(source.source_id),
            record_all: source.record_all,
            assistant_id: source.assistant_id,
            speech: source.tools.speech.as_str(),
            tools: source.tools.names,
            created_at: source.created_at,
            disabled_at: source.disabled_at,
            old_secret_until: source.old_secret_until.filter(|until| now < *until),
            webhook_counts: sum.webhook_counts,
            last_received_at: sum.last_authenticated_at,
            by_type: sum.types(),
        }
    }
}

/// Cursor of the page: creation time and id of its last source.
#[derive(Serialize, Deserialize)]
#[serde(tag = "list")]
struct SourceCursor {
    c: DateTime<Utc>,
    s: SourceId,
}

operation! {
    ListSources { id: "list_sources", action: "sources.list", access: Admin, audit: ReadsFacts }
}

/// Lists webhook sources with their counts.
///
/// Counts are exact: each webhook is counted once, by its outcome. Counts of another server appear about a
/// second later; a killed server loses the counts of its last second. A shared source counts all its
/// webhooks, whatever their tenant.
///
/// # Errors
/// 400 for an unknown or malformed parameter, named in the answer.
#[utoipa::path(
    get, path = "/v1/sources", tag = "operations",
    params(
        ("from" = Option<String>, Query, pattern = "^([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:00:00Z)?$", description = "Figures from this full hour on; default: from the beginning"),
        ("to" = Option<String>, Query, pattern = "^([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:00:00Z)?$", description = "Figures until before this full hour; default: until now"),
        ("limit" = Option<i64>, Query, minimum = 1, maximum = 200, description = "1 to 200, default 50"),
        ("cursor" = Option<String>, Query, pattern = "^[A-Za-z0-9_-]*$", description = "next_cursor of the page before"),
    ),
    responses(
        (status = 200, body = SourcePage),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    ),
)]
#[tracing::instrument(name = "api.sources.list", skip_all)]
pub async fn handler(
    caller: Authorized<ListSources>,
    State(app): State<App>,
    mut params: Params,
) -> Result<Json<SourcePage>, ApiError> {
    let hours = hours(&mut params)?;
    let (limit, after) = page_params(&mut params, |last: &SourceCursor| is_rfc3339(last.c))?;
    let after = after.map(|last| (last.c, last.s));
    params.reject_unknown()?;
    app.counts.flush(&app.store).await?;
    let mut tx = TenantTx::begin(app.store.app(), caller.tenant_id()).await?;
    let mut sources = list::list(&mut tx, after, limit.rows_to_read()).await?;
    let next_cursor =
        limit.cut(&mut sources, |last| SourceCursor { c: last.created_at, s: last.source_id });
    let ids: Vec<SourceId> = sources.iter().map(|source| source.source_id).collect();
    let now = app.store.clock().now();
    let mut sums =
        CountSummary::by_source(&webhook_counts::source_counts(&mut tx, Some(&ids), hours).await?);
    let view = |source: SourceInfo| {
        let sum = sums.remove(&source.source_id).unwrap_or_default();
        SourceView::new(source, &sum, now)
    };
    let data = sources.into_iter().map(view).collect();
    Ok(Json(SourcePage { data, next_cursor }))
}
