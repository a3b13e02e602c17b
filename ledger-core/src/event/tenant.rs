//! Facts about the tenant itself.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::money::Nanos;

/// `tenant.created`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TenantCreated {
    /// Short name used on the command line.
    pub slug: String,
    /// IANA time zone the tenant's days are counted in.
    pub timezone: String,
    /// ISO 3166-1 alpha-2; national phone numbers are read in it. Empty when none was named.
    pub country: String,
}

/// `tenant.key_created`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyCreated {
    /// The key's public name.
    pub key_id: Uuid,
    /// What it may do.
    pub scopes: Vec<String>,
    /// From when on it opens nothing; absent when it does not end by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<DateTime<Utc>>,
}

/// `tenant.key_revoked`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRevoked {
    /// The key's public name.
    pub key_id: Uuid,
}

/// `tenant.source_created`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceCreated {
    /// The source.
    pub source_id: Uuid,
    /// Which platform calls it.
    pub provider: String,
    /// Whether streaming telemetry is recorded too.
    pub record_all: bool,
}

/// `tenant.source_changed`. What is absent stays as it was; a name is not repeated here.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SourceChanged {
    /// The source.
    pub source_id: Uuid,
    /// The names of the settings that changed: `name`, `record_all`, `assistant_id`.
    pub changed: Vec<String>,
    /// Whether streaming telemetry is recorded, when that changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record_all: Option<bool>,
}

/// `tenant.source_disabled` and `tenant.source_enabled`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceSwitched {
    /// The source.
    pub source_id: Uuid,
}

/// `tenant.source_secret_rotated`. Neither secret is in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceSecretRotated {
    /// The source.
    pub source_id: Uuid,
    /// Until when the secret before is accepted too; absent when it is refused at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old_secret_until: Option<DateTime<Utc>>,
}

/// `tenant.state_changed`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateChanged {
    /// `active`, `frozen` or `closed`.
    pub from: String,
    /// The same.
    pub to: String,
}

/// `tenant.route_added`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteAdded {
    /// The shared source.
    pub source_id: Uuid,
    /// `assistant_id`, `phone_number_id` or `phone_number`.
    pub kind: String,
}

/// `tenant.plan_limits_set`. All four as they are from then on, each for a billing month; what is
/// absent is not limited. Who set them is in the event's meta data.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct PlanLimitsSet {
    /// Calls.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calls: Option<i64>,
    /// Minutes of calls.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minutes: Option<i64>,
    /// What the calls may cost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost_nanos: Option<Nanos>,
    /// Events in the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub events: Option<i64>,
}

/// `quarantine.replayed`. In the log of the tenant the message was found to belong to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuarantineReplayed {
    /// The quarantine's entry.
    pub quarantine_id: Uuid,
    /// The shared source it had arrived at.
    pub source_id: Uuid,
    /// Where the message is in this log.
    pub position: i64,
    /// The installation's key that asked for it; the command line has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_id: Option<Uuid>,
}

/// `projection.event_dropped`. A read model leaves an event out, whether it was folded before or not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventDropped {
    /// The read model.
    pub projection: String,
    /// The event it does without.
    pub position: i64,
    /// Why, as whoever decided it said.
    pub reason: String,
    /// The key that asked for it; the command line has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_id: Option<Uuid>,
}
