//! A read model that is behind and makes no progress is reported as unhealthy, with the reason.

use ledger_tests::{OwnDatabase, TestLedger, messages, run};
use serde_json::Value;
use sqlx::{Connection, PgConnection};

use super::{get, json};

/// Dates the last progress of every checkpoint two minutes back.
async fn backdate_progress(conn: &mut PgConnection) {
    sqlx::raw_sql("update projection.checkpoints set updated_at = now() - interval '2 minutes'")
        .execute(conn)
        .await
        .expect("it was long ago");
}

/// Dates the recording of every event back.
async fn backdate_events(conn: &mut PgConnection) {
    sqlx::raw_sql(
        "begin; alter table ledger.events disable trigger immutable;
         update ledger.events set recorded_at = now() - interval '1 minute';
         alter table ledger.events enable always trigger immutable; commit",
    )
    .execute(conn)
    .await
    .expect("it was long ago");
}

fn model<'a>(readiness: &'a Value, name: &str) -> &'a Value {
    let models = readiness["projections"].as_array().expect("a list");
    models.iter().find(|model| model["name"] == name).expect("it is shown")
}

async fn readiness(ledger: &TestLedger) -> (u16, Value) {
    let answer = get(ledger, "/readyz").await;
    (answer.status().as_u16(), json(answer).await)
}

/// Returns the value of a gauge of the read model `calls`.
async fn gauge(ledger: &TestLedger, name: &str) -> f64 {
    let metrics = get(ledger, "/metrics").await.text().await.expect("a text");
    let line = format!("{name}{{projection=\"calls\"}} ");
    let value = metrics.lines().find_map(|found| found.strip_prefix(line.as_str()));
    value.unwrap_or_else(|| panic!("no {line}")).parse().expect("a number")
}

#[test]
fn a_stalled_read_model_is_not_ready_and_reports_the_reason() {
    run(async {
        let own = OwnDatabase::create().await;
        let ledger = own.server().await;
        let tenant = ledger.tenant().await;
        tenant.settle().await;
        let (mut holder, mut conn) = (own.superuser().await, own.superuser().await);
        let mut held = holder.begin().await.expect("a transaction");
        sqlx::query("select from projection.checkpoints for update")
            .execute(&mut *held)
            .await
            .expect("held, as by a session that was forgotten");
        tenant.post_ok(messages::report("stuck").to_string()).await;
        let (status, ready) = readiness(&ledger).await;
        assert_eq!((status, &model(&ready, "calls")["state"]), (200, &"catching_up".into()));
        held.rollback().await.expect("let go");
        tenant.settle().await;

        // The same situation, with progress long ago.
        backdate_progress(&mut conn).await;
        let mut held = holder.begin().await.expect("a transaction");
        sqlx::query("select from projection.checkpoints for update")
            .execute(&mut *held)
            .await
            .expect("held");
        tenant.post_ok(messages::report("stuck-again").to_string()).await;
        backdate_events(&mut conn).await;
        let (status, ready) = readiness(&ledger).await;
        let calls = model(&ready, "calls");
        assert_eq!((status, &calls["state"]), (503, &"stuck".into()), "{ready}");
        assert_eq!((&calls["stalled"], &ready["status"]), (&1.into(), &"not_ready".into()));
        assert!(calls["lag_seconds"].as_i64() >= Some(60), "{ready}");
        assert!(calls["reason"].as_str().is_some_and(|why| why.contains("no worker")), "{ready}");
        assert!((gauge(&ledger, "ledger_projection_stalled_tenants").await - 1.0).abs() < 0.5);
        assert!(gauge(&ledger, "ledger_projection_lag_seconds").await >= 60.0);

        held.rollback().await.expect("let go");
        tenant.settle().await;
        let (status, ready) = readiness(&ledger).await;
        assert_eq!((status, &model(&ready, "calls")["state"]), (200, &"current".into()));
        ledger.stop().await;
    });
}

#[test]
fn a_halted_tenant_does_not_make_the_server_unready() {
    run(async {
        let own = OwnDatabase::create().await;
        let ledger = own.server().await;
        let tenant = ledger.tenant().await;
        tenant.settle().await;
        let mut conn = own.superuser().await;
        sqlx::raw_sql(
            "update projection.checkpoints
                set halted = 'event type x.y is not known to this build', position = position - 1",
        )
        .execute(&mut conn)
        .await
        .expect("as an older build left it");
        backdate_progress(&mut conn).await;
        backdate_events(&mut conn).await;
        let (status, ready) = readiness(&ledger).await;
        let calls = model(&ready, "calls");
        // This build knows the event, so its next attempt succeeds.
        if calls["state"] != "current" {
            assert_eq!((status, &calls["state"]), (200, &"halted".into()), "{ready}");
            assert!(calls["reason"].as_str().is_some_and(|why| why.contains("x.y")), "{ready}");
        }
        tenant.settle().await;
        assert_eq!(model(&readiness(&ledger).await.1, "calls")["state"], "current");
        ledger.stop().await;
    });
}
