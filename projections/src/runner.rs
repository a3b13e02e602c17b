//! The engine: claims tenants that are behind, folds their next events, and moves the checkpoint in
//! the same transaction.
//!
//! Any number of servers run it without a leader: work is claimed by `for update skip locked`, and
//! a checkpoint only moves from where it was read. Both rows and checkpoint can be redone, so the
//! commit need not wait for the disk.

#[cfg(feature = "planted-bugs")]
mod planted;

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use ledger_core::ids::{Position, TenantId};
use ledger_store::read::{StoredEvent, events_after};
use ledger_store::{Store, StoreError, TenantTx};
use sqlx::{Acquire, PgConnection, PgPool};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use crate::projector::{ProjectError, Projector};

/// Events folded per tenant and transaction.
const BATCH: i64 = 1_000;
/// Tenants claimed per transaction.
const CLAIM: i64 = 16;
/// The sweep that finds what no wake-up told of.
const SWEEP: Duration = Duration::from_millis(500);
/// A turn shorter than this had little to do, and rests as long: what arrives meanwhile shares the next
/// one, instead of each event having a transaction of its own.
const REST: Duration = Duration::from_millis(25);
/// A turn commits after this, though it could go on: what it did so far is to be seen.
const WORK: Duration = Duration::from_secs(5);
/// A turn that takes this long waits for a database that went silent.
const TURN: Duration = Duration::from_secs(20);
/// After a failure of the database.
const BACKOFF: Duration = Duration::from_secs(1);

/// The running engine; stops when told, after the transaction under way.
pub struct Runner {
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

impl Runner {
    /// Starts a worker for each projector.
    #[must_use]
    pub fn start(store: &Arc<Store>, projectors: Vec<Arc<dyn Projector>>) -> Self {
        let stop = watch::Sender::new(false);
        let start = |projector| {
            let worker = Worker { store: Arc::clone(store), projector };
            tokio::spawn(worker.run(stop.subscribe()))
        };
        let tasks = projectors.into_iter().map(start).collect();
        Self { stop, tasks }
    }

    /// Stops after the transactions under way.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        for task in self.tasks {
            if let Err(error) = task.await {
                tracing::error!(error = %error, "projection.worker_died");
            }
        }
    }
}

struct Worker {
    store: Arc<Store>,
    projector: Arc<dyn Projector>,
}

/// One tenant's share of a transaction.
struct Claim {
    tenant_id: TenantId,
    position: Position,
}

impl Worker {
    async fn run(self, mut stop: watch::Receiver<bool>) {
        let mut woken = self.store.wake().subscribe();
        let mut is_started = false;
        while !*stop.borrow() {
            // A build that reads what an older one halted on goes on by itself.
            if !is_started {
                is_started = matches!(timeout(TURN, self.clear_halts()).await, Ok(Ok(())));
            }
            woken.mark_unchanged();
            let begun = Instant::now();
            let turned = timeout(TURN, self.turn()).await;
            match turned.unwrap_or(Err(sqlx::Error::Io(ErrorKind::TimedOut.into()))) {
                Ok(0) => {
                    tokio::select! {
                        _ = woken.changed() => {}
                        () = tokio::time::sleep(SWEEP) => {}
                        _ = stop.changed() => {}
                    }
                }
                Ok(_) if begun.elapsed() < REST => {
                    tokio::select! {
                        () = tokio::time::sleep(REST) => {}
                        _ = stop.changed() => {}
                    }
                }
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(
                        error = %error,
                        projection = self.projector.name(),
                        "projection.turn_failed"
                    );
                    tokio::select! {
                        () = tokio::time::sleep(BACKOFF) => {}
                        _ = stop.changed() => {}
                    }
                }
            }
        }
    }

    async fn clear_halts(&self) -> sqlx::Result<()> {
        sqlx::query!(
            "update projection.checkpoints set halted = null
              where projection = $1 and version = $2 and halted is not null",
            self.projector.name(),
            self.projector.version(),
        )
        .execute(self.store.projector())
        .await?;
        Ok(())
    }

    /// One transaction: claim, fold, move on. Returns how many tenants moved.
    async fn turn(&self) -> sqlx::Result<usize> {
        let mut tx = self.store.projector().begin().await?;
        sqlx::query!("set local synchronous_commit = off").execute(&mut *tx).await?;
        self.enrol(&mut tx).await?;
        let claims = self.claim(&mut tx).await?;
        let begun = Instant::now();
        #[cfg(feature = "planted-bugs")]
        if ledger_store::planted::is(ledger_store::planted::CHECKPOINT_OUTSIDE_THE_TRANSACTION) {
            return self.turn_apart(tx, claims).await;
        }
        let mut moved = 0;
        for claim in claims.into_iter().take_while(|_| begun.elapsed() < WORK) {
            moved += usize::from(self.advance(&mut tx, &claim).await?);
        }
        tx.commit().await?;
        Ok(moved)
    }

    /// A checkpoint for each tenant that has none yet.
    async fn enrol(&self, conn: &mut PgConnection) -> sqlx::Result<()> {
        sqlx::query!(
            "insert into projection.checkpoints (tenant_id, projection, version)
             select t.tenant_id, $1, $2
               from ledger.tenants t
              where not exists (select from projection.checkpoints c
                                 where c.tenant_id = t.tenant_id
                                   and c.projection = $1 and c.version = $2)
                 on conflict do nothing",
            self.projector.name(),
            self.projector.version(),
        )
        .execute(conn)
        .await?;
        Ok(())
    }

    /// Tenants that are behind their own log, and that no other server is at.
    async fn claim(&self, conn: &mut PgConnection) -> sqlx::Result<Vec<Claim>> {
        let rows = sqlx::query!(
            r#"
            select c.tenant_id, c.position
              from projection.checkpoints c
             where c.projection = $1 and c.version = $2 and c.halted is null
               and c.position < (select e.position from ledger.events e
                                  where e.tenant_id = c.tenant_id
                                  order by e.position desc limit 1)
             order by c.updated_at
             limit $3
               for update of c skip locked
            "#,
            self.projector.name(),
            self.projector.version(),
            CLAIM,
        )
        .fetch_all(conn)
        .await?;
        let claim = |tenant_id, position| Claim {
            tenant_id: TenantId(tenant_id),
            position: Position(position),
        };
        Ok(rows.into_iter().map(|row| claim(row.tenant_id, row.position)).collect())
    }

    /// Folds a tenant's next events. One that cannot go on is halted by name and holds back nobody;
    /// a batch that fails is halved until the culprit stands alone, so that what comes before it is
    /// in the read model.
    async fn advance(&self, conn: &mut PgConnection, claim: &Claim) -> sqlx::Result<bool> {
        let events = events_after(conn, claim.tenant_id, claim.position, BATCH).await?;
        let mut claim = Claim { ..*claim };
        let mut rest = events.as_slice();
        let mut len = rest.len();
        while !rest.is_empty() {
            let (next, later) = rest.split_at(len.min(rest.len()));
            match self.fold(conn, &claim, next).await? {
                Ok(reached) => (claim.position, rest) = (reached, later),
                Err(error) if next.len() == 1 => {
                    self.halt(conn, &claim, &error).await?;
                    break;
                }
                Err(_) => len = next.len() / 2,
            }
        }
        Ok(rest.len() < events.len())
    }

    /// Folds some events and moves the checkpoint behind them, or does neither and says why these
    /// events cannot be folded.
    async fn fold(
        &self,
        conn: &mut PgConnection,
        claim: &Claim,
        events: &[StoredEvent],
    ) -> sqlx::Result<Result<Position, StoreError>> {
        let reached = events.last().map_or(claim.position, |event| Position(event.position));
        let mut savepoint = conn.begin().await?;
        let fault = match self.projector.project(&mut savepoint, claim.tenant_id, events).await {
            Ok(()) => {
                self.move_checkpoint(&mut savepoint, claim, reached).await?;
                savepoint.commit().await?;
                metrics::counter!("ledger_projected_events_total", "projection" => self.projector.name())
                    .increment(events.len() as u64);
                return Ok(Ok(reached));
            }
            // A value PostgreSQL refuses will be refused again: that is this tenant's fault alone.
            Err(ProjectError::Database(error)) if is_about_data(&error) => {
                StoreError::Database(error)
            }
            Err(ProjectError::Database(error)) => return Err(error),
            Err(ProjectError::Halt(error)) => error,
        };
        savepoint.rollback().await?;
        Ok(Err(fault))
    }

    /// Compare and set: a checkpoint that is not where it was read has been moved by somebody else,
    /// and what was folded here must not stand.
    async fn move_checkpoint(
        &self,
        conn: &mut PgConnection,
        claim: &Claim,
        to: Position,
    ) -> sqlx::Result<()> {
        let moved = sqlx::query!(
            "update projection.checkpoints
                set position = $5, updated_at = clock_timestamp()
              where tenant_id = $1 and projection = $2 and version = $3 and position = $4",
            claim.tenant_id.0,
            self.projector.name(),
            self.projector.version(),
            claim.position.0,
            to.0,
        )
        .execute(conn)
        .await?;
        if moved.rows_affected() == 1 { Ok(()) } else { Err(sqlx::Error::RowNotFound) }
    }

    async fn halt(
        &self,
        conn: &mut PgConnection,
        claim: &Claim,
        error: &StoreError,
    ) -> sqlx::Result<()> {
        tracing::error!(
            error = %error,
            tenant_id = %claim.tenant_id,
            projection = self.projector.name(),
            "projection.halted"
        );
        let cause = std::error::Error::source(error)
            .map_or_else(String::new, |source| format!(": {source}"));
        sqlx::query!(
            "update projection.checkpoints set halted = $4
              where tenant_id = $1 and projection = $2 and version = $3",
            claim.tenant_id.0,
            self.projector.name(),
            self.projector.version(),
            format!("{error}{cause}"),
        )
        .execute(conn)
        .await?;
        Ok(())
    }
}

/// SQLSTATE classes 22 (data exception) and 23 (integrity).
fn is_about_data(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.is_some_and(|code| code.starts_with("22") || code.starts_with("23"))
}

/// How far a read model is in the tenant of the transaction; 0 before its first event.
///
/// # Errors
/// The database did not answer.
pub async fn position(tx: &mut TenantTx, projector: &dyn Projector) -> sqlx::Result<Position> {
    let tenant_id = tx.tenant_id();
    let position = sqlx::query_scalar!(
        "select position from projection.checkpoints
          where tenant_id = $1 and projection = $2 and version = $3",
        tenant_id.0,
        projector.name(),
        projector.version(),
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(Position(position.unwrap_or(0)))
}

/// Waits until a read model has reached `wanted`, at most `patience`. `false` when it has not.
///
/// # Errors
/// The database did not answer.
pub async fn wait_for(
    pool: &PgPool,
    tenant_id: TenantId,
    projector: &dyn Projector,
    wanted: Position,
    patience: Duration,
) -> sqlx::Result<bool> {
    let reached = async {
        loop {
            let mut tx = TenantTx::begin(pool, tenant_id).await?;
            if position(&mut tx, projector).await? >= wanted {
                return Ok(());
            }
            drop(tx);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    match tokio::time::timeout(patience, reached).await {
        Ok(reached) => reached.map(|()| true),
        Err(_) => Ok(false),
    }
}
