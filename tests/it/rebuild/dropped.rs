//! Events dropped after they were folded: rows, sums and rebuilds equal those of the log without
//! these events.

mod alone;

use std::collections::BTreeMap;

use fastrand::Rng;
use ledger_core::ids::{EventId, TenantId};
use ledger_store::Store;
use ledger_tests::ledger::status_and_json;
use ledger_tests::{OwnDatabase, TestLedger, TestTenant, messages, run};
use projections::Batches;
use projections::parked::{self, Dropped, Reason};
use projections::versions::State;
use reqwest::Client;
use serde_json::{Value, json};
use sqlx::PgConnection;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::engine::{
    Engine, active, all_versions, assert_rebuilds_to_the_same, assert_same, begin_to_promote,
    caught_up, in_state, until,
};
use super::history::{TenantHistory, more, post_some_concurrently, tenants_with_histories};
use super::sums::assert_sums;
use crate::bad_input::problem;

/// Identifiers of one event of a tenant.
#[derive(Debug, Clone, sqlx::FromRow)]
struct Named {
    event_id: Uuid,
    position: i64,
    stream_id: Uuid,
}

async fn events(conn: &mut PgConnection, tenant_id: TenantId, kind: &str) -> Vec<Named> {
    sqlx::query_as(
        "select event_id, position, stream_id from ledger.events
          where tenant_id = $1 and stream_kind like $2 order by position",
    )
    .bind(tenant_id.0)
    .bind(kind)
    .fetch_all(conn)
    .await
    .expect("the log answers")
}

/// Returns the events of one call.
async fn events_of(conn: &mut PgConnection, tenant_id: TenantId, call: &str) -> Vec<Named> {
    let mut all = events(conn, tenant_id, "call").await;
    let stream = tenant_id.stream_of("call", "vapi", call).0;
    all.retain(|event| event.stream_id == stream);
    all
}

/// Drops events through a server, with a key of the tenant.
#[derive(Clone)]
struct Dropping {
    url: String,
    key: String,
}

impl Dropping {
    async fn new(ledger: &TestLedger, tenant_id: TenantId) -> Self {
        let url = format!("http://{}", ledger.address);
        Self { url, key: ledger.key(tenant_id, &["admin"]).await }
    }

    async fn sent(&self, event_id: Uuid, body: &Value) -> reqwest::Response {
        let url = format!("{}/v1/parked/{event_id}/drop", self.url);
        let request = Client::new().post(url).bearer_auth(&self.key).body(body.to_string());
        request.send().await.expect("an answer")
    }

    async fn drop(&self, projection: &str, event_id: Uuid) -> Value {
        let body = json!({ "projection": projection, "reason": "a test" });
        let (status, answer) = status_and_json(self.sent(event_id, &body).await).await;
        assert_eq!(status, 200, "{answer}");
        answer
    }
}

/// A report with this cost.
fn report(call: &str, cost: f64) -> String {
    let mut report = messages::report(call);
    report["message"]["cost"] = json!(cost);
    report.to_string()
}

/// Constraint that refuses a sum of costs of 1,000 or more, so that a call that exceeds it is
/// parked.
const NARROW: &str = "alter table calls_v2.call_rollups add constraint narrow
                      check (cost_nanos < 1000000000000) not valid";

#[test]
fn calls_that_a_folded_event_hides_are_listed_and_summed_after_it_is_dropped() {
    run(async {
        let own = OwnDatabase::create().await;
        let mut conn = own.superuser().await;
        sqlx::raw_sql(NARROW).execute(&mut conn).await.expect("narrow");
        let ledger = own.server().await;
        let tenant = ledger.tenant().await;
        tenant.post_ok(report("before", 0.25)).await;
        tenant.settle().await;
        tenant.post_ok(report("culprit", 999.5)).await;
        tenant.settle().await;
        for nth in 0..4 {
            let call = format!("call-{nth}");
            if nth % 2 == 0 {
                tenant.post_ok(messages::status(&call, "ringing").to_string()).await;
            }
            tenant.post_ok(report(&call, 0.5)).await;
        }
        assert!(tenant.calls().await.len() < 6, "some are hidden");
        let hidden = parked::list(ledger.store.projector(), None, 100).await.expect("a list");
        assert!(!hidden.is_empty());

        let dropping = Dropping::new(&ledger, tenant.tenant_id).await;
        let culprit = events_of(&mut conn, tenant.tenant_id, "culprit").await.remove(0);
        let answer = dropping.drop("calls", culprit.event_id).await;
        assert_eq!(
            (&answer["state"], &answer["already_dropped"], &answer["position"]),
            (&json!("folded"), &json!(false), &json!(culprit.position)),
            "{answer}"
        );
        assert_eq!(parked::list(ledger.store.projector(), None, 100).await.expect("a list"), []);
        let mut shown: Vec<String> = tenant
            .calls()
            .await
            .iter()
            .map(|call| call["provider_call_id"].as_str().expect("an id").to_owned())
            .collect();
        shown.sort_unstable();
        assert_eq!(shown, ["before", "call-0", "call-1", "call-2", "call-3"]);
        let sums = tenant.get("/v1/analytics/summary").await;
        assert_eq!(
            (&sums["calls"], &sums["cost_nanos"]),
            (&json!(5), &json!(2_250_000_000_i64)),
            "{sums}"
        );
        tenant.settle().await;
        assert_rebuilds_to_the_same(&ledger.store).await;
        ledger.stop().await;
    });
}

/// Drops about a third of the events of each tenant, of `calls` and of `usage`, through two
/// servers, while more events arrive. Rows and sums equal those of a rebuild.
fn any_history(seed: u64) {
    run(async {
        let own = OwnDatabase::create().await;
        let (here, there) = (own.server().await, own.server().await);
        let told = tenants_with_histories(&here, seed).await;
        let (mut conn, mut rng) = (own.superuser().await, Rng::with_seed(seed));
        for one in &told {
            one.tenant.settle().await;
            let id = one.tenant.tenant_id;
            let mut drops = JoinSet::new();
            for (projection, kind, share) in [("calls", "call", 3), ("usage", "%", 9)] {
                for event in events(&mut conn, id, kind).await {
                    if rng.u8(..share) == 0 {
                        let server = if rng.bool() { &here } else { &there };
                        let dropping = Dropping::new(server, id).await;
                        drops.spawn(async move {
                            dropping.drop(projection, event.event_id).await;
                        });
                    }
                }
            }
            let bodies = more(&mut rng, one, 6);
            post_some_concurrently(&one.tenant, &mut rng, bodies).await;
            drops.join_all().await;
            one.tenant.settle().await;
        }
        assert_rebuilds_to_the_same(&here.store).await;
        for TenantHistory { tenant, zone } in &told {
            assert_sums(&mut conn, 2, tenant.tenant_id, *zone).await;
        }
        here.stop().await;
        there.stop().await;
        // A rebuild with other batch sizes has the same result.
        let batches = Batches { read: rng.usize(1..50), fold: rng.usize(1..100), close: 0 };
        let engine = Engine::start(&own, batches);
        assert_rebuilds_to_the_same(&engine.store).await;
        engine.stop().await;
    });
}

#[test]
fn after_any_folded_events_are_dropped_what_is_live_is_what_a_rebuild_gives_1() {
    any_history(11);
}

#[test]
fn after_any_folded_events_are_dropped_what_is_live_is_what_a_rebuild_gives_2() {
    any_history(12);
}

/// Returns the number of drop decisions in a tenant's log.
async fn decisions(conn: &mut PgConnection, tenant: &TestTenant) -> usize {
    let all: Vec<Uuid> = sqlx::query_scalar(
        "select event_id from ledger.events
          where tenant_id = $1 and event_type = 'projection.event_dropped'",
    )
    .bind(tenant.tenant_id.0)
    .fetch_all(conn)
    .await
    .expect("the log answers");
    all.len()
}

#[test]
fn an_event_is_dropped_once_however_often_and_wherever_it_is_asked_for() {
    run(async {
        let own = OwnDatabase::create().await;
        let (here, there) = (own.server().await, own.server().await);
        let mut conn = own.superuser().await;
        let tenant = here.tenant().await;
        tenant.post_ok(messages::status("call", "ringing").to_string()).await;
        tenant.post_ok(messages::report("call").to_string()).await;
        tenant.settle().await;
        let report = events_of(&mut conn, tenant.tenant_id, "call").await.pop().expect("a report");
        let mut drops = JoinSet::new();
        for server in [&here, &there, &here, &there] {
            let dropping = Dropping::new(server, tenant.tenant_id).await;
            drops.spawn(async move { dropping.drop("calls", report.event_id).await });
        }
        let answers = drops.join_all().await;
        let new = answers.iter().filter(|answer| answer["already_dropped"] == json!(false)).count();
        assert_eq!(new, 1, "{answers:?}");
        assert!(answers.iter().all(|answer| answer["state"] == "folded"), "{answers:?}");
        assert_eq!(tenant.only_call().await["status"], "ringing");
        let again =
            Dropping::new(&here, tenant.tenant_id).await.drop("calls", report.event_id).await;
        assert_eq!(again["already_dropped"], true, "{again}");
        assert_eq!(decisions(&mut conn, &tenant).await, 1);
        assert_eq!(tenant.only_call().await["status"], "ringing");
        tenant.settle().await;
        assert_rebuilds_to_the_same(&here.store).await;
        here.stop().await;
        there.stop().await;
    });
}

#[test]
fn an_event_that_is_unknown_or_of_another_tenant_is_refused_alike() {
    run(async {
        let ledger = TestLedger::shared().await;
        let (tenant, other) = (ledger.tenant().await, ledger.tenant().await);
        tenant.post_ok(messages::report("call").to_string()).await;
        tenant.settle().await;
        let call = tenant.only_call().await;
        let events = format!("/v1/calls/{}/events", call["call_id"].as_str().expect("an id"));
        let event = tenant.get(&events).await["data"][0]["event_id"].clone();
        let event_id: Uuid = event.as_str().expect("an id").parse().expect("an id");
        let others = Dropping::new(ledger, other.tenant_id).await;
        let whole = Dropping::new(ledger, TenantId::INSTALLATION).await;
        let own = Dropping::new(ledger, tenant.tenant_id).await;
        let why = json!({ "projection": "calls", "reason": "a test" });
        let of_tenant = |tenant_id: TenantId| json!({ "projection": "calls", "reason": "a test", "tenant_id": tenant_id });
        problem(others.sent(event_id, &why).await, 404, "event-not-found").await;
        problem(own.sent(Uuid::from_u128(7), &why).await, 404, "event-not-found").await;
        let other_id = of_tenant(other.tenant_id);
        problem(whole.sent(event_id, &other_id).await, 404, "event-not-found").await;
        problem(others.sent(event_id, &of_tenant(tenant.tenant_id)).await, 404, "tenant-not-found")
            .await;
        problem(whole.sent(event_id, &why).await, 422, "invalid-field").await;
        let unreasoned = json!({ "projection": "calls" });
        problem(own.sent(event_id, &unreasoned).await, 422, "invalid-field").await;
        let unknown = json!({ "projection": "notes", "reason": "a test" });
        problem(own.sent(event_id, &unknown).await, 404, "projection-not-found").await;
        let unnamed = json!({ "reason": "a test" });
        problem(own.sent(event_id, &unnamed).await, 404, "parked-not-found").await;
        assert!(tenant.facts_of("projection.event_dropped").await.is_empty());
        assert_eq!(tenant.only_call().await["status"], "ended");
        let (status, answer) =
            status_and_json(whole.sent(event_id, &of_tenant(tenant.tenant_id)).await).await;
        assert_eq!(status, 200, "{answer}");
        assert!(tenant.calls().await.is_empty(), "nothing is left of the call");
    });
}

#[test]
fn an_event_of_a_kind_that_a_read_model_does_not_fold_is_refused() {
    run(async {
        let own = OwnDatabase::create().await;
        let ledger = own.server().await;
        let tenant = ledger.tenant().await;
        tenant.settle().await;
        let created =
            events(&mut own.superuser().await, tenant.tenant_id, "tenant").await.remove(0);
        let dropping = Dropping::new(&ledger, tenant.tenant_id).await;
        let why = json!({ "projection": "calls", "reason": "a test" });
        problem(dropping.sent(created.event_id, &why).await, 409, "event-not-folded").await;
        ledger.stop().await;
    });
}

#[test]
fn a_client_that_polls_by_update_sees_a_call_again_after_one_of_its_events_is_dropped() {
    run(async {
        let own = OwnDatabase::create().await;
        let ledger = own.server().await;
        let tenant = ledger.tenant().await;
        tenant.post_ok(messages::status("call", "ringing").to_string()).await;
        tenant.post_ok(messages::report("call").to_string()).await;
        tenant.post_ok(messages::report("later").to_string()).await;
        tenant.settle().await;
        let listed = async |path: &str| tenant.get(path).await.as_array().expect("a list").clone();
        let all = listed("/call").await;
        let seen: BTreeMap<String, String> = all
            .iter()
            .map(|call| ["id", "updatedAt"].map(|name| call[name].as_str().expect(name).to_owned()))
            .map(|[id, at]| (id, at))
            .collect();
        let newest = seen.values().max().expect("calls").clone();
        let path = format!("/call?updatedAtGt={newest}");
        assert_eq!(listed(&path).await, Vec::<Value>::new());

        let mut conn = own.superuser().await;
        let report = events_of(&mut conn, tenant.tenant_id, "call").await.pop().expect("a report");
        Dropping::new(&ledger, tenant.tenant_id).await.drop("calls", report.event_id).await;
        tenant.settle().await;
        let changed = listed(&path).await;
        assert_eq!(changed.len(), 1, "{changed:?}");
        assert_eq!((&changed[0]["id"], &changed[0]["status"]), (&json!("call"), &json!("ringing")));
        let call = tenant.calls().await;
        let call = call.iter().find(|call| call["provider_call_id"] == "call").expect("it");
        let path = format!("/v1/calls/{}", call["call_id"].as_str().expect("an id"));
        let shown = tenant.get(&path).await;
        for as_of in [report.position, i64::MAX] {
            assert_eq!(tenant.get(&format!("{path}?as_of={as_of}")).await, shown, "{as_of}");
        }
        ledger.stop().await;
    });
}

/// Drops an event of `calls` without a server.
async fn dropped(store: &Store, tenant_id: TenantId, event: &Named) -> Dropped {
    let reason = Reason::parse("a test").expect("a reason");
    let named = ("calls", EventId(event.event_id));
    parked::drop_event(store, tenant_id, named, (&reason, None)).await.expect("dropped")
}

#[test]
fn events_that_are_dropped_while_versions_are_filled_and_shown_are_in_none_of_them() {
    run(async {
        let own = OwnDatabase::create().await;
        let (here, there) = (own.server().await, own.server().await);
        let told = tenants_with_histories(&here, 13).await;
        let (mut conn, mut rng) = (own.superuser().await, Rng::with_seed(13));
        for (nth, one) in told.iter().enumerate() {
            one.tenant.settle().await;
            let id = one.tenant.tenant_id;
            let only = (nth % 2 == 1).then_some(id);
            begin_to_promote(&here.store, "calls", only).await;
            for event in events(&mut conn, id, "call").await {
                if rng.u8(..3) == 0 {
                    let server = if rng.bool() { &here } else { &there };
                    dropped(&server.store, id, &event).await;
                }
            }
            let bodies = more(&mut rng, one, 4);
            post_some_concurrently(&one.tenant, &mut rng, bodies).await;
            until("it is shown", async || {
                let all = all_versions(&here.store, "calls").await;
                all.iter().all(|one| one.state != State::Building)
            })
            .await;
        }
        assert_rebuilds_to_the_same(&here.store).await;
        let before = in_state(&here.store, "calls", State::Previous).await.expect("one");
        let shown = active(&here.store, "calls").await;
        caught_up(&here.store, "calls", before).await;
        assert_same(&here.store, "calls", shown, before).await;
        here.stop().await;
        there.stop().await;
    });
}
