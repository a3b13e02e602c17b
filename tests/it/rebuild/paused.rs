//! Servers that pause in the middle of a cycle and resume: their batch is applied exactly once.

use std::path::Path;
use std::time::Duration;

use ledger_core::ids::TenantId;
use ledger_tests::proxy::{NetworkMode, Proxy, Upstream};
use ledger_tests::{OwnDatabase, messages, run};
use projections::Batches;
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{AssertSqlSafe, Executor};

use super::doubles::{Double, Gate, with};
use super::engine::{
    Engine, assert_contiguous, assert_rebuilds_to_the_same, is_current, new_tenant, record, until,
    watch,
};

/// Application name of the paused server's connections.
const STOPPED: &str = "stopped";

/// A proxy to a database without timeouts for idle transactions.
async fn way(own: &OwnDatabase) -> (Proxy, PgConnectOptions) {
    let socket = own.database.get_socket().expect("a private cluster has a socket");
    let socket = Path::new(socket).join(".s.PGSQL.5432");
    let proxy = Proxy::start(Upstream::Unix(socket)).await.expect("a proxy");
    let database = PgConnectOptions::new_without_pgpass()
        .host("127.0.0.1")
        .port(proxy.address().port())
        .username("ledger")
        .database(own.database.get_database().expect("it is named"))
        .application_name(STOPPED)
        .ssl_mode(PgSslMode::Disable);
    (proxy, database)
}

/// Creates two new tenants, each with calls that are not projected.
async fn new_tenants_with_calls(own: &OwnDatabase) -> [TenantId; 2] {
    let quiet = own.store(1);
    let tenants = [new_tenant(&quiet, "one").await, new_tenant(&quiet, "two").await];
    for tenant_id in tenants {
        for nth in 0..20 {
            let call = format!("call-{nth}");
            record(&quiet, tenant_id, &messages::status(&call, "ringing")).await;
            record(&quiet, tenant_id, &messages::report(&call)).await;
        }
    }
    quiet.close().await;
    tenants
}

/// Checks, on connections without a proxy, that every tenant is current, that each checkpoint has
/// no gap, and that the rows equal the log.
async fn assert_all_consistent(own: &OwnDatabase, tenants: &[TenantId]) {
    let quiet = own.store(2);
    for tenant_id in tenants {
        until("it is current", async || is_current(&quiet, *tenant_id).await).await;
    }
    assert_contiguous(&mut own.superuser().await).await;
    assert_rebuilds_to_the_same(&quiet).await;
    quiet.close().await;
}

#[test]
fn a_server_resumed_after_its_session_ended_applies_nothing_twice() {
    run(async {
        let own = OwnDatabase::create().await;
        watch(&mut own.superuser().await).await;
        let tenants = new_tenants_with_calls(&own).await;
        let (proxy, database) = way(&own).await;
        let gate = Gate::shut();
        let double = with(Double::Waits(tenants[0], gate.clone()));
        let stopped = Engine::start_on(&own, database, double, Batches::default());
        gate.reached.notified().await;
        // The engine continues, and none of its statements arrives.
        proxy.set(NetworkMode::BlackHole);
        gate.open();

        let other = Engine::start(&own, Batches { read: 11, fold: 5, close: 0 });
        let end = format!(
            "select pg_terminate_backend(pid) from pg_stat_activity
              where datname = current_database() and application_name = '{STOPPED}'"
        );
        own.superuser().await.execute(AssertSqlSafe(end)).await.expect("its sessions end");
        for tenant_id in tenants {
            until("somebody else does it", async || is_current(&other.store, tenant_id).await)
                .await;
        }
        proxy.set(NetworkMode::Normal);
        for tenant_id in tenants {
            record(&other.store, tenant_id, &messages::report("once more")).await;
        }
        assert_all_consistent(&own, &tenants).await;
        stopped.stop().await;
        other.stop().await;
    });
}

#[test]
fn a_server_paused_during_a_cycle_delays_only_its_claimed_tenant() {
    run(async {
        let own = OwnDatabase::create().await;
        watch(&mut own.superuser().await).await;
        let [held, free] = new_tenants_with_calls(&own).await;
        let (proxy, database) = way(&own).await;
        let gate = Gate::shut();
        let double = with(Double::Waits(held, gate.clone()));
        let stopped = Engine::start_on(&own, database, double, Batches::default());
        gate.reached.notified().await;
        proxy.set(NetworkMode::BlackHole);
        gate.open();

        let other = Engine::start(&own, Batches::default());
        // A new tenant, as the held one was when it was claimed.
        let new = new_tenant(&other.store, "three").await;
        record(&other.store, new, &messages::report("first")).await;
        until("others go on", async || is_current(&other.store, new).await).await;
        assert!(!is_current(&other.store, held).await, "the one it is at waits for it");

        // The paused engine resumes and finishes its batch.
        proxy.set(NetworkMode::Normal);
        record(&other.store, held, &messages::report("once more")).await;
        assert_all_consistent(&own, &[held, free, new]).await;
        stopped.stop().await;
        other.stop().await;
    });
}

/// A trigger that waits at commit for an advisory lock, without a timeout.
const DELAYED_COMMIT: &str = "
    create function public.late() returns trigger language plpgsql as $$
    begin
      perform set_config('lock_timeout', '0', true);
      perform pg_advisory_xact_lock_shared(42);
      return null;
    end $$;
    create constraint trigger late after update on projection.checkpoints
      deferrable initially deferred for each row execute function public.late()";

#[test]
fn a_commit_with_a_lost_response_is_not_repeated() {
    run(async {
        let own = OwnDatabase::create().await;
        let mut conn = own.superuser().await;
        watch(&mut conn).await;
        let tenants = new_tenants_with_calls(&own).await;
        let (proxy, database) = way(&own).await;
        conn.execute(DELAYED_COMMIT).await.expect("a latch");
        let mut holder = own.superuser().await;
        holder.execute("select pg_advisory_lock(42)").await.expect("held");
        let one = Engine::start_on(&own, database, projections::all(), Batches::default());
        own.until_lock_wait().await;
        proxy.set(NetworkMode::DropResponses);
        holder.execute("select pg_advisory_unlock(42)").await.expect("let go");
        until("it is committed", async || {
            let mut conn = own.superuser().await;
            let count = sqlx::query_scalar("select count(*) from public.moves");
            let moves: i64 = count.fetch_one(&mut conn).await.expect("a count");
            moves > 0
        })
        .await;
        proxy.set(NetworkMode::Normal);
        proxy.reset();
        assert_all_consistent(&own, &tenants).await;
        one.stop().await;
    });
}

#[test]
fn repeatedly_broken_connections_neither_stop_nor_repeat_batches() {
    run(async {
        let own = OwnDatabase::create().await;
        watch(&mut own.superuser().await).await;
        let tenants = new_tenants_with_calls(&own).await;
        let (proxy, database) = way(&own).await;
        proxy.set(NetworkMode::Delayed(Duration::from_millis(1)));
        let batches = Batches { read: 3, fold: 3, close: 0 };
        let one = Engine::start_on(&own, database, projections::all(), batches);
        let quiet = own.store(1);
        for round in 0..8 {
            let count = async || -> i64 {
                let count = sqlx::query_scalar("select count(*) from public.moves");
                count.fetch_one(&mut own.superuser().await).await.expect("a count")
            };
            let enough = count().await + 2;
            until("it moves", async || {
                let is_done = is_current(&quiet, tenants[0]).await;
                is_done || count().await >= enough
            })
            .await;
            if round % 2 == 0 { proxy.reset() } else { proxy.cut() }
        }
        quiet.close().await;
        proxy.set(NetworkMode::Normal);
        assert_all_consistent(&own, &tenants).await;
        one.stop().await;
    });
}
