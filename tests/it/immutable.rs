//! The log is append-only, and `verify` detects changes made directly in the database.

use ledger_store::TenantTx;
use ledger_store::read::{PageSize, full_after};
use ledger_tests::{OwnDatabase, cluster, messages, run};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

use ledger_core::ids::Position;

/// Every statement that would change the log, also those that match no row.
const CHANGES: &[&str] = &[
    "update ledger.events set facts = '{}'",
    "update ledger.events set position = position where false",
    "update ledger.events set meta = meta where tenant_id = gen_random_uuid()",
    "update only ledger.events set leaf_hash = leaf_hash",
    "delete from ledger.events",
    "delete from ledger.events where false",
    "truncate ledger.events",
    "truncate ledger.events, ledger.tenants cascade",
    "with gone as (delete from ledger.events returning 1) select count(*) from gone",
    "insert into ledger.events select * from ledger.events on conflict (tenant_id, position)
       do update set facts = excluded.facts",
    "merge into ledger.events e using (select 1) s on false when matched then delete",
];

fn sqlstate(error: &sqlx::Error) -> String {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.unwrap_or_else(|| panic!("{error}")).into_owned()
}

#[test]
fn no_role_can_change_the_log() {
    run(async {
        // The statement itself is refused, so it needs no rows. A separate database, because the
        // lock of a truncate would block appends of other tests.
        let own = OwnDatabase::create().await;
        let mut conn =
            PgConnection::connect_with(&own.database).await.expect("the cluster answers");
        for role in ["ledger_app", "ledger_projector", "ledger_owner", "none"] {
            for replica in [false, true] {
                for change in CHANGES {
                    let refused = attempt(&mut conn, role, replica, change).await;
                    let expected = match role {
                        "ledger_owner" | "none" => "LG001",
                        _ => "42501",
                    };
                    assert_eq!(refused, expected, "{role}, replica {replica}: {change}");
                }
            }
        }
    });
}

/// Runs a statement in a new transaction; returns how it was refused.
async fn attempt(conn: &mut PgConnection, role: &str, replica: bool, change: &str) -> String {
    let mut tx = conn.begin().await.expect("a transaction");
    if replica {
        tx.execute("set local session_replication_role = replica").await.expect("a setting");
    }
    tx.execute(AssertSqlSafe(format!("set local role {role}"))).await.expect("a role");
    let done = tx.execute(AssertSqlSafe(change.to_owned())).await;
    let refused = done.expect_err(change);
    tx.rollback().await.expect("a rollback");
    sqlstate(&refused)
}

#[test]
fn only_the_append_function_inserts() {
    run(async {
        let mut conn = cluster::superuser().await;
        let copy = "insert into ledger.events select * from ledger.events";
        for role in ["ledger_app", "ledger_projector"] {
            assert_eq!(attempt(&mut conn, role, false, copy).await, "42501");
        }
        let callers: Vec<String> = sqlx::query_scalar(
            "select r.rolname::text
               from pg_roles r
               join pg_proc p on p.oid::regproc = 'ledger.append'::regproc
              where has_function_privilege(r.oid, p.oid, 'execute')
                and r.rolname like 'ledger\\_%'
              order by 1",
        )
        .fetch_all(&mut conn)
        .await
        .expect("the catalogue");
        assert_eq!(callers, ["ledger_app", "ledger_owner"]);
    });
}

#[test]
fn an_event_altered_without_the_trigger_does_not_match_its_leaf_hash() {
    run(async {
        let own = OwnDatabase::create().await;
        let ledger = own.server().await;
        let tenant = ledger.tenant().await;
        for nth in 0..3 {
            let who = serde_json::json!({ "number": "+15550100142" });
            let body = messages::from(messages::report(&format!("tampered-{nth}")), &who);
            tenant.post_ok(body.to_string()).await;
        }
        let sound = unsound(&tenant).await;
        assert_eq!(sound, Vec::<i64>::new());

        let bad = 6;
        for change in [
            "facts = '{\"provider\":\"vapi\",\"report\":true}'",
            "facts = (facts::text || ' ')::json",
            "meta = '{}'",
            "sections = sections || '\\x00'",
            "sections = null",
            "bulk = set_byte(bulk, 100, get_byte(bulk, 100) # 1)",
            "subjects = array[gen_random_uuid()]",
            "subjects = null",
            "occurred_at = occurred_at + interval '1 microsecond'",
            "recorded_at = recorded_at - interval '1 microsecond'",
            "event_type = 'call.started'",
            "schema_version = 2",
            "stream_kind = 'chat'",
            "stream_id = gen_random_uuid()",
            "event_id = gen_random_uuid()",
            "leaf_hash = sha256('other')",
            "section_digests = null",
            "section_digests = ''",
            "section_digests = set_byte(section_digests, 0, 2)",
            "section_digests = section_digests || section_digests",
        ] {
            let mut superuser = own.superuser().await;
            let keep = "create temporary table kept as select * from ledger.events";
            superuser.execute(keep).await.expect("a copy");
            alter(
                &mut superuser,
                &format!("update ledger.events set {change} where position = {bad}"),
            )
            .await;
            assert_eq!(unsound(&tenant).await, [bad], "{change}");
            alter(&mut superuser, "delete from ledger.events").await;
            let restore = "insert into ledger.events select * from kept";
            superuser.execute(restore).await.expect("as it was");
            assert_eq!(unsound(&tenant).await, Vec::<i64>::new());
        }
        ledger.stop().await;
    });
}

/// Changes the log in the way only a superuser can.
async fn alter(superuser: &mut PgConnection, statement: &str) {
    let script = format!(
        "begin; alter table ledger.events disable trigger immutable; {statement};
         alter table ledger.events enable always trigger immutable; commit"
    );
    sqlx::raw_sql(AssertSqlSafe(script)).execute(superuser).await.expect(statement);
}

/// Returns the positions of events whose leaf hash does not match their bytes.
async fn unsound(tenant: &ledger_tests::TestTenant) -> Vec<i64> {
    let mut tx = TenantTx::begin(tenant.store.app(), tenant.tenant_id).await.expect("a tenant");
    let size = PageSize { rows: 1_000, bytes: usize::MAX };
    let rows = full_after(&mut tx, Position(0), size).await.expect("a log");
    assert!(rows.len() >= 7, "{}", rows.len());
    let unsound = |row: &&ledger_store::read::FullEvent| !row.is_intact(tenant.tenant_id);
    rows.iter().filter(unsound).map(|row| row.event.position).collect()
}
