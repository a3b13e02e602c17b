//! The limits of a tenant's plan per billing month. Usage is compared with them; nothing is
//! enforced.

use ledger_core::event::{PlanLimitsSet, TenantEvent};
use ledger_core::ids::TenantId;
use ledger_core::money::Nanos;
use sqlx::PgConnection;

use crate::Store;
use crate::error::StoreError;
use crate::tenant_tx::{TenantTx, begin};

/// The amount that a plan includes; above zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Limit(i64);

impl Limit {
    /// Returns `None` for zero and below, because a limit of zero would warn at any usage.
    #[must_use]
    pub fn new(amount: i64) -> Option<Self> {
        (amount > 0).then_some(Self(amount))
    }

    /// The amount, in the unit of the limit.
    #[must_use]
    pub const fn get(self) -> i64 {
        self.0
    }
}

/// The limits of a tenant's plan; `None` is unlimited, which is the default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PlanLimits {
    /// Number of calls.
    pub calls: Option<Limit>,
    /// Minutes of all calls.
    pub minutes: Option<Limit>,
    /// Cost of the calls, in nano-dollars.
    pub cost_nanos: Option<Limit>,
    /// Number of events in the log.
    pub events: Option<Limit>,
}

impl PlanLimits {
    /// Converts the limits to the recorded event.
    fn to_fact(self) -> PlanLimitsSet {
        PlanLimitsSet {
            calls: self.calls.map(Limit::get),
            minutes: self.minutes.map(Limit::get),
            cost_nanos: self.cost_nanos.map(|limit| Nanos(limit.get())),
            events: self.events.map(Limit::get),
        }
    }
}

impl Store {
    /// Sets all limits of a tenant's plan, and records the event in its log in the same
    /// transaction. Equal limits are no change and record nothing.
    ///
    /// # Errors
    /// [`StoreError::Append`] when the tenant's log accepts no events, for instance when it is
    /// frozen; the database did not answer.
    pub async fn set_plan_limits(
        &self,
        tenant_id: TenantId,
        limits: PlanLimits,
    ) -> Result<(), StoreError> {
        let mut tx = begin(&self.owner).await?;
        if find(&mut tx, tenant_id).await? == limits {
            return Ok(());
        }
        // Locks the log until the commit, so after concurrent changes the last event matches the
        // row.
        let event = TenantEvent::PlanLimitsSet(limits.to_fact());
        self.record_admin_event(&mut tx, tenant_id, event).await?;
        sqlx::query!(
            "insert into ledger.plan_limits (tenant_id, calls, minutes, cost_nanos, events, updated_at)
             values ($1, $2, $3, $4, $5, $6)
                 on conflict (tenant_id) do update set
                    calls = excluded.calls, minutes = excluded.minutes,
                    cost_nanos = excluded.cost_nanos, events = excluded.events,
                    updated_at = excluded.updated_at",
            tenant_id.0,
            limits.calls.map(Limit::get),
            limits.minutes.map(Limit::get),
            limits.cost_nanos.map(Limit::get),
            limits.events.map(Limit::get),
            self.clock.now_micros(),
        )
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        self.notifier.notify([tenant_id]);
        Ok(())
    }
}

/// Returns the limits of the transaction's tenant; all unlimited when none were set.
///
/// # Errors
/// [`StoreError::Corrupt`] when a stored limit is not above zero; the database did not answer.
pub async fn plan_limits(tx: &mut TenantTx) -> Result<PlanLimits, StoreError> {
    let tenant_id = tx.tenant_id();
    find(tx.conn(), tenant_id).await
}

async fn find(conn: &mut PgConnection, tenant_id: TenantId) -> Result<PlanLimits, StoreError> {
    let row = sqlx::query!(
        "select calls, minutes, cost_nanos, events from ledger.plan_limits where tenant_id = $1",
        tenant_id.0,
    )
    .fetch_optional(conn)
    .await?;
    let Some(row) = row else { return Ok(PlanLimits::default()) };
    let limit = |column, amount: Option<i64>| {
        let limit = |amount| {
            let corrupt = StoreError::Corrupt { table: "ledger.plan_limits", column };
            Limit::new(amount).ok_or(corrupt)
        };
        amount.map(limit).transpose()
    };
    Ok(PlanLimits {
        calls: limit("calls", row.calls)?,
        minutes: limit("minutes", row.minutes)?,
        cost_nanos: limit("cost_nanos", row.cost_nanos)?,
        events: limit("events", row.events)?,
    })
}
