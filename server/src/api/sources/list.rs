//! `GET /v1/sources`.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use ledger_core::ids::SourceId;
use ledger_store::source::list::{self, Listed};
use ledger_store::{TenantTx, counts};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::api::figures::{Figures, Sum, TypeFigures, hours};
use crate::api::{Params, decode_cursor, encode_cursor, is_rfc3339};
use crate::app::App;
use crate::auth::{Caller, Scope};
use crate::problem::{ApiError, Problem};

/// A page of webhook sources, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct SourcePage {
    /// The sources.
    data: Vec<SourceView>,
    /// Send it back as `cursor` for the next page; null on the last.
    next_cursor: Option<String>,
}

/// A webhook source, and what came to it.
#[derive(Debug, Serialize, ToSchema)]
pub struct SourceView {
    /// Its id.
    source_id: Uuid,
    /// The platform that calls it.
    provider: String,
    /// What you call it.
    name: Option<String>,
    /// Where webhooks are posted to.
    path: String,
    /// Whether streaming telemetry is recorded too.
    record_all: bool,
    /// Which assistant answers the telephone when the platform asks.
    assistant_id: Option<String>,
    /// When it was made.
    created_at: DateTime<Utc>,
    /// Since when it answers like an unknown one.
    disabled_at: Option<DateTime<Utc>>,
    /// Until when the secret before the last rotation is accepted too; null when it is not.
    old_secret_until: Option<DateTime<Utc>>,
    /// What came in the time asked for.
    #[serde(flatten)]
    figures: Figures,
    /// When something with a right proof last came in that time.
    last_received_at: Option<DateTime<Utc>>,
    /// The same figures by type of message.
    by_type: Vec<TypeFigures>,
}

impl SourceView {
    fn new(source: Listed, sum: &Sum, now: DateTime<Utc>) -> Self {
        Self {
            source_id: source.source_id.0,
            provider: source.provider,
            name: source.name,
            path: super::create::path(source.source_id),
            record_all: source.record_all,
            assistant_id: source.assistant_id,
            created_at: source.created_at,
            disabled_at: source.disabled_at,
            old_secret_until: source.old_secret_until.filter(|until| now < *until),
            figures: sum.figures,
            last_received_at: sum.last_proven_at,
            by_type: sum.types(),
        }
    }
}

/// Where a page ended.
#[derive(Serialize, Deserialize)]
struct Place {
    c: DateTime<Utc>,
    s: SourceId,
}

/// Webhook sources with their figures.
///
/// Figures are exact: each webhook is counted once, with what became of it. What another server
/// counted is seen about a second later; a server that is killed loses its last second's counts. A
/// shared source's webhooks are its own, whosever messages they were.
///
/// # Errors
/// 400 for a parameter that is unknown or not of its form, by name.
#[utoipa::path(
    get, path = "/v1/sources", operation_id = "list_sources", tag = "operations", security(("api_key" = [])),
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
    State(app): State<App>,
    caller: Caller,
    mut params: Params,
) -> Result<Json<SourcePage>, ApiError> {
    caller.require(&app, Scope::Admin, "sources.list").await?;
    let hours = hours(&mut params)?;
    let limit = params.limit()?;
    let cursor = params.take("cursor")?;
    let after = cursor.map(|cursor| decode_cursor(&cursor, |place: &Place| is_rfc3339(place.c)));
    let after = after.transpose()?.map(|place| (place.c, place.s));
    params.finish()?;
    app.counts.flush(&app.store).await?;
    let mut tx = TenantTx::begin(app.store.app(), caller.tenant_id()).await?;
    let mut sources = list::list(&mut tx, after, limit + 1).await?;
    let has_more = i64::try_from(sources.len()).is_ok_and(|len| len > limit);
    sources.truncate(usize::try_from(limit).expect("at most 200"));
    let last = sources.last().filter(|_| has_more);
    let next_cursor =
        last.map(|last| encode_cursor(&Place { c: last.created_at, s: last.source_id }));
    let ids: Vec<SourceId> = sources.iter().map(|source| source.source_id).collect();
    let now = app.store.clock().now();
    let mut sums = Sum::by_source(&counts::tallies(&mut tx, Some(&ids), hours).await?);
    let view = |source: Listed| {
        let sum = sums.remove(&source.source_id).unwrap_or_default();
        SourceView::new(source, &sum, now)
    };
    let data = sources.into_iter().map(view).collect();
    Ok(Json(SourcePage { data, next_cursor }))
}
