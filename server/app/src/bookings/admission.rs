//! Admission of commands on bookings, per tenant: some are decided, some more queue, the rest are refused. A
//! tenant with many commands so leaves database connections to the others.

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
        Self { share, running: Shares::default(), queued: Shares::default() }
    }

    /// Acquires a permit, in order of arrival within the tenant.
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
