//! Changes of a tenant, decided by [`Tenant`] over its rows.
//!
//! The rows are the state at the end of the log: they change only here, in the transaction that
//! appends the event, and `ledger.append` itself decides by the state in them. The log of a tenant
//! also has every access to its data, so folding it for each change would be slow.

use ledger_core::aggregate::Aggregate;
use ledger_core::ids::{Position, TenantId};
use ledger_core::tenant::{
    Limit, PlanLimits, Tenant, TenantCommand, TenantProfile, TenantRejection, TenantState,
};
use sqlx::PgConnection;
use thiserror::Error;

use super::plan;
use crate::Store;
use crate::admin_events::Attribution;
use crate::error::StoreError;
use crate::tenant_tx::{TenantTx, begin};

/// A tenant after a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantChanged {
    /// The profile after the change.
    pub profile: TenantProfile,
    /// Position of the event; `None` when nothing changed.
    pub position: Option<Position>,
}

/// The reason for which a tenant was not changed.
#[derive(Debug, Error)]
pub enum TenantError {
    /// The change was rejected.
    #[error("the change was rejected")]
    Rejected(#[source] TenantRejection),
    /// The database did not answer, or the log refused the event.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<sqlx::Error> for TenantError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

/// A tenant as its own keys see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantView {
    /// Short name, unique in the installation.
    pub slug: String,
    /// The current profile.
    pub profile: TenantProfile,
}

impl Store {
    /// Changes a tenant: locks its row, decides, and commits the event together with the rows.
    /// Takes effect in this process at once, in others within seconds.
    ///
    /// # Errors
    /// [`TenantError`]; nothing was changed.
    pub async fn administer_tenant(
        &self,
        actor: &Attribution,
        tenant_id: TenantId,
        command: &TenantCommand,
    ) -> Result<TenantChanged, TenantError> {
        let mut tx = begin(&self.owner).await?;
        // The lock that orders the log: no other change and no append comes between.
        let row = sqlx::query!(
            "select name, timezone, country, state from ledger.tenants
              where tenant_id = $1 for no key update",
            tenant_id.0,
        )
        .fetch_optional(&mut *tx)
        .await?;
        let current = match row {
            None => None,
            Some(row) => Some(TenantProfile {
                name: row.name,
                timezone: row.timezone,
                country: row.country,
                state: stored_state(&row.state)?,
                plan: plan::find(&mut tx, tenant_id).await?,
            }),
        };
        let decided = Tenant::decide(&current, command).map_err(TenantError::Rejected)?;
        let Some(profile) = current else {
            return Err(TenantError::Rejected(TenantRejection::NotFound));
        };
        if decided.is_empty() {
            return Ok(TenantChanged { profile, position: None });
        }
        let profile = changed(profile, command);
        let mut position = None;
        for decided in &decided {
            let event = &decided.event;
            position =
                Some(self.record_admin_event_by(actor, &mut tx, tenant_id, event.clone()).await?);
        }
        self.write_profile(&mut tx, tenant_id, &profile, command).await?;
        tx.commit().await?;
        self.settings_cache.invalidate(tenant_id);
        self.notifier.notify([tenant_id]);
        Ok(TenantChanged { profile, position })
    }

    async fn write_profile(
        &self,
        conn: &mut PgConnection,
        tenant_id: TenantId,
        profile: &TenantProfile,
        command: &TenantCommand,
    ) -> Result<(), StoreError> {
        if let TenantCommand::SetPlan(limits) = command {
            return self.write_plan(conn, tenant_id, *limits).await;
        }
        sqlx::query!(
            "update ledger.tenants set name = $2, country = $3, state = $4 where tenant_id = $1",
            tenant_id.0,
            profile.name,
            profile.country,
            profile.state.as_str(),
        )
        .execute(conn)
        .await?;
        Ok(())
    }

    async fn write_plan(
        &self,
        conn: &mut PgConnection,
        tenant_id: TenantId,
        limits: PlanLimits,
    ) -> Result<(), StoreError> {
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
        .execute(conn)
        .await?;
        Ok(())
    }
}

/// The profile after an accepted change. Unlike `evolve` it also has the name, which no event has.
fn changed(profile: TenantProfile, command: &TenantCommand) -> TenantProfile {
    match command {
        TenantCommand::Create(_) => profile,
        TenantCommand::Update(patch) => patch.applied_to(&profile),
        TenantCommand::SetState(state) => TenantProfile { state: *state, ..profile },
        TenantCommand::SetPlan(plan) => TenantProfile { plan: *plan, ..profile },
    }
}

/// Returns the transaction's tenant; `None` for the installation, which is no tenant.
///
/// # Errors
/// [`StoreError::Corrupt`] when a row breaks a rule of this code; the database did not answer.
pub async fn tenant_view(tx: &mut TenantTx) -> Result<Option<TenantView>, StoreError> {
    let tenant_id = tx.tenant_id();
    let row = sqlx::query!(
        "select slug, name, timezone, country, state from ledger.tenants where tenant_id = $1",
        tenant_id.0,
    )
    .fetch_optional(tx.conn())
    .await?;
    let Some(row) = row else { return Ok(None) };
    let profile = TenantProfile {
        name: row.name,
        timezone: row.timezone,
        country: row.country,
        state: stored_state(&row.state)?,
        plan: plan::find(tx.conn(), tenant_id).await?,
    };
    Ok(Some(TenantView { slug: row.slug, profile }))
}

/// Parses the stored word of a state.
pub(crate) fn stored_state(word: &str) -> Result<TenantState, StoreError> {
    let corrupt = StoreError::Corrupt { table: "ledger.tenants", column: "state" };
    TenantState::parse(word).ok_or(corrupt)
}
