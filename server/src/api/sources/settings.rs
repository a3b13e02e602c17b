//! A webhook source as its changes answer with it.

use axum::Json;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use ledger_store::source::change::Changed;
use ledger_store::source::list::Listed;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::api::recorded_at;
use crate::problem::ApiError;

/// The settings of a webhook source.
#[derive(Debug, Serialize, ToSchema)]
pub struct SourceSettings {
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
    /// Since when it answers like an unknown one; null while it is enabled.
    disabled_at: Option<DateTime<Utc>>,
    /// Until when the secret before the last rotation is accepted too; null when it is not.
    old_secret_until: Option<DateTime<Utc>>,
}

impl SourceSettings {
    fn new(source: Listed, now: DateTime<Utc>) -> Self {
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
        }
    }
}

/// The answer to a change: the source as it is now, and where the change is recorded.
pub(super) fn answer(changed: Changed, now: DateTime<Utc>) -> Response {
    let body = Json(SourceSettings::new(changed.source, now)).into_response();
    recorded_at(body, changed.position)
}

pub(super) fn not_found() -> ApiError {
    ApiError::not_found("source-not-found", "webhook source")
}
