//! Databases that are older than the journal.

use ledger_store::reconcile::Reconciled;
use ledger_tests::run;
use sqlx::Connection;

use super::*;

const STEPS: [&str; 6] = [
    "subject.erasure_requested",
    "subject.erasure_allowed",
    "subject.erasure_planned",
    "subject.fenced",
    "subject.erasure_journaled",
    "subject.keys_destroyed",
];

#[test]
fn a_restored_database_is_refused_until_it_is_reconciled() {
    run(async {
        let (world, server) = World::create().await;
        server.stop().await;
        let older = world.copy().await;
        let server = world.own.server().await;
        world.erase(&server, ERASURE).await;
        assert_serves(&server, &world.tenant).await;
        server.stop().await;

        let (one, two) = (older.server().await, older.server().await);
        for server in [&one, &two] {
            assert_refused(server, &world.tenant, "call-ledger restore reconcile").await;
        }
        let refused = one.store.vault().gate().pass().await.expect_err("it is refused");
        assert!(refused.to_string().contains("call-ledger restore reconcile"), "{refused}");
        assert_eq!(states(&older, world.erased).await, ["active"], "nothing is done unasked");

        let done = one.store.reconcile().await.expect("reconciled");
        let expected =
            Reconciled { entries: 1, keys_destroyed: 1, erasures_recorded: 1, ..<_>::default() };
        assert_eq!(done, expected);
        for server in [&one, &two] {
            assert_serves(server, &world.tenant).await;
        }
        assert_eq!(states(&older, world.erased).await, ["destroyed"]);
        assert_eq!(states(&older, world.other).await, ["active"]);
        assert_eq!(told(&older, &world.tenant, world.erased).await, STEPS);
        let names = "select count(*) from vault.contact_names where contact_id = $1";
        let mut conn = older.superuser().await;
        let names = sqlx::query_scalar::<_, i64>(names).bind(world.erased.0).fetch_one(&mut conn);
        assert_eq!(names.await.expect("a count"), 0);

        let again = two.store.reconcile().await.expect("reconciled");
        assert_eq!(again, Reconciled { erasures_recorded: 0, ..expected });
        assert_eq!(told(&older, &world.tenant, world.erased).await, STEPS);
        one.stop().await;
        two.stop().await;
    });
}

#[test]
fn a_key_that_this_database_never_had_does_not_return() {
    run(async {
        let own = OwnDatabase::create().await;
        let server = own.server().await;
        let tenant = server.tenant().await;
        server.stop().await;
        // Before the person.
        let mut world =
            World { own, tenant, erased: SubjectId(Uuid::nil()), other: SubjectId(Uuid::nil()) };
        let older = world.copy().await;
        let server = world.own.server().await;
        let tenant = world.tenant.through(&server);
        let mut conn = world.own.superuser().await;
        world.erased = call_of(&mut conn, &tenant, "first", "+15550100155", "Erased Person").await;
        let row: (i32, Vec<u8>, Vec<u8>) = sqlx::query_as(
            "select epoch, wrapped, fingerprint from vault.subject_keys where subject_id = $1",
        )
        .bind(world.erased.0)
        .fetch_one(&mut conn)
        .await
        .expect("the key");
        world.erase(&server, ERASURE).await;
        server.stop().await;

        let server = older.server().await;
        let done = server.store.reconcile().await.expect("reconciled");
        assert_eq!((done.keys_destroyed, done.erasures_recorded), (0, 1));
        let returned = sqlx::query(
            "insert into vault.subject_keys
               (tenant_id, subject_id, generation, state, epoch, wrapped, fingerprint, created_at)
             values ($1, $2, 1, 'active', $3, $4, $5, now())",
        )
        .bind(world.tenant.tenant_id.0)
        .bind(world.erased.0)
        .bind(row.0)
        .bind(row.1)
        .bind(row.2)
        .execute(&mut older.superuser().await)
        .await
        .expect_err("it is refused");
        let code = returned.as_database_error().and_then(sqlx::error::DatabaseError::code);
        assert_eq!(code.as_deref(), Some("LG005"), "{returned}");
        server.stop().await;
    });
}

#[test]
fn an_erasure_that_was_journaled_and_not_destroyed_is_completed_at_the_next_start() {
    run(async {
        let (world, server) = World::create().await;
        world.journal(&server, ERASURE).await;
        assert_eq!(states(&world.own, world.erased).await, ["fenced"]);
        server.stop().await;
        let server = world.own.server().await;
        assert_eq!(states(&world.own, world.erased).await, ["destroyed"]);
        assert_serves(&server, &world.tenant).await;
        server.stop().await;
    });
}

#[test]
fn a_database_that_is_exchanged_under_a_server_is_refused() {
    run(async {
        let (world, server) = World::create().await;
        server.stop().await;
        let older = world.copy().await;
        let server = world.own.server().await;
        world.erase(&server, ERASURE).await;
        assert_serves(&server, &world.tenant).await;
        let name = |own: &OwnDatabase| own.database.get_database().expect("a name").to_owned();
        let (newer, older) = (name(&world.own), name(&older));
        let mut conn = cluster::superuser().await;
        for statement in [
            format!("alter database {newer} allow_connections false"),
            format!(
                "select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = '{newer}'"
            ),
            format!("alter database {newer} rename to {newer}_newer"),
            format!("alter database {older} rename to {newer}"),
        ] {
            sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut conn).await.expect("exchanged");
        }
        let exchanged = Instant::now();
        loop {
            let (_, ready) = readiness(&server).await;
            if ready["journal"] != "ok" && ready["database"] == "ok" {
                break;
            }
            assert!(exchanged.elapsed() < Duration::from_secs(10), "{ready}");
            sleep(Duration::from_millis(100)).await;
        }
        assert_refused(&server, &world.tenant, "call-ledger restore reconcile").await;
        server.store.reconcile().await.expect("reconciled");
        assert_serves(&server, &world.tenant).await;
        server.stop().await;
        conn.close().await.expect("closed");
    });
}

#[test]
fn a_vault_that_is_newer_than_its_log_is_refused_until_the_log_tells_the_erasure() {
    run(async {
        let (world, server) = World::create().await;
        server.stop().await;
        let older = world.copy().await;
        let server = world.own.server().await;
        let entry = world.erase(&server, ERASURE).await;
        server.stop().await;
        // The tables of the newest vault in an older database.
        let stream_id = world.tenant.tenant_id.subject_stream(world.erased);
        let mut conn = older.superuser().await;
        sqlx::query(
            "with applied as (
               insert into vault.applied_entries values ($1, $2, $3, $4, $5, now())
             ), fence as (
               insert into vault.fences values ($1, $6, $2, 1, now(), now())
             )
             update vault.subject_keys set state = 'destroyed', wrapped = null where subject_id = $6",
        )
        .bind(world.tenant.tenant_id.0)
        .bind(ERASURE.0)
        .bind(1_i64)
        .bind(entry.digest.0)
        .bind(stream_id.0)
        .bind(world.erased.0)
        .execute(&mut conn)
        .await
        .expect("the newest vault");
        let server = older.server().await;
        assert_refused(&server, &world.tenant, "call-ledger restore reconcile").await;
        let done = server.store.reconcile().await.expect("reconciled");
        assert_eq!((done.keys_destroyed, done.erasures_recorded), (1, 1));
        assert_serves(&server, &world.tenant).await;
        assert_eq!(told(&older, &world.tenant, world.erased).await, STEPS);
        server.stop().await;
    });
}

#[test]
fn entries_of_tenants_that_the_database_does_not_have_are_reported_and_passed() {
    run(async {
        let (world, server) = World::create().await;
        server.stop().await;
        let older = world.copy().await;
        let server = world.own.server().await;
        let later = server.tenant().await;
        let mut conn = world.own.superuser().await;
        let person = call_of(&mut conn, &later, "first", "+15550100157", "Later Person").await;
        let vault = server.store.vault();
        vault.place_fence(later.tenant_id, ERASURE, &[person]).await.expect("it is fenced");
        let entry = journaled(&server.store, &mut conn, later.tenant_id, ERASURE, &[person]).await;
        vault.destroy_keys(&entry).await.expect("destroyed");
        world.erase(&server, NEXT).await;
        server.stop().await;

        let server = older.server().await;
        assert_refused(&server, &world.tenant, "call-ledger restore reconcile").await;
        let done = server.store.reconcile().await.expect("reconciled");
        let expected = Reconciled {
            entries: 2,
            keys_destroyed: 1,
            erasures_recorded: 1,
            unknown_tenants: vec![1],
            ..<_>::default()
        };
        assert_eq!(done, expected);
        assert_serves(&server, &world.tenant).await;
        server.stop().await;
    });
}
