//! The wait until every process knows a fence: its end, and what ends it early or late.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use ledger_core::ids::{ErasureId, SubjectId};
use ledger_store::vault::FENCE_EFFECT;
use ledger_tests::{OwnDatabase, TestLedger, TestTenant, run};
use sqlx::PgConnection;
use tokio::time::sleep;
use uuid::Uuid;

use super::assert_erased;
use super::fences::{record_calls, warm};

const ERASURE: ErasureId = ErasureId(Uuid::from_u128(1));
/// Longest use of a key that was read.
const MAX_USE: Duration = Duration::from_secs(1);
/// Time for which a test machine may be slow.
const SLOW: Duration = Duration::from_secs(2);

/// Fences a subject and waits; returns the duration of the wait.
async fn fence(ledger: &TestLedger, tenant: &TestTenant, subject_id: SubjectId) -> Duration {
    let vault = ledger.store.vault();
    let placed = vault.place_fence(tenant.tenant_id, ERASURE, &[subject_id]).await;
    placed.expect("it is fenced");
    let begun = Instant::now();
    vault.wait_until_fenced(ledger.store.clock().now()).await.expect("the database answers");
    begun.elapsed()
}

async fn execute(conn: &mut PgConnection, statement: &'static str) {
    sqlx::raw_sql(statement).execute(conn).await.expect(statement);
}

async fn processes(conn: &mut PgConnection) -> Vec<(Uuid, Option<DateTime<Utc>>)> {
    sqlx::query_as("select process_id, applied_at from vault.processes order by seen_at")
        .fetch_all(conn)
        .await
        .expect("the processes")
}

#[test]
fn a_wait_ends_about_a_second_after_every_process_has_looked() {
    run(async {
        let own = OwnDatabase::create().await;
        let mut conn = own.superuser().await;
        let (one, two) = (own.server().await, own.server().await);
        let here = one.tenant().await;
        let there = here.through(&two);
        let subject_id = record_calls(&mut conn, &here).await;
        warm(&here).await;
        warm(&there).await;
        assert_eq!(processes(&mut conn).await.len(), 2);

        let waited = fence(&one, &here, subject_id).await;
        assert!(waited >= MAX_USE, "{waited:?}");
        assert!(waited < MAX_USE + SLOW, "{waited:?}");
        assert_erased(&there).await;
        assert_erased(&here).await;

        // A change of long ago needs no wait.
        let begun = Instant::now();
        let long_ago = one.store.clock().now() - chrono::TimeDelta::hours(1);
        one.store.vault().wait_until_fenced(long_ago).await.expect("the database answers");
        assert!(begun.elapsed() < MAX_USE, "{:?}", begun.elapsed());
        one.stop().await;
        two.stop().await;
    });
}

#[test]
fn a_stopped_process_lets_the_wait_take_five_seconds() {
    run(async {
        let own = OwnDatabase::create().await;
        let mut conn = own.superuser().await;
        let one = own.server().await;
        let here = one.tenant().await;
        let subject_id = record_calls(&mut conn, &here).await;
        warm(&here).await;
        execute(
            &mut conn,
            "insert into vault.processes values
               (gen_random_uuid(), clock_timestamp(), clock_timestamp() - interval '1 second'),
               (gen_random_uuid(), clock_timestamp() - interval '7 seconds', null),
               (gen_random_uuid(), clock_timestamp() - interval '2 hours', null)",
        )
        .await;
        let waited = fence(&one, &here, subject_id).await;
        assert!(waited >= FENCE_EFFECT, "{waited:?}");
        assert!(waited < FENCE_EFFECT + SLOW, "{waited:?}");

        // A new process removes rows of processes that ended long ago.
        let two = own.server().await;
        for _ in 0..3 {
            assert_erased(&here.through(&two)).await;
            sleep(MAX_USE / 2).await;
        }
        let old = "select count(*) from vault.processes where seen_at < now() - interval '1 hour'";
        let old: i64 = sqlx::query_scalar(old).fetch_one(&mut conn).await.expect("a count");
        assert_eq!((old, processes(&mut conn).await.len()), (0, 4));
        one.stop().await;
        two.stop().await;
    });
}

#[test]
fn a_process_that_cannot_look_uses_no_cached_key_when_the_wait_ends() {
    run(async {
        let own = OwnDatabase::create().await;
        let mut conn = own.superuser().await;
        let (one, two) = (own.server().await, own.server().await);
        let here = one.tenant().await;
        let there = here.through(&two);
        let subject_id = record_calls(&mut conn, &here).await;
        warm(&there).await;
        execute(&mut conn, "revoke execute on function vault.look from ledger_app").await;
        let waited = fence(&one, &here, subject_id).await;
        assert!(waited >= MAX_USE * 2 && waited < FENCE_EFFECT + SLOW, "{waited:?}");
        assert_erased(&there).await;

        execute(&mut conn, "grant execute on function vault.look to ledger_app").await;
        let before = processes(&mut conn).await;
        sleep(MAX_USE * 2).await;
        let applied = |all: &[(Uuid, Option<DateTime<Utc>>)]| all.iter().map(|one| one.1).max();
        assert!(applied(&processes(&mut conn).await) > applied(&before), "it looks again");
        one.stop().await;
        two.stop().await;
    });
}
