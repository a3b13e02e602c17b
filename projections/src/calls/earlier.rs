//! Earlier calls of the contact of a call.

use ledger_core::call::Call;
use ledger_core::ids::Position;
use ledger_store::{StoreError, TenantTx};
use uuid::Uuid;

/// Returns whether the contact of a call, as it is now with the contacts that were merged into it, called before the
/// call began. Tests and calls that the tenant made to the person do not count, and with `until` neither do calls that
/// were recorded later. False for a call without a contact.
///
/// # Errors
/// The database did not answer.
pub async fn called_before(
    tx: &mut TenantTx,
    (call_id, call): (Uuid, &Call),
    until: Option<Position>,
) -> Result<bool, StoreError> {
    let (Some(contact_id), Some(started_at)) = (call.contact_id(), call.started_at()) else {
        return Ok(false);
    };
    let tenant_id = tx.tenant_id();
    let found = sqlx::query_scalar!(
        r#"
        with survivor as (
          select coalesce((select merged_into from read.contacts
                            where tenant_id = $1 and contact_id = $2), $2::uuid) as contact_id)
        select exists (
          select from (select contact_id from survivor
                       union all
                       select p.contact_id
                         from survivor s
                         join read.contacts p
                           on p.tenant_id = $1 and p.merged_into = s.contact_id) m
           cross join lateral (
             select c.call_id
               from read.calls c
              where c.tenant_id = $1 and c.subject_id = m.contact_id and c.contact_id is not null
                and not c.is_test and c.direction is distinct from 'outbound'
                and (c.started_at, c.call_id) < ($3, $4::uuid)
                and ($5::bigint is null
                     or exists (select from ledger.events e
                                 where e.tenant_id = $1 and e.stream_id = c.call_id
                                   and e.stream_version = 1 and e.position <= $5))
              order by c.started_at desc, c.call_id desc
              limit 1) c
        ) as "found!"
        "#,
        tenant_id.0,
        contact_id.0,
        started_at,
        call_id,
        until.map(|position| position.0),
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(found)
}
