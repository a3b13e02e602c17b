//! The epochs of tenants, and whose roll is due.

use std::time::Duration;

use chrono::{DateTime, Utc};
use ledger_core::ids::TenantId;
use sqlx::Executor;

use crate::Store;
use crate::error::StoreError;

/// Longest time without a roll.
const MAX_AGE: Duration = Duration::from_hours(30 * 24);
/// Shortest time between two rolls for erasures.
const MIN_AGE: Duration = Duration::from_hours(20);
/// Hours of the night of a tenant, in which erasures are completed.
const NIGHT: (i32, i32) = (1, 5);

/// An epoch of a tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EpochState {
    /// Number of the epoch.
    pub epoch: i32,
    /// Recognizes the key, also after it was destroyed.
    pub check_value: Vec<u8>,
    /// `live`, `draining` or `destroyed`.
    pub state: String,
    /// Begin of its use.
    pub created_at: DateTime<Utc>,
    /// When the key file was destroyed; `None` before, also for an epoch that is marked as destroyed.
    pub destroyed_at: Option<DateTime<Utc>>,
}

impl Store {
    /// Returns the epochs of a tenant, oldest first.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn epochs(&self, tenant_id: TenantId) -> Result<Vec<EpochState>, StoreError> {
        let rows = sqlx::query_as!(
            EpochState,
            "select epoch, check_value, state, created_at, destroyed_at
               from vault.epochs where tenant_id = $1 order by epoch",
            tenant_id.0,
        );
        Ok(rows.fetch_all(&self.owner).await?)
    }

    /// Returns the time at which the oldest live epoch of a tenant began; `None` without a tenant.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn oldest_epoch(&self) -> Result<Option<DateTime<Utc>>, StoreError> {
        let oldest = sqlx::query_scalar!(
            "select min(e.created_at) from vault.epochs e
               join ledger.tenants t on t.tenant_id = e.tenant_id
              where e.state = 'live'",
        );
        Ok(oldest.fetch_one(&self.owner).await?)
    }

    /// Returns the tenants whose roll is due, the oldest epochs first: interrupted rolls, epochs of 30
    /// days, and in the night of the tenant those under which a key was destroyed.
    ///
    /// For a day after the upgrade that made rolls possible there are none, because servers of the release
    /// before it cannot use a new epoch.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn tenants_to_roll(&self) -> Result<Vec<TenantId>, StoreError> {
        let mut tx = crate::tenant_tx::begin(&self.owner).await?;
        // The login owns the list of migrations.
        tx.execute("set local role none").await?;
        let is_settled: bool = sqlx::query_scalar(
            "select exists (select from public._sqlx_migrations
                             where version = 34 and installed_on < now() - interval '1 day')",
        )
        .fetch_one(&mut *tx)
        .await?;
        drop(tx);
        if !is_settled {
            return Ok(Vec::new());
        }
        let now = self.clock.now();
        let due = sqlx::query_scalar!(
            "select e.tenant_id
               from vault.epochs e
               join ledger.tenants t on t.tenant_id = e.tenant_id
              where e.state = 'live'
                and (exists (select from vault.epochs o
                              where o.tenant_id = e.tenant_id
                                and (o.state = 'draining'
                                     or o.state = 'destroyed' and o.destroyed_at is null))
                     or e.created_at < $1
                     or e.created_at < $2
                        and extract(hour from $3::timestamptz at time zone t.timezone)
                              between $4::int and $5::int
                        and exists (select from vault.subject_keys k
                                     where k.tenant_id = e.tenant_id and k.epoch = e.epoch
                                       and k.state = 'destroyed'))
              order by e.created_at, e.tenant_id",
            now - MAX_AGE,
            now - MIN_AGE,
            now,
            NIGHT.0,
            NIGHT.1,
        )
        .fetch_all(&self.owner)
        .await?;
        Ok(due.into_iter().map(TenantId).collect())
    }
}
