//! Every fact the ledger records, and how a stored fact becomes one of these again.
//!
//! Facts are in the clear and small: no personal data, no floats. What an event says about a
//! person travels beside it in [`Sections`](crate::envelope::Sections) and is sealed.
//! A new shape of a fact is a version plus an [`upcast`] step; a new meaning is a new variant.

mod access;
mod call;
mod tenant;
pub mod upcast;

use serde::Serialize;

pub use access::{AccessDenied, PersonalDataRead};
pub use call::{
    ArtifactUploaded, CallEnded, CallFacts, CallMessageReceived, CallRecordingAvailable,
    CallStarted, CallStatusChanged, CallToolCalled, CallTransferred, Direction, PartyFacts,
    PersonFacts, Presence, Status, ToolAnswer, ToolFact,
};
pub use tenant::{
    EventDropped, KeyCreated, KeyRevoked, PlanLimitsSet, QuarantineReplayed, RouteAdded,
    SourceChanged, SourceCreated, SourceSecretRotated, SourceSwitched, StateChanged, TenantCreated,
};
pub use upcast::DecodeError;

macro_rules! events {
    ($($(#[$doc:meta])* $name:ident($facts:ty) = $text:literal v $version:literal;)*) => {
        /// One fact. The stored type name is dotted and never changes; the variant's name may.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum Event {
            $($(#[$doc])* $name($facts),)*
        }

        impl Event {
            /// Every type this build writes, with its current schema version.
            pub const TYPES: &'static [(&'static str, i16)] = &[$(($text, $version)),*];

            /// The stored type name, such as `call.ended`.
            #[must_use]
            pub const fn event_type(&self) -> &'static str {
                match self { $(Self::$name(_) => $text,)* }
            }

            /// The schema version this build writes for the type.
            #[must_use]
            pub const fn schema_version(&self) -> i16 {
                match self { $(Self::$name(_) => $version,)* }
            }

            /// The facts as the JSON text that is stored and hashed.
            #[must_use]
            pub fn to_facts(&self) -> String {
                match self { $(Self::$name(facts) => facts_text(facts),)* }
            }

            /// Parses facts of the current version. `None` when the type is not known here.
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
    /// The provider told a status that neither starts nor ends the call.
    CallStatusChanged(CallStatusChanged) = "call.status_changed" v 1;
    /// The assistant called one tool.
    CallToolCalled(CallToolCalled) = "call.tool_called" v 1;
    /// The call went to somebody else.
    CallTransferred(CallTransferred) = "call.transferred" v 1;
    /// A recording or log was stored.
    CallRecordingAvailable(CallRecordingAvailable) = "call.recording_available" v 1;
    /// The call is over: told by a status, or by the report with everything in it.
    CallEnded(CallEnded) = "call.ended" v 1;
    /// Anything about a call that is not modelled: kept whole, sealed.
    CallMessageReceived(CallMessageReceived) = "call.message_received" v 1;
    /// A tenant began.
    TenantCreated(TenantCreated) = "tenant.created" v 1;
    /// An API key was issued.
    KeyCreated(KeyCreated) = "tenant.key_created" v 1;
    /// An API key opens nothing any more.
    KeyRevoked(KeyRevoked) = "tenant.key_revoked" v 1;
    /// A webhook source was set up.
    SourceCreated(SourceCreated) = "tenant.source_created" v 1;
    /// Settings of a webhook source changed.
    SourceChanged(SourceChanged) = "tenant.source_changed" v 1;
    /// A webhook source takes nothing any more.
    SourceDisabled(SourceSwitched) = "tenant.source_disabled" v 1;
    /// A disabled webhook source takes webhooks again.
    SourceEnabled(SourceSwitched) = "tenant.source_enabled" v 1;
    /// A webhook source has a new secret.
    SourceSecretRotated(SourceSecretRotated) = "tenant.source_secret_rotated" v 1;
    /// The tenant is active, frozen or closed from now on.
    StateChanged(StateChanged) = "tenant.state_changed" v 1;
    /// A shared source sends what carries this id to this tenant.
    RouteAdded(RouteAdded) = "tenant.route_added" v 1;
    /// What the tenant's plan includes was set.
    PlanLimitsSet(PlanLimitsSet) = "tenant.plan_limits_set" v 1;
    /// A message that had waited in quarantine was given to this tenant.
    QuarantineReplayed(QuarantineReplayed) = "quarantine.replayed" v 1;
    /// A read model does without an event that could not be folded, because somebody decided so.
    EventDropped(EventDropped) = "projection.event_dropped" v 1;
    /// Somebody without the right proof or scope was refused.
    AccessDenied(AccessDenied) = "access.denied" v 1;
    /// Somebody read personal data in the clear.
    PersonalDataRead(PersonalDataRead) = "access.personal_data_read" v 1;
}

impl Event {
    /// What the event says of its call; `None` when it is about none.
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
