//! The stored limits of a tenant's plan.

use ledger_core::ids::TenantId;
use ledger_core::tenant::{Limit, PlanLimits, TenantCommand, TenantRejection};
use sqlx::PgConnection;

use crate::Store;
use crate::append::AppendError;
use crate::append::AppendRejection;
use crate::error::StoreError;
use crate::tenant_tx::TenantTx;
use crate::tenants::TenantError;

impl Store {
    /// Sets all limits of a tenant's plan with the operator as actor, and records the event in its
    /// log in the same transaction. Equal limits are no change and record nothing.
    ///
    /// # Errors
    /// [`StoreError::Append`] when the tenant's log accepts no events, for instance when it is
    /// frozen; the database did not answer.
    pub async fn set_plan_limits(
        &self,
        tenant_id: TenantId,
        limits: PlanLimits,
    ) -> Result<(), StoreError> {
        let command = TenantCommand::SetPlan(limits);
        match self.administer_tenant(&self.operator(), tenant_id, &command).await {
            Ok(_) => Ok(()),
            Err(TenantError::Store(error)) => Err(error),
            Err(TenantError::Rejected(
                TenantRejection::NotActive(_) | TenantRejection::NotFound | TenantRejection::Exists,
            )) => Err(AppendError::Rejected(AppendRejection::TenantNotActive).into()),
        }
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

pub(super) async fn find(
    conn: &mut PgConnection,
    tenant_id: TenantId,
) -> Result<PlanLimits, StoreError> {
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
