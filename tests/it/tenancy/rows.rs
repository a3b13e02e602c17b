//! Row security under the application's role, for queries without a tenant condition.

use std::time::Duration;

use ledger_core::ids::{KeyId, TenantId};
use ledger_core::provider::Provider;
use ledger_store::TenantTx;
use ledger_store::command_answers::RepeatableRequest;
use ledger_store::source::RouteKind;
use ledger_store::tenants::{Limit, PlanLimits};
use ledger_tests::{OwnDatabase, TestLedger, TestTenant, messages, run};
use serde_json::json;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, PgPool};
use uuid::Uuid;

/// Claims an Idempotency-Key of a tenant.
async fn claim_command(ledger: &TestLedger, tenant: &TestTenant) {
    let request = RepeatableRequest {
        tenant_id: tenant.tenant_id,
        key_id: KeyId(tenant.tenant_id.0),
        idempotency_key: b"town",
        content: b"",
    };
    let lease = Duration::from_mins(1);
    ledger.store.claim_command(&request, &[7; 32], lease).await.expect("a claim");
}

/// Two tenants with rows in every table, in a separate database.
struct TwoTenants {
    own: OwnDatabase,
    ledger: TestLedger,
    one: TestTenant,
    two: TestTenant,
}

impl TwoTenants {
    async fn build() -> Self {
        let own = OwnDatabase::create().await;
        let ledger = own.server().await;
        let (one, two) = (ledger.tenant().await, ledger.tenant().await);
        let shared = ledger.source(TenantId::INSTALLATION, "shared-secret", false).await;
        for (tenant, assistant) in [(&one, "assistant-1"), (&two, "assistant-2")] {
            ledger
                .store
                .add_route(tenant.tenant_id, shared, RouteKind::AssistantId, assistant)
                .await
                .expect("a route");
            let limits = PlanLimits { calls: Limit::new(1000), ..PlanLimits::default() };
            ledger.store.set_plan_limits(tenant.tenant_id, limits).await.expect("a plan");
            claim_command(&ledger, tenant).await;
            // First a call without a person, then with one: this creates a link.
            tenant.post_ok(messages::status("town", "in-progress").to_string()).await;
            let report = messages::from(
                messages::report("town"),
                &json!({ "number": "+15550100141", "name": "Town Person" }),
            );
            tenant.post_ok(report.to_string()).await;
            let tool = json!({ "name": "findTown", "arguments": {} });
            let tool = json!([{ "id": "tool-1", "type": "function", "function": tool }]);
            let tools = messages::message("town", "tool-calls", &json!({ "toolCallList": tool }));
            tenant.post_ok(tools.to_string()).await;
            tenant.post_ok(messages::status("live", "in-progress").to_string()).await;
            book(&ledger, tenant).await;
            tenant.settle().await;
            insert_exceptional_rows(&mut own.superuser().await, tenant.tenant_id).await;
        }
        let backup = "insert into ledger.backups values ($1, 'town', now(), now(), true, '{}', now(), 1, 1, 1, 1)";
        let done = sqlx::query(backup).bind(TenantId::INSTALLATION.0);
        done.execute(&mut own.superuser().await).await.expect("a row");
        let mut lost = one.through(&ledger);
        (lost.source_id, lost.secret) = (shared, "shared-secret".into());
        let (status, _) = lost.post(messages::report("nobody's").to_string()).await;
        assert_eq!(status, 202);
        // Reading the counts first flushes the pending ones.
        let admin = ledger.key(one.tenant_id, &["admin"]).await;
        assert_eq!(one.get_with(&admin, "/v1/sources").await.0, 200);
        assert_eq!(Provider::ALL.len(), 3, "a new provider may bring new tables: fill them here");
        Self { own, ledger, one, two }
    }
}

/// Books an appointment.
async fn book(ledger: &TestLedger, tenant: &TestTenant) {
    let key = ledger.key(tenant.tenant_id, &["write"]).await;
    let start = ledger.store.clock().now_micros().date_naive() + chrono::TimeDelta::days(30);
    let contact = json!({ "name": "Town Person", "phone": "+15550100141" });
    let body = json!({ "contact": contact, "starts_at": format!("{start}T09:00:00Z") });
    let request = reqwest::Client::new().post(tenant.url("/v1/appointments"));
    let answer = request.bearer_auth(&key).body(body.to_string()).send().await.expect("an answer");
    assert_eq!(answer.status(), 201);
    let body = json!({ "kind": "review", "due_at": format!("{start}T09:00:00Z") });
    let request = reqwest::Client::new().post(tenant.url("/v1/tasks"));
    let answer = request.bearer_auth(key).body(body.to_string()).send().await.expect("an answer");
    assert_eq!(answer.status(), 201);
}

/// Inserts rows that exist only in exceptional states.
async fn insert_exceptional_rows(superuser: &mut PgConnection, tenant_id: TenantId) {
    for statement in [
        "insert into projection.parked (tenant_id, parked_id, projection, version, key, position,
                                        event_type, reason)
         values ($1, gen_random_uuid(), 'town', 1, gen_random_uuid(), 1, 'call.ended', 'a test')",
        "insert into projection.dropped values ($1, 'town', 1, 'a test', now())",
        "insert into projection.versions (tenant_id, projection, version, shape)
         values ($1, 'town', 1, 1)",
        // Marks exist for few positions only.
        "insert into projection.marks (tenant_id, updated_at, position) values ($1, now(), 1000000)",
        // Rows of calls that a carrier reports as well.
        "insert into calls_v2.call_carriers values ($1, gen_random_uuid(), gen_random_uuid())",
        "insert into calls_v2.call_handles values ($1, gen_random_uuid(), gen_random_uuid(), now())",
        "insert into calls_v2.call_appointments
         values ($1, gen_random_uuid(), gen_random_uuid(), 'pending', now(), null, null, null, 1, 1)",
        "insert into calls_v2.call_tags values ($1, 'town', gen_random_uuid(), now())",
        "insert into calls_v2.carrier_calls
         select * from calls_v2.calls where tenant_id = $1 limit 1",
        // The product creates no links any more and keeps the old ones.
        "insert into vault.links values ($1, gen_random_uuid(), gen_random_uuid(), now())",
        "insert into vault.fences values ($1, gen_random_uuid(), gen_random_uuid(), 1, now())",
        "insert into vault.restrictions values ($1, gen_random_uuid(), now())",
        "insert into vault.applied_entries (tenant_id, erasure_id, entry, digest, applied_at)
         select $1, gen_random_uuid(), count(*) + 1, sha256('town'), now() from vault.applied_entries",
        "insert into ledger.certificates
         values ($1, gen_random_uuid(), 'live', 'town', sha256('town'), now())",
        "insert into erasures_v1.erasures (tenant_id, erasure_id, stream_id, subject_id, state, ground,
                requester, identity, received_at, requested_at, due_at, is_extended, steps,
                requested_position, position)
         values ($1, gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 'requested', '17.1.a',
                 'person', 'account', now(), now(), now(), false, '{}', 1, 1)",
        "insert into ledger.access_exports
         values ($1, gen_random_uuid(), gen_random_uuid(), now(), now(), null, now(), null)",
    ] {
        let done = sqlx::query(statement).bind(tenant_id.0).execute(&mut *superuser);
        done.await.expect("a row");
    }
}

/// Returns every table and view of this product with a tenant column.
async fn relations(conn: &mut PgConnection) -> Vec<String> {
    sqlx::query_scalar(
        "select format('%I.%I', n.nspname, c.relname)
           from pg_class c
           join pg_namespace n on n.oid = c.relnamespace
          where c.relkind in ('r', 'p', 'v', 'm')
            and n.nspname not in ('pg_catalog', 'information_schema', 'public')
            and exists (select from pg_attribute a
                         where a.attrelid = c.oid and a.attname = 'tenant_id')
          order by 1",
    )
    .fetch_all(conn)
    .await
    .expect("the catalogue")
}

async fn as_role(database: &PgConnectOptions, role: &str) -> PgConnection {
    let mut conn = PgConnection::connect_with(database).await.expect("the cluster answers");
    conn.execute(AssertSqlSafe(format!("set role {role}"))).await.expect("a role");
    conn
}

async fn enter(conn: &mut PgConnection, tenant: &str) {
    sqlx::query("select set_config('ledger.tenant_id', $1, false)")
        .bind(tenant)
        .execute(conn)
        .await
        .expect("a setting");
}

/// Counts all visible rows, and those of tenants other than `tenant`; without a tenant condition.
async fn rows(conn: &mut PgConnection, relation: &str, tenant: Uuid) -> sqlx::Result<(i64, i64)> {
    let all = format!("select count(*), count(*) filter (where tenant_id <> $1) from {relation}");
    sqlx::query_as(AssertSqlSafe(all)).bind(tenant).fetch_one(conn).await
}

fn sqlstate(error: &sqlx::Error) -> String {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.unwrap_or_else(|| panic!("{error}")).into_owned()
}

async fn refused(conn: &mut PgConnection, statement: &str) -> String {
    let done = conn.execute(AssertSqlSafe(statement.to_owned())).await;
    sqlstate(&done.expect_err(statement))
}

#[test]
fn a_query_without_a_tenant_condition_returns_only_the_current_tenant() {
    run(async {
        let town = TwoTenants::build().await;
        let mut superuser = town.own.superuser().await;
        let mut app = as_role(&town.own.database, "ledger_app").await;
        let relations = relations(&mut superuser).await;
        assert!(relations.len() >= 14, "{relations:?}");
        for relation in &relations {
            for (ours, theirs) in [(&town.one, &town.two), (&town.two, &town.one)] {
                let (ours, theirs) = (ours.tenant_id.0, theirs.tenant_id.0);
                let of_nobody = ["ledger.quarantine", "ledger.count_batches", "ledger.backups"];
                let is_nobodys = of_nobody.contains(&relation.as_str());
                let ours = if is_nobodys { Uuid::nil() } else { ours };
                let (total, not_ours) = rows(&mut superuser, relation, ours).await.expect("rows");
                assert!(total > not_ours, "{relation}: nothing to see makes no test");
                enter(&mut app, &ours.to_string()).await;
                let seen = rows(&mut app, relation, ours).await.expect("its own rows");
                assert_eq!(seen, (total - not_ours, 0), "{relation}");
                enter(&mut app, &theirs.to_string()).await;
                let (_, foreign) = rows(&mut app, relation, theirs).await.expect("its own rows");
                assert_eq!(foreign, 0, "{relation}");
            }
        }
        town.ledger.stop().await;
    });
}

#[test]
fn without_a_tenant_no_row_is_visible() {
    run(async {
        let town = TwoTenants::build().await;
        let mut superuser = town.own.superuser().await;
        let relations = relations(&mut superuser).await;
        let nobody = "00000000-0000-4000-8000-000000000001";
        let mut app = as_role(&town.own.database, "ledger_app").await;
        for relation in &relations {
            assert_eq!(rows(&mut app, relation, Uuid::nil()).await.expect("unset"), (0, 0));
        }
        for setting in ["", nobody] {
            enter(&mut app, setting).await;
            for relation in &relations {
                assert_eq!(rows(&mut app, relation, Uuid::nil()).await.expect("no rows"), (0, 0));
            }
        }
        let one = town.one.tenant_id.to_string();
        for garbage in ["garbage", "' or true --", " ", "%", "{}", &one[..35], &format!("{one},")] {
            enter(&mut app, garbage).await;
            for relation in &relations {
                let error = rows(&mut app, relation, Uuid::nil()).await.expect_err("no tenant");
                assert_eq!(sqlstate(&error), "22P02", "{relation} with {garbage:?}");
            }
        }
        town.ledger.stop().await;
    });
}

async fn one_connection(database: &PgConnectOptions) -> PgPool {
    PgPoolOptions::new()
        .max_connections(1)
        .after_connect(|conn, _| {
            Box::pin(async move { conn.execute("set role ledger_app").await.map(|_| ()) })
        })
        .connect_with(database.clone())
        .await
        .expect("a connection")
}

/// Returns the backend's process id, its tenant setting, and the number of visible events.
async fn connection_state(pool: &PgPool) -> (i32, String, i64) {
    sqlx::query_as(
        "select pg_backend_pid(), coalesce(current_setting('ledger.tenant_id', true), ''),
                (select count(*) from ledger.events)",
    )
    .fetch_one(pool)
    .await
    .expect("an answer")
}

#[test]
fn a_connection_returns_to_its_pool_without_a_tenant() {
    run(async {
        let ledger = TestLedger::shared().await;
        let tenant = ledger.tenant().await;
        let pool = one_connection(&ledger_tests::cluster::shared().await.database).await;
        let (backend, ..) = connection_state(&pool).await;

        let mut tx = TenantTx::begin(&pool, tenant.tenant_id).await.expect("a transaction");
        let seen: i64 = sqlx::query_scalar("select count(*) from ledger.events")
            .fetch_one(tx.conn())
            .await
            .expect("a count");
        assert!(seen > 0);
        tx.commit().await.expect("it commits");
        assert_eq!(connection_state(&pool).await, (backend, String::new(), 0), "after a commit");

        drop(TenantTx::begin(&pool, tenant.tenant_id).await.expect("a transaction"));
        assert_eq!(connection_state(&pool).await, (backend, String::new(), 0), "after a rollback");

        let mut tx = TenantTx::begin(&pool, tenant.tenant_id).await.expect("a transaction");
        tx.conn().execute("select 1 / 0").await.expect_err("it aborts");
        drop(tx);
        assert_eq!(connection_state(&pool).await, (backend, String::new(), 0), "after an abort");

        let mut tx = TenantTx::begin(&pool, tenant.tenant_id).await.expect("a transaction");
        tx.conn().execute("select 1 / 0").await.expect_err("it aborts");
        tx.commit().await.ok();
        assert_eq!(
            connection_state(&pool).await,
            (backend, String::new(), 0),
            "commit of an abort"
        );
        pool.close().await;
    });
}

#[test]
fn the_projector_role_can_read_no_key_and_no_secret() {
    run(async {
        let own = OwnDatabase::create().await;
        let mut superuser = own.superuser().await;
        let mut projector = as_role(&own.database, "ledger_projector").await;
        let its_own = [
            "appointments_v",
            "calls_v",
            "contacts_v",
            "due_v",
            "erasures_v",
            "usage_v",
            "projection.",
            "read.",
        ];
        for relation in relations(&mut superuser).await {
            let may = its_own.iter().any(|own| relation.starts_with(own))
                || ["ledger.events", "ledger.tenants"].contains(&relation.as_str());
            let seen = rows(&mut projector, &relation, Uuid::nil()).await;
            match seen {
                Ok(_) => assert!(may, "{relation}"),
                Err(error) => assert!(!may && sqlstate(&error) == "42501", "{relation}: {error}"),
            }
        }
        for call in [
            "ledger.find_source(null)",
            "ledger.find_routes(null, null, null, null)",
            "ledger.find_routes_at(null, null, null, null, null)",
        ] {
            assert_eq!(refused(&mut projector, &format!("select * from {call}")).await, "42501");
        }
    });
}

#[test]
fn the_application_role_writes_through_functions_only_and_inserts_into_the_vault() {
    run(async {
        let town = TwoTenants::build().await;
        let (one, two) = (town.one.tenant_id, town.two.tenant_id);
        for role in ["ledger_app", "ledger_projector"] {
            let mut conn = as_role(&town.own.database, role).await;
            enter(&mut conn, &one.to_string()).await;
            for statement in [
                "insert into ledger.events select * from ledger.events",
                "insert into ledger.events default values",
                "insert into ledger.tenants select * from ledger.tenants",
                "update ledger.tenants set state = 'closed'",
                "update ledger.api_keys set scopes = '{admin}'",
                "insert into ledger.api_keys default values",
                "update ledger.sources set secret_sealed = ''",
                "update vault.subject_keys set state = 'active'",
                "delete from vault.subject_keys",
                "update vault.handles set handle_id = gen_random_uuid()",
                "update vault.contacts set possible_duplicate_of = gen_random_uuid()",
                "delete from vault.contact_handles",
                "update vault.links set created_at = now()",
                "update vault.contact_names set token = token",
                "update vault.fences set destroyed_at = null",
                "delete from vault.fences",
                "delete from ledger.access_exports",
                "delete from ledger.quarantine",
                "update ledger.source_counts set count = 0",
                "insert into ledger.source_counts select * from ledger.source_counts",
                "delete from ledger.count_batches",
                "alter table ledger.events disable trigger immutable",
                "alter table ledger.events disable row level security",
                "drop table ledger.events",
                "create table ledger.mine ()",
                "truncate vault.subject_keys",
                "set session_replication_role = replica",
            ] {
                assert_eq!(refused(&mut conn, statement).await, "42501", "{role}: {statement}");
            }
        }
        let mut app = as_role(&town.own.database, "ledger_app").await;
        enter(&mut app, &one.to_string()).await;
        for table in ["projection.checkpoints", "calls_v2.calls"] {
            assert_eq!(refused(&mut app, &format!("delete from {table}")).await, "42501");
        }
        // A permitted insert is restricted to the own tenant.
        let foreign = format!(
            "insert into vault.contacts values ('{two}', gen_random_uuid(), null, null, now())"
        );
        assert_eq!(refused(&mut app, &foreign).await, "42501");
        town.ledger.stop().await;
    });
}
