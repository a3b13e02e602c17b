//! The actor of an event: what made a change or an access. Metadata, audit and HTTP use this type,
//! so an actor has one spelling.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};
use thiserror::Error;
use uuid::Uuid;

use crate::ids::KeyId;

/// Prefix of the stored text of an API key.
const KEY_PREFIX: &str = "key:";
/// Stored text of [`Actor::Operator`].
const OPERATOR: &str = "operator";
/// Stored text of [`Actor::Unauthenticated`]; part of every log ever written.
const UNAUTHENTICATED: &str = "unproven";

/// What made a change or an access. Its text is stored in the metadata of events and never changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Actor {
    /// The holder of an API key; text `key:<id>`.
    Key(KeyId),
    /// A person at the command line, without an API key; text `operator`.
    Operator,
    /// A sender without a valid signature or key; text `unproven`.
    Unauthenticated,
}

/// A text that is not the text of an [`Actor`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("not an actor: expected key:<id>, {OPERATOR} or {UNAUTHENTICATED}")]
pub struct UnknownActor;

impl Actor {
    /// Returns the holder of the key, or the operator if there is no key.
    #[must_use]
    pub fn key_or_operator(key_id: Option<KeyId>) -> Self {
        key_id.map_or(Self::Operator, Self::Key)
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(key_id) => write!(f, "{KEY_PREFIX}{key_id}"),
            Self::Operator => f.write_str(OPERATOR),
            Self::Unauthenticated => f.write_str(UNAUTHENTICATED),
        }
    }
}

impl FromStr for Actor {
    type Err = UnknownActor;

    fn from_str(text: &str) -> Result<Self, UnknownActor> {
        match text {
            OPERATOR => Ok(Self::Operator),
            UNAUTHENTICATED => Ok(Self::Unauthenticated),
            _ => {
                let key_id = text.strip_prefix(KEY_PREFIX).ok_or(UnknownActor)?;
                let parsed = Uuid::try_parse(key_id).map_err(|_| UnknownActor)?;
                Ok(Self::Key(KeyId(parsed)))
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
            (Actor::Operator, "operator"),
            (Actor::Unauthenticated, "unproven"),
        ] {
            assert_eq!(actor.to_string(), text);
            assert_eq!(text.parse(), Ok(actor));
            assert_eq!(serde_json::to_value(actor).expect("a text"), text);
        }
    }

    #[test]
    fn a_text_that_was_never_stored_is_no_actor() {
        for text in ["", "key:", "key:7", "Operator", "operator ", "unauthenticated"] {
            assert_eq!(text.parse::<Actor>(), Err(UnknownActor), "{text:?}");
        }
    }
}
