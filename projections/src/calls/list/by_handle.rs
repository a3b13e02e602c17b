//! A page of the calls of a number or an address.
//!
//! The statement starts from `read.call_handles`, which is indexed in page order, so a number with
//! few calls or none is as fast as one with a million. Each id is read up to a page of matches; the
//! first page of the union is among them.

use ledger_store::TenantTx;
use ledger_store::read::{Page, PageSize, page_of};
use uuid::Uuid;

use super::statement::calls_page;
use super::{After, CallFilter, StoredCall, carrier_call_ids};

/// Lists the calls with one of these handles. `other` are handles that a call must have as well.
pub(super) async fn list(
    tx: &mut TenantTx,
    filter: &CallFilter,
    (handles, other): (&[Uuid], Option<&[Uuid]>),
    after: Option<After>,
    size: PageSize,
) -> sqlx::Result<Page<StoredCall>> {
    let tenant_id = tx.tenant_id();
    let rows = calls_page!(
        from: (r#"
          from (
           select distinct on (f.started_at, f.call_id) f.*
             from unnest($24::uuid[]) as asked (handle_id)
            cross join lateral (
              select c.*
                from read.call_handles h
               cross join lateral (
                 select call_id, started_at, state, party, carrier_call_id, appointment_id,
                        appointment_scheduled_at, appointment_status, appointment_service
                   from read.calls
                  where tenant_id = $1 and call_id = h.call_id
                    and ($25::uuid[] is null
                         or exists (select from read.call_handles o
                                     where o.tenant_id = $1 and o.handle_id = any ($25)
                                       and o.call_id = h.call_id))
            "#),
        order: (r#"
                 offset 0) c
               where h.tenant_id = $1 and h.handle_id = asked.handle_id
                 and ($2::timestamptz is null or h.started_at >= $2)
                 and ($3::timestamptz is null or h.started_at < $3)
                 and ($13::timestamptz is null or (h.started_at, h.call_id) < ($13, $14::uuid))
               order by h.started_at desc, h.call_id desc
               limit $15) f
            order by f.started_at desc, f.call_id desc
            limit $15) c
          left join lateral (
           select state from read.carrier_calls
            where tenant_id = $1 and call_id = c.carrier_call_id
           offset 0) k on true
         order by c.started_at desc, c.call_id desc
            "#),
        (tenant_id, filter, after, size),
        handles,
        other,
    );
    page_of(rows.fetch(tx.conn()), size, StoredCall::weight).await
}
