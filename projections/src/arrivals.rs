//! Waiting until what is shown has reached a position: one look for all that wait in this process.
//!
//! The look follows this process's own turns of the engine, and what other processes have moved is found
//! a moment later. Nothing is asked while nobody waits, and a waiter costs its entry in a list.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use ledger_core::ids::{Position, TenantId};
use ledger_store::Store;
use sqlx::PgPool;
use tokio::sync::{Notify, oneshot, watch};
use tokio::time::{sleep, timeout};
use uuid::Uuid;

/// Other processes move read models, too: no wait is longer than this for want of a look.
const LOOK: Duration = Duration::from_millis(50);
/// Between two looks, however much moves.
const REST: Duration = Duration::from_millis(5);
/// A database that does not answer is asked again after this time.
const PATIENCE: Duration = Duration::from_secs(3);

/// Where readers wait. Cheap to clone; what it started ends with the last clone.
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
    /// Starts looking, whenever somebody waits.
    #[must_use]
    pub fn start(store: &Store) -> Self {
        let bell = Arc::new(Notify::new());
        let waiters = Arc::new(Waiters { all: Mutex::default(), bell: Arc::clone(&bell) });
        let (pool, moves) = (store.projector().clone(), store.wake().moves());
        tokio::spawn(watch_for(Arc::downgrade(&waiters), bell, pool, moves));
        Self(waiters)
    }

    /// Waits until a read model of a tenant has reached `wanted`, at most `patience`. `false` when it has
    /// not, or the database does not tell.
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
            // A store that is gone moves nothing any more.
            turn = moves.changed() => if turn.is_err() { sleep(LOOK).await },
        }
    }
}

/// Lets go whoever has waited for no more than was reached.
fn tell(waiters: &mut Vec<Waiter>, reached: &HashMap<(Uuid, String), i64>) {
    let (arrived, rest): (Vec<_>, Vec<_>) = std::mem::take(waiters).into_iter().partition(|one| {
        let at = reached.get(&(one.tenant_id.0, one.name.clone())).copied().unwrap_or(0);
        Position(at) >= one.wanted
    });
    *waiters = rest;
    for waiter in arrived {
        // Whoever gave up meanwhile does not mind.
        let _ = waiter.told.send(());
    }
}

/// How far these read models of these tenants are, in one look.
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
