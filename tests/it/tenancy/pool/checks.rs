//! Final checks, and proof that they detect a violation.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use ledger_tests::OwnDatabase;
use sqlx::Executor;
use uuid::Uuid;

use super::actions::{READS, check_connection, probe, read};
use super::{CONNECTIONS, LANES, PoolTest};

/// Checks that all connections can be acquired in a clean state, and that no transaction is open.
pub(super) async fn assert_pool_is_complete(pool_test: &PoolTest, timeout: Duration) {
    let pool = pool_test.store.app();
    let mut held = Vec::new();
    let deadline = Instant::now() + timeout;
    while held.len() < CONNECTIONS as usize {
        assert!(Instant::now() < deadline, "{} of {CONNECTIONS} can be had", held.len());
        let mut conn = pool.acquire().await.expect("the pool is whole");
        // The pool lends a just killed connection without a ping; its first statement fails.
        if check_connection(pool_test, &mut conn).await.is_ok() {
            held.push(conn);
        }
    }
    assert_eq!(pool.size(), CONNECTIONS);
    assert!(pool.try_acquire().is_none(), "and no more than whole");
    drop(held);
    while pool.num_idle() < CONNECTIONS as usize {
        assert!(Instant::now() < deadline, "{} of {CONNECTIONS} came back", pool.num_idle());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Checks the checks: an unprotected table and connections returned in a dirty state must be
/// reported. Destroys the database.
pub(super) async fn assert_leaks_are_detected(pool_test: &PoolTest, own: &OwnDatabase) {
    let expect_violation = |what: &str| {
        let violations =
            std::mem::take(&mut *pool_test.violations.lock().expect("no panic while held"));
        assert!(violations.iter().any(|rule| rule.contains(what)), "{what}: {violations:?}");
    };
    let open = "alter table vault.epochs disable row level security";
    own.superuser().await.execute(open).await.expect("an open table");
    read(pool_test, &pool_test.tenants[0], READS[4], false).await.expect("it answers");
    expect_violation("saw a row of");
    let pool = pool_test.store.app();
    for (dirt, what) in [
        ("set ledger.tenant_id = 'somebody'", Some("came back with tenant somebody")),
        ("set role none", Some("came back as")),
        // The pool closes such a connection, and the new one has no tenant.
        ("begin; set ledger.tenant_id = 'somebody'", None),
    ] {
        let mut held = Vec::new();
        for _ in 0..CONNECTIONS {
            let mut conn = pool.acquire().await.expect("a connection");
            conn.execute(dirt).await.expect("it is left dirty");
            held.push(conn);
        }
        drop(held);
        probe(pool_test).await.expect("it answers");
        match what {
            Some(what) => expect_violation(what),
            None => assert!(pool_test.violations.lock().expect("no panic while held").is_empty()),
        }
    }
}

/// Checks that each acknowledged row exists once, under the tenant it was acknowledged to.
pub(super) async fn assert_acknowledged_rows(pool_test: &PoolTest, own: &OwnDatabase) {
    let mut conn = own.superuser().await;
    let (open, backends): (i64, i64) = sqlx::query_as(
        "select count(*) filter (where state <> 'idle'), count(*) from pg_stat_activity
          where datname = current_database() and pid <> pg_backend_pid()
            and backend_type = 'client backend'",
    )
    .fetch_one(&mut conn)
    .await
    .expect("the cluster answers");
    // In addition to the application pool: append workers, projector and its listener, owner.
    let bound = i64::from(CONNECTIONS) + i64::try_from(LANES).expect("a few") + 4 + 1 + 2;
    assert!(backends <= bound, "{backends} connections");
    assert_eq!(open, 0, "a transaction was left open");

    let misplaced: i64 = sqlx::query_scalar(
        "select (select count(*) from vault.contacts where possible_duplicate_of <> tenant_id)
              + (select count(*) from ledger.events
                  where event_type = 'call.ended' and facts ->> 'tenant' <> tenant_id::text)
              + (select count(*) from (select tenant_id from ledger.events group by 1
                                       having max(position) <> count(*)) with_holes)",
    )
    .fetch_one(&mut conn)
    .await
    .expect("the database answers");
    assert_eq!(misplaced, 0);

    let pairs = |rows: Vec<(Uuid, Uuid)>| rows.into_iter().collect::<BTreeSet<_>>();
    let linked =
        sqlx::query_as("select tenant_id, contact_id from vault.contacts").fetch_all(&mut conn);
    let linked = pairs(linked.await.expect("links"));
    for (tenant, to) in &*pool_test.linked.lock().expect("no panic while held") {
        assert!(linked.contains(&(tenant.0, *to)), "a link is lost");
    }
    let subjects = sqlx::query_as("select tenant_id, subject_id from vault.subject_keys");
    let subjects = pairs(subjects.fetch_all(&mut conn).await.expect("subjects"));
    for (subject, tenant) in &*pool_test.subjects.lock().expect("no panic while held") {
        assert!(subjects.contains(&(tenant.0, subject.0)), "a subject is somebody else's");
    }
    let stored: Vec<(Uuid, i64, Uuid)> = sqlx::query_as(
        "select tenant_id, position, event_id from ledger.events where event_type = 'call.ended'",
    )
    .fetch_all(&mut conn)
    .await
    .expect("events");
    let len = stored.len();
    let stored: BTreeSet<_> = stored.into_iter().collect();
    assert_eq!(stored.len(), len);
    let appended = pool_test.appended.lock().expect("no panic while held");
    assert!(!appended.is_empty());
    for (tenant, position, event) in &*appended {
        assert!(
            stored.contains(&(tenant.0, position.0, event.0)),
            "an event is not where it was said to be"
        );
    }
}
