//! The events of the ledger, and the decoding of stored events.
//!
//! Facts are small and stored in the clear: no personal data, no floats. Personal data of an event
//! is kept in [`Sections`](crate::envelope::Sections) and sealed. A new shape of a fact is a new
//! schema version with an [`upcast`] step; a new meaning is a new variant.

mod access;
mod call;
mod tenant;
pub mod upcast;

use serde::Serialize;

pub use access::{AccessDenied, PersonalDataRead};
pub use call::{
    ArtifactUploaded, CallEnded, CallFacts, CallMessageReceived, CallRecordingAvailable,
    CallStarted, CallStatusChanged, CallToolCalled, CallTransferred, CarrierCall, Direction,
    PartyFacts, PersonFacts, Presence, Status, ToolAnswer, ToolFact,
};
pub use tenant::{
    EventDropped, KeyCreated, KeyRevoked, PlanLimitsSet, QuarantineReplayed, RouteAdded,
    SourceChanged, SourceCreated, SourceSecretRotated, SourceSwitched, StateChanged, TenantCreated,
};
pub use upcast::DecodeError;

macro_rules! events {
    ($($(#[$doc:meta])* $name:ident($facts:ty) = $text:literal v $version:literal;)*) => {
        /// A recorded event. The stored type name is dotted and never changes; the name of the
        /// variant may.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum Event {
            $($(#[$doc])* $name($facts),)*
        }

        impl Event {
            /// All event types that this build writes, with their current schema versions.
            pub const TYPES: &'static [(&'static str, i16)] = &[$(($text, $version)),*];

            /// Returns the stored type name, such as `call.ended`.
            #[must_use]
            pub const fn event_type(&self) -> &'static str {
                match self { $(Self::$name(_) => $text,)* }
            }

            /// Returns the schema version that this build writes for the type.
            #[must_use]
            pub const fn schema_version(&self) -> i16 {
                match self { $(Self::$name(_) => $version,)* }
            }

            /// Returns the facts as the JSON text that is stored and hashed.
            #[must_use]
            pub fn to_facts(&self) -> String {
                match self { $(Self::$name(facts) => facts_text(facts),)* }
            }

            /// Parses facts of the current version. `None` if this build does not know the type.
            fn parse_current(event_type: &str, facts: &str) -> Option<serde_json::Result<Self>> {
                match event_type {
                    $($text => Some(serde_json::from_str(facts).map(Self::$name)),)*
                    _ => None,
                }
            }
        }
    };
}

events! {
    /// The provider opened a media session.
    CallStarted(CallStarted) = "call.started" v 1;
    /// The provider reported a status that neither starts nor ends the call.
    CallStatusChanged(CallStatusChanged) = "call.status_changed" v 1;
    /// The assistant called a tool.
    CallToolCalled(CallToolCalled) = "call.tool_called" v 1;
    /// The call was transferred, to a person or to another assistant.
    CallTransferred(CallTransferred) = "call.transferred" v 1;
    /// A recording or a log was uploaded, or its upload failed.
    CallRecordingAvailable(CallRecordingAvailable) = "call.recording_available" v 1;
    /// The call ended, as reported by a bare status or by the end-of-call report.
    CallEnded(CallEnded) = "call.ended" v 1;
    /// A message about a call without an event type of its own; stored whole, sealed.
    CallMessageReceived(CallMessageReceived) = "call.message_received" v 1;
    /// A tenant was created.
    TenantCreated(TenantCreated) = "tenant.created" v 1;
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
    /// The limits of the tenant's plan were set.
    PlanLimitsSet(PlanLimitsSet) = "tenant.plan_limits_set" v 1;
    /// A message from quarantine was recorded in this tenant's log.
    QuarantineReplayed(QuarantineReplayed) = "quarantine.replayed" v 1;
    /// An operator decided that a read model skips an event that could not be applied.
    EventDropped(EventDropped) = "projection.event_dropped" v 1;
    /// A request without a valid signature, or without the required scope, was rejected.
    AccessDenied(AccessDenied) = "access.denied" v 1;
    /// Personal data was read in the clear.
    PersonalDataRead(PersonalDataRead) = "access.personal_data_read" v 1;
}

impl Event {
    /// Returns the call facts of the event; `None` for an event that is not about a call.
    pub fn call_facts_mut(&mut self) -> Option<&mut CallFacts> {
        match self {
            Self::CallStarted(facts) => Some(&mut facts.call),
            Self::CallStatusChanged(facts) => Some(&mut facts.call),
            Self::CallToolCalled(facts) => Some(&mut facts.call),
            Self::CallTransferred(facts) => Some(&mut facts.call),
            Self::CallRecordingAvailable(facts) => Some(&mut facts.call),
            Self::CallEnded(facts) => Some(&mut facts.call),
            Self::CallMessageReceived(facts) => Some(&mut facts.call),
            Self::TenantCreated(_)
            | Self::KeyCreated(_)
            | Self::KeyRevoked(_)
            | Self::SourceCreated(_)
            | Self::SourceChanged(_)
            | Self::SourceDisabled(_)
            | Self::SourceEnabled(_)
            | Self::SourceSecretRotated(_)
            | Self::StateChanged(_)
            | Self::RouteAdded(_)
            | Self::PlanLimitsSet(_)
            | Self::AccessDenied(_)
            | Self::QuarantineReplayed(_)
            | Self::EventDropped(_)
            | Self::PersonalDataRead(_) => None,
        }
    }
}

fn facts_text<T: Serialize>(facts: &T) -> String {
    serde_json::to_string(facts).expect("facts are structs of strings, integers and booleans")
}
