//! Engines that are killed during a cycle: the next engine continues at the checkpoint.

use std::time::Duration;

use fastrand::Rng;
use ledger_tests::{OwnDatabase, run};
use projections::Batches;
use sqlx::{AssertSqlSafe, Executor, PgConnection};
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

use super::engine::{
    Engine, active, assert_contiguous, assert_same, begin, caught_up, progress_of, until, watch,
};
use super::history::{TenantHistory, more, post_some_concurrently, tenants_with_histories};
use super::sums::assert_sums;

/// Application name of a victim's connections.
const VICTIM: &str = "victim";

/// An engine on a separate runtime: a kill ends it at its current await.
struct Victim {
    runtime: Runtime,
    _engine: oneshot::Receiver<Engine>,
}

impl Victim {
    fn start(own: &OwnDatabase, batches: Batches) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime");
        let (started, engine) = oneshot::channel();
        let database = own.database.clone().application_name(VICTIM);
        let own = OwnDatabase { database: own.database.clone(), keys: own.keys.clone() };
        runtime.spawn(async move {
            let engine = Engine::start_on(&own, database, projections::all(), batches);
            let _ = started.send(engine);
        });
        Self { runtime, _engine: engine }
    }

    fn kill(self) {
        self.runtime.shutdown_background();
    }
}

/// Terminates the victim's connections, whatever they execute.
async fn terminate_connections(conn: &mut PgConnection) {
    let end = format!(
        "select pg_terminate_backend(pid) from pg_stat_activity
          where datname = current_database() and application_name = '{VICTIM}'"
    );
    conn.execute(AssertSqlSafe(end)).await.expect("cut off");
}

/// Returns the number of changes of checkpoints.
async fn moves(conn: &mut PgConnection) -> i64 {
    let count = sqlx::query_scalar("select count(*) from public.moves");
    count.fetch_one(conn).await.expect("a count")
}

/// Creates a log of some hundred events and projects it.
async fn projected(own: &OwnDatabase, seed: u64) -> Vec<TenantHistory> {
    let ledger = own.server().await;
    let histories = tenants_with_histories(&ledger, seed).await;
    let mut rng = Rng::with_seed(seed);
    let bodies = more(&mut rng, &histories[0], 60);
    post_some_concurrently(&histories[0].tenant, &mut rng, bodies).await;
    for TenantHistory { tenant, .. } in &histories {
        tenant.settle().await;
    }
    ledger.stop().await;
    histories
}

/// Kills rebuilding engines repeatedly until one finishes.
fn killed_at_random(seed: u64, close: i64) {
    run(async {
        let own = OwnDatabase::create().await;
        let histories = projected(&own, seed).await;
        let mut conn = own.superuser().await;
        watch(&mut conn).await;
        let quiet = own.store(1);
        let version = begin(&quiet, "calls", None).await;
        let mut rng = Rng::with_seed(seed);
        for _ in 0..6 {
            let batches = Batches { read: rng.usize(1..90), fold: rng.usize(1..40), close };
            let victim = Victim::start(&own, batches);
            let enough = moves(&mut conn).await + rng.i64(1..5);
            until("it moves on", async || {
                let moved = moves(&mut own.superuser().await).await >= enough;
                let one = progress_of(&quiet, "calls", version).await.expect("the version");
                moved || one.lag_events == 0
            })
            .await;
            tokio::time::sleep(Duration::from_millis(rng.u64(..15))).await;
            if rng.bool() {
                // The engine continues over new connections.
                terminate_connections(&mut conn).await;
                let enough = moves(&mut conn).await + 1;
                until("it comes back", async || {
                    let one = progress_of(&quiet, "calls", version).await.expect("the version");
                    one.lag_events == 0 || moves(&mut own.superuser().await).await >= enough
                })
                .await;
            }
            victim.kill();
        }
        let last = Engine::start(&own, Batches { close, ..Batches::default() });
        caught_up(&last.store, "calls", version).await;
        assert_same(&last.store, "calls", active(&last.store, "calls").await, version).await;
        for TenantHistory { tenant, zone } in &histories {
            assert_sums(&mut conn, version, tenant.tenant_id, *zone).await;
        }
        assert_contiguous(&mut conn).await;
        last.stop().await;
        quiet.close().await;
    });
}

#[test]
fn a_repeatedly_killed_rebuild_ends_with_the_same_rows() {
    killed_at_random(11, 0);
}

#[test]
fn a_rebuild_killed_after_its_indexes_ends_with_the_same_rows() {
    killed_at_random(12, i64::MAX);
}

/// A trigger that waits for an advisory lock in the middle of a batch, after other rows were
/// written.
const GATE: &str = "
    create function public.gate() returns trigger language plpgsql as $$
    begin
      perform pg_advisory_xact_lock_shared(42);
      return new;
    end $$;
    create trigger gate after insert on calls_v3.callers
      for each row execute function public.gate()";

#[test]
fn the_writes_of_a_killed_cycle_are_rolled_back() {
    run(async {
        let own = OwnDatabase::create().await;
        projected(&own, 13).await;
        let mut conn = own.superuser().await;
        watch(&mut conn).await;
        let quiet = own.store(1);
        let version = begin(&quiet, "calls", None).await;
        assert_eq!(version, 3);
        conn.execute(GATE).await.expect("a gate");
        let mut holder = own.superuser().await;
        for is_cut in [true, false] {
            holder.execute("select pg_advisory_lock(42)").await.expect("held");
            let victim = Victim::start(&own, Batches { close: 0, ..Batches::default() });
            own.until_lock_wait().await;
            if is_cut {
                terminate_connections(&mut conn).await;
            }
            victim.kill();
            until("its connections end", async || {
                let mut conn = own.superuser().await;
                let count = format!(
                    "select count(*) from pg_stat_activity where datname = current_database()
                        and application_name = '{VICTIM}'"
                );
                let left: i64 = sqlx::query_scalar(AssertSqlSafe(count))
                    .fetch_one(&mut conn)
                    .await
                    .expect("it");
                left == 0
            })
            .await;
            let count = sqlx::query_scalar("select count(*) from calls_v3.calls");
            let written: i64 = count.fetch_one(&mut conn).await.expect("a count");
            assert_eq!((written, moves(&mut conn).await), (0, 0));
            holder.execute("select pg_advisory_unlock(42)").await.expect("let go");
        }
        let last = Engine::start(&own, Batches::default());
        caught_up(&last.store, "calls", version).await;
        assert_same(&last.store, "calls", 2, version).await;
        last.stop().await;
        quiet.close().await;
    });
}
