//! The leaf hash of an event: a digest of its stored bytes. It covers the ciphertext, so the log
//! can still be verified after keys are destroyed. The second format covers sections by their
//! digests, so the log can also be verified after the bytes of a section are removed.

use aws_lc_rs::digest::{Context, SHA256};
use chrono::{DateTime, Utc};

use crate::ids::{EventId, StreamId, SubjectId, TenantId};

/// The sections of a [`Leaf`], as its format covers them.
#[derive(Debug, Clone, Copy)]
pub enum LeafSections<'a> {
    /// Format `leaf/1`, of rows without digests: the columns as stored.
    Columns {
        /// Ciphertext of the small sections; `None` is SQL null.
        sections: Option<&'a [u8]>,
        /// Ciphertext of the large sections; `None` is SQL null.
        bulk: Option<&'a [u8]>,
    },
    /// Format `leaf/2`: the digests of the sections, as stored beside them. Empty without sections.
    Digests(&'a [u8]),
}

/// The stored fields of an event. `position` and `stream_version` are not included: the append
/// assigns them, and `verify` checks that they are dense.
#[derive(Debug, Clone, Copy)]
pub struct Leaf<'a> {
    /// Owner of the log.
    pub tenant_id: TenantId,
    /// Stream that the event is part of.
    pub stream_id: StreamId,
    /// Kind of the stream, as stored.
    pub stream_kind: &'a str,
    /// Id of the event, unique within the tenant.
    pub event_id: EventId,
    /// Event type, as stored.
    pub event_type: &'a str,
    /// Schema version of the facts, as stored.
    pub schema_version: i16,
    /// The provider's time, in whole microseconds.
    pub occurred_at: DateTime<Utc>,
    /// Recording time, in whole microseconds.
    pub recorded_at: DateTime<Utc>,
    /// The exact JSON text of the facts.
    pub facts: &'a str,
    /// The sealed sections, and with them the format of the hash.
    pub sections: LeafSections<'a>,
    /// Subjects of the sections, in stored order.
    pub subjects: &'a [SubjectId],
    /// The exact JSON text of the metadata.
    pub meta: &'a str,
}

impl Leaf<'_> {
    /// Returns the SHA-256 over the fields in order, each prefixed with its length (eight bytes,
    /// big endian). An absent column has a length of all ones. The first field is the name of the
    /// format.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        let mut hasher = Context::new(&SHA256);
        let mut put = |bytes: &[u8]| {
            hasher.update(&(bytes.len() as u64).to_be_bytes());
            hasher.update(bytes);
        };
        put(match self.sections {
            LeafSections::Columns { .. } => b"call-ledger/leaf/1",
            LeafSections::Digests(_) => b"call-ledger/leaf/2",
        });
        put(self.tenant_id.0.as_bytes());
        put(self.stream_id.0.as_bytes());
        put(self.stream_kind.as_bytes());
        put(self.event_id.0.as_bytes());
        put(self.event_type.as_bytes());
        put(&self.schema_version.to_be_bytes());
        put(&self.occurred_at.timestamp_micros().to_be_bytes());
        put(&self.recorded_at.timestamp_micros().to_be_bytes());
        put(self.facts.as_bytes());
        put(self.meta.as_bytes());
        let subjects: Vec<u8> =
            self.subjects.iter().flat_map(|subject| *subject.0.as_bytes()).collect();
        put(&subjects);
        match self.sections {
            LeafSections::Digests(digests) => put(digests),
            LeafSections::Columns { sections, bulk } => {
                for column in [sections, bulk] {
                    match column {
                        Some(bytes) => {
                            hasher.update(&(bytes.len() as u64).to_be_bytes());
                            hasher.update(bytes);
                        }
                        None => hasher.update(&u64::MAX.to_be_bytes()),
                    }
                }
            }
        }
        hasher.finish().as_ref().try_into().expect("SHA-256 is 32 bytes")
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn leaf() -> Leaf<'static> {
        Leaf {
            tenant_id: TenantId(Uuid::from_u128(1)),
            stream_id: StreamId(Uuid::from_u128(2)),
            stream_kind: "call",
            event_id: EventId(Uuid::from_u128(3)),
            event_type: "call.ended",
            schema_version: 1,
            occurred_at: DateTime::UNIX_EPOCH,
            recorded_at: DateTime::UNIX_EPOCH,
            facts: "{}",
            sections: LeafSections::Columns { sections: None, bulk: None },
            subjects: &[],
            meta: "{}",
        }
    }

    #[test]
    fn every_field_is_in_the_hash() {
        let subjects = [SubjectId(Uuid::from_u128(9))];
        let changed = [
            Leaf { tenant_id: TenantId(Uuid::from_u128(9)), ..leaf() },
            Leaf { stream_id: StreamId(Uuid::from_u128(9)), ..leaf() },
            Leaf { stream_kind: "chat", ..leaf() },
            Leaf { event_id: EventId(Uuid::from_u128(9)), ..leaf() },
            Leaf { event_type: "call.started", ..leaf() },
            Leaf { schema_version: 2, ..leaf() },
            Leaf { occurred_at: DateTime::from_timestamp_micros(1).expect("a time"), ..leaf() },
            Leaf { recorded_at: DateTime::from_timestamp_micros(1).expect("a time"), ..leaf() },
            Leaf { facts: "{ }", ..leaf() },
            Leaf { sections: LeafSections::Columns { sections: Some(&[]), bulk: None }, ..leaf() },
            Leaf { sections: LeafSections::Columns { sections: None, bulk: Some(&[]) }, ..leaf() },
            Leaf { sections: LeafSections::Digests(&[]), ..leaf() },
            Leaf { sections: LeafSections::Digests(&[1]), ..leaf() },
            Leaf { subjects: &subjects, ..leaf() },
            Leaf { meta: "{ }", ..leaf() },
        ];
        let mut seen = vec![leaf().hash()];
        for changed in changed {
            assert!(!seen.contains(&changed.hash()), "{changed:?}");
            seen.push(changed.hash());
        }
    }

    #[test]
    fn the_hash_of_a_known_leaf_never_changes() {
        assert_eq!(
            leaf().hash()[..8],
            [70, 78, 88, 13, 138, 113, 67, 231],
            "the format of the leaf is part of every ledger ever written"
        );
    }
}
