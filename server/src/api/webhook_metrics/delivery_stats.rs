//! `GET /v1/webhook-metrics/delivery-stats`: webhook counts over a time range.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, TimeDelta, Utc};
use ledger_store::TenantTx;
use ledger_store::webhook_counts::{self, Hours};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::api::webhook_counts::{CountSummary, TypeCounts, WebhookCounts, hours};
use crate::app::App;
use crate::http::operation::{Authorized, operation};
use crate::http::params::Params;
use crate::http::times::hour_of;
use crate::problem::{ApiError, Problem};

/// Webhook counts over a time range.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeliveryStats {
    /// First hour of the range.
    from: DateTime<Utc>,
    /// End of the range, exclusive.
    to: DateTime<Utc>,
    /// Counts over all sources and types.
    #[serde(flatten)]
    webhook_counts: WebhookCounts,
    /// Share of authenticated webhooks that were recorded, duplicate or ignored as telemetry, 0 to 1; null
    /// without any.
    success_rate: Option<f64>,
    /// Counts by message type.
    by_type: Vec<TypeCounts>,
    /// Counts by source; sources without webhooks are left out.
    by_source: Vec<SourceStats>,
}

/// Webhook counts of one source.
#[derive(Debug, Serialize, ToSchema)]
pub struct SourceStats {
    /// Id of the source.
    source_id: Uuid,
    /// Counts over all types.
    #[serde(flatten)]
    webhook_counts: WebhookCounts,
    /// Success rate of this source, defined as for all sources.
    success_rate: Option<f64>,
    /// Counts by message type.
    by_type: Vec<TypeCounts>,
}

operation! {
    GetDeliveryStats {
        id: "get_delivery_stats",
        action: "webhook_metrics.delivery_stats",
        access: Admin,
        audit: ReadsFacts,
    }
}

/// Returns the webhook counts of the caller's sources by outcome, type and source.
///
/// # Errors
/// 400 for an unknown or malformed parameter, named in the answer.
#[utoipa::path(
    get, path = "/v1/webhook-metrics/delivery-stats", tag = "operations",
    params(
        ("from" = Option<String>, Query, pattern = "^([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:00:00Z)?$", description = "From this full hour on; default: 24 hours before `to`"),
        ("to" = Option<String>, Query, pattern = "^([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:00:00Z)?$", description = "Until before this full hour; default: with the current hour"),
    ),
    responses(
        (status = 200, body = DeliveryStats),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    ),
)]
#[tracing::instrument(name = "api.webhook_metrics.delivery_stats", skip_all)]
pub async fn handler(
    caller: Authorized<GetDeliveryStats>,
    State(app): State<App>,
    mut params: Params,
) -> Result<Json<DeliveryStats>, ApiError> {
    let (from, to) = last_day(hours(&mut params)?, app.store.clock().now())?;
    params.reject_unknown()?;
    app.counts.flush(&app.store).await?;
    let mut tx = TenantTx::begin(app.store.app(), caller.tenant_id()).await?;
    let source_counts =
        webhook_counts::source_counts(&mut tx, None, Hours { from: Some(from), to: Some(to) })
            .await?;
    let mut sum = CountSummary::default();
    for source_count in &source_counts {
        sum.add(source_count);
    }
    let by_source =
        CountSummary::by_source(&source_counts).into_iter().map(|(source_id, sum)| SourceStats {
            source_id: source_id.0,
            webhook_counts: sum.webhook_counts,
            success_rate: sum.success_rate(),
            by_type: sum.types(),
        });
    Ok(Json(DeliveryStats {
        from,
        to,
        webhook_counts: sum.webhook_counts,
        success_rate: sum.success_rate(),
        by_type: sum.types(),
        by_source: by_source.collect(),
    }))
}

/// The requested range; by default the last 24 hours, the current one included.
pub(super) fn last_day(
    hours: Hours,
    now: DateTime<Utc>,
) -> Result<(DateTime<Utc>, DateTime<Utc>), ApiError> {
    let to = hours.to.unwrap_or_else(|| hour_of(now) + TimeDelta::hours(1));
    let from = hours.from.unwrap_or_else(|| to - TimeDelta::hours(24));
    if from >= to {
        return Err(ApiError::parameter("from", "it lies in the future"));
    }
    Ok((from, to))
}
