//! Waits until a read model of a tenant has reached a log position.
//!
//! One task per process polls the positions of all waiting readers in one query: after each cycle
//! of this process's projection engine, and periodically for progress made by other processes. No
//! query runs while there are no waiters, and a waiter costs one list entry.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use ledger_core::ids::{Position, TenantId};
use ledger_store::Store;
use sqlx::PgPool;
use tokio::sync::{Notify, oneshot, watch};
use tokio::time::{sleep, timeout};
use uuid::Uuid;

/// Maximum time between two polls, so that progress made by other processes is noticed.
const LOOK: Duration = Duration::from_millis(50);
/// Minimum time between two polls.
const REST: Duration = Duration::from_millis(5);
/// Timeout of one poll; the next poll follows after it.
const PATIENCE: Duration = Duration::from_secs(3);

/// Registers readers that wait for a position. Cheap to clone; dropping the last clone ends the
/// polling task.
#[derive(Clone)]
pub struct Arrivals(Arc<Waiters>);

struct Waiters {
    all: Mutex<Vec<Waiter>>,
    bell: Arc<Notify>,
}

struct Waiter {
    tenant_id: TenantId,
    name: String,
    wanted: Position,
    told: oneshot::Sender<()>,
}

impl Drop for Waiters {
    fn drop(&mut self) {
        self.bell.notify_one();
    }
}

impl Waiters {
    fn all(&self) -> MutexGuard<'_, Vec<Waiter>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Arrivals {
    /// Starts the polling task. Polls run only while readers wait.
    #[must_use]
    pub fn start(store: &Store) -> Self {
        let bell = Arc::new(Notify::new());
        let waiters = Arc::new(Waiters { all: Mutex::default(), bell: Arc::clone(&bell) });
        let (pool, moves) = (store.projector().clone(), store.wake().moves());
        tokio::spawn(watch_for(Arc::downgrade(&waiters), bell, pool, moves));
        Self(waiters)
    }

    /// Waits at most `patience` until a read model of a tenant has reached `wanted`. Returns
    /// `false` on timeout, also if the database does not answer.
    pub async fn wait(
        &self,
        tenant_id: TenantId,
        name: &str,
        wanted: Position,
        patience: Duration,
    ) -> bool {
        let (told, arrived) = oneshot::channel();
        self.0.all().push(Waiter { tenant_id, name: name.to_owned(), wanted, told });
        self.0.bell.notify_one();
        matches!(timeout(patience, arrived).await, Ok(Ok(())))
    }
}

async fn watch_for(
    waiters: Weak<Waiters>,
    bell: Arc<Notify>,
    pool: PgPool,
    mut moves: watch::Receiver<u64>,
) {
    loop {
        let Some(here) = waiters.upgrade() else { return };
        here.all().retain(|waiter| !waiter.told.is_closed());
        let wanted: BTreeSet<(Uuid, String)> =
            here.all().iter().map(|one| (one.tenant_id.0, one.name.clone())).collect();
        drop(here);
        if wanted.is_empty() {
            bell.notified().await;
            continue;
        }
        moves.mark_unchanged();
        match timeout(PATIENCE, positions(&pool, wanted)).await {
            Ok(Ok(reached)) => {
                let Some(here) = waiters.upgrade() else { return };
                tell(&mut here.all(), &reached);
            }
            Ok(Err(error)) => tracing::debug!(error = %error, "arrivals.not_looked"),
            Err(_) => tracing::debug!("arrivals.not_answered"),
        }
        sleep(REST).await;
        tokio::select! {
            () = sleep(LOOK) => {}
            () = bell.notified() => {}
            // The sender is gone: sleep, so that the loop does not spin.
            turn = moves.changed() => if turn.is_err() { sleep(LOOK).await },
        }
    }
}

/// Notifies and removes the waiters with a position that has been reached.
fn tell(waiters: &mut Vec<Waiter>, reached: &HashMap<(Uuid, String), i64>) {
    let (arrived, rest): (Vec<_>, Vec<_>) = std::mem::take(waiters).into_iter().partition(|one| {
        let at = reached.get(&(one.tenant_id.0, one.name.clone())).copied().unwrap_or(0);
        Position(at) >= one.wanted
    });
    *waiters = rest;
    for waiter in arrived {
        // Sending fails if the receiver has timed out; there is nothing left to do then.
        let _ = waiter.told.send(());
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
