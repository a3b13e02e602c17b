//! `usage`: number of recorded events by tenant, billing month and event type. Calls and minutes
//! are in the rollups of `calls`.

use async_trait::async_trait;
use chrono::{DateTime, Months, NaiveDate, NaiveTime, TimeDelta, Utc};
use chrono_tz::Tz;
use ledger_core::ids::TenantId;
use ledger_store::TenantTx;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::calendar::first_of_month;
use crate::projector::{Again, LeftOut, LogEvent, ProjectError, TenantContext};
use crate::simple::{RowProjector, Rows};

/// The projector of the `usage` read model.
pub struct EventCounts;

#[async_trait]
impl RowProjector for EventCounts {
    type Key = (NaiveDate, String);
    type Row = i64;

    fn name(&self) -> &'static str {
        "usage"
    }

    fn schema_version(&self) -> i32 {
        1
    }

    fn handles(&self, _: &str) -> bool {
        true
    }

    fn reads_facts(&self) -> bool {
        false
    }

    fn project(
        &self,
        tenant: TenantContext,
        event: &LogEvent,
        rows: &mut Rows<'_, Self::Key, i64>,
    ) -> Result<(), ProjectError> {
        let month = month_of(tenant.zone, event.stored.recorded_at);
        *rows.entry((month, event.stored.event_type.clone())).or_default() += 1;
        Ok(())
    }

    async fn upsert(
        &self,
        conn: &mut PgConnection,
        rows: Vec<(TenantId, Self::Key, i64)>,
    ) -> Result<(), ProjectError> {
        let tenants: Vec<Uuid> = rows.iter().map(|(tenant, ..)| tenant.0).collect();
        let months: Vec<NaiveDate> = rows.iter().map(|(_, (month, _), _)| *month).collect();
        let counts: Vec<i64> = rows.iter().map(|(.., count)| *count).collect();
        let types: Vec<String> = rows.into_iter().map(|(_, (_, kind), _)| kind).collect();
        sqlx::query!(
            "insert into usage (tenant_id, month, event_type, events)
             select * from unnest($1::uuid[], $2::date[], $3::text[], $4::bigint[])
                 on conflict (tenant_id, month, event_type) do update
                set events = usage.events + excluded.events",
            &tenants,
            &months,
            &types,
            &counts,
        )
        .execute(conn)
        .await?;
        Ok(())
    }

    async fn leave_out(
        &self,
        conn: &mut PgConnection,
        one: LeftOut<'_>,
    ) -> Result<Again, ProjectError> {
        let month = month_of(one.tenant.zone, one.event.stored.recorded_at);
        let count = count(conn, one, month).await?;
        set(conn, one, month, count).await?;
        Ok(Again::Nothing)
    }
}

/// Returns the billing month of an event.
fn month_of(zone: Tz, recorded_at: DateTime<Utc>) -> NaiveDate {
    first_of_month(recorded_at.with_timezone(&zone).date_naive())
}

/// Counts the events of a month that have the type of the dropped event: those up to the version's
/// checkpoint, without dropped and parked ones.
async fn count(
    conn: &mut PgConnection,
    one: LeftOut<'_>,
    month: NaiveDate,
) -> Result<i64, ProjectError> {
    // No zone is more than a day from UTC; events outside the month are filtered below.
    let around = |date: NaiveDate| date.and_time(NaiveTime::MIN).and_utc();
    let from = around(month) - TimeDelta::days(1);
    let to = around(month + Months::new(1)) + TimeDelta::days(1);
    // Offsets of zones are whole minutes, so all events of a minute are in the same month.
    let minutes = sqlx::query!(
        r#"
        select date_trunc('minute', e.recorded_at, 'UTC') as "minute!", count(*) as "events!"
          from ledger.events e
         where e.tenant_id = $1 and e.event_type = $2 and e.position <= $3
           and e.recorded_at >= $4 and e.recorded_at < $5
           and e.position > coalesce((select m.position from projection.marks m
                                       where m.tenant_id = $1 and m.updated_at < $4
                                       order by m.updated_at desc
                                       limit 1), 0)
           and not exists (select from projection.dropped d
                            where d.tenant_id = e.tenant_id and d.projection = 'usage'
                              and d.position = e.position)
           and not exists (select from projection.parked p
                            where p.tenant_id = e.tenant_id and p.projection = 'usage'
                              and p.version = $6 and p.key = e.stream_id
                              and p.position <= e.position)
         group by 1
        "#,
        one.tenant.tenant_id.0,
        one.event.stored.event_type,
        one.until.0,
        from,
        to,
        one.version,
    )
    .fetch_all(conn)
    .await?;
    let of_month = minutes.iter().filter(|row| month_of(one.tenant.zone, row.minute) == month);
    Ok(of_month.map(|row| row.events).sum())
}

async fn set(
    conn: &mut PgConnection,
    one: LeftOut<'_>,
    month: NaiveDate,
    count: i64,
) -> Result<(), ProjectError> {
    let (tenant_id, event_type) = (one.tenant.tenant_id.0, &one.event.stored.event_type);
    if count == 0 {
        sqlx::query!(
            "delete from usage where tenant_id = $1 and month = $2 and event_type = $3",
            tenant_id,
            month,
            event_type,
        )
        .execute(conn)
        .await?;
        return Ok(());
    }
    sqlx::query!(
        "insert into usage (tenant_id, month, event_type, events)
         values ($1, $2, $3, $4)
             on conflict (tenant_id, month, event_type) do update set events = excluded.events",
        tenant_id,
        month,
        event_type,
        count,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Returns the number of events of a billing month by type, for the transaction's tenant.
///
/// # Errors
/// Fails if the database does not answer.
pub async fn events_of(tx: &mut TenantTx, month: NaiveDate) -> sqlx::Result<Vec<(String, i64)>> {
    let tenant_id = tx.tenant_id();
    let rows = sqlx::query!(
        r#"select event_type as "event_type!", events as "events!"
             from read.usage where tenant_id = $1 and month = $2
            order by event_type"#,
        tenant_id.0,
        first_of_month(month),
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|row| (row.event_type, row.events)).collect())
}
