//! Drop decisions without a server: the engine applies them when it reads them from the log.

use ledger_core::ids::Position;
use ledger_tests::cluster::superuser;
use ledger_tests::{OwnDatabase, TestLedger, messages, run};
use projections::{Batches, parked, versions};
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use super::super::engine::{
    Engine, assert_rebuilds_to_the_same, assert_same, begin, caught_up, is_current, new_tenant,
    record, tamper, until,
};
use super::{Dropping, dropped, events_of, report};

async fn statuses(conn: &mut PgConnection, version: i32) -> Vec<(String, Option<String>)> {
    let rows = format!("select provider_call_id, status from calls_v{version}.calls order by 1");
    sqlx::query_as(sqlx::AssertSqlSafe(rows)).fetch_all(conn).await.expect("the calls")
}

fn shown(calls: &[(&str, &str)]) -> Vec<(String, Option<String>)> {
    calls.iter().map(|(id, status)| ((*id).to_owned(), Some((*status).to_owned()))).collect()
}

#[test]
fn an_event_that_a_read_model_has_not_reached_is_passed_over_when_it_does() {
    run(async {
        let own = OwnDatabase::create().await;
        let (quiet, mut conn) = (own.store(1), own.superuser().await);
        let tenant_id = new_tenant(&quiet, "acme").await;
        record(&quiet, tenant_id, &messages::status("call", "ringing")).await;
        record(&quiet, tenant_id, &messages::report("call")).await;
        let last = events_of(&mut conn, tenant_id, "call").await.pop().expect("a report");
        let decided = dropped(&quiet, tenant_id, &last).await;
        assert!(decided.goes_on && decided.decided.is_some(), "{decided:?}");
        assert!(dropped(&quiet, tenant_id, &last).await.decided.is_none());
        record(&quiet, tenant_id, &messages::report("other")).await;
        quiet.close().await;
        let engine = Engine::start(&own, Batches::default());
        until("it is projected", async || is_current(&engine.store, tenant_id).await).await;
        assert_eq!(statuses(&mut conn, 2).await, shown(&[("call", "ringing"), ("other", "ended")]));
        assert_rebuilds_to_the_same(&engine.store).await;
        engine.stop().await;
    });
}

#[test]
fn a_decision_is_carried_out_in_every_version_when_the_process_that_made_it_is_gone() {
    run(async {
        let own = OwnDatabase::create().await;
        let (quiet, mut conn) = (own.store(1), own.superuser().await);
        let tenants = [new_tenant(&quiet, "acme").await, new_tenant(&quiet, "other").await];
        for tenant_id in tenants {
            record(&quiet, tenant_id, &messages::status("call", "ringing")).await;
            record(&quiet, tenant_id, &messages::report("call")).await;
        }
        let engine = Engine::start(&own, Batches::default());
        let beside = begin(&engine.store, "calls", None).await;
        caught_up(&engine.store, "calls", beside).await;
        for tenant_id in tenants {
            until("it is projected", async || is_current(&engine.store, tenant_id).await).await;
            let events = events_of(&mut conn, tenant_id, "call").await;
            let report = Position(events.last().expect("a report").position);
            let store = &engine.store;
            store.record_event_drop(tenant_id, "calls", report, "a test", None).await.expect("it");
        }
        for version in [2, beside] {
            caught_up(&engine.store, "calls", version).await;
            assert_eq!(
                statuses(&mut conn, version).await,
                shown(&[("call", "ringing"), ("call", "ringing")])
            );
        }
        assert_same(&engine.store, "calls", 2, beside).await;
        versions::cancel(engine.store.owner(), "calls").await.expect("given up");
        assert_rebuilds_to_the_same(&engine.store).await;
        engine.stop().await;
        quiet.close().await;
    });
}

#[test]
fn an_event_that_cannot_be_taken_out_parks_its_call_until_it_can() {
    run(async {
        let own = OwnDatabase::create().await;
        let ledger = own.server().await;
        let mut conn = own.superuser().await;
        let tenant = ledger.tenant().await;
        for body in [messages::status("call", "ringing"), messages::report("call")] {
            tenant.post_ok(body.to_string()).await;
        }
        tenant.post_ok(messages::report("other").to_string()).await;
        tenant.settle().await;
        let (store, id) = (&ledger.store, tenant.tenant_id);
        // A constraint that prevents the removal, because no sum can decrease.
        let stuck =
            "alter table calls_v2.call_rollups add constraint stuck check (calls > 1) not valid";
        sqlx::raw_sql(stuck).execute(&mut conn).await.expect("stuck");
        let last = events_of(&mut conn, id, "call").await.pop().expect("a report");
        assert!(!dropped(store, id, &last).await.goes_on);
        tenant.settle().await;
        let waiting = parked::list(store.projector(), None, 10).await.expect("a list");
        assert_eq!(waiting.len(), 1, "{waiting:?}");
        assert_eq!((waiting[0].position.0, waiting[0].version), (last.position, 2));
        tenant.post_ok(messages::status("other", "ringing").to_string()).await;
        tenant.settle().await;
        let mend = "alter table calls_v2.call_rollups drop constraint stuck";
        sqlx::raw_sql(mend).execute(&mut conn).await.expect("mended");
        assert!(parked::retry(store.projector(), waiting[0].parked_id, None).await.expect("tried"));
        assert_eq!(statuses(&mut conn, 2).await, shown(&[("call", "ringing"), ("other", "ended")]));
        assert_rebuilds_to_the_same(store).await;
        ledger.stop().await;
    });
}

#[test]
fn events_of_a_call_that_waits_may_be_dropped_in_any_order() {
    run(async {
        let own = OwnDatabase::create().await;
        let (quiet, mut conn) = (own.store(1), own.superuser().await);
        let tenant_id = new_tenant(&quiet, "acme").await;
        for status in ["queued", "ringing", "in-progress"] {
            record(&quiet, tenant_id, &messages::status("call", status)).await;
        }
        let events = events_of(&mut conn, tenant_id, "call").await;
        let kept =
            "create table public.kept as select tenant_id, position, facts from ledger.events";
        sqlx::raw_sql(kept).execute(&mut conn).await.expect("kept");
        let spoil = format!(
            "update ledger.events set facts = '[]'
              where tenant_id = '{tenant_id}' and position = {}",
            events[1].position
        );
        tamper(&mut conn, &spoil).await;
        let engine = Engine::start(&own, Batches::default());
        until("it is projected", async || is_current(&engine.store, tenant_id).await).await;
        let store = &engine.store;
        // The first event is folded; the last one waits behind the event that cannot be read.
        for event in [&events[2], &events[0]] {
            assert!(!dropped(store, tenant_id, event).await.goes_on, "it waits");
        }
        until("it is projected", async || is_current(store, tenant_id).await).await;
        assert_eq!(statuses(&mut conn, 2).await, []);
        let mend = "update ledger.events e set facts = k.facts from public.kept k
                     where k.tenant_id = e.tenant_id and k.position = e.position";
        tamper(&mut conn, mend).await;
        let waiting = parked::list(store.projector(), None, 10).await.expect("a list").remove(0);
        assert!(parked::retry(store.projector(), waiting.parked_id, None).await.expect("tried"));
        assert_eq!(statuses(&mut conn, 2).await, shown(&[("call", "ringing")]));
        assert_rebuilds_to_the_same(store).await;
        engine.stop().await;
        quiet.close().await;
    });
}

#[test]
fn the_answer_to_a_drop_names_the_position_of_the_decision() {
    run(async {
        let ledger = TestLedger::shared().await;
        let tenant = ledger.tenant().await;
        tenant.post_ok(report("c-1", 0.5)).await;
        tenant.settle().await;
        let event_id: Uuid = sqlx::query_scalar(
            "select event_id from ledger.events where tenant_id = $1 and event_type = 'call.ended'",
        )
        .bind(tenant.tenant_id.0)
        .fetch_one(&mut superuser().await)
        .await
        .expect("the report");
        let dropping = Dropping::new(ledger, tenant.tenant_id).await;
        let body = json!({ "projection": "calls", "reason": "a test" });
        let first = dropping.sent(event_id, &body).await;
        let decided: i64 = sqlx::query_scalar(
            "select position from ledger.events
              where tenant_id = $1 and event_type = 'projection.event_dropped'",
        )
        .bind(tenant.tenant_id.0)
        .fetch_one(&mut superuser().await)
        .await
        .expect("the decision");
        assert_eq!(first.headers()["ledger-position"], decided.to_string().as_str());
        let second = dropping.sent(event_id, &body).await;
        assert!(second.headers().get("ledger-position").is_none(), "nothing was recorded");
    });
}
