//! The statement of a page of calls, whatever the page starts from: the columns, the conditions of the
//! filter on a call, and their parameters.

/// Checks and builds the statement of a page. It consists of the shared columns, `from` with its
/// conditions, the shared conditions on the call, and `order`. The columns of the call are those of the
/// innermost `from`, without a name in front.
///
/// Parameters 1 to 23 are those of [`CallFilter`](super::CallFilter) and the page; `from` and `order` may
/// use further ones from 24 on.
macro_rules! calls_page {
    (
        from: ($($from:tt)+), order: ($($order:tt)+),
        ($tenant_id:expr, $filter:expr, $after:expr, $size:expr) $(, $more:expr)* $(,)?
    ) => {
        sqlx::query_as!(
            StoredCall,
            r#"
        select c.call_id as "call_id!", c.started_at as "started_at!", c.state as "state!", c.party,
               k.state as "carrier_state?", null::uuid as part_of, c.appointment_id, c.appointment_scheduled_at,
               c.appointment_status, c.appointment_service
            "# + $($from)+ + r#"
              and ($4::text is null or provider_call_id = $4
                   or call_id = any (array (select n.call_id from read.call_carriers n
                                             where n.tenant_id = $1
                                               and n.carrier_call_id = any ($16::uuid[]))))
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
              and ($17::boolean is null or is_booked = $17)
              and ($18::text is null or disposition = $18
                   or disposition = any ($22::text[]))
              and ($19::text is null or campaign = $19)
              and ($20::bigint is null or attempt = $20)
              and ($21::text is null or call_type = $21
                   or call_type = any ($23::text[]))
            "# + $($order)+,
            $tenant_id.0,
            $filter.from,
            $filter.to,
            $filter.provider_call_id,
            $filter.direction,
            $filter.status,
            $filter.outcome,
            $filter.ended_reason,
            $filter.agent_id,
            $filter.min_cost_nanos,
            $filter.contact_id,
            $filter.is_test,
            $after.map(|after| after.started_at),
            $after.map(|after| after.call_id),
            $size.limit(),
            &carrier_call_ids($tenant_id, $filter.provider_call_id.as_deref()),
            $filter.has_appointment,
            $filter.disposition.as_ref().map(ledger_core::annotation::spelling::Spellings::first),
            $filter.campaign,
            $filter.attempt,
            $filter.call_type.as_ref().map(ledger_core::annotation::spelling::Spellings::first),
            $filter.disposition.as_ref().and_then(ledger_core::annotation::spelling::Spellings::others),
            $filter.call_type.as_ref().and_then(ledger_core::annotation::spelling::Spellings::others),
            $($more,)*
        )
    };
}

pub(super) use calls_page;
