//! Typed identifiers and counters. Each kind of id is a type of its own, so that two UUIDs of
//! different meaning cannot be confused in a signature.
//!
//! Ids of things that a provider can report twice are derived (UUIDv5), so that a repeated report
//! finds the same id. Subject ids are random, so that an id reveals nothing about the person.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Namespace of all derived ids (UUIDv5). A change of this constant would change every call id, so
/// it is fixed permanently. The value was made as the UUIDv5 of `call-ledger` in the manner of the
/// DNS namespace.
const NAMESPACE: Uuid = Uuid::from_u128(0x6a1f_2b54_93d0_5c1e_8d27_4f0b_91ce_77a3);

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

uuid_id! {
    /// A customer of the platform. Each tenant has its own log, key hierarchy and dense sequence of
    /// positions.
    TenantId
}
uuid_id! {
    /// An ordered history inside a tenant: of a call, of the tenant itself, or of an uncorrelated
    /// delivery.
    StreamId
}
uuid_id! {
    /// A recorded event. Derived (UUIDv5) if the input can be repeated, otherwise a UUIDv7.
    EventId
}
uuid_id! {
    /// A person, or a call without a known person. Random; never derived from a phone number.
    SubjectId
}
uuid_id! {
    /// A handle that identifies a person, such as a phone number or an address. Random; never
    /// derived from its value.
    HandleId
}
uuid_id! {
    /// A configured webhook endpoint.
    SourceId
}
uuid_id! {
    /// The public id of an API key. The key itself is displayed once, at creation, and stored as a
    /// hash.
    KeyId
}
uuid_id! {
    /// A command. Sending a command again under the same id gives the first answer again.
    CommandId
}
uuid_id! {
    /// A webhook in quarantine, or one that was replayed from there.
    QuarantineId
}

uuid_id! {
    /// An appointment; also the id of its stream.
    AppointmentId
}
uuid_id! {
    /// A note on a call.
    NoteId
}
uuid_id! {
    /// A task; also the id of its stream.
    TaskId
}
uuid_id! {
    /// A slot that is held for a short time.
    HoldId
}
uuid_id! {
    /// A period in which a resource is closed.
    ClosureId
}
uuid_id! {
    /// A request to erase a subject.
    ErasureId
}
uuid_id! {
    /// An export of the data of a subject.
    ExportId
}
uuid_id! {
    /// A legal hold on a subject.
    LegalHoldId
}

/// Place of an event in the tenant's commit order, dense from 1. Checkpoints store a position; 0
/// means "before the first event".
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Position(pub i64);

/// Number of an event within its stream, from 1. Version 0 is that of a stream that does not exist
/// yet.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct StreamVersion(pub i64);

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl TenantId {
    /// The installation itself: the owner of shared sources and of deliveries without a known
    /// tenant. It has a key hierarchy like any tenant, and no log that a customer can read.
    pub const INSTALLATION: Self = Self(Uuid::nil());

    /// Returns a UUIDv5 within this tenant. Each part is prefixed with its length, so that
    /// different parts never join to the same name.
    #[must_use]
    pub fn derive(self, parts: &[&[u8]]) -> Uuid {
        let mut name = Vec::with_capacity(64);
        name.extend_from_slice(self.0.as_bytes());
        for part in parts {
            name.extend_from_slice(&(part.len() as u64).to_be_bytes());
            name.extend_from_slice(part);
        }
        Uuid::new_v5(&NAMESPACE, &name)
    }

    /// Returns the stream of an object that the provider names. `kind` is `call`, `chat`, `session`
    /// or `delivery`.
    #[must_use]
    pub fn stream_of(self, kind: &str, provider: &str, name: &str) -> StreamId {
        StreamId(self.derive(&[kind.as_bytes(), provider.as_bytes(), name.as_bytes()]))
    }

    /// Returns the id of an event that a command decided, by its place among the events of the
    /// command.
    #[must_use]
    pub fn command_event(self, command_id: CommandId, nth: u16) -> EventId {
        EventId(self.derive(&[b"command", command_id.0.as_bytes(), &nth.to_be_bytes()]))
    }

    /// Returns the stream of the tenant's own settings, sources, keys and accesses.
    #[must_use]
    pub fn tenant_stream(self) -> StreamId {
        StreamId(self.derive(&[b"tenant"]))
    }

    /// Returns the stream of the erasures, legal holds and restrictions of a subject.
    #[must_use]
    pub fn subject_stream(self, subject_id: SubjectId) -> StreamId {
        StreamId(self.derive(&[b"subject", subject_id.0.as_bytes()]))
    }

    /// Returns the stream of the tenant's settings for bookings. Its version is the version of the
    /// settings.
    #[must_use]
    pub fn settings_stream(self) -> StreamId {
        StreamId(self.derive(&[b"settings"]))
    }

    /// Returns the stream of the tenant's settings for calls and contacts.
    #[must_use]
    pub fn call_settings_stream(self) -> StreamId {
        StreamId(self.derive(&[b"settings", b"calls"]))
    }
}

/// Source of fresh ids. The server's implementation draws from the operating system; tests may
/// count.
pub trait Ids: Send + Sync {
    /// Returns a random id (UUIDv4), for subjects.
    fn random(&self) -> Uuid;
    /// Returns a time-ordered id (UUIDv7), for events and requests that cannot be repeated.
    fn ordered(&self) -> Uuid;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_that_join_to_the_same_text_are_different_names() {
        let tenant = TenantId::INSTALLATION;
        assert_ne!(tenant.derive(&[b"ab", b"c"]), tenant.derive(&[b"a", b"bc"]));
    }

    #[test]
    fn the_same_provider_call_in_two_tenants_is_two_calls() {
        let (one, two) = (TenantId(Uuid::from_u128(1)), TenantId(Uuid::from_u128(2)));
        assert_ne!(one.stream_of("call", "vapi", "c-1"), two.stream_of("call", "vapi", "c-1"));
    }
}
