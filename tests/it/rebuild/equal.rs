//! A rebuild equals the live projection byte for byte: for any history, batch size and number of
//! engines, and with events that arrive during it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use fastrand::Rng;
use ledger_tests::{OwnDatabase, messages, run};
use projections::Batches;
use projections::versions::{self, State};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::doubles::{Double, with};
use super::engine::{
    BULK, Engine, NAMES, active, all_versions, assert_contiguous, assert_rebuilds_to_the_same,
    assert_same, begin, begin_to_promote, caught_up, in_state, until, watch,
};
use super::history::{TenantHistory, more, post_some_concurrently, tenants_with_histories};
use super::sums::assert_sums;

/// Checks the sums of every tenant in the active version.
async fn assert_all_sums(own: &OwnDatabase, engine: &Engine, histories: &[TenantHistory]) {
    let mut conn = own.superuser().await;
    let active_version = active(&engine.store, "calls").await;
    for TenantHistory { tenant, zone } in histories {
        assert_sums(&mut conn, active_version, tenant.tenant_id, *zone).await;
    }
}

/// Projects a generated history live through one server, then rebuilds it with other batch sizes.
fn any_history(seed: u64) {
    run(async {
        let own = OwnDatabase::create().await;
        let ledger = own.server().await;
        let histories = tenants_with_histories(&ledger, seed).await;
        for TenantHistory { tenant, .. } in &histories {
            tenant.settle().await;
        }
        ledger.stop().await;

        let mut rng = Rng::with_seed(seed);
        for close in [0, i64::MAX] {
            let batches = Batches { read: rng.usize(1..50), fold: rng.usize(1..100), close };
            let engine = Engine::start(&own, batches);
            assert_rebuilds_to_the_same(&engine.store).await;
            assert_all_sums(&own, &engine, &histories).await;
            engine.stop().await;
        }
    });
}

#[test]
fn a_rebuild_of_any_history_equals_the_live_rows_1() {
    any_history(1);
}

#[test]
fn a_rebuild_of_any_history_equals_the_live_rows_2() {
    any_history(2);
}

#[test]
fn a_rebuild_of_any_history_equals_the_live_rows_3() {
    any_history(3);
}

/// Adds groups of calls to one of four tenants, projected live by a server that then stops.
async fn crowd(own: &OwnDatabase, seed: u64, groups: &[usize]) -> TenantHistory {
    let ledger = own.server().await;
    let mut histories = tenants_with_histories(&ledger, seed).await;
    let crowd = histories.pop().expect("a tenant");
    let mut rng = Rng::with_seed(seed);
    for calls in groups {
        let bodies = more(&mut rng, &crowd, *calls);
        post_some_concurrently(&crowd.tenant, &mut rng, bodies).await;
    }
    crowd.tenant.settle().await;
    ledger.stop().await;
    crowd
}

#[test]
fn rows_written_in_bulk_equal_rows_written_one_by_one() {
    run(async {
        let own = OwnDatabase::create().await;
        // One batch has enough new calls and sums to use COPY for both.
        let crowd = crowd(&own, 4, &[120]).await;
        let engine = Engine::start(&own, BULK);
        assert_rebuilds_to_the_same(&engine.store).await;
        assert_all_sums(&own, &engine, &[crowd]).await;
        engine.stop().await;
    });
}

#[test]
fn calls_folded_ahead_equal_calls_folded_one_by_one() {
    run(async {
        let own = OwnDatabase::create().await;
        // Some calls begin in one batch and continue in the next, each batch with enough new rows
        // for COPY.
        let crowd = crowd(&own, 5, &[90; 4]).await;
        let times = Arc::new(AtomicUsize::new(0));
        let batches = Batches { read: 400, fold: 400, close: 0 };
        let engine =
            Engine::start_with(&own, with(Double::CountsPreparations(times.clone())), batches);
        assert_rebuilds_to_the_same(&engine.store).await;
        assert_all_sums(&own, &engine, &[crowd]).await;
        assert!(times.load(Ordering::SeqCst) > 1, "one was prepared, and one panicked");
        engine.stop().await;
    });
}

#[test]
fn a_version_dropped_during_a_read_has_no_checksum() {
    run(async {
        let own = OwnDatabase::create().await;
        let quiet = Arc::new(own.store(1));
        for _ in 0..10 {
            let version = begin(&quiet, "calls", None).await;
            let (mut readers, read) = (JoinSet::new(), Arc::new(Barrier::new(3)));
            for _ in 0..2 {
                let (quiet, read) = (Arc::clone(&quiet), Arc::clone(&read));
                readers.spawn(async move {
                    let mut times = 0;
                    while let Some(sum) =
                        versions::checksum(quiet.projector(), "calls", version, None)
                            .await
                            .expect("an answer")
                    {
                        assert_eq!(sum.rows, 0, "nobody fills it");
                        times += 1;
                        if times == 1 {
                            read.wait().await;
                        }
                    }
                    assert!(times > 0, "it was there");
                });
            }
            read.wait().await;
            versions::cancel(quiet.owner(), "calls").await.expect("given up");
            readers.join_all().await;
        }
        quiet.close().await;
    });
}

#[test]
fn two_servers_rebuild_under_load_to_rows_equal_to_the_live_ones() {
    run(async {
        let own = OwnDatabase::create().await;
        watch(&mut own.superuser().await).await;
        let here = own.server().await;
        let histories = tenants_with_histories(&here, 5).await;
        let there = Engine::start(&own, Batches { read: 7, fold: 20, close: 10 });
        for name in NAMES {
            begin_to_promote(&there.store, name, None).await;
        }
        let is_promoted =
            async |name| in_state(&there.store, name, State::Previous).await.is_some();
        let mut nth = 0;
        while !(is_promoted("calls").await && is_promoted("usage").await) {
            nth += 1;
            let mut rng = Rng::with_seed(nth);
            for history in &histories {
                let bodies = more(&mut rng, history, 1);
                post_some_concurrently(&history.tenant, &mut rng, bodies).await;
            }
            assert!(nth < 1_000, "it is never promoted");
        }
        for TenantHistory { tenant, .. } in &histories {
            tenant.settle().await;
        }
        for name in NAMES {
            let before = in_state(&there.store, name, State::Previous).await.expect("one");
            let active_version = active(&there.store, name).await;
            caught_up(&there.store, name, before).await;
            assert!(active_version > before);
            assert_same(&there.store, name, before, active_version).await;
        }
        assert_all_sums(&own, &there, &histories).await;
        assert_contiguous(&mut own.superuser().await).await;
        here.stop().await;
        there.stop().await;
    });
}

#[test]
fn a_rebuild_needs_no_keys() {
    run(async {
        let own = OwnDatabase::create().await;
        let ledger = own.server().await;
        let histories = tenants_with_histories(&ledger, 6).await;
        for TenantHistory { tenant, .. } in &histories {
            tenant.settle().await;
        }
        ledger.stop().await;
        let away = own.keys.with_extension("away");
        std::fs::rename(&own.keys, &away).expect("moved away");

        let engine = Engine::start(&own, BULK);
        assert!(engine.store.check_keyring().await.is_err(), "there are none");
        assert_rebuilds_to_the_same(&engine.store).await;
        let active_version = begin_to_promote(&engine.store, "calls", None).await;
        until("it is active", async || active(&engine.store, "calls").await == active_version)
            .await;
        engine.stop().await;
        std::fs::rename(&away, &own.keys).expect("moved back");
    });
}

#[test]
fn a_tenant_created_during_a_rebuild_is_in_it() {
    run(async {
        let own = OwnDatabase::create().await;
        let ledger = own.server().await;
        let histories = tenants_with_histories(&ledger, 7).await;
        let version = begin(&ledger.store, "calls", None).await;
        let mut posts = JoinSet::new();
        for _ in 0..4 {
            let tenant = ledger.tenant().await;
            posts.spawn(async move {
                tenant.post_ok(messages::report("first").to_string()).await;
                tenant.settle().await;
            });
        }
        posts.join_all().await;
        caught_up(&ledger.store, "calls", version).await;
        assert_same(&ledger.store, "calls", active(&ledger.store, "calls").await, version).await;
        assert!(histories.len() + 4 <= all_tenants(&own).await);
        ledger.stop().await;
    });
}

async fn all_tenants(own: &OwnDatabase) -> usize {
    let count = "select count(distinct tenant_id) from calls_v3.calls";
    let count: i64 =
        sqlx::query_scalar(count).fetch_one(&mut own.superuser().await).await.expect("a count");
    usize::try_from(count).expect("a few")
}

#[test]
fn a_cancelled_rebuild_leaves_nothing_and_the_next_starts_from_zero() {
    run(async {
        let own = OwnDatabase::create().await;
        let ledger = own.server().await;
        let histories = tenants_with_histories(&ledger, 8).await;
        let mut conn = own.superuser().await;
        for round in 0..5 {
            let version = begin(&ledger.store, "calls", None).await;
            // The version is cancelled at an arbitrary point.
            for history in &histories[..round.min(histories.len())] {
                history
                    .tenant
                    .post_ok(messages::report(&format!("late-{round}")).to_string())
                    .await;
            }
            projections::versions::cancel(ledger.store.owner(), "calls").await.expect("given up");
            assert_eq!(all_versions(&ledger.store, "calls").await.len(), 1);
            let left: i64 = sqlx::query_scalar(
                "select count(*) from pg_namespace where nspname = format('calls_v%s', $1::int)",
            )
            .bind(version)
            .fetch_one(&mut conn)
            .await
            .expect("a count");
            assert_eq!(left, 0);
        }
        assert_rebuilds_to_the_same(&ledger.store).await;
        ledger.stop().await;
    });
}
