//! Outages of the database, the network to it, or the keys: the responses during them, and the
//! recovery of the same process.

use std::path::Path;
use std::time::Duration;

use ledger_core::ids::TenantId;
use ledger_store::placement::Placements;
use ledger_tests::proxy::{NetworkMode, Proxy, Upstream};
use ledger_tests::{OwnDatabase, TestLedger, TestTenant, run};
use server::limits::Limits;
use sqlx::AssertSqlSafe;
use tokio::task::JoinSet;

use super::{assert_recovers, assert_tool_call_fails, get, post_report, refused, until};

/// Starts a server with a proxy between it and its database.
async fn behind_a_proxy(own: &OwnDatabase) -> (Proxy, TestLedger) {
    let socket = own.database.get_socket().expect("a private cluster has a socket");
    let socket = Path::new(socket).join(".s.PGSQL.5432");
    let proxy = Proxy::start(Upstream::Unix(socket)).await.expect("a proxy");
    // Unlike the embedded PostgreSQL, others do not end an idle transaction after a minute.
    let name = own.database.get_database().expect("it is named");
    let never = format!("alter database {name} set idle_in_transaction_session_timeout = 0");
    let mut conn = own.superuser().await;
    sqlx::raw_sql(AssertSqlSafe(never)).execute(&mut conn).await.expect("altered");
    let database = sqlx::postgres::PgConnectOptions::new_without_pgpass()
        .host("127.0.0.1")
        .port(proxy.address().port())
        .username("ledger")
        .database(name)
        .ssl_mode(sqlx::postgres::PgSslMode::Disable);
    // Longer than the timeout of the append worker, and no longer than this test needs.
    let limits = Limits { request_timeout: Duration::from_secs(12), ..Limits::default() };
    let ledger = TestLedger::start_on_with_limits(database, own.keyring(), limits).await;
    (proxy, ledger)
}

/// Nothing can be recorded: every request is refused in time, and readiness fails while liveness
/// holds.
async fn assert_reports_outage(ledger: &TestLedger, tenant: &TestTenant) {
    // More readers than connections: a cancelled reader must not lose its connection.
    let mut readers = JoinSet::new();
    for _ in 0..20 {
        readers.spawn(tenant.request(&tenant.read_key, "/v1/calls").send());
    }
    let (report, (), ready) = tokio::join!(
        post_report(tenant, "during"),
        assert_tool_call_fails(tenant, "tool"),
        get(ledger, "/readyz"),
    );
    assert_eq!(refused(report).await, "unavailable");
    assert_eq!(ready.status(), 503);
    for reader in readers.join_all().await {
        assert_eq!(refused(reader.expect("an answer")).await, "unavailable");
    }
    assert_eq!(get(ledger, "/healthz").await.status(), 200);
}

/// An external commit notification arrives: the listening connection has been restored.
async fn assert_listens(own: &OwnDatabase, ledger: &TestLedger) {
    let mut received =
        ledger.store.notifier(Placements::CURRENT.of(TenantId::INSTALLATION)).subscribe();
    received.mark_unchanged();
    let mut conn = own.superuser().await;
    until(async || {
        let ring = sqlx::query("select pg_notify('call_ledger', '')");
        ring.execute(&mut conn).await.expect("rung");
        tokio::time::timeout(Duration::from_millis(200), received.changed()).await.is_ok()
    })
    .await;
}

#[test]
fn a_silent_network_is_detected_and_the_server_recovers() {
    run(async {
        let own = OwnDatabase::create().await;
        let (proxy, ledger) = behind_a_proxy(&own).await;
        let tenant = ledger.tenant().await;
        assert_recovers(&ledger, &tenant, "before").await;
        proxy.set(NetworkMode::BlackHole);
        let unauthenticated = tenant.webhook_at(tenant.source_id, "wrong", "{}").send();
        let (unauthenticated, ()) =
            tokio::join!(unauthenticated, assert_reports_outage(&ledger, &tenant));
        // Independent of whether the refusal can be recorded.
        assert_eq!(unauthenticated.expect("an answer").status(), 401);
        proxy.set(NetworkMode::Normal);
        assert_recovers(&ledger, &tenant, "during").await;
        assert_listens(&own, &ledger).await;
        ledger.stop().await;
    });
}

#[test]
fn connections_with_lost_responses_do_not_stop_the_server() {
    run(async {
        let own = OwnDatabase::create().await;
        let (proxy, ledger) = behind_a_proxy(&own).await;
        let tenant = ledger.tenant().await;
        assert_recovers(&ledger, &tenant, "before").await;
        // All connections were used just now, so the pool does not ping them before reuse.
        let mut all = Vec::new();
        while all.len() < 16 {
            all.push(ledger.store.app().acquire().await.expect("a connection"));
        }
        for mut conn in all {
            conn.return_to_pool().await;
        }
        proxy.set(NetworkMode::DropResponses);
        assert_reports_outage(&ledger, &tenant).await;
        // Statements in flight are never answered: only new connections help.
        proxy.set(NetworkMode::Normal);
        assert_recovers(&ledger, &tenant, "during").await;
        ledger.stop().await;
    });
}

#[test]
fn a_reset_of_every_connection_loses_no_acknowledged_event() {
    run(async {
        let own = OwnDatabase::create().await;
        let (proxy, ledger) = behind_a_proxy(&own).await;
        let tenant = ledger.tenant().await;
        assert_recovers(&ledger, &tenant, "before").await;
        proxy.reset();
        assert_recovers(&ledger, &tenant, "after").await;
        assert_listens(&own, &ledger).await;
        let calls = tenant.calls().await;
        assert!(calls.iter().any(|call| call["provider_call_id"] == "before"), "{calls:?}");
        ledger.stop().await;
    });
}

/// Allows or forbids connections to the database; existing ones are ended.
async fn take_connections(own: &OwnDatabase, may: bool) {
    let name = own.database.get_database().expect("it is named").to_owned();
    let mut conn = ledger_tests::cluster::superuser().await;
    let allow = format!("alter database {name} with allow_connections {may}");
    sqlx::raw_sql(AssertSqlSafe(allow)).execute(&mut conn).await.expect("altered");
    if !may {
        sqlx::query("select pg_terminate_backend(pid) from pg_stat_activity where datname = $1")
            .bind(name)
            .execute(&mut conn)
            .await
            .expect("ended");
    }
}

#[test]
fn the_server_recovers_from_a_database_that_refuses_connections() {
    run(async {
        let own = OwnDatabase::create().await;
        let ledger = own.server().await;
        let tenant = ledger.tenant().await;
        take_connections(&own, false).await;
        // The source is not cached: a tool call is answered before its proof can be checked.
        assert_reports_outage(&ledger, &tenant).await;
        take_connections(&own, true).await;
        assert_recovers(&ledger, &tenant, "during").await;
        assert_listens(&own, &ledger).await;
        take_connections(&own, false).await;
        assert_reports_outage(&ledger, &tenant).await;
        take_connections(&own, true).await;
        assert_recovers(&ledger, &tenant, "later").await;
        ledger.stop().await;
    });
}

#[test]
fn without_its_keys_a_server_accepts_nothing_and_with_them_it_recovers() {
    run(async {
        let own = OwnDatabase::create().await;
        let first = own.server().await;
        let tenant = first.tenant().await;
        first.stop().await;
        let (keyring, away) = (own.keys.join("keyring"), own.keys.join("away"));
        std::fs::rename(&keyring, &away).expect("it moves");
        let ledger = own.server().await;
        let tenant = tenant.through(&ledger);
        assert_tool_call_fails(&tenant, "tool").await;
        assert_eq!(refused(post_report(&tenant, "during").await).await, "keyring-unavailable");
        assert_eq!(get(&ledger, "/readyz").await.status(), 503);
        // A keyring that a server without keys may have created must not remain.
        let _ = std::fs::remove_dir_all(&keyring);
        std::fs::rename(&away, &keyring).expect("it moves back");
        assert_recovers(&ledger, &tenant, "during").await;
        ledger.stop().await;
    });
}
