//! Admission control: bounds the memory of webhook bodies in progress.
//!
//! Requests authenticated by a header use a separate budget that unauthenticated requests cannot
//! exhaust. Within a budget each source and tenant has a maximum share, so that slow or large
//! senders leave the rest to others. Each budget keeps a reserve for small bodies, so that tool
//! calls are answered even while reports use up the rest.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use ledger_core::ids::{SourceId, TenantId};
use ledger_store::shares::Shares;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::limits::Limits;

/// Larger than any tool call seen; the largest of them carries its conversation in 64 KB.
pub(super) const SMALL_BODY: usize = 512 << 10;
/// Maximum number of bodies of one tenant that wait for memory; further large ones are refused at
/// once.
const WAITING: usize = 64;
/// Time a small body waits for the budget before it tries the reserve too.
const SMALL_SHARE_TIMEOUT: Duration = Duration::from_millis(250);
/// Minimum cost of a body in kilobytes, because each also occupies a connection.
const MIN_KILOBYTES: u32 = 8;

/// The memory budgets of a server. Cheap to clone.
#[derive(Debug, Clone)]
pub struct BodyBudgets {
    authenticated: BodyBudget,
    unauthenticated: BodyBudget,
}

impl BodyBudgets {
    /// Creates a budget for authenticated senders, and one of a third of its size for senders that
    /// are authenticated by a signature over the body. Every share holds at least one body of the
    /// maximum size.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        let Limits { body_budget_kib: budget, max_body, body_budget_timeout, .. } = *limits;
        Self {
            authenticated: BodyBudget::new(budget, max_body, body_budget_timeout),
            unauthenticated: BodyBudget::new(budget / 3, max_body, body_budget_timeout),
        }
    }

    /// Returns the budget for senders that are authenticated by a header, or not yet authenticated.
    pub(super) fn of(&self, is_authenticated: bool) -> &BodyBudget {
        if is_authenticated { &self.authenticated } else { &self.unauthenticated }
    }
}

/// The tenant and source a body is charged to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sender {
    pub(super) tenant_id: TenantId,
    pub(super) source_id: SourceId,
}

/// Memory budget for one class of senders.
#[derive(Debug, Clone)]
pub(super) struct BodyBudget {
    all: Budget,
    reserve: Budget,
    waiting: Shares<TenantId>,
    /// Maximum time a body waits for memory.
    max_wait: Duration,
}

/// Permits of a source, of its tenant and of the whole budget.
type Held = [OwnedSemaphorePermit; 3];

/// Permit for one body; released on drop.
pub(super) struct BodyPermit {
    /// Maximum size of the body in bytes.
    pub(super) max_body: usize,
    /// The place in the queue of the budget, for a permit from the reserve: the reserve is for
    /// messages with a waiting caller only.
    queued: Option<Pin<Box<dyn Future<Output = Held> + Send>>>,
    _held: Held,
}

impl BodyPermit {
    fn new(max_body: usize, held: Held) -> Self {
        Self { max_body, queued: None, _held: held }
    }

    /// Returns whether it is from the reserve.
    pub(super) fn is_reserved(&self) -> bool {
        self.queued.is_some()
    }

    /// Exchanges a permit from the reserve for one from the budget, in the order of arrival.
    /// Returns `None` if none is free in time.
    pub(super) async fn leave_reserve(self, max_wait: Duration) -> Option<Self> {
        let Some(queued) = self.queued else { return Some(self) };
        let held = tokio::time::timeout(max_wait, queued).await.ok()?;
        Some(Self::new(self.max_body, held))
    }
}

impl BodyBudget {
    fn new(kilobytes: usize, max_body: usize, max_wait: Duration) -> Self {
        // Large enough for several small bodies.
        let reserve = (kilobytes / 6).max(4 * SMALL_BODY / 1024);
        Self {
            all: Budget::new(kilobytes, max_body),
            reserve: Budget::new(reserve, SMALL_BODY),
            waiting: Shares::default(),
            max_wait,
        }
    }

    /// Acquires a permit for the announced length, or for `max_body` if none is announced. Returns
    /// `None` if neither the budget nor the reserve has enough memory in time.
    pub(super) async fn try_acquire(
        &self,
        sender: Sender,
        content_length: Option<usize>,
        max_body: usize,
    ) -> Option<BodyPermit> {
        if let Some(held) = self.all.try_take(sender, kilobytes(content_length.unwrap_or(max_body)))
        {
            return Some(BodyPermit::new(max_body, held));
        }
        let small = content_length.unwrap_or(SMALL_BODY);
        let is_large = small > SMALL_BODY;
        let waiting = self.waiting.try_take(&sender.tenant_id, WAITING, 1);
        if is_large && waiting.is_none() {
            return None;
        }
        let (budget, wanted) = (self.all.clone(), kilobytes(content_length.unwrap_or(max_body)));
        let mut queued = Box::pin(async move { budget.take(sender, wanted).await });
        let first_wait = if is_large { self.max_wait } else { SMALL_SHARE_TIMEOUT };
        if let Ok(held) = tokio::time::timeout(first_wait, &mut queued).await {
            return Some(BodyPermit::new(max_body, held));
        }
        if is_large {
            return None;
        }
        let either = async {
            tokio::select! {
                biased;
                held = &mut queued => (held, false),
                held = self.reserve.take(sender, kilobytes(small)) => (held, true),
            }
        };
        let (held, is_reserved) = tokio::time::timeout(self.max_wait, either).await.ok()?;
        if !is_reserved {
            return Some(BodyPermit::new(max_body, held));
        }
        let max_body = max_body.min(SMALL_BODY);
        Some(BodyPermit { max_body, queued: Some(queued), _held: held })
    }
}

/// Kilobytes shared by all senders, with maximum shares per tenant and source.
#[derive(Debug, Clone)]
struct Budget {
    all: Arc<Semaphore>,
    tenants: Shares<TenantId>,
    sources: Shares<SourceId>,
    kilobytes: usize,
    /// Kilobytes of the largest body.
    largest: usize,
}

impl Budget {
    fn new(kilobytes: usize, max_body: usize) -> Self {
        Self {
            all: Arc::new(Semaphore::new(kilobytes)),
            tenants: Shares::default(),
            sources: Shares::default(),
            kilobytes,
            largest: max_body / 1024 + 1,
        }
    }

    /// Returns the shares of a tenant and of a source. A source of the installation serves many
    /// tenants, so its shares are larger.
    fn shares(&self, sender: Sender) -> (usize, usize) {
        let parts = if sender.tenant_id == TenantId::INSTALLATION { (2, 3) } else { (4, 6) };
        let share = |part: usize| (self.kilobytes / part).max(self.largest).min(self.kilobytes);
        (share(parts.0), share(parts.1))
    }

    fn try_take(&self, sender: Sender, wanted: u32) -> Option<[OwnedSemaphorePermit; 3]> {
        let (tenant, source) = self.shares(sender);
        let source = self.sources.try_take(&sender.source_id, source, wanted)?;
        let tenant = self.tenants.try_take(&sender.tenant_id, tenant, wanted)?;
        let all = Arc::clone(&self.all).try_acquire_many_owned(wanted).ok()?;
        Some([source, tenant, all])
    }

    /// Acquires the shares first, so that a sender waiting for its share holds none of the common
    /// budget.
    async fn take(&self, sender: Sender, wanted: u32) -> [OwnedSemaphorePermit; 3] {
        let (tenant, source) = self.shares(sender);
        let source = self.sources.take(&sender.source_id, source, wanted).await;
        let tenant = self.tenants.take(&sender.tenant_id, tenant, wanted).await;
        let all = Arc::clone(&self.all).acquire_many_owned(wanted).await;
        [source, tenant, all.expect("it is never closed")]
    }
}

fn kilobytes(bytes: usize) -> u32 {
    u32::try_from(bytes / 1024 + 1).unwrap_or(u32::MAX).max(MIN_KILOBYTES)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const BRIEF: Duration = Duration::from_millis(50);

    fn body_budgets(budget: usize) -> BodyBudgets {
        BodyBudgets::new(&Limits {
            body_budget_kib: budget,
            body_budget_timeout: BRIEF,
            ..Limits::default()
        })
    }

    /// The nth source of a tenant.
    fn sender(tenant: u128, nth: u128) -> Sender {
        Sender {
            tenant_id: TenantId(Uuid::from_u128(tenant)),
            source_id: SourceId(Uuid::from_u128(tenant << 8 | nth)),
        }
    }

    /// Acquires permits until there are none left.
    async fn fill(budget: &BodyBudget, sender: Sender, content_length: usize) -> Vec<BodyPermit> {
        let mut held = Vec::new();
        while let Some(permit) = budget.try_acquire(sender, Some(content_length), 5_000_000).await {
            held.push(permit);
        }
        held
    }

    #[tokio::test]
    async fn a_full_budget_keeps_a_reserve_for_small_bodies() {
        let (budget, one) = (BodyBudget::new(9_300, 9_000_000, BRIEF), sender(1, 1));
        let try_acquire =
            async |content_length| budget.try_acquire(one, Some(content_length), 9_000_000).await;
        let large = try_acquire(9_000_000).await.expect("an empty room");
        assert!(!large.is_reserved());
        assert!(try_acquire(2_000_000).await.is_none());
        let small =
            budget.try_acquire(sender(2, 1), Some(500_000), 9_000_000).await.expect("the rest");
        assert!(!small.is_reserved());
        let voice = try_acquire(500_000).await.expect("the reserve");
        assert!(voice.is_reserved());
        drop(large);
        assert!(!try_acquire(2_000_000).await.expect("room again").is_reserved());
    }

    #[tokio::test]
    async fn a_large_body_waits_its_turn_and_only_so_many_of_a_tenant_wait() {
        let budget = BodyBudget::new(8_000, 5_000_000, Duration::from_secs(20));
        let try_acquire = |tenant| {
            let budget = budget.clone();
            async move {
                budget.try_acquire(sender(tenant, 1), Some(4_600_000), 5_000_000).await.is_some()
            }
        };
        let first =
            budget.try_acquire(sender(1, 1), Some(4_600_000), 5_000_000).await.expect("room");
        let waiting: Vec<_> = (0..WAITING).map(|_| tokio::spawn(try_acquire(1))).collect();
        tokio::time::sleep(BRIEF).await;
        assert!(!try_acquire(1).await, "no more of this tenant");
        let other = tokio::spawn(try_acquire(2));
        drop(first);
        assert!(other.await.expect("a task"), "another tenant has its turn");
        for one in waiting {
            assert!(one.await.expect("a task"), "each has its turn");
        }
    }

    #[tokio::test]
    async fn unauthenticated_senders_cannot_use_the_authenticated_budget() {
        let body_budgets = body_budgets(12_000);
        let mut held = Vec::new();
        for tenant in 1..9 {
            held.extend(fill(body_budgets.of(false), sender(tenant, 1), 5_000_000).await);
        }
        let known = body_budgets.of(true).try_acquire(sender(1, 1), None, 5_000_000).await;
        assert!(!known.expect("room").is_reserved());
    }

    #[tokio::test]
    async fn a_sender_that_fills_its_share_leaves_the_others_theirs() {
        let body_budgets = body_budgets(48 << 10);
        for is_authenticated in [true, false] {
            let budget = body_budgets.of(is_authenticated);
            // Bodies of every size, so that nothing of the share or of the reserve is left.
            let mut held = Vec::new();
            for content_length in [5_000_000, 400_000, 1] {
                held.extend(fill(budget, sender(1, 1), content_length).await);
                held.extend(fill(budget, sender(1, 2), content_length).await);
            }
            for tenant in 2..4 {
                let permit =
                    budget.try_acquire(sender(tenant, 1), Some(4_900_000), 5_000_000).await;
                held.push(permit.expect("room for its largest"));
                assert!(!held.last().expect("it").is_reserved());
            }
        }
    }

    #[tokio::test]
    async fn one_source_of_a_tenant_leaves_room_for_its_others() {
        let budget = BodyBudget::new(48 << 10, 5_000_000, BRIEF);
        let held = fill(&budget, sender(1, 1), 400_000).await;
        assert!(!held.is_empty());
        let other = budget.try_acquire(sender(1, 2), Some(400_000), 5_000_000).await;
        assert!(!other.expect("room").is_reserved());
    }
}
