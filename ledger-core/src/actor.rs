//! The actor of an event: what made a change or an access. Metadata, audit and HTTP use this type,
//! so an actor has one spelling.

use std::fmt;
use std::str::FromStr;

use chrono::NaiveDate;
use serde::{Serialize, Serializer};
use thiserror::Error;
use uuid::Uuid;

use crate::ids::{KeyId, SourceId, StreamId, TenantId};

/// Prefix of the stored text of an API key.
const KEY_PREFIX: &str = "key:";
/// Prefix of the stored text of a webhook source.
const SOURCE_PREFIX: &str = "source:";
/// Stored text of [`Actor::Operator`].
const OPERATOR: &str = "operator";
/// Stored text of [`Actor::Server`].
const SERVER: &str = "server";
/// Stored text of [`Actor::Unauthenticated`]; part of every log ever written.
const UNAUTHENTICATED: &str = "unproven";

/// Originator of a change or an access. Its text is stored in the metadata of events and is fixed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Actor {
    /// The holder of an API key; text `key:<id>`.
    Key(KeyId),
    /// A voice agent that called a tool through a webhook source; text `source:<id>`.
    Source(SourceId),
    /// A person at the command line, without an API key; text `operator`.
    Operator,
    /// A background task of the ledger, such as the erasure process; text `server`.
    Server,
    /// A sender without a valid signature or key; text `unproven`.
    Unauthenticated,
}

/// A text that is not the text of an [`Actor`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("not an actor: expected key:<id>, source:<id>, {OPERATOR}, {SERVER} or {UNAUTHENTICATED}")]
pub struct UnknownActor;

impl Actor {
    /// Returns the stream of the actor's accesses to the data of a tenant on one UTC day. An access
    /// that a read model cannot apply holds up the later ones of its stream only.
    #[must_use]
    pub fn access_stream(self, tenant_id: TenantId, day: NaiveDate) -> StreamId {
        let (actor, day) = (self.to_string(), day.to_string());
        StreamId(tenant_id.derive(&[b"access", actor.as_bytes(), day.as_bytes()]))
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(key_id) => write!(f, "{KEY_PREFIX}{key_id}"),
            Self::Source(source_id) => write!(f, "{SOURCE_PREFIX}{source_id}"),
            Self::Operator => f.write_str(OPERATOR),
            Self::Server => f.write_str(SERVER),
            Self::Unauthenticated => f.write_str(UNAUTHENTICATED),
        }
    }
}

impl FromStr for Actor {
    type Err = UnknownActor;

    fn from_str(text: &str) -> Result<Self, UnknownActor> {
        match text {
            OPERATOR => Ok(Self::Operator),
            SERVER => Ok(Self::Server),
            UNAUTHENTICATED => Ok(Self::Unauthenticated),
            _ => {
                let id = |prefix| text.strip_prefix(prefix).map(Uuid::try_parse);
                match (id(KEY_PREFIX), id(SOURCE_PREFIX)) {
                    (Some(Ok(key_id)), _) => Ok(Self::Key(KeyId(key_id))),
                    (_, Some(Ok(source_id))) => Ok(Self::Source(SourceId(source_id))),
                    _ => Err(UnknownActor),
                }
            }
        }
    }
}

impl Serialize for Actor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_of_an_actor_is_the_stored_one_and_parses_to_the_actor() {
        let key_id = KeyId(Uuid::from_u128(7));
        for (actor, text) in [
            (Actor::Key(key_id), "key:00000000-0000-0000-0000-000000000007"),
            (Actor::Source(SourceId(key_id.0)), "source:00000000-0000-0000-0000-000000000007"),
            (Actor::Operator, "operator"),
            (Actor::Server, "server"),
            (Actor::Unauthenticated, "unproven"),
        ] {
            assert_eq!(actor.to_string(), text);
            assert_eq!(text.parse(), Ok(actor));
            assert_eq!(serde_json::to_value(actor).expect("a text"), text);
        }
    }

    #[test]
    fn each_actor_has_a_stream_of_accesses_for_each_day() {
        let (tenant, other) = (TenantId::INSTALLATION, TenantId(Uuid::from_u128(1)));
        let day = |day| NaiveDate::from_ymd_opt(2026, 11, day).expect("a day");
        let key = Actor::Key(KeyId(Uuid::from_u128(2)));
        let stream = key.access_stream(tenant, day(1));
        assert_eq!(key.access_stream(tenant, day(1)), stream);
        for another in [
            key.access_stream(tenant, day(2)),
            Actor::Unauthenticated.access_stream(tenant, day(1)),
            key.access_stream(other, day(1)),
            tenant.tenant_stream(),
        ] {
            assert_ne!(another, stream);
        }
    }

    #[test]
    fn a_text_that_was_never_stored_is_no_actor() {
        for text in ["", "key:", "key:7", "Operator", "operator ", "unauthenticated"] {
            assert_eq!(text.parse::<Actor>(), Err(UnknownActor), "{text:?}");
        }
    }
}
