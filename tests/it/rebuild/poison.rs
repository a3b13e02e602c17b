//! Events that cannot be applied: only their call waits. After a retry or a drop, the rows equal
//! those of a rebuild.

use std::collections::BTreeSet;

use fastrand::Rng;
use ledger_core::ids::TenantId;
use ledger_store::Store;
use ledger_tests::fixtures::Message;
use ledger_tests::{OwnDatabase, TestTenant, messages, run};
use projections::Batches;
use projections::parked::{self, Parked, ParkedError, Reason};
use projections::versions::{self, State, VersionError};
use serde_json::{Value, json};
use sqlx::PgConnection;

use super::doubles::{Double, Panics, with};
use super::engine::{
    BULK, Engine, active, assert_rebuilds_to_the_same, assert_same, begin, begin_to_promote,
    caught_up, in_state, is_current, record, tamper, until,
};

/// A tenant with `calls` calls of two events each, projected by a server that then stops.
pub(super) async fn tenant_with_calls(own: &OwnDatabase, calls: usize) -> TestTenant {
    let ledger = own.server().await;
    let tenant = ledger.tenant().await;
    ledger.stop().await;
    let quiet = own.store(1);
    for nth in 0..calls {
        record(&quiet, tenant.tenant_id, &messages::status(&call(nth), "ringing")).await;
        record(&quiet, tenant.tenant_id, &messages::report(&call(nth))).await;
    }
    quiet.close().await;
    let engine = Engine::start(own, Batches::default());
    until("it is projected", async || is_current(&engine.store, tenant.tenant_id).await).await;
    engine.stop().await;
    tenant
}

fn call(nth: usize) -> String {
    format!("call-{nth}")
}

fn stream(tenant_id: TenantId, nth: usize) -> uuid::Uuid {
    tenant_id.stream_of("call", "vapi", &call(nth)).0
}

async fn all_parked(store: &Store) -> Vec<Parked> {
    parked::list(store.projector(), None, 1_000).await.expect("a list")
}

/// Returns the number of calls in a version.
async fn calls(conn: &mut PgConnection, version: i32) -> i64 {
    let count = format!("select count(*) from calls_v{version}.calls");
    sqlx::query_scalar(sqlx::AssertSqlSafe(count)).fetch_one(conn).await.expect("a count")
}

fn panicking(when: Panics) {
    run(async {
        let own = OwnDatabase::create().await;
        let tenant = tenant_with_calls(&own, 5).await;
        let id = tenant.tenant_id;
        let engine =
            Engine::start_with(&own, with(Double::Panics(stream(id, 3), when)), Batches::default());
        let version = begin(&engine.store, "calls", None).await;
        caught_up(&engine.store, "calls", version).await;
        let mut conn = own.superuser().await;
        assert_eq!(calls(&mut conn, version).await, 4, "the others are there");
        let waiting = all_parked(&engine.store).await;
        let [one] = waiting.as_slice() else { panic!("{waiting:?}") };
        assert_eq!((one.version, one.key, one.followers), (version, stream(id, 3), 1));
        assert_eq!(one.reason, "the projector panicked: on purpose");

        // Later events of the call wait behind it; other calls continue.
        record(&engine.store, id, &messages::status(&call(3), "ended")).await;
        record(&engine.store, id, &messages::report("another")).await;
        caught_up(&engine.store, "calls", version).await;
        assert_eq!(calls(&mut conn, version).await, 5);
        let waiting = all_parked(&engine.store).await;
        let parked = waiting.iter().find(|one| one.version == version).expect("it waits");
        assert_eq!(parked.followers, 2);
        engine.stop().await;

        // A build without the fault, and a retry command.
        let engine = Engine::start(&own, Batches::default());
        for one in waiting {
            assert!(
                parked::retry(engine.store.projector(), one.parked_id, None).await.expect("it")
            );
        }
        assert_eq!(all_parked(&engine.store).await, []);
        assert_same(&engine.store, "calls", active(&engine.store, "calls").await, version).await;
        versions::cancel(engine.store.owner(), "calls").await.expect("given up");
        assert_rebuilds_to_the_same(&engine.store).await;
        engine.stop().await;
    });
}

#[test]
fn a_projector_that_panics_when_it_loads_a_call_parks_it() {
    panicking(Panics::Loading);
}

#[test]
fn a_projector_that_panics_when_it_folds_a_call_parks_it() {
    panicking(Panics::Folding);
}

#[test]
fn a_projector_that_panics_when_it_writes_a_call_parks_it() {
    panicking(Panics::Writing);
}

/// Facts of a known type that this build cannot decode, or that PostgreSQL refuses.
fn refused(calls_per_tenant: usize, batches: Batches, spoilt: &str, reason: &str) {
    run(async {
        let own = OwnDatabase::create().await;
        let tenant = tenant_with_calls(&own, calls_per_tenant).await;
        let mut conn = own.superuser().await;
        let condition = "facts ->> 'provider_call_id' = 'call-2' and event_type = 'call.ended'";
        let keep =
            format!("create table public.kept as select * from ledger.events where {condition}");
        sqlx::raw_sql(sqlx::AssertSqlSafe(keep)).execute(&mut conn).await.expect("kept");
        tamper(&mut conn, &format!("update ledger.events set facts = {spoilt} where {condition}"))
            .await;

        let engine = Engine::start(&own, batches);
        let version = begin_to_promote(&engine.store, "calls", None).await;
        caught_up(&engine.store, "calls", version).await;
        let waiting = all_parked(&engine.store).await;
        let [one] = waiting.as_slice() else { panic!("{waiting:?}") };
        assert_eq!((one.version, one.key), (version, stream(tenant.tenant_id, 2)));
        assert!(one.reason.contains(reason), "{}", one.reason);
        let diff = versions::diff(engine.store.projector(), "calls", 2, version, 100).await;
        let diff = diff.expect("compared");
        let differing: Vec<_> =
            diff.differences.iter().filter(|one| one.table == "calls").collect();
        assert_eq!(differing.len(), 1, "only that call: {diff:?}");
        // It would hide rows of the active version, so it is not promoted automatically.
        let refused = versions::promote(engine.store.owner(), "calls", false).await;
        assert!(matches!(refused, Err(VersionError::Parked { parked: 1, .. })), "{refused:?}");

        let pool = engine.store.projector();
        assert!(!parked::retry(pool, one.parked_id, None).await.expect("it is tried"));
        let again = &all_parked(&engine.store).await[0];
        assert_eq!((again.parked_id, again.attempts), (one.parked_id, 2));
        let restore = "update ledger.events e set facts = k.facts from public.kept k
                     where k.tenant_id = e.tenant_id and k.position = e.position";
        tamper(&mut conn, restore).await;
        assert!(parked::retry(pool, one.parked_id, None).await.expect("it is tried"));
        // Nothing prevents the promotion any more.
        until("it is active", async || active(&engine.store, "calls").await == version).await;
        let before = in_state(&engine.store, "calls", State::Previous).await.expect("one");
        assert_same(&engine.store, "calls", before, version).await;
        engine.stop().await;
    });
}

#[test]
fn malformed_facts_of_a_known_type_park_their_call() {
    refused(6, Batches::default(), r#"'{"report":"perhaps"}'"#, "does not have the shape");
}

/// A text that JSON can express and PostgreSQL cannot store.
const NUL_IN_TEXT: &str =
    r"replace(facts::text, 'customer-ended-call', 'customer\u0000call')::json";

#[test]
fn a_text_refused_in_a_statement_parks_its_call() {
    refused(6, Batches { read: 4, fold: 4, close: i64::MAX }, NUL_IN_TEXT, "SQLSTATE 22");
}

#[test]
fn a_text_refused_in_a_copy_parks_its_call() {
    refused(90, BULK, NUL_IN_TEXT, "SQLSTATE 22");
}

/// Facts that an older build stored: a time outside PostgreSQL's range, and a duration and a cost
/// whose sums exceed 64 bits.
const IMPOSSIBLE: &str = r#"(facts::jsonb || '{"started_at": "+262000-01-01T00:00:00Z", "duration_ms": 5000000000000000000,
      "cost": {"total_nanos": 9223372036800000000, "currency": "USD", "llm_nanos": 9223372036800000000}}')::json"#;

#[test]
fn impossible_values_of_an_older_build_park_no_call_and_change_no_sum() {
    run(async {
        let own = OwnDatabase::create().await;
        let tenant = tenant_with_calls(&own, 90).await;
        let mut conn = own.superuser().await;
        let spoil = format!(
            "update ledger.events set facts = {IMPOSSIBLE}
              where event_type = 'call.ended' and right(facts ->> 'provider_call_id', 1) in ('1', '3', '5')"
        );
        tamper(&mut conn, &spoil).await;
        // Enough rows for COPY, and single rows.
        for batches in [BULK, Batches { read: 4, fold: 4, close: i64::MAX }] {
            let engine = Engine::start(&own, batches);
            let version = begin_to_promote(&engine.store, "calls", None).await;
            caught_up(&engine.store, "calls", version).await;
            until("it is active", async || active(&engine.store, "calls").await == version).await;
            assert_eq!(all_parked(&engine.store).await, []);
            assert_eq!(calls(&mut conn, version).await, 90);
            let sums: (i64, i64, i64) = sqlx::query_as(sqlx::AssertSqlSafe(format!(
                "select sum(calls)::bigint, sum(timed_calls)::bigint, sum(cost_nanos)::bigint
                   from calls_v{version}.call_rollups where cut = 'total' and grain = 'month'"
            )))
            .fetch_one(&mut conn)
            .await
            .expect("sums");
            assert_eq!(sums, (90, 63, 63 * 108_800_000), "27 of 90 tell nothing");
            engine.stop().await;
        }
        drop(tenant);
    });
}

#[test]
fn calls_of_the_largest_values_park_nothing_and_a_rebuild_has_the_same_sums() {
    run(async {
        let own = OwnDatabase::create().await;
        let ledger = own.server().await;
        for _ in 0..3 {
            let tenant = ledger.tenant().await;
            for nth in 0..4 {
                let report = Message::report(&call(nth))
                    .field("durationMs", "9223372036854775807")
                    .field("cost", ["9223372036.8", "10000", "-10000", "1e400"][nth]);
                tenant.post_ok(report.body()).await;
                tenant.post_ok(messages::report(&format!("small-{nth}")).to_string()).await;
                tenant.settle().await;
            }
        }
        ledger.stop().await;
        let engine = Engine::start(&own, BULK);
        assert_eq!(all_parked(&engine.store).await, []);
        assert_rebuilds_to_the_same(&engine.store).await;
        engine.stop().await;
    });
}

#[test]
fn sums_beyond_64_bits_are_added_and_subtracted_exactly() {
    run(async {
        let own = OwnDatabase::create().await;
        let tenant = tenant_with_calls(&own, 1).await;
        let mut conn = own.superuser().await;
        let version = 2;
        let huge = "update calls_v2.call_rollups set cost_nanos = 92233720368547758070 where cut = 'total'";
        tamper(&mut conn, huge).await;
        let engine = Engine::start(&own, Batches::default());
        record(&engine.store, tenant.tenant_id, &messages::report("more")).await;
        caught_up(&engine.store, "calls", version).await;
        let sum: String = sqlx::query_scalar(
            "select cost_nanos::text from calls_v2.call_rollups where cut = 'total' and grain = 'month'",
        )
        .fetch_one(&mut conn)
        .await
        .expect("a sum");
        assert_eq!(sum, (92_233_720_368_547_758_070_i128 + 108_800_000).to_string());
        assert_eq!(all_parked(&engine.store).await, []);
        engine.stop().await;
    });
}

#[test]
fn a_batch_of_failing_calls_is_parked_call_by_call() {
    run(async {
        let own = OwnDatabase::create().await;
        tenant_with_calls(&own, 400).await;
        let mut conn = own.superuser().await;
        // Every second call, at its second event.
        let spoil = "update ledger.events set facts = '[]'
                      where event_type = 'call.ended'
                        and right(facts ->> 'provider_call_id', 1) in ('1', '3', '5', '7', '9')";
        tamper(&mut conn, spoil).await;
        let engine = Engine::start(&own, BULK);
        let version = begin(&engine.store, "calls", None).await;
        caught_up(&engine.store, "calls", version).await;
        assert_eq!(all_parked(&engine.store).await.len(), 200);
        assert_eq!(calls(&mut conn, version).await, 400, "what came before it is there");
        let ended = "select count(*) from calls_v3.calls where status = 'ended'";
        let ended: i64 = sqlx::query_scalar(ended).fetch_one(&mut conn).await.expect("a count");
        assert_eq!(ended, 200);
        engine.stop().await;
    });
}

#[test]
fn a_dropped_event_is_recorded_and_missing_in_every_rebuild() {
    run(async {
        let own = OwnDatabase::create().await;
        let tenant = tenant_with_calls(&own, 3).await;
        let id = tenant.tenant_id;
        let engine = Engine::start(&own, Batches::default());
        let mut conn = own.superuser().await;
        // A report that cannot be decoded, a status after it, and then a command.
        record(&engine.store, id, &messages::report("odd")).await;
        until("it is projected", async || is_current(&engine.store, id).await).await;
        engine.stop().await;
        let spoil = "update ledger.events set facts = '[]'
                      where facts ->> 'provider_call_id' = 'odd'";
        tamper(&mut conn, spoil).await;
        let engine = Engine::start(&own, Batches::default());
        let version = begin_to_promote(&engine.store, "calls", None).await;
        caught_up(&engine.store, "calls", version).await;
        record(&engine.store, id, &messages::status("odd", "ringing")).await;
        caught_up(&engine.store, "calls", version).await;
        let waiting = all_parked(&engine.store).await;
        let one = waiting.iter().find(|one| one.version == version).expect("it waits");
        assert_eq!(one.followers, 1);
        let reason = Reason::parse("nobody can read it").expect("a reason");
        let drop = async |id| parked::drop_parked(&engine.store, id, None, (&reason, None)).await;
        assert!(drop(one.parked_id).await.expect("dropped").goes_on, "the key goes on");
        assert!(matches!(drop(one.parked_id).await, Err(ParkedError::Missing)));
        let facts: Vec<String> = sqlx::query_scalar(
            "select facts::text from ledger.events
              where tenant_id = $1 and event_type = 'projection.event_dropped'",
        )
        .bind(id.0)
        .fetch_all(&mut conn)
        .await
        .expect("the log answers");
        let facts: Vec<Value> =
            facts.iter().map(|text| serde_json::from_str(text).expect("facts are JSON")).collect();
        let expected = json!({ "projection": "calls", "position": one.position.0, "reason": "nobody can read it" });
        assert_eq!(facts, [expected]);

        // Promotion is allowed now: everything it hides is reported.
        until("it is active", async || active(&engine.store, "calls").await == version).await;
        assert_rebuilds_to_the_same(&engine.store).await;
        engine.stop().await;
    });
}

#[test]
fn another_tenants_parked_event_is_not_found() {
    run(async {
        let own = OwnDatabase::create().await;
        let tenant = tenant_with_calls(&own, 2).await;
        tamper(
            &mut own.superuser().await,
            "update ledger.events set facts = '[]'
                  where event_type = 'call.ended'",
        )
        .await;
        let engine = Engine::start(&own, Batches::default());
        let version = begin(&engine.store, "calls", None).await;
        caught_up(&engine.store, "calls", version).await;
        let one = all_parked(&engine.store).await.remove(0);
        let other = Some(TenantId(uuid::Uuid::from_u128(7)));
        let pool = engine.store.projector();
        let retried = parked::retry(pool, one.parked_id, other).await;
        assert!(matches!(retried, Err(ParkedError::Missing)));
        let reason = Reason::parse("mine").expect("a reason");
        let dropped =
            parked::drop_parked(&engine.store, one.parked_id, other, (&reason, None)).await;
        assert!(matches!(dropped, Err(ParkedError::Missing)));
        let own_one = parked::list(pool, Some(tenant.tenant_id), 10).await.expect("a list");
        assert_eq!(own_one.len(), 2);
        assert_eq!(parked::list(pool, other, 10).await.expect("a list"), []);
        engine.stop().await;
    });
}

#[test]
fn failing_calls_are_parked_alike_under_any_batch_size() {
    run(async {
        let own = OwnDatabase::create().await;
        tenant_with_calls(&own, 12).await;
        let mut rng = Rng::with_seed(21);
        let mut conn = own.superuser().await;
        let spoil = "update ledger.events set facts = '{\"report\":5}'
                      where event_type = 'call.ended'
                        and right(facts ->> 'provider_call_id', 1) in ('3', '4', '7')";
        tamper(&mut conn, spoil).await;
        let mut seen = Vec::new();
        for _ in 0..3 {
            let batches =
                Batches { read: rng.usize(1..9), fold: rng.usize(1..30), close: rng.i64(0..2) };
            let engine = Engine::start(&own, batches);
            let version = begin(&engine.store, "calls", None).await;
            caught_up(&engine.store, "calls", version).await;
            let waiting = all_parked(&engine.store).await.into_iter();
            let waiting: BTreeSet<_> =
                waiting.map(|one| (one.key, one.position, one.reason)).collect();
            let sum = versions::checksum(engine.store.projector(), "calls", version, None).await;
            seen.push((waiting, sum.expect("an answer").expect("a checksum")));
            versions::cancel(engine.store.owner(), "calls").await.expect("given up");
            engine.stop().await;
        }
        assert_eq!(seen[0].0.len(), 3);
        assert!(seen.iter().all(|one| *one == seen[0]), "{seen:?}");
    });
}
