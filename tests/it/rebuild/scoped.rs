//! A rebuild of one tenant replaces its rows in one step and does not touch those of others.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ledger_core::ids::TenantId;
use ledger_store::TenantTx;
use ledger_tests::{OwnDatabase, TestTenant, messages, run};
use projections::Batches;
use projections::versions::{self, VersionError};
use sqlx::PgConnection;

use super::engine::{
    Engine, all_versions, assert_contiguous, assert_rebuilds_to_the_same, begin, begin_to_promote,
    progress_of, tamper, until, watch,
};

/// Returns the rows of a tenant with their physical location: a rewritten row has another one.
async fn row_locations(conn: &mut PgConnection, tenant_id: TenantId) -> Vec<String> {
    let mut all = Vec::new();
    let tables = [
        "calls",
        "call_tools",
        "callers",
        "caller_handles",
        "call_rollups",
        "call_handles",
        "call_appointments",
        "call_tags",
    ];
    for table in tables {
        let rows = format!(
            "select ctid::text || xmin::text || t::text from calls_v2.{table} t
              where tenant_id = $1 order by t::text"
        );
        let rows: Vec<String> = sqlx::query_scalar(sqlx::AssertSqlSafe(rows))
            .bind(tenant_id.0)
            .fetch_all(&mut *conn)
            .await
            .expect("the rows");
        all.extend(rows);
    }
    all
}

async fn post_calls(tenant: &TestTenant, name: &str, calls: usize) {
    for nth in 0..calls {
        let call = format!("{name}-{nth}");
        tenant.post_ok(messages::status(&call, "ringing").to_string()).await;
        tenant.post_ok(messages::report(&call).to_string()).await;
    }
}

/// Makes rows wrong: two calls are missing, and one cost is too high.
const SPOIL: &str = "
    delete from calls_v2.calls where tenant_id = $1 and provider_call_id in ('early-0', 'early-1')";

#[test]
fn a_rebuild_of_one_tenant_under_load_changes_no_other_rows() {
    run(async {
        let own = OwnDatabase::create().await;
        let mut conn = own.superuser().await;
        watch(&mut conn).await;
        let ledger = own.server().await;
        let (spoilt, other) = (ledger.tenant().await, ledger.tenant().await);
        post_calls(&spoilt, "early", 20).await;
        post_calls(&other, "others", 10).await;
        spoilt.settle().await;
        other.settle().await;
        sqlx::query(SPOIL).bind(spoilt.tenant_id.0).execute(&mut conn).await.expect("spoilt");
        let untouched = row_locations(&mut conn, other.tenant_id).await;

        let stop = Arc::new(AtomicBool::new(false));
        let (client, ended) = (spoilt.through(&ledger), Arc::clone(&stop));
        let writes = tokio::spawn(async move {
            let mut nth = 0;
            while !ended.load(Ordering::Relaxed) {
                post_calls(&client, &format!("late-{nth}"), 1).await;
                nth += 1;
            }
            nth
        });
        let (reader, reading) = (spoilt.through(&ledger), Arc::clone(&stop));
        let reads = tokio::spawn(async move {
            let mut last = (0, 0);
            while !reading.load(Ordering::Relaxed) {
                let mut tx =
                    TenantTx::begin(reader.store.app(), reader.tenant_id).await.expect("it");
                let now: (i64, i64) = sqlx::query_as(
                    "select coalesce((select position from read.positions where projection = 'calls'), 0),
                            (select count(*) from read.calls)",
                )
                .fetch_one(tx.conn())
                .await
                .expect("an answer");
                assert!(now >= last && now.1 >= last.1, "{last:?}, then {now:?}");
                last = now;
            }
            last.1
        });
        begin_to_promote(&ledger.store, "calls", Some(spoilt.tenant_id)).await;
        until("its rows are replaced", async || {
            all_versions(&ledger.store, "calls").await.len() == 1
        })
        .await;
        stop.store(true, Ordering::Relaxed);
        let late = writes.await.expect("it wrote");
        assert!(reads.await.expect("it read") > 0);
        spoilt.settle().await;
        assert_eq!(row_locations(&mut conn, other.tenant_id).await, untouched);
        let count = sqlx::query_scalar("select count(*) from calls_v2.calls where tenant_id = $1");
        let calls: i64 = count.bind(spoilt.tenant_id.0).fetch_one(&mut conn).await.expect("it");
        assert_eq!(calls, 20 + late);
        assert_rebuilds_to_the_same(&ledger.store).await;
        assert_contiguous(&mut conn).await;
        ledger.stop().await;
    });
}

#[test]
fn two_servers_that_both_finish_a_tenant_replace_its_rows_once() {
    run(async {
        let own = OwnDatabase::create().await;
        let (here, there) = (own.server().await, own.server().await);
        let tenant = here.tenant().await;
        post_calls(&tenant, "call", 10).await;
        tenant.settle().await;
        for _ in 0..4 {
            begin_to_promote(&here.store, "calls", Some(tenant.tenant_id)).await;
            until("its rows are replaced", async || {
                all_versions(&there.store, "calls").await.len() == 1
            })
            .await;
            // It is applied at once: the finished version holds nothing back.
            tenant.post_ok(messages::status("one more", "ringing").to_string()).await;
            tenant.settle().await;
        }
        assert_rebuilds_to_the_same(&here.store).await;
        here.stop().await;
        there.stop().await;
    });
}

#[test]
fn a_rebuild_of_a_tenant_with_parked_events_replaces_rows_by_explicit_command_only() {
    run(async {
        let own = OwnDatabase::create().await;
        let ledger = own.server().await;
        let tenant = ledger.tenant().await;
        post_calls(&tenant, "call", 3).await;
        tenant.settle().await;
        ledger.stop().await;

        let mut conn = own.superuser().await;
        let malformed = "update ledger.events set facts = '{\"status\":5}'
                          where facts ->> 'provider_call_id' = 'call-1'
                            and event_type = 'call.status_changed'";
        tamper(&mut conn, malformed).await;
        let engine = Engine::start(&own, Batches::default());
        let version = begin(&engine.store, "calls", Some(tenant.tenant_id)).await;
        until("it catches up", async || {
            let one = progress_of(&engine.store, "calls", version).await.expect("the version");
            (one.lag_events, one.parked) == (0, 1)
        })
        .await;
        let owner = engine.store.owner();
        let refused = versions::promote(owner, "calls", false).await;
        assert!(matches!(refused, Err(VersionError::Parked { parked: 1, .. })), "{refused:?}");
        let calls = async || -> i64 {
            let count = sqlx::query_scalar("select count(*) from read.calls");
            count.fetch_one(&mut own.superuser().await).await.expect("a count")
        };
        assert_eq!(calls().await, 3);
        versions::promote(owner, "calls", true).await.expect("somebody insists");
        assert_eq!(calls().await, 2);
        let parked = projections::parked::list(engine.store.projector(), None, 10).await;
        let versions: Vec<_> = parked.expect("a list").iter().map(|one| one.version).collect();
        assert_eq!(versions, [2], "what waits came with the rows");
        engine.stop().await;
    });
}
