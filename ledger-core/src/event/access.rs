//! Facts about who reached for what. Neither holds personal data: subjects are ids.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// `access.denied`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessDenied {
    /// What was asked: `ingest`, or an API operation such as `calls.list`.
    pub action: String,
    /// Why it was refused: `proof-missing`, `proof-wrong`, `proof-stale`, `scope-missing`.
    pub reason: String,
    /// The webhook source, when it was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_id: Option<Uuid>,
    /// The API key, when a valid one lacked the scope.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_id: Option<Uuid>,
    /// Further refusals of the same kind since the last one recorded: floods are counted, not stored.
    #[serde(default)]
    pub suppressed: u64,
}

/// `access.personal_data_read`. The subjects are in the event's `subjects` column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersonalDataRead {
    /// The API operation: `calls.list`, `calls.show`, `calls.events`.
    pub action: String,
    /// The key that was used.
    pub key_id: Uuid,
    /// The object, when it was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<Uuid>,
    /// How many objects were shown.
    pub count: u32,
}
