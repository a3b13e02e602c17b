//! Queries that need no sums: the range of call starts, and the number of live calls.

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use ledger_core::annotation::spelling::Spellings;
use ledger_store::{StoreError, TenantTx};
use sqlx::Executor;

use super::question::AnalyticsFilter;
use crate::calendar;
use crate::calls::list::carrier_call_ids;

/// A call without an event for this long does not count as live, even if its end was never
/// reported.
pub const STALE_AFTER: TimeDelta = TimeDelta::hours(2);

/// Configures a transaction for analytics; must be its first statement.
///
/// All reads use one snapshot (repeatable read). Custom plans are forced, because a generic plan
/// would read all rows of the tenant. Sequential scans are off, so that no query reads rows of
/// other tenants, even where that would be faster for a tenant that owns most of the table.
///
/// # Errors
/// Fails if the database does not answer, or if the transaction has already read something.
pub async fn configure_transaction(tx: &mut TenantTx) -> sqlx::Result<()> {
    const SETTINGS: &str = "set transaction isolation level repeatable read, read only;
                            set local plan_cache_mode = force_custom_plan;
                            set local enable_seqscan = off;
                            set local max_parallel_workers_per_gather = 0;
                            set local jit = off";
    tx.conn().execute(SETTINGS).await.map(drop)
}

/// Returns the time zone that the stored sums and the months of usage of the tenant are counted in: its
/// first one, so that a change of the zone moves no sum.
///
/// # Errors
/// As for [`zone_of`].
pub async fn zone_of_sums(tx: &mut TenantTx) -> Result<Tz, StoreError> {
    let tenant_id = tx.tenant_id();
    let name = sqlx::query_scalar!(
        "select coalesce(sums_timezone, timezone) as \"zone!\" from ledger.tenants where tenant_id = $1",
        tenant_id.0,
    )
    .fetch_one(tx.conn())
    .await?;
    let corrupt = || StoreError::Corrupt { table: "ledger.tenants", column: "sums_timezone" };
    calendar::zone(&name).ok_or_else(corrupt)
}

/// Returns the time zone of the tenant's days.
///
/// # Errors
/// [`StoreError::Corrupt`] if the stored name is not a time zone, [`StoreError::Database`] if the
/// statement fails.
pub async fn zone_of(tx: &mut TenantTx) -> Result<Tz, StoreError> {
    let tenant_id = tx.tenant_id();
    let name = sqlx::query_scalar!(
        "select timezone from ledger.tenants where tenant_id = $1",
        tenant_id.0,
    )
    .fetch_one(tx.conn())
    .await?;
    let corrupt = || StoreError::Corrupt { table: "ledger.tenants", column: "timezone" };
    calendar::zone(&name).ok_or_else(corrupt)
}

/// Returns the starts of a tenant's first and last call, or `None` if there are no calls.
///
/// # Errors
/// Fails if the database does not answer.
pub async fn first_and_last_start(
    tx: &mut TenantTx,
) -> sqlx::Result<Option<(DateTime<Utc>, DateTime<Utc>)>> {
    let tenant_id = tx.tenant_id();
    let row = sqlx::query!(
        "select (select started_at from read.calls where tenant_id = $1
                  order by started_at limit 1) as first,
                (select started_at from read.calls where tenant_id = $1
                  order by started_at desc limit 1) as last",
        tenant_id.0,
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(row.first.zip(row.last))
}

/// Returns the number of live calls at `now`, whatever their start: calls without an end, with an
/// event within [`STALE_AFTER`].
///
/// # Errors
/// Fails if the database does not answer.
pub async fn live_calls(
    tx: &mut TenantTx,
    filter: &AnalyticsFilter,
    now: DateTime<Utc>,
) -> sqlx::Result<i64> {
    let tenant_id = tx.tenant_id();
    sqlx::query_scalar!(
        r#"
        select count(*) as "count!"
          from read.active_calls a
          join read.calls c on c.tenant_id = a.tenant_id and c.call_id = a.call_id
         where a.tenant_id = $1
           and a.last_recorded_at > $2
           and ($3::boolean is null or a.is_test = $3)
           and ($4::text is null or a.agent_id = $4)
           and ($5::text is null or a.direction = $5)
           and ($6::text is null or c.outcome = $6)
           and ($7::text is null or c.ended_reason = $7)
           and ($8::text is null or $8 = any (c.tools_used))
           and ($9::text is null or a.status = $9)
           and ($10::text is null or c.provider_call_id = $10
                or c.call_id = any (array (select n.call_id from read.call_carriers n
                                          where n.tenant_id = $1 and n.carrier_call_id = any ($16::uuid[]))))
           and ($11::text is null or c.phone_number_id = $11)
           and ($12::bigint is null or c.cost_nanos >= $12)
           and ($17::boolean is null or c.is_booked = $17)
           and ($18::text is null or c.disposition = $18
                or c.disposition = any ($23::text[]))
           and ($19::text is null or c.campaign = $19)
           and ($20::bigint is null or c.attempt = $20)
           and ($21::text is null or c.call_type = $21
                or c.call_type = any ($24::text[]))
           and ($22::text is null
                or exists (select from read.call_tags g
                            where g.tenant_id = $1 and g.tag = $22 and g.call_id = a.call_id))
           and ($13::uuid is null or (c.contact_id is not null
                                   and c.subject_id = any (array (select $13::uuid union all
                                                             select m.contact_id from read.contacts m
                                                              where m.tenant_id = $1 and m.merged_into = $13))))
           and ($14::uuid[] is null
                or exists (select from read.call_handles h
                            where h.tenant_id = $1 and h.handle_id = any ($14)
                              and h.call_id = a.call_id))
           and ($15::uuid[] is null
                or exists (select from read.call_handles h
                            where h.tenant_id = $1 and h.handle_id = any ($15)
                              and h.call_id = a.call_id))
        "#,
        tenant_id.0,
        now - STALE_AFTER,
        filter.is_test,
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
    .fetch_one(tx.conn())
    .await
}
