//! The events of the ledger, grouped by the kind of stream, and the decoding of stored events.
//!
//! Each kind of stream has a file with its facts and its enum. Facts are small and stored in the
//! clear: no personal data, no floats. Personal data of an event is kept in
//! [`Sections`](crate::section::Sections) and sealed. A new shape of a fact is a new schema
//! version with an [`upcast`] step; a new meaning is a new variant.

use serde::Serialize;

/// Defines the events of one kind of stream: the enum, and the stored name, schema version and
/// decoding of each event.
macro_rules! events {
    (
        $(#[$about:meta])*
        $events:ident {
            $($(#[$doc:meta])* $name:ident($facts:ty) = $text:literal v $version:literal;)*
        }
    ) => {
        $(#[$about])*
        ///
        /// The stored type name is dotted and never changes; the name of the variant may.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum $events {
            $($(#[$doc])* $name($facts),)*
        }

        impl $events {
            /// The event types of the stream that this build writes, with their current schema
            /// versions.
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
                match self { $(Self::$name(facts) => super::facts_text(facts),)* }
            }

            /// Parses facts of the current version. `None` if the type is not one of this stream.
            pub(super) fn parse_current(
                event_type: &str,
                facts: &str,
            ) -> Option<serde_json::Result<Self>> {
                match event_type {
                    $($text => Some(serde_json::from_str(facts).map(Self::$name)),)*
                    _ => None,
                }
            }
        }
    };
}

mod access;
mod appointment;
mod call;
mod contact;
mod projection;
mod quarantine;
mod schedule;
mod subject;
mod task;
mod tenant;
pub mod upcast;

pub use access::*;
pub use appointment::*;
pub use call::*;
pub use contact::*;
pub use projection::*;
pub use quarantine::*;
pub use schedule::*;
pub use subject::*;
pub use task::*;
pub use tenant::*;
pub use upcast::DecodeError;

/// Defines [`Event`] from the kinds of streams.
macro_rules! streams {
    ($($(#[$doc:meta])* $name:ident($events:ident);)*) => {
        /// A recorded event of any stream.
        #[derive(Debug, Clone, PartialEq, Eq)]
        #[expect(
            clippy::large_enum_variant,
            reason = "nearly every event is about a call, and a box would be one allocation for each"
        )]
        pub enum Event {
            $($(#[$doc])* $name($events),)*
        }

        impl Event {
            /// Returns all event types that this build writes, with their current schema versions.
            pub fn types() -> impl Iterator<Item = (&'static str, i16)> {
                [$($events::TYPES),*].into_iter().flatten().copied()
            }

            /// Returns the stored type name, such as `call.ended`.
            #[must_use]
            pub const fn event_type(&self) -> &'static str {
                match self { $(Self::$name(event) => event.event_type(),)* }
            }

            /// Returns the schema version that this build writes for the type.
            #[must_use]
            pub const fn schema_version(&self) -> i16 {
                match self { $(Self::$name(event) => event.schema_version(),)* }
            }

            /// Returns the facts as the JSON text that is stored and hashed.
            #[must_use]
            pub fn to_facts(&self) -> String {
                match self { $(Self::$name(event) => event.to_facts(),)* }
            }

            /// Parses facts of the current version. `None` if this build does not know the type.
            fn parse_current(event_type: &str, facts: &str) -> Option<serde_json::Result<Self>> {
                None
                    $(.or_else(|| {
                        let parsed = $events::parse_current(event_type, facts)?;
                        Some(parsed.map(Self::$name))
                    }))*
            }
        }

        $(impl From<$events> for Event {
            fn from(event: $events) -> Self {
                Self::$name(event)
            }
        }

        impl TryFrom<Event> for $events {
            /// The event of another kind of stream.
            type Error = Event;

            fn try_from(event: Event) -> Result<Self, Event> {
                match event {
                    Event::$name(event) => Ok(event),
                    other => Err(other),
                }
            }
        })*
    };
}

streams! {
    /// An event of a call, a chat, a session, or a webhook without such an object.
    Call(CallEvent);
    /// A change to the tenant's configuration.
    Tenant(TenantEvent);
    /// An event about a quarantined message.
    Quarantine(QuarantineEvent);
    /// An operator's decision on a read model.
    Projection(ProjectionEvent);
    /// An access to the tenant's data, or a rejected one.
    Access(AccessEvent);
    /// A change of an appointment.
    Appointment(AppointmentEvent);
    /// A change of what occupies one resource on one UTC day.
    Schedule(ScheduleEvent);
    /// A change of a contact.
    Contact(ContactEvent);
    /// A change of a task.
    Task(TaskEvent);
    /// A change of the rights over a subject's data.
    Subject(SubjectEvent);
}

fn facts_text<T: Serialize>(facts: &T) -> String {
    serde_json::to_string(facts).expect("facts are structs of strings, integers and booleans")
}
