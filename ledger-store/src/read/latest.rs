//! The latest messages of streams, for calls without a report.

use std::collections::HashMap;

use uuid::Uuid;

use crate::tenant_tx::TenantTx;

/// Returns, for each stream, the positions of at most `limit` messages with large sections, latest
/// by the provider's clock first. Texts that people added are no messages.
///
/// # Errors
/// The database did not answer.
pub async fn latest(
    tx: &mut TenantTx,
    streams: &[Uuid],
    limit: i64,
) -> sqlx::Result<HashMap<Uuid, Vec<i64>>> {
    let tenant_id = tx.tenant_id();
    let rows = sqlx::query!(
        r#"
        select s.stream_id as "stream_id!", e.position as "position!"
          from unnest($2::uuid[]) as s (stream_id)
         cross join lateral (
               select position, occurred_at
                 from ledger.events
                where tenant_id = $1 and stream_id = s.stream_id and bulk is not null
                  and event_type not in ('call.note_added', 'call.note_edited', 'call.escalated',
                                         'call.context_set')
                order by occurred_at desc, position desc
                limit $3) as e
         order by s.stream_id, e.occurred_at desc, e.position desc
        "#,
        tenant_id.0,
        streams,
        limit,
    )
    .fetch_all(tx.conn())
    .await?;
    let mut latest: HashMap<Uuid, Vec<i64>> = HashMap::new();
    for row in rows {
        latest.entry(row.stream_id).or_default().push(row.position);
    }
    Ok(latest)
}
