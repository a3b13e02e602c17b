//! Facts of tenant events: settings, sources, keys, routes and operator decisions.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::money::Nanos;

/// Facts of `tenant.created`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TenantCreated {
    /// Short name, used on the command line.
    pub slug: String,
    /// IANA time zone that defines the tenant's days.
    pub timezone: String,
    /// ISO 3166-1 alpha-2 code of the region of national phone numbers. Empty if none was given.
    pub country: String,
}

/// Facts of `tenant.updated`. Absent settings are unchanged; the name is not repeated here.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TenantUpdated {
    /// Names of the changed settings: `name`, `country`.
    pub changed: Vec<String>,
    /// New country; empty for none, absent if unchanged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
}

/// Facts of `tenant.key_created`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyCreated {
    /// Public id of the key.
    pub key_id: Uuid,
    /// Scopes of the key: `read`, `personal`, `write`, `compliance`, `admin`.
    pub scopes: Vec<String>,
    /// Expiry time; absent for a key without expiry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<DateTime<Utc>>,
}

/// Facts of `tenant.key_revoked`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRevoked {
    /// Public id of the key.
    pub key_id: Uuid,
}

/// Facts of `tenant.source_created`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceCreated {
    /// Id of the webhook source.
    pub source_id: Uuid,
    /// Voice platform that sends the webhooks.
    pub provider: String,
    /// True if streaming telemetry is recorded too.
    pub record_all: bool,
}

/// Facts of `tenant.source_changed`. Absent settings are unchanged; a new name is not repeated
/// here.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SourceChanged {
    /// Id of the webhook source.
    pub source_id: Uuid,
    /// Names of the changed settings: `name`, `record_all`, `assistant_id`.
    pub changed: Vec<String>,
    /// New value of the setting that records streaming telemetry; absent if unchanged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record_all: Option<bool>,
}

/// Facts of `tenant.source_disabled` and `tenant.source_enabled`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceSwitched {
    /// Id of the webhook source.
    pub source_id: Uuid,
}

/// Facts of `tenant.source_secret_rotated`. Neither secret is included.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceSecretRotated {
    /// Id of the webhook source.
    pub source_id: Uuid,
    /// Time until which the old secret is accepted too; absent if it is rejected at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old_secret_until: Option<DateTime<Utc>>,
}

/// Facts of `tenant.state_changed`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateChanged {
    /// Previous state: `active`, `frozen` or `closed`.
    pub from: String,
    /// New state, of the same values.
    pub to: String,
}

/// Facts of `tenant.route_added`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteAdded {
    /// Id of the shared source.
    pub source_id: Uuid,
    /// Kind of the routed id: `assistant_id`, `phone_number_id` or `phone_number`.
    pub kind: String,
}

/// Facts of `tenant.plan_limits_set`: all four limits from then on, per billing month. An absent
/// limit means unlimited. The actor is in the metadata of the event.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct PlanLimitsSet {
    /// Maximum number of calls.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calls: Option<i64>,
    /// Maximum number of call minutes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minutes: Option<i64>,
    /// Maximum cost of the calls, in nano-dollars.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost_nanos: Option<Nanos>,
    /// Maximum number of events in the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub events: Option<i64>,
}

/// Facts of `quarantine.replayed`. Recorded in the log of the tenant that the message was assigned
/// to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuarantineReplayed {
    /// Id of the quarantine entry.
    pub quarantine_id: Uuid,
    /// Id of the shared source that received the message.
    pub source_id: Uuid,
    /// Position of the message in this log.
    pub position: i64,
    /// Installation key of the request; absent for the command line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_id: Option<Uuid>,
}

/// `projection.event_dropped`. A read model leaves an event out, whether it was folded before or not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventDropped {
    /// Name of the read model.
    pub projection: String,
    /// Position of the skipped event.
    pub position: i64,
    /// Reason given with the decision.
    pub reason: String,
    /// API key of the request; absent for the command line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_id: Option<Uuid>,
}
