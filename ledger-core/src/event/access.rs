//! Access events. Their facts hold no personal data: subjects are ids.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

events! {
    /// An access to the tenant's data, or a rejected one.
    AccessEvent {
        /// A request without a valid signature, or without the required scope, was rejected.
        Denied(AccessDenied) = "access.denied" v 1;
        /// Personal data was read in the clear.
        PersonalDataRead(PersonalDataRead) = "access.personal_data_read" v 1;
    }
}

/// Facts of `access.denied`: a rejected request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessDenied {
    /// Requested operation: `ingest`, or an API operation such as `calls.list`.
    pub action: String,
    /// Reason of the rejection: `signature-missing`, `signature-invalid`, `signature-expired`, `scope-missing`.
    pub reason: String,
    /// The webhook source; absent for an API request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_id: Option<Uuid>,
    /// The API key, if a valid key lacked the scope.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_id: Option<Uuid>,
    /// Number of rejections of the same kind since the last recorded one. A flood is counted, not
    /// stored.
    #[serde(default)]
    pub suppressed: u64,
}

/// Facts of `access.personal_data_read`. The subjects are in the event's `subjects` column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersonalDataRead {
    /// The API operation: `calls.list`, `calls.show`, `calls.events`.
    pub action: String,
    /// API key of the request.
    pub key_id: Uuid,
    /// Id of the object; absent for a list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<Uuid>,
    /// Number of objects in the answer.
    pub count: u32,
}
