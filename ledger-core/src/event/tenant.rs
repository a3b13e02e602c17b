//! Tenant events: settings, sources, keys, routes and limits.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::annotation::settings::{AnnotationLists, Dispositions};
use crate::booking::settings::hours::Hours;
use crate::booking::settings::reminders::Reminders;
use crate::booking::settings::resources::Resources;
use crate::booking::settings::rules::Rules;
use crate::booking::settings::services::Services;
use crate::contact::ContactSettings;
use crate::lead_score::rules::LeadRules;
use crate::money::Nanos;
use crate::retention::RetentionPolicy;
use crate::tools::{Speech, ToolNames};

events! {
    /// A change to the tenant's configuration.
    TenantEvent {
        /// A tenant was created.
        Created(TenantCreated) = "tenant.created" v 1;
        /// The name or the country of the tenant was changed.
        Updated(TenantUpdated) = "tenant.updated" v 1;
        /// An API key was issued.
        KeyCreated(KeyCreated) = "tenant.key_created" v 1;
        /// An API key was revoked; requests with it are rejected.
        KeyRevoked(KeyRevoked) = "tenant.key_revoked" v 1;
        /// A webhook source was created.
        SourceCreated(SourceCreated) = "tenant.source_created" v 1;
        /// Settings of a webhook source were changed.
        SourceChanged(SourceChanged) = "tenant.source_changed" v 1;
        /// A webhook source was disabled; its webhooks are rejected.
        SourceDisabled(SourceSwitched) = "tenant.source_disabled" v 1;
        /// A disabled webhook source was enabled again.
        SourceEnabled(SourceSwitched) = "tenant.source_enabled" v 1;
        /// The secret of a webhook source was replaced.
        SourceSecretRotated(SourceSecretRotated) = "tenant.source_secret_rotated" v 1;
        /// The tenant was set to active, frozen or closed.
        StateChanged(StateChanged) = "tenant.state_changed" v 1;
        /// Messages of a shared source that carry an id were assigned to this tenant.
        RouteAdded(RouteAdded) = "tenant.route_added" v 1;
        /// A route of this tenant was ended, or cancelled before it began.
        RouteEnded(RouteEnded) = "tenant.route_ended" v 1;
        /// The limits of the tenant's plan were set.
        PlanLimitsSet(PlanLimitsSet) = "tenant.plan_limits_set" v 1;
        /// The opening hours were set.
        HoursSet(HoursSet) = "tenant.hours_set" v 1;
        /// The resources were set; their names are in the section `names`.
        ResourcesSet(ResourcesSet) = "tenant.resources_set" v 1;
        /// The services were set.
        ServicesSet(ServicesSet) = "tenant.services_set" v 1;
        /// The rules of bookings were set.
        BookingRulesSet(BookingRulesSet) = "tenant.booking_rules_set" v 1;
        /// The catalogue of dispositions was set.
        DispositionsSet(DispositionsSet) = "tenant.dispositions_set" v 1;
        /// The clear fields of contexts and the categories of tags were set.
        AnnotationsSet(AnnotationsSet) = "tenant.annotations_set" v 1;
        /// The points of the lead score were set.
        LeadScoreSet(LeadScoreSet) = "tenant.lead_score_set" v 1;
        /// The clear fields of contacts were set.
        ContactsSet(ContactsSet) = "tenant.contacts_set" v 1;
        /// The periods of retention were set.
        RetentionSet(RetentionSet) = "tenant.retention_set" v 1;
        /// The reminders of appointments were set.
        RemindersSet(RemindersSet) = "tenant.reminders_set" v 1;
    }
}

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
    /// Names of the changed settings: `name`, `country`, `timezone`.
    pub changed: Vec<String>,
    /// New country; empty for none, absent if unchanged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    /// New IANA time zone; absent if unchanged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
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
    /// Names of tools that the source maps.
    #[serde(default, skip_serializing_if = "ToolNames::is_empty")]
    pub tools: ToolNames,
    /// How answers to tools are spoken.
    #[serde(default, skip_serializing_if = "Speech::is_default")]
    pub speech: Speech,
}

/// Facts of `tenant.source_changed`. Absent settings are unchanged; a new name is not repeated
/// here.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SourceChanged {
    /// Id of the webhook source.
    pub source_id: Uuid,
    /// Names of the changed settings: `name`, `record_all`, `assistant_id`, `tools`, `speech`.
    pub changed: Vec<String>,
    /// New value of the setting that records streaming telemetry; absent if unchanged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record_all: Option<bool>,
    /// All names of tools that the source maps; absent if unchanged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tools: Option<ToolNames>,
    /// New value of how answers to tools are spoken; absent if unchanged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speech: Option<Speech>,
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
    /// Id of the route; absent in events of builds without validity periods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route_id: Option<Uuid>,
    /// Time from which the route is valid; absent for a route without a beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_from: Option<DateTime<Utc>>,
    /// Time from which it is no longer valid; absent for a route without an end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<DateTime<Utc>>,
}

/// Facts of `tenant.route_ended`. Messages that were recorded before stay in the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteEnded {
    /// Id of the shared source.
    pub source_id: Uuid,
    /// Kind of the routed id: `assistant_id`, `phone_number_id` or `phone_number`.
    pub kind: String,
    /// Id of the route.
    pub route_id: Uuid,
    /// Time from which the route is no longer valid.
    pub valid_until: DateTime<Utc>,
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

/// Facts of `tenant.hours_set`: all opening hours from then on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct HoursSet(pub Hours);

/// Facts of `tenant.resources_set`: all resources from then on, without their names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourcesSet {
    /// The resources, in the tenant's order.
    pub resources: Resources,
}

/// Facts of `tenant.services_set`: all services from then on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServicesSet {
    /// The services, in the tenant's order.
    pub services: Services,
}

/// Facts of `tenant.booking_rules_set`: all rules from then on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BookingRulesSet(pub Rules);

/// Facts of `tenant.dispositions_set`: all dispositions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DispositionsSet {
    /// The dispositions, in the tenant's order.
    pub dispositions: Dispositions,
}

/// Facts of `tenant.annotations_set`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AnnotationsSet(pub AnnotationLists);

/// Facts of `tenant.lead_score_set`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LeadScoreSet(pub LeadRules);

/// Facts of `tenant.contacts_set`. They apply to changes of contacts from then on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ContactsSet(pub ContactSettings);

/// Facts of `tenant.reminders_set`: the reminders of appointments that are made or moved from then on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RemindersSet(pub Reminders);

/// Facts of `tenant.retention_set`: all periods from then on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RetentionSet(pub RetentionPolicy);
