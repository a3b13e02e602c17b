//! `usage`: number of recorded events by tenant, billing month and event type. Calls and minutes
//! are in the rollups of `calls`.

use std::collections::{BTreeMap, HashMap};

use async_trait::async_trait;
use chrono::NaiveDate;
use chrono_tz::Tz;
use ledger_core::ids::TenantId;
use ledger_store::TenantTx;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::calendar::first_of_month;
use crate::projector::{Fold, LogEvent, Prepared, ProjectError, Projector, TenantKeys, Way};

/// The projector of the `usage` read model.
pub struct Usage;

#[async_trait]
impl Projector for Usage {
    fn name(&self) -> &'static str {
        "usage"
    }

    fn shape(&self) -> i32 {
        1
    }

    fn wants(&self, _: &str) -> bool {
        true
    }

    fn reads_facts(&self) -> bool {
        false
    }

    async fn load<'e>(
        &self,
        _: &mut PgConnection,
        wanted: &[TenantKeys],
        _: Prepared,
    ) -> Result<Box<dyn Fold<'e> + 'e>, ProjectError> {
        let zones = wanted.iter().map(|one| (one.tenant.tenant_id, one.tenant.zone)).collect();
        Ok(Box::new(Counts { zones, counts: BTreeMap::new() }))
    }
}

/// A batch: numbers of events by tenant, billing month and type.
struct Counts {
    zones: HashMap<TenantId, Tz>,
    counts: BTreeMap<(TenantId, NaiveDate, String), i64>,
}

#[async_trait]
impl<'e> Fold<'e> for Counts {
    fn take(&mut self, tenant_id: TenantId, event: &'e LogEvent) -> Result<(), ProjectError> {
        let local = event.stored.recorded_at.with_timezone(&self.zones[&tenant_id]);
        let month = first_of_month(local.date_naive());
        let key = (tenant_id, month, event.stored.event_type.clone());
        *self.counts.entry(key).or_default() += 1;
        Ok(())
    }

    async fn write(&mut self, conn: &mut PgConnection, _: Way) -> Result<(), ProjectError> {
        let tenants: Vec<Uuid> = self.counts.keys().map(|(tenant, ..)| tenant.0).collect();
        let months: Vec<NaiveDate> = self.counts.keys().map(|(_, month, _)| *month).collect();
        let types: Vec<String> = self.counts.keys().map(|(.., kind)| kind.clone()).collect();
        let counts: Vec<i64> = self.counts.values().copied().collect();
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
