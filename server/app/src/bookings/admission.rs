//! Admission of commands, per tenant: a command that needs connections of its own waits for its tenant's share
//! of them, so that a tenant with many commands leaves connections to the others. Commands on bookings are
//! decided in groups and need none.

use std::time::Duration;

use ledger_core::ids::TenantId;
use ledger_store::shares::Shares;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

/// Queue length of the commands of each tenant: many callers may want one time.
const MAX_QUEUED: usize = 2_048;
/// The longest time a command queues.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Permits of all tenants to decide commands. Cheap to clone.
#[derive(Debug, Clone)]
pub struct CommandAdmission {
    share: usize,
    running: Shares<TenantId>,
    queued: Shares<TenantId>,
    grouped: Shares<TenantId>,
}

/// Permit of one command; released when dropped.
#[derive(Debug)]
pub struct CommandPermit(#[expect(dead_code, reason = "held until dropped")] OwnedSemaphorePermit);

/// The queue of the tenant is full, or the wait timed out. Nothing was recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many bookings run at the same time; nothing was recorded, try again")]
pub struct Busy;

impl CommandAdmission {
    /// Creates permits for a pool of this size: each tenant gets a quarter of the connections, and at least
    /// two.
    #[must_use]
    pub fn new(connections: u32) -> Self {
        let share = (connections as usize / 4).max(2);
        Self {
            share,
            running: Shares::default(),
            queued: Shares::default(),
            grouped: Shares::default(),
        }
    }

    /// Acquires a permit for a command that is decided in a group of its tenant's commands.
    ///
    /// # Errors
    /// [`Busy`] if too many commands of the tenant wait.
    pub fn enter(&self, tenant_id: TenantId) -> Result<CommandPermit, Busy> {
        self.grouped.try_take(&tenant_id, MAX_QUEUED, 1).map(CommandPermit).ok_or(Busy)
    }

    /// Acquires a permit for a command with connections of its own, in order of arrival within the tenant.
    ///
    /// # Errors
    /// [`Busy`].
    pub async fn acquire(&self, tenant_id: TenantId) -> Result<CommandPermit, Busy> {
        if let Some(free) = self.running.try_take(&tenant_id, self.share, 1) {
            return Ok(CommandPermit(free));
        }
        let _queue_slot = self.queued.try_take(&tenant_id, MAX_QUEUED, 1).ok_or(Busy)?;
        let taken = timeout(TIMEOUT, self.running.take(&tenant_id, self.share, 1)).await;
        taken.map(CommandPermit).map_err(|_| Busy)
    }
}
