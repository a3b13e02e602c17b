//! Tenants: creation by an operator, listing and settings.
//!
//! Creation runs as the owner of the schema; each change is also an event in the tenant's log.

mod administer;
mod plan;
mod state;
pub(crate) mod stored_state;

use ledger_core::aggregate::Aggregate;
use ledger_core::event::{EventDropped, ProjectionEvent};
use ledger_core::ids::{KeyId, Position, TenantId};
use ledger_core::tenant::{Tenant, TenantCommand};
use sqlx::PgConnection;
use uuid::Uuid;

pub use crate::api_keys::ApiKey;
pub use administer::{TenantChanged, TenantError, TenantView, tenant_view};
pub use ledger_core::tenant::{Limit, NewTenant, PlanLimits, TenantState};
pub use plan::plan_limits;
pub(crate) use stored_state::stored_state;

use crate::Store;
use crate::admin_events::Attribution;
use crate::error::StoreError;
use crate::keyring::EpochKeys;
use crate::signing::SigningKeyError;
use crate::tenant_tx::begin;

/// The settings of a tenant, with the size of its log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantInfo {
    /// Id of the tenant.
    pub tenant_id: TenantId,
    /// Short name, unique in the installation.
    pub slug: String,
    /// Name of the business.
    pub name: String,
    /// Name of an IANA time zone.
    pub timezone: String,
    /// Country code, ISO 3166-1 alpha-2; empty when none was given.
    pub country: String,
    /// `active`, `frozen` or `closed`, as stored.
    pub state: String,
    /// Number of events in its log.
    pub events: i64,
}

impl Store {
    /// Creates the installation's own keys, for shared sources and quarantine, unless they exist.
    ///
    /// # Errors
    /// [`StoreError::Keyring`] when the database has epochs and their key files are missing.
    pub async fn ensure_installation(&self) -> Result<(), StoreError> {
        self.ensure_signing_key().await?;
        let installation = TenantId::INSTALLATION;
        let known = sqlx::query_scalar!(
            r#"select exists (select from vault.epochs where tenant_id = $1) as "known!""#,
            installation.0,
        )
        .fetch_one(&self.owner)
        .await?;
        if known {
            return Ok(());
        }
        let anyone =
            sqlx::query_scalar!(r#"select exists (select from vault.epochs) as "anyone!""#)
                .fetch_one(&self.owner)
                .await?;
        if !anyone {
            self.keyring.ensure_root()?;
        }
        let epoch = self.keyring.ensure_tenant(installation).await?;
        self.insert_epoch(&mut *self.owner.acquire().await?, installation, &epoch).await?;
        Ok(())
    }

    /// Creates the signing key of an installation that has signed nothing. Without the key nothing
    /// can be journaled, which is reported then; everything else works.
    async fn ensure_signing_key(&self) -> Result<(), StoreError> {
        if !matches!(self.signing().key(), Err(SigningKeyError::Missing { .. })) {
            return Ok(());
        }
        let has_signed = sqlx::query_scalar!(
            r#"select exists (select from ledger.certificates)
                   or exists (select from vault.applied_entries) as "has_signed!""#
        )
        .fetch_one(&self.owner)
        .await?;
        if !has_signed
            && !self.journal.has_lines()
            && let Err(error) = self.signing().ensure()
        {
            tracing::warn!(error = %error, "signing_key.not_created");
        }
        Ok(())
    }

    /// Creates a tenant: first its keys, durably, then its row and the event in its log in one
    /// transaction.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when the slug is taken.
    pub async fn create_tenant(&self, new: &NewTenant) -> Result<TenantId, StoreError> {
        self.ensure_installation().await?;
        let taken = sqlx::query_scalar!(
            r#"select exists (select from ledger.tenants where slug = $1) as "taken!""#,
            new.slug,
        )
        .fetch_one(&self.owner)
        .await?;
        let exists = || StoreError::Exists { what: "tenant", name: new.slug.clone() };
        if taken {
            return Err(exists());
        }
        let tenant_id = TenantId(self.ids.ordered());
        let epoch = self.keyring.ensure_tenant(tenant_id).await?;
        let mut tx = begin(&self.owner).await?;
        sqlx::query!(
            "insert into ledger.tenants (tenant_id, slug, name, timezone, country, created_at)
             values ($1, $2, $3, $4, $5, $6)",
            tenant_id.0,
            new.slug,
            new.name,
            new.timezone,
            new.country,
            self.clock.now_micros(),
        )
        .execute(&mut *tx)
        .await
        .map_err(|error| match constraint(&error) {
            Some("tenants_slug") => exists(),
            _ => error.into(),
        })?;
        self.insert_epoch(&mut tx, tenant_id, &epoch).await?;
        let decided = Tenant::decide(&None, &TenantCommand::Create(new.clone()));
        for created in decided.map_err(|_| exists())? {
            self.record_admin_event(&mut tx, tenant_id, created.event).await?;
        }
        tx.commit().await?;
        self.notifier.notify([tenant_id]);
        Ok(tenant_id)
    }

    async fn insert_epoch(
        &self,
        conn: &mut PgConnection,
        tenant_id: TenantId,
        epoch: &EpochKeys,
    ) -> Result<(), StoreError> {
        sqlx::query!(
            "insert into vault.epochs (tenant_id, epoch, check_value, created_at)
             values ($1, $2, $3, $4) on conflict do nothing",
            tenant_id.0,
            epoch.epoch,
            &epoch.check_value(),
            self.clock.now_micros(),
        )
        .execute(conn)
        .await?;
        Ok(())
    }

    /// Returns every tenant, ordered by slug.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn tenants(&self) -> Result<Vec<TenantInfo>, StoreError> {
        let rows = sqlx::query!(
            r#"
            select t.tenant_id, t.slug, t.name, t.timezone, t.country, t.state,
                   coalesce(h.position, 0) as "events!"
              from ledger.tenants t
              left join lateral (
                select e.position from ledger.events e
                 where e.tenant_id = t.tenant_id
                 order by e.position desc limit 1) h on true
             order by t.slug
            "#,
        )
        .fetch_all(&self.owner)
        .await?;
        let tenant = rows.into_iter().map(|row| TenantInfo {
            tenant_id: TenantId(row.tenant_id),
            slug: row.slug,
            name: row.name,
            timezone: row.timezone,
            country: row.country,
            state: row.state,
            events: row.events,
        });
        Ok(tenant.collect())
    }

    /// Records that a read model leaves an event out, and stores the decision for projections, in
    /// one transaction. Returns the position of the decision; `None` if the event was dropped
    /// before, and the first decision is kept.
    ///
    /// # Errors
    /// The database did not answer; the append was refused.
    pub async fn record_event_drop(
        &self,
        tenant_id: TenantId,
        projection: &str,
        position: Position,
        reason: &str,
        by: Option<(KeyId, Uuid)>,
    ) -> Result<Option<Position>, StoreError> {
        let mut tx = begin(&self.owner).await?;
        let dropped = sqlx::query!(
            "insert into projection.dropped (tenant_id, projection, position, reason, dropped_at)
             values ($1, $2, $3, $4, $5) on conflict do nothing",
            tenant_id.0,
            projection,
            position.0,
            reason,
            self.clock.now_micros(),
        )
        .execute(&mut *tx)
        .await?;
        if dropped.rows_affected() == 0 {
            return Ok(None);
        }
        let event = ProjectionEvent::EventDropped(EventDropped {
            projection: projection.to_owned(),
            position: position.0,
            reason: reason.to_owned(),
            key_id: by.map(|(key_id, _)| key_id.0),
        });
        let by =
            by.map_or_else(|| self.operator(), |(key, request)| Attribution::key(key, request));
        let decided = self.record_admin_event_by(&by, &mut tx, tenant_id, event).await?;
        sqlx::query!(
            "update projection.dropped set decided = $4
              where tenant_id = $1 and projection = $2 and position = $3",
            tenant_id.0,
            projection,
            position.0,
            decided.0,
        )
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        self.notifier.notify([tenant_id]);
        Ok(Some(decided))
    }
}

fn constraint(error: &sqlx::Error) -> Option<&str> {
    error.as_database_error().and_then(sqlx::error::DatabaseError::constraint)
}
