//! Calls that a platform and its carrier report are the same records in any order of arrival, in any
//! batches, after drops, and after a rebuild.

use fastrand::Rng;
use ledger_core::ids::{Position, TenantId};
use ledger_core::provider::Provider;
use ledger_store::Store;
use ledger_tests::{OwnDatabase, messages, run};
use projections::Batches;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, PgConnection};

use super::engine::{
    Engine, active, assert_rebuilds_to_the_same, is_current, new_tenant, record_of, until,
};
use super::sums::assert_sums;

pub(super) fn call_sid(nth: usize) -> String {
    format!("CA{nth:032}")
}

/// A callback of Twilio about one of its calls.
pub(super) fn twilio(nth: usize, status: &str, second: u32) -> (Provider, Value) {
    let body = json!({
        "CallSid": call_sid(nth), "Direction": "inbound", "From": format!("+155501001{nth:02}"),
        "To": "+15550100199", "CallStatus": status, "CallDuration": "47",
        "Timestamp": format!("Thu, 12 Feb 2026 11:48:{second:02} +0000"),
    });
    (Provider::Twilio, body)
}

/// A message of Vapi about a call that has this id at Twilio.
pub(super) fn vapi(mut body: Value, carrier: usize, number: usize, ms: i64) -> (Provider, Value) {
    body["message"]["timestamp"] = (1_793_610_061_250 + ms).into();
    body["message"]["call"]["phoneCallProvider"] = "twilio".into();
    body["message"]["call"]["phoneCallProviderId"] = call_sid(carrier).into();
    let customer = json!({ "number": format!("+155501001{number:02}") });
    (Provider::Vapi, messages::from(body, &customer))
}

pub(super) async fn projected(engine: &Engine, tenants: &[TenantId]) {
    for tenant_id in tenants {
        until("it is projected", async || is_current(&engine.store, *tenant_id).await).await;
    }
}

/// Returns the rows of a tenant without ids and times of recording, which differ from tenant to
/// tenant. Handles are replaced by their kind and number of calls.
async fn comparable(conn: &mut PgConnection, tenant_id: TenantId) -> Vec<String> {
    let row = "provider, provider_call_id, status, outcome, started_at, ended_at, duration_ms, \
               cost_nanos, currency";
    let query = format!(
        "select t from (
           select 'call ' || ({row})::text from calls_v2.calls where tenant_id = $1
           union all
           select 'part ' || ({row})::text from calls_v2.carrier_calls where tenant_id = $1
           union all
           select format('handle of %s: %s', c.provider_call_id, h.started_at)
             from calls_v2.call_handles h
             join calls_v2.calls c on c.tenant_id = h.tenant_id and c.call_id = h.call_id
            where h.tenant_id = $1
           union all
           select 'handles ' || count(*) from calls_v2.call_handles where tenant_id = $1
           union all
           select 'callers ' || coalesce(sum(calls), 0) from calls_v2.callers where tenant_id = $1
           union all
           select 'sum ' || to_jsonb(r)::text from calls_v2.call_rollups r where tenant_id = $1
         ) as all_rows (t) order by t"
    );
    let rows: Vec<String> = sqlx::query_scalar(AssertSqlSafe(query))
        .bind(tenant_id.0)
        .fetch_all(conn)
        .await
        .expect("the rows");
    rows.iter().map(|row| row.replace(&tenant_id.to_string(), "tenant")).collect()
}

/// Returns all orders of `0..len`.
fn permutations(len: usize) -> Vec<Vec<usize>> {
    let Some(last) = len.checked_sub(1) else { return vec![Vec::new()] };
    let with_last = |order: Vec<usize>| {
        (0..len).map(move |at| {
            let mut order = order.clone();
            order.insert(at, last);
            order
        })
    };
    permutations(last).into_iter().flat_map(with_last).collect()
}

#[test]
fn a_report_of_vapi_and_callbacks_of_twilio_in_any_order_any_number_of_times_are_one_record() {
    run(async {
        let own = OwnDatabase::create().await;
        let (quiet, mut conn) = (own.store(1), own.superuser().await);
        let sent = [
            vapi(messages::status("call", "in-progress"), 1, 2, 0),
            vapi(messages::report("call"), 1, 2, 1),
            twilio(1, "ringing", 1),
            twilio(1, "in-progress", 2),
            twilio(1, "completed", 50),
        ];
        let orders = permutations(sent.len());
        let mut tenants = Vec::new();
        for nth in 0..orders.len() {
            tenants.push(new_tenant(&quiet, &format!("t-{nth}")).await);
        }
        let post = async |store: &Store, nth: usize| {
            for (at, message) in orders[nth].iter().enumerate() {
                // One of the messages is sent again after the next one.
                let again = (at > 0 && at == nth % sent.len()).then(|| orders[nth][at - 1]);
                for message in [Some(*message), again].into_iter().flatten() {
                    let (provider, body) = &sent[message];
                    record_of(store, tenants[nth], *provider, body).await;
                }
            }
        };
        // Half of the logs are there before the engine starts, the others are followed live.
        let half = orders.len() / 2;
        for nth in 0..half {
            post(&quiet, nth).await;
        }
        let engine = Engine::start(&own, Batches { read: 3, fold: 7, close: 0 });
        for nth in half..orders.len() {
            post(&quiet, nth).await;
        }
        projected(&engine, &tenants).await;
        let expected = comparable(&mut conn, tenants[0]).await;
        assert_eq!(expected.iter().filter(|row| row.starts_with("call (vapi")).count(), 1);
        assert_eq!(expected.iter().filter(|row| row.starts_with("call ")).count(), 1);
        assert_eq!(expected.iter().filter(|row| row.starts_with("part (twilio")).count(), 1);
        assert!(expected.contains(&"handles 2".to_owned()), "{expected:#?}");
        assert!(expected.contains(&"callers 1".to_owned()), "{expected:#?}");
        for (tenant_id, order) in tenants.iter().zip(&orders) {
            assert_eq!(comparable(&mut conn, *tenant_id).await, expected, "{order:?}");
        }
        assert_rebuilds_to_the_same(&engine.store).await;
        engine.stop().await;
        quiet.close().await;
    });
}

/// Generates messages about calls of Vapi that name calls of Twilio, correctly or not, and about
/// calls of Twilio that none, one or several of them name.
fn history(rng: &mut Rng) -> Vec<(Provider, Value)> {
    let mut sent = Vec::new();
    for _ in 0..rng.usize(1..30) {
        let (call, carrier) = (format!("call-{}", rng.usize(0..4)), rng.usize(0..3));
        let (number, ms) = (rng.usize(0..5), rng.i64(0..4) * 1_000);
        sent.push(match rng.usize(0..5) {
            0 => vapi(messages::status(&call, "ringing"), carrier, number, ms),
            1 => vapi(messages::report(&call), carrier, number, ms),
            2 => (Provider::Vapi, messages::status(&call, "in-progress")),
            _ => {
                let status = ["ringing", "in-progress", "completed", "busy"][rng.usize(0..4)];
                twilio(carrier, status, rng.u32(0..5))
            }
        });
    }
    sent
}

/// Checks the calls of a tenant against who names whom.
async fn assert_joined(conn: &mut PgConnection, tenant_id: TenantId) {
    let wrong: Vec<String> = sqlx::query_scalar(
        "select 'shown: ' || c.provider_call_id
           from calls_v2.calls c
           join calls_v2.calls p on p.tenant_id = c.tenant_id and p.carrier_call_id = c.call_id
          where c.tenant_id = $1
          union all
         select 'hidden: ' || c.provider_call_id
           from calls_v2.carrier_calls c
          where c.tenant_id = $1
            and not exists (select from calls_v2.calls p
                             where p.tenant_id = c.tenant_id and p.carrier_call_id = c.call_id)
          union all
         select 'names: ' || c.provider_call_id
           from calls_v2.calls c
           full join calls_v2.call_carriers n
             on n.tenant_id = c.tenant_id and n.call_id = c.call_id
            and n.carrier_call_id = c.carrier_call_id
          where coalesce(c.tenant_id, n.tenant_id) = $1
            and (n.call_id is null) <> (c.carrier_call_id is null)
          union all
         select 'handles of a part: ' || h.call_id
           from calls_v2.call_handles h
          where h.tenant_id = $1
            and not exists (select from calls_v2.calls c
                             where c.tenant_id = h.tenant_id and c.call_id = h.call_id
                               and c.started_at = h.started_at)",
    )
    .bind(tenant_id.0)
    .fetch_all(conn)
    .await
    .expect("an answer");
    assert_eq!(wrong, Vec::<String>::new());
}

fn any_history(seed: u64) {
    run(async {
        let own = OwnDatabase::create().await;
        let (quiet, mut conn) = (own.store(1), own.superuser().await);
        let mut rng = Rng::with_seed(seed);
        let mut tenants = Vec::new();
        for nth in 0..6 {
            tenants.push(new_tenant(&quiet, &format!("t-{nth}")).await);
        }
        let batches = Batches { read: rng.usize(1..20), fold: rng.usize(1..40), close: 0 };
        let engine = Engine::start(&own, batches);
        for tenant_id in &tenants {
            for (provider, body) in history(&mut rng) {
                record_of(&quiet, *tenant_id, provider, &body).await;
            }
        }
        projected(&engine, &tenants).await;
        let version = active(&engine.store, "calls").await;
        for tenant_id in &tenants {
            assert_joined(&mut conn, *tenant_id).await;
            assert_sums(&mut conn, version, *tenant_id, chrono_tz::Tz::UTC).await;
        }
        assert_rebuilds_to_the_same(&engine.store).await;

        for tenant_id in &tenants {
            let positions: Vec<i64> = sqlx::query_scalar(
                "select position from ledger.events
                  where tenant_id = $1 and stream_kind = 'call' order by position",
            )
            .bind(tenant_id.0)
            .fetch_all(&mut conn)
            .await
            .expect("the log answers");
            for position in positions.into_iter().filter(|_| rng.usize(0..3) == 0) {
                let store = &engine.store;
                let dropped = store.record_event_drop(
                    *tenant_id,
                    "calls",
                    Position(position),
                    "a test",
                    None,
                );
                dropped.await.expect("recorded");
            }
        }
        projected(&engine, &tenants).await;
        for tenant_id in &tenants {
            assert_joined(&mut conn, *tenant_id).await;
            // All events of a tenant may have been dropped.
            if !comparable(&mut conn, *tenant_id).await.iter().any(|row| row.starts_with("call ")) {
                continue;
            }
            assert_sums(&mut conn, version, *tenant_id, chrono_tz::Tz::UTC).await;
        }
        assert_rebuilds_to_the_same(&engine.store).await;
        engine.stop().await;
        quiet.close().await;
    });
}

#[test]
fn any_calls_of_platforms_and_carriers_are_the_same_records_live_and_rebuilt_1() {
    any_history(1);
}

#[test]
fn any_calls_of_platforms_and_carriers_are_the_same_records_live_and_rebuilt_2() {
    any_history(2);
}

#[test]
fn any_calls_of_platforms_and_carriers_are_the_same_records_live_and_rebuilt_3() {
    any_history(3);
}
