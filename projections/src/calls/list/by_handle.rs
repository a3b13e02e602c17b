//! A page of the calls of a number or an address.
//!
//! The statement starts from `read.call_handles`, which is indexed in page order, so a number with
//! few calls or none is as fast as one with a million. Each id is read up to a page of matches; the
//! first page of the union is among them.

use ledger_core::annotation::spelling::Spellings;
use ledger_store::TenantTx;
use ledger_store::read::{Page, PageSize, page_of};
use uuid::Uuid;

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
    let rows = sqlx::query_as!(
        StoredCall,
        r#"
        select c.call_id as "call_id!", c.started_at as "started_at!", c.state as "state!", c.party,
               k.state as "carrier_state?", null::uuid as part_of, c.appointment_id, c.appointment_scheduled_at,
               c.appointment_status, c.appointment_service
          from (
           select distinct on (f.started_at, f.call_id) f.*
             from unnest($16::uuid[]) as asked (handle_id)
            cross join lateral (
              select c.*
                from read.call_handles h
               cross join lateral (
                 select call_id, started_at, state, party, carrier_call_id, appointment_id,
                        appointment_scheduled_at, appointment_status, appointment_service
                   from read.calls
                  where tenant_id = $1 and call_id = h.call_id
                    and ($4::text is null or provider_call_id = $4
                         or call_id = any (array (select n.call_id from read.call_carriers n
                                                   where n.tenant_id = $1
                                                     and n.carrier_call_id = any ($18::uuid[]))))
                    and ($5::text is null or direction = $5)
                    and ($6::text is null or status = $6)
                    and ($7::text is null or outcome = $7)
                    and ($8::text is null or ended_reason = $8)
                    and ($9::text is null or agent_id = $9)
                    and ($10::bigint is null or cost_nanos >= $10)
                    and ($11::uuid is null or (contact_id is not null
                                            and subject_id = any (array (select $11::uuid union all
                                                                      select m.contact_id from read.contacts m
                                                                       where m.tenant_id = $1 and m.merged_into = $11))))
                    and ($12::boolean is null or is_test = $12)
                    and ($19::boolean is null or is_booked = $19)
                    and ($20::text is null or disposition = $20
                         or disposition = any ($24::text[]))
                    and ($21::text is null or campaign = $21)
                    and ($22::bigint is null or attempt = $22)
                    and ($23::text is null or call_type = $23
                         or call_type = any ($25::text[]))
                    and ($17::uuid[] is null
                         or exists (select from read.call_handles o
                                     where o.tenant_id = $1 and o.handle_id = any ($17)
                                       and o.call_id = h.call_id))
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
        "#,
        tenant_id.0,
        filter.from,
        filter.to,
        filter.provider_call_id,
        filter.direction,
        filter.status,
        filter.outcome,
        filter.ended_reason,
        filter.agent_id,
        filter.min_cost_nanos,
        filter.contact_id,
        filter.is_test,
        after.map(|after| after.started_at),
        after.map(|after| after.call_id),
        size.limit(),
        handles,
        other,
        &carrier_call_ids(tenant_id, filter.provider_call_id.as_deref()),
        filter.has_appointment,
        filter.disposition.as_ref().map(Spellings::first),
        filter.campaign,
        filter.attempt,
        filter.call_type.as_ref().map(Spellings::first),
        filter.disposition.as_ref().and_then(Spellings::others),
        filter.call_type.as_ref().and_then(Spellings::others),
    )
    .fetch(tx.conn());
    page_of(rows, size, StoredCall::weight).await
}
