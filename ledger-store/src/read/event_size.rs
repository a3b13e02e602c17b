//! Sizes of events, for readers that bound their memory.

use ledger_core::ids::SubjectId;

use crate::tenant_tx::TenantTx;

/// The stored size of an event's sections, and their subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventSize {
    /// Position of the event.
    pub position: i64,
    /// Bytes of its sealed sections, small and large.
    pub bytes: usize,
    /// The subject of the event's sections; `None` without sections.
    pub subject: Option<SubjectId>,
}

/// Returns the sizes of the events at these positions, in order, without reading their sections.
///
/// # Errors
/// The database did not answer.
pub async fn event_sizes(tx: &mut TenantTx, positions: &[i64]) -> sqlx::Result<Vec<EventSize>> {
    let tenant_id = tx.tenant_id();
    let rows = sqlx::query!(
        r#"
        select position, subjects[1] as subject,
               coalesce(octet_length(sections), 0) + coalesce(octet_length(bulk), 0) as "bytes!"
          from ledger.events
         where tenant_id = $1 and position = any ($2)
         order by position
        "#,
        tenant_id.0,
        positions,
    )
    .fetch_all(tx.conn())
    .await?;
    let event_size = |bytes: i32| usize::try_from(bytes).unwrap_or(0);
    let rows = rows.into_iter().map(|row| EventSize {
        position: row.position,
        bytes: event_size(row.bytes),
        subject: row.subject.map(SubjectId),
    });
    Ok(rows.collect())
}
