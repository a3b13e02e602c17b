//! Runs the one SQL statement that answers every analytics query.
//!
//! A single static statement serves all filters and groupings, so no SQL is concatenated. A generic
//! plan would be slow, so a custom plan for the bound values is forced:
//! [`configure_transaction`](super::configure_transaction). Each part of a bucket is an index range; `offset 0` stops the
//! planner from merging the ranges into one join.

mod row;

use ledger_core::annotation::spelling::Spellings;
use std::collections::HashMap;

use ledger_store::{StoreError, TenantTx};

use super::lookups::zone_of_sums;
use super::plan::QueryPlan;
use super::question::{AnalyticsQuery, AnalyticsRow, Dimension};
use super::sums::Sums;
use crate::calls::RollupSet;
use crate::calls::list::carrier_call_ids;
use row::{SumsRow, corrupt};

/// Maximum number of rows of one query: one row for each bucket, group and currency.
pub const MAX_ROWS: i64 = 100_000;

/// Answers a query. Returns `None` if the result has more than [`MAX_ROWS`] rows.
///
/// # Errors
/// [`StoreError::Database`] if a statement fails, [`StoreError::Corrupt`] if a stored sum or the
/// time zone cannot be parsed.
pub async fn run_query(
    tx: &mut TenantTx,
    question: &AnalyticsQuery,
) -> Result<Option<Vec<AnalyticsRow>>, StoreError> {
    let zone = zone_of_sums(tx).await?;
    let plan = QueryPlan::of(question, zone);
    let rows = select(tx, question, &plan).await?;
    if i64::try_from(rows.len()).is_ok_and(|len| len > MAX_ROWS) {
        return Ok(None);
    }
    let mut indexes = HashMap::new();
    let mut answers: Vec<AnalyticsRow> = Vec::new();
    for row in rows {
        let bucket = usize::try_from(row.bucket).map_err(|_| corrupt("bucket"))?;
        let keys = row.keys(&question.group_by);
        let place = *indexes.entry((bucket, keys)).or_insert_with_key(|(bucket, keys)| {
            answers.push(AnalyticsRow {
                bucket: *bucket,
                keys: keys.clone(),
                sums: Sums::default(),
            });
            answers.len() - 1
        });
        answers[place].sums += &row.sums(question.extremes)?;
    }
    Ok(Some(answers))
}

#[expect(clippy::too_many_lines, reason = "one statement, read as one")]
async fn select(
    tx: &mut TenantTx,
    question: &AnalyticsQuery,
    plan: &QueryPlan,
) -> sqlx::Result<Vec<SumsRow>> {
    let tenant_id = tx.tenant_id();
    let filter = &question.filter;
    let groups: Vec<String> = question.group_by.iter().map(|of| of.as_str().to_owned()).collect();
    sqlx::query_as!(
        SumsRow,
        r#"
        with parts as (
          select s.bucket, s.east, r.starts_at as began_at, r.is_test, r.agent_id, r.direction,
                 r.outcome, r.ended_reason, r.tool, r.duration_class, '' as status, '' as success,
                 '' as phone_number_id, '' as campaign, '' as call_type, '' as service_type, '' as contact, r.currency,
                 r.calls, r.timed_calls, r.duration_ms,
                 r.cost_nanos, r.transport_nanos, r.stt_nanos, r.llm_nanos, r.tts_nanos,
                 r.platform_nanos, r.other_nanos, r.evaluated, r.successes, r.booked, r.transfers,
                 r.tool_calls, r.user_interruptions, r.assistant_interruptions, r.latency_calls,
                 r.latency_ms, r.engaged, r.offered, r.attended,
                 case when cardinality(r.revenue_currencies) > 0
                      then (select string_agg(concat_ws(':', v.currency, v.cents, v.counts), ';')
                              from unnest(r.revenue_currencies, r.revenue_cents, r.revenue_counts)
                                as v (currency, cents, counts))
                 end as revenue,
                 case when $5 then array_to_string(r.duration_buckets, ',') || ':'
                                   || array_to_string(r.duration_counts, ',')
                 end as durations
            from unnest($7::int[], $8::text[], $9::timestamptz[], $10::timestamptz[], $11::int[])
              as s (bucket, grain, from_at, to_at, east)
           cross join lateral (
             select k.*
               from read.call_rollups k
              where k.tenant_id = $1
                and k.cut = $2
                and k.grain = s.grain
                and k.starts_at >= s.from_at
                and k.starts_at < s.to_at
                and ($3::boolean is null or k.is_test = $3)
                and ($16::text is null or k.agent_id = $16)
                and ($17::text is null or k.direction = $17)
                and ($18::text is null or k.outcome = $18)
                and ($19::text is null or k.ended_reason = $19)
                and ($20::text is null or k.tool = $20)
                and ($21::text is null or k.outcome <> '')
             offset 0) r
          union all
          select s.bucket, s.east, c.started_at, c.is_test, coalesce(c.agent_id, ''),
                 coalesce(c.direction, ''), coalesce(c.outcome, ''), coalesce(c.ended_reason, ''),
                 t.tool, c.duration_class, coalesce(c.status, ''), coalesce(c.success::text, ''),
                 coalesce(c.phone_number_id, ''), coalesce(c.campaign, ''),
                 replace(coalesce(c.call_type, ''), '-', '_'),
                 coalesce(c.appointment_service, ''),
                 case when 'contact' = any ($4::text[])
                      then coalesce((select p.merged_into from read.contacts p
                                      where p.tenant_id = $1 and p.contact_id = c.contact_id),
                                    c.contact_id)::text
                 end,
                 case when c.cost_nanos is null then '' else coalesce(c.currency, '') end,
                 1, (c.duration_ms is not null)::int, coalesce(c.duration_ms, 0),
                 coalesce(c.cost_nanos, 0), c.transport_nanos, c.stt_nanos, c.llm_nanos,
                 c.tts_nanos, c.platform_nanos, c.other_nanos, (c.success is not null)::int,
                 (c.success is true)::int, c.is_booked::int, c.is_transferred::int, t.calls,
                 coalesce(c.user_interruptions, 0), coalesce(c.assistant_interruptions, 0),
                 (c.turn_latency_ms is not null)::int, coalesce(c.turn_latency_ms, 0),
                 c.is_engaged::int, c.is_offered::int, c.is_attended::int,
                 case when cardinality(c.revenue_currencies) > 0
                      then (select string_agg(concat_ws(':', v.currency, v.cents, v.counts), ';')
                              from unnest(c.revenue_currencies, c.revenue_cents, c.revenue_counts)
                                as v (currency, cents, counts))
                 end,
                 case when $5 then c.duration_bucket || ':1' end
            from unnest($12::int[], $13::timestamptz[], $14::timestamptz[], $15::int[])
              as s (bucket, from_at, to_at, east)
           cross join lateral (
             select k.*
               from read.calls k
              where k.tenant_id = $1
                and k.started_at >= s.from_at
                and k.started_at < s.to_at
                and ($3::boolean is null or k.is_test = $3)
                and ($16::text is null or k.agent_id = $16)
                and ($17::text is null or k.direction = $17)
                and ($18::text is null or k.outcome = $18)
                and ($19::text is null or k.ended_reason = $19)
                and ($20::text is null or $20 = any (k.tools_used))
                and ($21::text is null or k.status = $21)
                and ($22::text is null or k.provider_call_id = $22
                     or k.call_id = any (array (select n.call_id from read.call_carriers n
                                               where n.tenant_id = $1 and n.carrier_call_id = any ($29::uuid[]))))
                and ($23::text is null or k.phone_number_id = $23)
                and ($24::bigint is null or k.cost_nanos >= $24)
                and ($30::boolean is null or k.is_booked = $30)
                and ($31::text is null or k.disposition = $31
                     or k.disposition = any ($37::text[]))
                and ($32::text is null or k.campaign = $32)
                and ($33::bigint is null or k.attempt = $33)
                and ($34::text is null or k.call_type = $34
                     or k.call_type = any ($38::text[]))
                and ($35::text is null
                     or k.call_id = any (array (select g.call_id from read.call_tags g
                                               where g.tenant_id = $1 and g.tag = $35
                                                 and g.started_at >= s.from_at and g.started_at < s.to_at)))
                and ($36::boolean is null or k.is_booked)
                and ($25::uuid is null or (k.contact_id is not null
                                        and k.subject_id = any (array (select $25::uuid union all
                                                                  select m.contact_id from read.contacts m
                                                                   where m.tenant_id = $1 and m.merged_into = $25))))
                and ($27::uuid[] is null
                     or k.call_id = any (array (select h.call_id from read.call_handles h
                                               where h.tenant_id = $1 and h.handle_id = any ($27)
                                                 and h.started_at >= s.from_at and h.started_at < s.to_at)))
                and ($28::uuid[] is null
                     or k.call_id = any (array (select h.call_id from read.call_handles h
                                               where h.tenant_id = $1 and h.handle_id = any ($28)
                                                 and h.started_at >= s.from_at and h.started_at < s.to_at)))
             offset 0) c
           cross join lateral (
             select '' as tool, c.tool_calls as calls
              where $20::text is null and 'tool' <> all ($4::text[])
             union all
             select x.tool, x.calls
               from read.call_tools x
              where x.tenant_id = $1
                and x.call_id = c.call_id
                and ('tool' = any ($4::text[]) or x.tool = $20)) t
        )
        select bucket as "bucket!",
               case when 'agent_id' = any ($4::text[]) then agent_id else '' end as "agent_id!",
               case when 'direction' = any ($4::text[]) then direction else '' end as "direction!",
               case when 'outcome' = any ($4::text[]) then outcome else '' end as "outcome!",
               case when 'ended_reason' = any ($4::text[]) then ended_reason else '' end
                 as "ended_reason!",
               case when 'tool' = any ($4::text[]) then tool else '' end as "tool!",
               case when 'duration_class' = any ($4::text[]) then duration_class else '' end
                 as "duration_class!",
               case when 'is_test' = any ($4::text[]) then is_test::text else '' end as "is_test!",
               case when 'status' = any ($4::text[]) then status else '' end as "status!",
               case when 'success' = any ($4::text[]) then success else '' end as "success!",
               case when 'phone_number_id' = any ($4::text[]) then phone_number_id else '' end
                 as "phone_number_id!",
               case when 'campaign' = any ($4::text[]) then campaign else '' end as "campaign!",
               case when 'call_type' = any ($4::text[]) then call_type else '' end as "call_type!",
               case when 'service_type' = any ($4::text[]) then service_type else '' end
                 as "service_type!",
               case when 'contact' = any ($4::text[]) then coalesce(contact, '') else '' end
                 as "contact!",
               -- A million weeks keep what lies before 1970 positive.
               case when 'hour' = any ($4::text[])
                    then ((floor(extract(epoch from began_at))::bigint + east + 604800000000)
                          / 3600 % 24)::text
                    else '' end as "hour!",
               case when 'weekday' = any ($4::text[])
                    then (((floor(extract(epoch from began_at))::bigint + east + 604800000000)
                           / 86400 + 3) % 7 + 1)::text
                    else '' end as "weekday!",
               currency as "currency!",
               sum(calls)::bigint as "calls!",
               sum(timed_calls)::bigint as "timed_calls!",
               sum(duration_ms)::text as "duration_ms!",
               sum(cost_nanos)::text as "cost_nanos!",
               sum(transport_nanos)::text as "transport_nanos!",
               sum(stt_nanos)::text as "stt_nanos!",
               sum(llm_nanos)::text as "llm_nanos!",
               sum(tts_nanos)::text as "tts_nanos!",
               sum(platform_nanos)::text as "platform_nanos!",
               sum(other_nanos)::text as "other_nanos!",
               sum(evaluated)::bigint as "evaluated!",
               sum(successes)::bigint as "successes!",
               sum(booked)::bigint as "booked!",
               sum(transfers)::bigint as "transfers!",
               sum(tool_calls)::text as "tool_calls!",
               sum(user_interruptions)::text as "user_interruptions!",
               sum(assistant_interruptions)::text as "assistant_interruptions!",
               sum(latency_calls)::bigint as "latency_calls!",
               sum(latency_ms)::text as "latency_ms!",
               sum(engaged)::bigint as "engaged!",
               sum(offered)::bigint as "offered!",
               sum(attended)::bigint as "attended!",
               string_agg(revenue, ';') as revenue,
               case when $5 then string_agg(durations, ';') end as durations,
               case when $6 then array[
                 min(duration_ms) filter (where timed_calls = 1),
                 max(duration_ms) filter (where timed_calls = 1),
                 min(cost_nanos) filter (where currency <> ''),
                 max(cost_nanos) filter (where currency <> ''),
                 min(transport_nanos) filter (where currency <> ''),
                 max(transport_nanos) filter (where currency <> ''),
                 min(stt_nanos) filter (where currency <> ''),
                 max(stt_nanos) filter (where currency <> ''),
                 min(llm_nanos) filter (where currency <> ''),
                 max(llm_nanos) filter (where currency <> ''),
                 min(tts_nanos) filter (where currency <> ''),
                 max(tts_nanos) filter (where currency <> ''),
                 min(platform_nanos) filter (where currency <> ''),
                 max(platform_nanos) filter (where currency <> '')]::bigint[]
               end as "extremes: Vec<Option<i64>>"
          from parts
         group by 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18
         limit $26
        "#,
        tenant_id.0,
        plan.cut.map_or("", RollupSet::as_str),
        filter.is_test,
        &groups,
        question.percentiles,
        question.extremes,
        &plan.kept.buckets,
        &plan.kept.grains as _,
        &plan.kept.froms,
        &plan.kept.tos,
        &plan.kept.offsets_s,
        &plan.calls.buckets,
        &plan.calls.froms,
        &plan.calls.tos,
        &plan.calls.offsets_s,
        filter.agent_id,
        filter.direction,
        filter.outcome,
        filter.ended_reason,
        filter.tool,
        filter.status,
        filter.provider_call_id,
        filter.phone_number_id,
        filter.min_cost_nanos,
        filter.contact_id,
        MAX_ROWS + 1,
        filter.phone.as_deref(),
        filter.email.as_deref(),
        &carrier_call_ids(tenant_id, filter.provider_call_id.as_deref()),
        filter.has_appointment,
        filter.disposition.as_ref().map(Spellings::first),
        filter.campaign,
        filter.attempt,
        filter.call_type.as_ref().map(Spellings::first),
        filter.tag,
        question.group_by.contains(&Dimension::ServiceType).then_some(true),
        filter.disposition.as_ref().and_then(Spellings::others),
        filter.call_type.as_ref().and_then(Spellings::others),
    )
    .fetch_all(tx.conn())
    .await
}
