//! Complete rows of the log with hash and meta data, for export and verification.

use ledger_core::ids::{EventId, Position, StreamId, SubjectId, TenantId};
use ledger_core::leaf::{Leaf, LeafSections};

use super::{PageSize, StoredEvent};
use crate::seal::section_digests;
use crate::tenant_tx::TenantTx;

/// A complete row of the log.
#[derive(Debug, Clone)]
pub struct FullEvent {
    /// The event with all its sections.
    pub event: StoredEvent,
    /// The exact text of the meta data, as it was hashed.
    pub meta: String,
    /// The stored digests of the sections; `None` if the hash has the format `leaf/1`.
    pub section_digests: Option<Vec<u8>>,
    /// The stored hash.
    pub leaf_hash: Vec<u8>,
}

impl FullEvent {
    /// Whether the sections have their stored digests, and the row has its stored hash.
    #[must_use]
    pub fn is_intact(&self, tenant_id: TenantId) -> bool {
        let stored = self.section_digests.as_ref();
        stored.is_none_or(|stored| *stored == self.computed_digests())
            && self.computed_hash(tenant_id).as_slice() == self.leaf_hash
    }

    fn computed_digests(&self) -> Vec<u8> {
        section_digests(self.event.sections.as_deref(), self.event.bulk.as_deref())
    }

    /// The hash of the stored bytes, in the format of the row.
    #[must_use]
    pub fn computed_hash(&self, tenant_id: TenantId) -> [u8; 32] {
        let digests = self.section_digests.as_ref().map(|_| self.computed_digests());
        let subjects: Vec<SubjectId> =
            self.event.subjects.iter().flatten().copied().map(SubjectId).collect();
        Leaf {
            tenant_id,
            stream_id: StreamId(self.event.stream_id),
            stream_kind: &self.event.stream_kind,
            event_id: EventId(self.event.event_id),
            event_type: &self.event.event_type,
            schema_version: self.event.schema_version,
            occurred_at: self.event.occurred_at,
            recorded_at: self.event.recorded_at,
            facts: &self.event.facts,
            sections: match &digests {
                Some(digests) => LeafSections::Digests(digests),
                None => LeafSections::Columns {
                    sections: self.event.sections.as_deref(),
                    bulk: self.event.bulk.as_deref(),
                },
            },
            subjects: &subjects,
            meta: &self.meta,
        }
        .hash()
    }
}

/// Returns complete rows after a position, as many as fit into a page: at least one, unless there
/// are none. The database adds up the stored sizes and sends only the rows of the page.
///
/// # Errors
/// The database did not answer.
pub async fn full_after(
    tx: &mut TenantTx,
    after: Position,
    size: PageSize,
) -> sqlx::Result<Vec<FullEvent>> {
    let tenant_id = tx.tenant_id();
    let (rows, bytes) = (size.rows, size.bytes);
    let rows = sqlx::query!(
        r#"
        select position, stream_id, stream_kind, stream_version, event_id, event_type, schema_version,
               occurred_at, recorded_at, facts::text as "facts!", sections, bulk, subjects,
               meta::text as "meta!", section_digests, leaf_hash
          from ledger.events
         where tenant_id = $1 and position > $2
           and position <= (
             select max(position)
               from (select position, row_number() over (order by position) as nth,
                            sum(octet_length(facts::text) + octet_length(meta::text)
                                + coalesce(octet_length(sections), 0)
                                + coalesce(octet_length(bulk), 0)) over (order by position) as bytes
                       from (select position, facts, meta, sections, bulk
                               from ledger.events
                              where tenant_id = $1 and position > $2
                              order by position
                              limit $3) as next) as added
              where nth = 1 or bytes <= $4)
         order by position
        "#,
        tenant_id.0,
        after.0,
        i64::try_from(rows).unwrap_or(i64::MAX),
        i64::try_from(bytes).unwrap_or(i64::MAX),
    )
    .fetch_all(tx.conn())
    .await?;
    let full = rows.into_iter().map(|row| FullEvent {
        event: StoredEvent {
            position: row.position,
            stream_id: row.stream_id,
            stream_kind: row.stream_kind,
            stream_version: row.stream_version,
            event_id: row.event_id,
            event_type: row.event_type,
            schema_version: row.schema_version,
            occurred_at: row.occurred_at,
            recorded_at: row.recorded_at,
            facts: row.facts,
            sections: row.sections,
            bulk: row.bulk,
            subjects: row.subjects,
        },
        meta: row.meta,
        section_digests: row.section_digests,
        leaf_hash: row.leaf_hash,
    });
    Ok(full.collect())
}
