//! Waits until a read model of a tenant has reached a log position.
//!
//! One task per placement polls the positions of all waiting readers in one query: after each cycle
//! of this process's projection engine, and periodically for progress made by other processes. No
//! query runs while there are no waiters, and a waiter costs one list entry.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use ledger_core::ids::{Position, TenantId};
use ledger_store::Store;
use ledger_store::placement::Placements;
use sqlx::PgPool;
use tokio::sync::{Notify, oneshot, watch};
use tokio::time::{sleep, timeout};
use uuid::Uuid;

/// Maximum time between two polls, so that progress made by other processes is noticed.
const POLL_INTERVAL: Duration = Duration::from_millis(50);
/// Minimum time between two polls.
const MIN_POLL_INTERVAL: Duration = Duration::from_millis(5);
/// Timeout of one poll; the next poll follows after it.
const POLL_TIMEOUT: Duration = Duration::from_secs(3);

/// Registers readers that wait for a position. Cheap to clone; dropping the last clone ends the
/// polling tasks.
#[derive(Clone)]
pub struct PositionWatch(Arc<[Arc<Waiters>]>);

struct Waiters {
    all: Mutex<Vec<Waiter>>,
    wakeup: Arc<Notify>,
}

struct Waiter {
    tenant_id: TenantId,
    name: String,
    wanted: Position,
    done: oneshot::Sender<()>,
}

impl Drop for Waiters {
    fn drop(&mut self) {
        self.wakeup.notify_one();
    }
}

impl Waiters {
    fn all(&self) -> MutexGuard<'_, Vec<Waiter>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PositionWatch {
    /// Starts the polling tasks. Polls run only while readers wait.
    #[must_use]
    pub fn start(store: &Store) -> Self {
        let start = |placement| {
            let wakeup = Arc::new(Notify::new());
            let waiters = Arc::new(Waiters { all: Mutex::default(), wakeup: Arc::clone(&wakeup) });
            let moves = store.notifier(placement).subscribe_read_models();
            let pool = store.projector().clone();
            tokio::spawn(poll_positions(Arc::downgrade(&waiters), wakeup, pool, moves));
            waiters
        };
        Self(Placements::CURRENT.all().map(start).collect())
    }

    /// Waits at most `max_wait` until a read model of a tenant has reached `wanted`. Returns
    /// `false` on timeout, also if the database does not answer.
    pub async fn wait(
        &self,
        tenant_id: TenantId,
        name: &str,
        wanted: Position,
        max_wait: Duration,
    ) -> bool {
        let (done, arrived) = oneshot::channel();
        let waiters = &self.0[Placements::CURRENT.of(tenant_id).index()];
        waiters.all().push(Waiter { tenant_id, name: name.to_owned(), wanted, done });
        waiters.wakeup.notify_one();
        matches!(timeout(max_wait, arrived).await, Ok(Ok(())))
    }
}

async fn poll_positions(
    waiters: Weak<Waiters>,
    wakeup: Arc<Notify>,
    pool: PgPool,
    mut moves: watch::Receiver<u64>,
) {
    loop {
        let Some(waiting) = waiters.upgrade() else { return };
        waiting.all().retain(|waiter| !waiter.done.is_closed());
        let wanted: BTreeSet<(Uuid, String)> =
            waiting.all().iter().map(|one| (one.tenant_id.0, one.name.clone())).collect();
        drop(waiting);
        if wanted.is_empty() {
            wakeup.notified().await;
            continue;
        }
        moves.mark_unchanged();
        match timeout(POLL_TIMEOUT, positions(&pool, wanted)).await {
            Ok(Ok(reached)) => {
                let Some(waiting) = waiters.upgrade() else { return };
                complete_waiters(&mut waiting.all(), &reached);
            }
            Ok(Err(error)) => tracing::debug!(error = %error, "arrivals.not_looked"),
            Err(_) => tracing::debug!("arrivals.not_answered"),
        }
        sleep(MIN_POLL_INTERVAL).await;
        tokio::select! {
            () = sleep(POLL_INTERVAL) => {}
            () = wakeup.notified() => {}
            // The sender is gone: sleep, so that the loop does not spin.
            turn = moves.changed() => if turn.is_err() { sleep(POLL_INTERVAL).await },
        }
    }
}

/// Notifies and removes the waiters with a position that has been reached.
fn complete_waiters(waiters: &mut Vec<Waiter>, reached: &HashMap<(Uuid, String), i64>) {
    let (arrived, remaining): (Vec<_>, Vec<_>) =
        std::mem::take(waiters).into_iter().partition(|one| {
            let at = reached.get(&(one.tenant_id.0, one.name.clone())).copied().unwrap_or(0);
            Position(at) >= one.wanted
        });
    *waiters = remaining;
    for waiter in arrived {
        // Sending fails if the receiver has timed out; there is nothing left to do then.
        let _ = waiter.done.send(());
    }
}

/// Returns the positions of these read models, in one query.
async fn positions(
    pool: &PgPool,
    wanted: BTreeSet<(Uuid, String)>,
) -> sqlx::Result<HashMap<(Uuid, String), i64>> {
    let (tenants, names): (Vec<Uuid>, Vec<String>) = wanted.into_iter().unzip();
    let rows = sqlx::query!(
        r#"select p.tenant_id as "tenant_id!", p.projection as "projection!",
                  p.position as "position!"
             from unnest($1::uuid[], $2::text[]) w (tenant_id, projection)
             join read.positions p on p.tenant_id = w.tenant_id and p.projection = w.projection"#,
        &tenants,
        &names,
    )
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().map(|row| ((row.tenant_id, row.projection), row.position)).collect())
}
