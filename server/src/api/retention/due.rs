//! `GET /v1/retention/due`: what the retention policy of the tenant makes due.

use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Utc};
use projections::retention::{DueClass, report};
use serde::Serialize;
use utoipa::ToSchema;

use crate::api::words::RetentionClassName;
use crate::app::App;
use crate::http::consistency::begin_analytics_read;
use crate::http::operation::{Authorized, operation};
use crate::http::params::Params;
use crate::http::response::with_read_position;
use crate::problem::{ApiError, Problem};

/// A report without effect.
#[derive(Serialize, ToSchema)]
pub struct RetentionReport {
    /// Time of the report.
    as_of: DateTime<Utc>,
    /// The classes, those without a period too.
    data: Vec<RetentionClassView>,
}

/// Objects of a class.
#[derive(Serialize, ToSchema)]
pub struct RetentionClassView {
    /// The class.
    #[schema(value_type = RetentionClassName)]
    class: &'static str,
    /// Its period in days; null for a class that is kept.
    days: Option<u32>,
    /// Time before which objects are due; null without a period.
    before: Option<DateTime<Utc>>,
    /// Number of objects that are due.
    due: i64,
    /// Number of objects past the period that a legal hold keeps.
    held: i64,
    /// Start of the oldest call, or first sight of the oldest contact, that is due.
    oldest: Option<DateTime<Utc>>,
}

impl RetentionClassView {
    fn of(class: &DueClass) -> Self {
        let DueClass { class, days, before, objects } = *class;
        Self {
            class: class.as_str(),
            days,
            before,
            due: objects.due,
            held: objects.held,
            oldest: objects.oldest,
        }
    }
}

/// The read models that the report is from.
const MODELS: &[&str] = &["calls", "contacts", "appointments"];

operation! {
    GetRetentionDue {
        id: "get_retention_due",
        action: "retention.due",
        access: Compliance,
        audit: ReadsFacts,
    }
}

/// Reports what the setting `retention` makes due, without erasing it. Legal holds win.
///
/// # Errors
/// 400 for an unknown parameter.
#[utoipa::path(
    get, path = "/v1/retention/due", tag = "privacy",
    params(
        ("min_position" = Option<i64>, Query, description = "Wait until the read model has reached this position"),
    ),
    responses(
        (status = 200, body = RetentionReport),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    ),
)]
#[tracing::instrument(name = "api.retention.due", skip_all)]
pub async fn handler(
    caller: Authorized<GetRetentionDue>,
    State(app): State<App>,
    mut params: Params,
) -> Result<Response, ApiError> {
    let min_position = params.number("min_position")?;
    params.reject_unknown()?;
    let policy = app.store.call_settings(caller.tenant_id()).await?.retention;
    let as_of = app.store.clock().now_micros();
    let (mut tx, reached) = begin_analytics_read(&app, &caller, MODELS, min_position).await?;
    let report = report(&mut tx, &policy, as_of).await?;
    let data = report.iter().map(RetentionClassView::of).collect();
    Ok(with_read_position(RetentionReport { as_of, data }, reached))
}
