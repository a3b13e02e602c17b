//! Changes of a tenant, decided by [`Tenant`] over its rows.
//!
//! `ledger.append` itself decides by the state in them.

use ledger_core::event::TenantEvent;
use ledger_core::ids::{Position, TenantId};
use ledger_core::tenant::{
    Limit, PlanLimits, Tenant, TenantCommand, TenantProfile, TenantRejection, TenantState,
};
use sqlx::PgConnection;

use super::plan;
use super::stored_state::stored_state;
use crate::Store;
use crate::admin_events::Attribution;
use crate::error::StoreError;
use crate::execute::{ChangeError, Rows};
use crate::tenant_tx::TenantTx;

/// A tenant after a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantChanged {
    /// The profile after the change.
    pub profile: TenantProfile,
    /// Position of the event; `None` when nothing changed.
    pub position: Option<Position>,
}

/// The reason for which a tenant was not changed.
pub type TenantError = ChangeError<TenantRejection>;

/// A tenant as its own keys see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantView {
    /// Short name, unique in the installation.
    pub slug: String,
    /// The current profile.
    pub profile: TenantProfile,
}

/// The rows of a tenant.
struct TenantRows<'a> {
    store: &'a Store,
    tenant_id: TenantId,
    command: &'a TenantCommand,
}

impl Rows<Tenant> for TenantRows<'_> {
    type Loaded = Option<TenantProfile>;

    async fn load(
        &self,
        conn: &mut PgConnection,
        tenant: Option<TenantState>,
    ) -> Result<(Option<TenantProfile>, Option<TenantProfile>), StoreError> {
        let row = sqlx::query!(
            "select name, timezone, country from ledger.tenants where tenant_id = $1",
            self.tenant_id.0,
        )
        .fetch_optional(&mut *conn)
        .await?;
        let profile = match row.zip(tenant) {
            None => None,
            Some((row, state)) => Some(TenantProfile {
                name: row.name,
                timezone: row.timezone,
                country: row.country,
                state,
                plan: plan::find(conn, self.tenant_id).await?,
            }),
        };
        Ok((profile.clone(), profile))
    }

    async fn write(
        &self,
        conn: &mut PgConnection,
        loaded: &mut Option<TenantProfile>,
        _: &[TenantEvent],
    ) -> Result<(), StoreError> {
        let Some(profile) = loaded.take() else { return Ok(()) };
        let profile = loaded.insert(changed(profile, self.command));
        self.store.write_profile(conn, self.tenant_id, profile, self.command).await
    }
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
        let rows = TenantRows { store: self, tenant_id, command };
        let done = self.execute_over_rows::<Tenant, _>(actor, tenant_id, command, &rows).await?;
        let not_found = TenantError::Rejected(TenantRejection::NotFound);
        let profile = done.rows.ok_or(not_found)?;
        Ok(TenantChanged { profile, position: done.position })
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
            "update ledger.tenants
                set name = $2, country = $3, state = $4, timezone = $5,
                    sums_timezone = case when timezone = $5 then sums_timezone
                                         else coalesce(sums_timezone, timezone) end
              where tenant_id = $1",
            tenant_id.0,
            profile.name,
            profile.country,
            profile.state.as_str(),
            profile.timezone,
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
