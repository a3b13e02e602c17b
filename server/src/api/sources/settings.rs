//! The view of a webhook source in answers to changes.

use axum::Json;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use ledger_core::tools::ToolNames;
use ledger_store::source::change::Changed;
use ledger_store::source::list::SourceInfo;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::api::words::{SpeechName, ToolName};
use crate::http::response::with_write_position;
use crate::problem::ApiError;

/// Settings of a webhook source.
#[derive(Debug, Serialize, ToSchema)]
pub struct SourceSettings {
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
}

impl SourceSettings {
    fn new(source: SourceInfo, now: DateTime<Utc>) -> Self {
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
        }
    }
}

/// Answers a change with the current settings, and the position of the recorded event in `Ledger-Position`.
pub(super) fn answer(changed: Changed, now: DateTime<Utc>) -> Response {
    let body = Json(SourceSettings::new(changed.source, now)).into_response();
    with_write_position(body, changed.position)
}

pub(super) fn not_found() -> ApiError {
    ApiError::not_found("source-not-found", "webhook source")
}
