//! `GET /v1/webhook-metrics/delivery-stats`.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, TimeDelta, Utc};
use ledger_store::TenantTx;
use ledger_store::counts::{self, Hours};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::api::Params;
use crate::api::figures::{Figures, Sum, TypeFigures, hours};
use crate::app::App;
use crate::auth::{Caller, Scope};
use crate::ingest::hour_of;
use crate::problem::{ApiError, Problem};

/// Figures over a time.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeliveryStats {
    /// The first hour.
    from: DateTime<Utc>,
    /// The first hour that is not in it any more.
    to: DateTime<Utc>,
    /// Everything together.
    #[serde(flatten)]
    figures: Figures,
    /// Of the webhooks with a right proof, the share that was recorded, known before or ignored as
    /// telemetry; null when there was none.
    success_rate: Option<f64>,
    /// By type of message.
    by_type: Vec<TypeFigures>,
    /// By source; sources that nothing came to are left out.
    by_source: Vec<SourceStats>,
}

/// The figures of one source.
#[derive(Debug, Serialize, ToSchema)]
pub struct SourceStats {
    /// The source.
    source_id: Uuid,
    /// Everything together.
    #[serde(flatten)]
    figures: Figures,
    /// As above, of this source.
    success_rate: Option<f64>,
    /// By type of message.
    by_type: Vec<TypeFigures>,
}

/// What came to the caller's sources and what became of it, by type and source.
///
/// # Errors
/// 400 for a parameter that is unknown or not of its form, by name.
#[utoipa::path(
    get, path = "/v1/webhook-metrics/delivery-stats", operation_id = "get_delivery_stats", tag = "operations", security(("api_key" = [])),
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
    State(app): State<App>,
    caller: Caller,
    mut params: Params,
) -> Result<Json<DeliveryStats>, ApiError> {
    caller.require(&app, Scope::Admin, "webhook_metrics.delivery_stats").await?;
    let (from, to) = last_day(hours(&mut params)?, app.store.clock().now())?;
    params.finish()?;
    app.counts.flush(&app.store).await?;
    let mut tx = TenantTx::begin(app.store.app(), caller.tenant_id()).await?;
    let tallies = counts::tallies(&mut tx, None, Hours { from: Some(from), to: Some(to) }).await?;
    let mut sum = Sum::default();
    for tally in &tallies {
        sum.add(tally);
    }
    let by_source = Sum::by_source(&tallies).into_iter().map(|(source_id, sum)| SourceStats {
        source_id: source_id.0,
        figures: sum.figures,
        success_rate: sum.success_rate(),
        by_type: sum.types(),
    });
    Ok(Json(DeliveryStats {
        from,
        to,
        figures: sum.figures,
        success_rate: sum.success_rate(),
        by_type: sum.types(),
        by_source: by_source.collect(),
    }))
}

/// The time asked for; where nothing is said, the last 24 hours with the current one.
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
