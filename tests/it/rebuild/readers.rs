//! Readers during promotion and rollback never get fewer rows than before, and never an error.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ledger_core::clock::Clock;
use ledger_store::TenantTx;
use ledger_tests::{OwnDatabase, TestTenant, messages, run};
use projections::versions::{self, State, VersionError};
use serde_json::Value;
use server::system::SystemClock;
use sqlx::Executor;
use tokio::task::{JoinHandle, JoinSet};

use super::engine::{
    NAMES, active, assert_same, begin, begin_to_promote, caught_up, in_state, progress_of, tamper,
    until,
};

/// A background task that runs until it is stopped.
struct BackgroundTask<T> {
    stop: Arc<AtomicBool>,
    task: JoinHandle<T>,
}

impl<T: Send + 'static> BackgroundTask<T> {
    fn start<F: Future<Output = T> + Send + 'static>(
        work: impl FnOnce(Arc<AtomicBool>) -> F,
    ) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        Self { task: tokio::spawn(work(Arc::clone(&stop))), stop }
    }

    async fn stop(self) -> T {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await.expect("it did not fail")
    }
}

/// Posts one call at a time; returns their number.
fn writing(tenant: TestTenant) -> BackgroundTask<usize> {
    BackgroundTask::start(async move |stop| {
        let mut written = 0;
        while !stop.load(Ordering::Relaxed) && written < 190 {
            let call = format!("call-{written}");
            tenant.post_ok(messages::status(&call, "in-progress").to_string()).await;
            tenant.post_ok(messages::report(&call).to_string()).await;
            written += 1;
        }
        written
    })
}

/// Reads through the API in a loop; returns the number of reads.
fn reading(tenant: TestTenant) -> BackgroundTask<usize> {
    BackgroundTask::start(async move |stop| {
        let mut last = (0, 0);
        let mut reads = 0;
        while !stop.load(Ordering::Relaxed) {
            let request = tenant.request(&tenant.read_key, "/v1/calls?limit=200");
            let answer = request.send().await.expect("an answer");
            assert_eq!(answer.status(), 200);
            let position = answer.headers()["ledger-position"].to_str().expect("a text").to_owned();
            let position: i64 = position.parse().expect("a number");
            let page: Value = answer.json().await.expect("a page");
            let calls = page["data"].as_array().expect("a page").len();
            assert!(
                (position, calls) >= last && calls >= last.1,
                "{last:?}, then {position}, {calls}"
            );
            last = (position, calls);
            reads += 1;
        }
        reads
    })
}

/// Reads position, calls and sums directly from the database in a loop; returns the number of
/// reads.
fn counting(tenant: TestTenant) -> BackgroundTask<usize> {
    BackgroundTask::start(async move |stop| {
        let mut last = (0, 0, 0);
        let mut reads = 0;
        while !stop.load(Ordering::Relaxed) {
            let mut tx =
                TenantTx::begin(tenant.store.app(), tenant.tenant_id).await.expect("a transaction");
            // One statement, so that all three values are of one snapshot.
            let now: (i64, i64, i64) = sqlx::query_as(
                "select coalesce((select position from read.positions where projection = 'calls'), 0),
                        (select count(*) from read.calls),
                        (select coalesce(sum(calls), 0)::bigint from read.call_rollups
                          where cut = 'total' and grain = 'month')",
            )
            .fetch_one(tx.conn())
            .await
            .expect("an answer");
            assert_eq!(now.1, now.2, "rows and sums are of one moment");
            assert!(now.0 >= last.0 && now.1 >= last.1, "{last:?}, then {now:?}");
            last = now;
            reads += 1;
        }
        reads
    })
}

#[test]
fn readers_during_promotions_and_rollbacks_never_go_back_in_time() {
    run(async {
        let own = OwnDatabase::create().await;
        let (here, there) = (own.server().await, own.server().await);
        let (busy, other) = (here.tenant().await, here.tenant().await);
        let busy = || busy.through(&here);
        let readers = [
            reading(busy()),
            reading(busy().through(&there)),
            counting(busy()),
            counting(other.through(&there)),
        ];
        let writers = [writing(busy()), writing(other.through(&there))];
        for round in 0..3 {
            for name in NAMES {
                let version = begin_to_promote(&here.store, name, None).await;
                until("it is active", async || active(&here.store, name).await == version).await;
            }
            let before = in_state(&here.store, "calls", State::Previous).await.expect("one");
            rolled_back(&here.store, "calls").await;
            assert_eq!(active(&here.store, "calls").await, before);
            if round == 1 {
                // Also back to the version that was just replaced.
                rolled_back(&there.store, "calls").await;
            }
        }
        for writer in writers {
            assert!(writer.stop().await > 0);
        }
        for reader in readers {
            assert!(reader.stop().await > 10, "there was somebody to be misled");
        }
        for name in NAMES {
            let (active_version, before) = (active(&here.store, name).await, State::Previous);
            let before = in_state(&here.store, name, before).await.expect("one");
            caught_up(&here.store, name, active_version).await;
            caught_up(&here.store, name, before).await;
            assert_same(&here.store, name, active_version, before).await;
        }
        here.stop().await;
        there.stop().await;
    });
}

/// Rolls back, with retries: under load the previous version may be slightly behind.
async fn rolled_back(store: &ledger_store::Store, name: &str) {
    until("it is rolled back", async || match versions::rollback(store.owner(), name).await {
        Ok(_) => true,
        Err(VersionError::Behind { .. }) => false,
        Err(error) => panic!("{error:?}"),
    })
    .await;
}

#[test]
fn only_one_version_of_a_read_model_is_built_at_a_time() {
    run(async {
        let own = OwnDatabase::create().await;
        let quiet = Arc::new(own.store(1));
        let mut begins = JoinSet::new();
        for _ in 0..6 {
            let quiet = Arc::clone(&quiet);
            begins.spawn(async move {
                let calls = versions::named("calls").expect("it is there");
                versions::begin(quiet.owner(), &*calls, None, false).await
            });
        }
        let (begun, refused): (Vec<_>, Vec<_>) =
            begins.join_all().await.into_iter().partition(Result::is_ok);
        assert_eq!(begun.len(), 1);
        for refused in refused {
            assert!(
                matches!(refused, Err(VersionError::Running { version: 3, .. })),
                "{refused:?}"
            );
        }
        quiet.close().await;
    });
}

/// A tenant with one call, projected live by a server that then stops.
async fn one_call(own: &OwnDatabase) {
    let ledger = own.server().await;
    let tenant = ledger.tenant().await;
    tenant.post_ok(messages::report("a call").to_string()).await;
    tenant.settle().await;
    ledger.stop().await;
}

#[test]
fn a_new_version_is_not_stalled() {
    run(async {
        let own = OwnDatabase::create().await;
        one_call(&own).await;
        let mut conn = own.superuser().await;
        let long_ago = "update ledger.events set recorded_at = recorded_at - interval '1 hour'";
        tamper(&mut conn, long_ago).await;

        let quiet = own.store(1);
        let version = begin(&quiet, "calls", None).await;
        let one = progress_of(&quiet, "calls", version).await.expect("it is there");
        assert!(one.lag_events > 0);
        assert_eq!((one.stalled, one.has_stalled(SystemClock.now())), (0, false));
        // If it had begun long ago, it would count as stalled.
        let begun = "update projection.versions set began_at = began_at - interval '1 hour'";
        conn.execute(begun).await.expect("long ago");
        let one = progress_of(&quiet, "calls", version).await.expect("it is there");
        assert!(one.stalled > 0 && one.has_stalled(SystemClock.now()));
        quiet.close().await;
    });
}

#[test]
fn an_impossible_operation_is_refused_with_its_error() {
    run(async {
        let own = OwnDatabase::create().await;
        one_call(&own).await;

        let quiet = own.store(1);
        let owner = quiet.owner();
        assert!(matches!(versions::named("songs"), Err(VersionError::Unknown { .. })));
        assert!(matches!(
            versions::promote(owner, "calls", true).await,
            Err(VersionError::NoneBuilding { .. })
        ));
        assert!(matches!(
            versions::rollback(owner, "calls").await,
            Err(VersionError::NonePrevious { .. })
        ));
        assert!(matches!(
            versions::cancel(owner, "calls").await,
            Err(VersionError::NoneBuilding { .. })
        ));
        let version = super::engine::begin(&quiet, "calls", None).await;
        // No engine fills it, so no promotion is possible, even with parked events allowed.
        for with_parked in [false, true] {
            let refused = versions::promote(owner, "calls", with_parked).await;
            assert!(matches!(refused, Err(VersionError::Filling { .. })), "{refused:?}");
        }
        assert_eq!(active(&quiet, "calls").await, version - 1);
        quiet.close().await;
    });
}
