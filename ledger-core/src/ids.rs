//! Typed identifiers and counters. Two UUIDs of different meaning never meet in one signature.
//!
//! Ids of things a provider can tell us twice are derived (UUIDv5), so telling them twice finds
//! the same thing. Ids of subjects are random: nothing about a person can be read off them.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Where every derived id of this product starts (UUIDv5 of `call-ledger` in the DNS namespace's
/// manner, fixed for ever: changing it would change every call id).
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
    /// One customer of the platform: one ledger, one key hierarchy, one dense run of positions.
    TenantId
}
uuid_id! {
    /// One ordered history inside a tenant: a call, the tenant itself, one uncorrelated delivery.
    StreamId
}
uuid_id! {
    /// One recorded fact. Derived when the input can be repeated, else UUIDv7.
    EventId
}
uuid_id! {
    /// A person, or a call whose person is not known. Random; never derived from a phone number.
    SubjectId
}
uuid_id! {
    /// One handle a person is found by: a number, an address. Random; never derived from its value.
    HandleId
}
uuid_id! {
    /// One configured webhook endpoint.
    SourceId
}
uuid_id! {
    /// One API key (its public name; the key itself is shown once and stored hashed).
    KeyId
}
uuid_id! {
    /// One webhook that waits in quarantine, or was replayed from there.
    QuarantineId
}

/// Place in a tenant's commit order, dense from 1. What a checkpoint holds; 0 is "before the first".
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Position(pub i64);

/// Count within one stream, from 1; 0 is the stream that does not exist yet.
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
    /// The installation itself: owner of shared sources and of what no tenant could be told for.
    /// It has a key hierarchy like any tenant, and no log that a customer sees.
    pub const INSTALLATION: Self = Self(Uuid::nil());

    /// A UUIDv5 inside this tenant, from parts that are joined without ambiguity.
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

    /// The stream of one thing a provider names: `kind` is `call`, `chat`, `session` or `delivery`.
    #[must_use]
    pub fn stream_of(self, kind: &str, provider: &str, name: &str) -> StreamId {
        StreamId(self.derive(&[kind.as_bytes(), provider.as_bytes(), name.as_bytes()]))
    }

    /// The stream of the tenant's own settings, sources, keys and accesses.
    #[must_use]
    pub fn own_stream(self) -> StreamId {
        StreamId(self.derive(&[b"tenant"]))
    }
}

/// Where fresh ids come from. The server's draws from the operating system; tests may count.
pub trait Ids: Send + Sync {
    /// A random id (UUIDv4), for subjects.
    fn random(&self) -> Uuid;
    /// A time-ordered id (UUIDv7), for events and requests that nobody can repeat.
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
