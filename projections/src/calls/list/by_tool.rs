//! A page of the calls that used a tool.
//!
//! The statement starts from `read.call_tools`, which is indexed in page order, so a tool with few
//! calls or none is as fast as one with a million.

use ledger_core::annotation::spelling::Spellings;
use ledger_store::TenantTx;
use ledger_store::read::{Page, PageSize, page_of};

use super::{After, CallFilter, StoredCall, carrier_call_ids};

pub(super) async fn list(
    tx: &mut TenantTx,
    filter: &CallFilter,
    tool: &str,
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
          from read.call_tools t
         cross join lateral (
           select call_id, started_at, state, party, carrier_call_id, appointment_id,
                  appointment_scheduled_at, appointment_status, appointment_service
             from read.calls
            where tenant_id = $1 and call_id = t.call_id
              and ($4::text is null or provider_call_id = $4
                   or call_id = any (array (select n.call_id from read.call_carriers n
                                             where n.tenant_id = $1
                                               and n.carrier_call_id = any ($19::uuid[]))))
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
              and ($17::uuid[] is null
                   or exists (select from read.call_handles h
                               where h.tenant_id = $1 and h.handle_id = any ($17)
                                 and h.call_id = t.call_id))
              and ($18::uuid[] is null
                   or exists (select from read.call_handles h
                               where h.tenant_id = $1 and h.handle_id = any ($18)
                                 and h.call_id = t.call_id))
              and ($12::boolean is null or is_test = $12)
              and ($20::boolean is null or is_booked = $20)
              and ($21::text is null or disposition = $21
                   or disposition = any ($26::text[]))
              and ($22::text is null or campaign = $22)
              and ($23::bigint is null or attempt = $23)
              and ($24::text is null or call_type = $24
                   or call_type = any ($27::text[]))
              and ($25::text is null
                   or exists (select from read.call_tags g
                               where g.tenant_id = $1 and g.tag = $25 and g.call_id = t.call_id))
           offset 0) c
          left join lateral (
           select state from read.carrier_calls
            where tenant_id = $1 and call_id = c.carrier_call_id
           offset 0) k on true
         where t.tenant_id = $1 and t.tool = $16
           and ($2::timestamptz is null or t.started_at >= $2)
           and ($3::timestamptz is null or t.started_at < $3)
           and ($13::timestamptz is null or (t.started_at, t.call_id) < ($13, $14::uuid))
         order by t.started_at desc, t.call_id desc
         limit $15
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
        tool,
        filter.phone.as_deref(),
        filter.email.as_deref(),
        &carrier_call_ids(tenant_id, filter.provider_call_id.as_deref()),
        filter.has_appointment,
        filter.disposition.as_ref().map(Spellings::first),
        filter.campaign,
        filter.attempt,
        filter.call_type.as_ref().map(Spellings::first),
        filter.tag,
        filter.disposition.as_ref().and_then(Spellings::others),
        filter.call_type.as_ref().and_then(Spellings::others),
    )
    .fetch(tx.conn());
    page_of(rows, size, StoredCall::weight).await
}
