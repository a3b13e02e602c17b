//! `GET /v1/webhook-metrics/recent-failures`: webhooks that were not recorded.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use ledger_core::ids::SourceId;
use ledger_store::TenantTx;
use ledger_store::webhook_counts::{self, Hours, Outcome, RejectedCount};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::delivery_stats::last_day;
use crate::api::webhook_counts::hours;
use crate::api::words::FailureOutcome;
use crate::app::App;
use crate::http::operation::{Authorized, operation};
use crate::http::page::page_params;
use crate::http::params::Params;
use crate::http::times::is_rfc3339;
use crate::problem::{ApiError, Problem};

/// A page of failures, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct FailurePage {
    /// Failures grouped by hour, source, type and reason.
    data: Vec<FailureView>,
    /// Value of `cursor` for the next page; null on the last.
    next_cursor: Option<String>,
}

/// Webhooks of one hour that were not recorded, for the same reason.
#[derive(Debug, Serialize, ToSchema)]
pub struct FailureView {
    /// Time of the last of them.
    last_at: DateTime<Utc>,
    /// Start of the hour.
    hour: DateTime<Utc>,
    /// Source that received them.
    source_id: Uuid,
    /// Message type, with the same values as in `/v1/sources`.
    r#type: String,
    /// `refused`, `failed` or `quarantined`.
    #[schema(value_type = FailureOutcome)]
    outcome: &'static str,
    /// Error code of the answer, `no-single-route`, or `client-disconnected`.
    reason: String,
    /// Number of webhooks.
    count: i64,
}

impl From<RejectedCount> for FailureView {
    fn from(one: RejectedCount) -> Self {
        Self {
            last_at: one.last_at,
            hour: one.hour,
            source_id: one.source_id.0,
            r#type: one.kind,
            outcome: one.outcome.as_str(),
            reason: one.reason,
            count: one.count,
        }
    }
}

/// Cursor of the page: the complete key of its last group.
#[derive(Serialize, Deserialize)]
#[serde(tag = "list")]
struct FailureCursor {
    l: DateTime<Utc>,
    h: DateTime<Utc>,
    s: SourceId,
    k: String,
    o: String,
    r: String,
}

impl FailureCursor {
    fn of(one: &RejectedCount) -> Self {
        Self {
            l: one.last_at,
            h: one.hour,
            s: one.source_id,
            k: one.kind.clone(),
            o: one.outcome.as_str().to_owned(),
            r: one.reason.clone(),
        }
    }

    fn is_possible(&self) -> bool {
        let is_word = |word: &str| !word.contains('\0');
        is_rfc3339(self.l) && is_rfc3339(self.h) && is_word(&self.k) && is_word(&self.r)
    }

    fn into_key(self) -> Option<RejectedCount> {
        Some(RejectedCount {
            last_at: self.l,
            hour: self.h,
            source_id: self.s,
            kind: self.k,
            outcome: Outcome::parse(&self.o)?,
            reason: self.r,
            count: 0,
        })
    }
}

operation! {
    ListRecentFailures {
        id: "list_recent_failures",
        action: "webhook_metrics.recent_failures",
        access: Admin,
        audit: ReadsFacts,
    }
}

/// Lists webhooks that were refused, failed or quarantined, with the reason.
///
/// Every such webhook is counted, without a limit on their number. Their content is not stored.
///
/// # Errors
/// 400 for an unknown or malformed parameter, named in the answer.
#[utoipa::path(
    get, path = "/v1/webhook-metrics/recent-failures", tag = "operations",
    params(
        ("from" = Option<String>, Query, pattern = "^([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:00:00Z)?$", description = "From this full hour on; default: 24 hours before `to`"),
        ("to" = Option<String>, Query, pattern = "^([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:00:00Z)?$", description = "Until before this full hour; default: with the current hour"),
        ("limit" = Option<i64>, Query, minimum = 1, maximum = 200, description = "1 to 200, default 50"),
        ("cursor" = Option<String>, Query, pattern = "^[A-Za-z0-9_-]*$", description = "next_cursor of the page before"),
    ),
    responses(
        (status = 200, body = FailurePage),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    ),
)]
#[tracing::instrument(name = "api.webhook_metrics.recent_failures", skip_all)]
pub async fn handler(
    caller: Authorized<ListRecentFailures>,
    State(app): State<App>,
    mut params: Params,
) -> Result<Json<FailurePage>, ApiError> {
    let (from, to) = last_day(hours(&mut params)?, app.store.clock().now())?;
    let is_possible =
        |last: &FailureCursor| last.is_possible() && Outcome::parse(&last.o).is_some();
    let (limit, after) = page_params(&mut params, is_possible)?;
    params.reject_unknown()?;
    app.counts.flush(&app.store).await?;
    let mut tx = TenantTx::begin(app.store.app(), caller.tenant_id()).await?;
    let hours = Hours { from: Some(from), to: Some(to) };
    let after = after.and_then(FailureCursor::into_key);
    let mut found =
        webhook_counts::rejected(&mut tx, hours, after.as_ref(), limit.rows_to_read()).await?;
    let next_cursor = limit.cut(&mut found, FailureCursor::of);
    let data = found.into_iter().map(FailureView::from).collect();
    Ok(Json(FailurePage { data, next_cursor }))
}
