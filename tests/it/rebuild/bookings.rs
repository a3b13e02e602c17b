//! Appointments that were booked in calls count and are shown in the same way in any order of the
//! events of calls and appointments, in any batches, after drops, and after a rebuild.

use chrono::{DateTime, TimeDelta, Utc};
use fastrand::Rng;
use ledger_core::envelope::StreamKind;
use ledger_core::ids::{EventId, Position, StreamId, TenantId};
use ledger_core::provider::Provider;
use ledger_store::Store;
use ledger_store::append::{AppendRequest, Expected, NewEvent, StreamAppend};
use ledger_tests::{OwnDatabase, messages, run};
use projections::Batches;
use serde_json::{Value, json};
use sqlx::PgConnection;
use uuid::Uuid;

use super::carriers::{call_sid, projected, twilio, vapi};
use super::engine::{Engine, active, assert_rebuilds_to_the_same, new_tenant, record_of};
use super::sums::assert_sums;

/// An event of a history: a message about a call, or a change of an appointment.
enum Sent {
    Message(Provider, Value),
    Change { appointment: u128, event_type: &'static str, facts: Value },
}

fn start(rng: &mut Rng) -> DateTime<Utc> {
    let first: DateTime<Utc> = "2026-12-01T09:00:00Z".parse().expect("a time");
    first + TimeDelta::hours(rng.i64(0..5))
}

fn slot(starts_at: DateTime<Utc>) -> Value {
    let ends_at = starts_at + TimeDelta::minutes(30);
    json!({ "resource": "chair", "starts_at": starts_at, "ends_at": ends_at,
            "blocked_from": starts_at, "blocked_until": ends_at, "settings_version": 1 })
}

/// A booking in a call of the platform or of the carrier, in an unknown call, or in none.
fn booked(rng: &mut Rng, tenant_id: TenantId, appointment: u128) -> Sent {
    let mut facts = slot(start(rng));
    facts["status"] = ["pending", "confirmed"][rng.usize(0..2)].into();
    facts["contact_id"] = json!(Uuid::from_u128(7));
    let stream = |provider: &str, id: &str| tenant_id.stream_of("call", provider, id).0;
    let call_id = match rng.usize(0..6) {
        0 => None,
        1 => Some(stream("vapi", "never")),
        2 => Some(stream("twilio", &call_sid(rng.usize(0..3)))),
        _ => Some(stream("vapi", &format!("call-{}", rng.usize(0..4)))),
    };
    if let Some(call_id) = call_id {
        facts["call_id"] = json!(call_id);
    }
    if rng.bool() {
        facts["service"] = ["cut", "wash"][rng.usize(0..2)].into();
        facts["price_cents"] = [0, 4_500, i64::MAX >> 8][rng.usize(0..3)].into();
        facts["currency"] = ["USD", "EUR"][rng.usize(0..2)].into();
    }
    Sent::Change { appointment, event_type: "appointment.booked", facts }
}

/// A change of an appointment; without the fact of the call in which it was booked.
fn changed(rng: &mut Rng, appointment: u128) -> Sent {
    let (event_type, facts) = match rng.usize(0..5) {
        0 => {
            let mut facts = slot(start(rng));
            facts["from"] = json!(start(rng));
            ("appointment.rescheduled", facts)
        }
        1 => ("appointment.confirmed", json!({})),
        2 => ("appointment.cancelled", json!({})),
        3 => ("appointment.completed", json!({ "call_id": Uuid::from_u128(9) })),
        _ => ("appointment.no_show", json!({})),
    };
    Sent::Change { appointment, event_type, facts }
}

/// Generates messages about calls of Vapi and Twilio, and bookings in them with later changes.
fn history(rng: &mut Rng, tenant_id: TenantId) -> Vec<Sent> {
    let (mut sent, mut appointments) = (Vec::new(), 0);
    for _ in 0..rng.usize(1..50) {
        let (call, carrier) = (format!("call-{}", rng.usize(0..4)), rng.usize(0..3));
        let ms = rng.i64(0..4) * 1_000;
        let message = |(provider, body)| Sent::Message(provider, body);
        sent.push(match rng.usize(0..8) {
            0 => message(vapi(messages::status(&call, "ringing"), carrier, 1, ms)),
            1 => message(vapi(messages::report(&call), carrier, 1, ms)),
            2 => message((Provider::Vapi, messages::status(&call, "in-progress"))),
            3 => message(twilio(carrier, "completed", rng.u32(0..5))),
            4 | 5 => {
                appointments += 1;
                booked(rng, tenant_id, appointments)
            }
            _ if appointments == 0 => continue,
            _ => {
                let appointment = rng.u128(1..=appointments);
                changed(rng, appointment)
            }
        });
    }
    sent
}

async fn send(store: &Store, tenant_id: TenantId, sent: &[Sent]) {
    for (nth, one) in sent.iter().enumerate() {
        let (appointment, event_type, facts) = match one {
            Sent::Message(provider, body) => {
                record_of(store, tenant_id, *provider, body).await;
                continue;
            }
            Sent::Change { appointment, event_type, facts } => (appointment, event_type, facts),
        };
        let nth = u128::try_from(nth).expect("few");
        let event = NewEvent {
            event_id: EventId(Uuid::from_u128(1_000 + nth)),
            event_type,
            schema_version: 1,
            occurred_at: DateTime::UNIX_EPOCH,
            recorded_at: DateTime::UNIX_EPOCH,
            facts: facts.to_string(),
            sections: None,
            bulk: None,
            subjects: Vec::new(),
            meta: json!({ "actor": "operator", "request_id": Uuid::nil() }).to_string(),
        };
        let stream = StreamAppend {
            stream_id: StreamId(Uuid::from_u128(*appointment)),
            kind: StreamKind::Appointment,
            expected: Expected::Any,
            events: vec![event],
        };
        let request = AppendRequest { tenant_id, streams: vec![stream] };
        store.appender().append(request).await.expect("appended");
    }
}

async fn assert_right(conn: &mut PgConnection, version: i32, tenants: &[TenantId]) {
    for tenant_id in tenants {
        let calls: i64 =
            sqlx::query_scalar("select count(*) from calls_v2.calls where tenant_id = $1")
                .bind(tenant_id.0)
                .fetch_one(&mut *conn)
                .await
                .expect("a count");
        // All events of calls may be missing.
        if calls > 0 {
            assert_sums(conn, version, *tenant_id, chrono_tz::Tz::UTC).await;
        }
    }
}

fn any_history(seed: u64) {
    run(async {
        let own = OwnDatabase::create().await;
        let (quiet, mut conn) = (own.store(1), own.superuser().await);
        let mut rng = Rng::with_seed(seed);
        let mut tenants = Vec::new();
        for nth in 0..8 {
            tenants.push(new_tenant(&quiet, &format!("t-{nth}")).await);
        }
        let batches = Batches { read: rng.usize(1..20), fold: rng.usize(1..40), close: 0 };
        let engine = Engine::start(&own, batches);
        for tenant_id in &tenants {
            send(&quiet, *tenant_id, &history(&mut rng, *tenant_id)).await;
        }
        projected(&engine, &tenants).await;
        let version = active(&engine.store, "calls").await;
        assert_right(&mut conn, version, &tenants).await;
        let booked: i64 = sqlx::query_scalar("select count(*) from calls_v2.calls where is_booked")
            .fetch_one(&mut conn)
            .await
            .expect("a count");
        assert!(booked > 0, "some calls have appointments");
        assert_rebuilds_to_the_same(&engine.store).await;

        for tenant_id in &tenants {
            let positions: Vec<i64> = sqlx::query_scalar(
                "select position from ledger.events
                  where tenant_id = $1 and stream_kind in ('call', 'appointment') order by position",
            )
            .bind(tenant_id.0)
            .fetch_all(&mut conn)
            .await
            .expect("the log answers");
            for position in positions.into_iter().filter(|_| rng.usize(0..4) == 0) {
                let (store, position) = (&engine.store, Position(position));
                let dropped =
                    store.record_event_drop(*tenant_id, "calls", position, "a test", None);
                dropped.await.expect("recorded");
            }
        }
        projected(&engine, &tenants).await;
        assert_right(&mut conn, version, &tenants).await;
        assert_rebuilds_to_the_same(&engine.store).await;
        engine.stop().await;
        quiet.close().await;
    });
}

#[test]
fn any_bookings_and_calls_are_the_same_rows_and_sums_live_and_rebuilt_1() {
    any_history(1);
}

#[test]
fn any_bookings_and_calls_are_the_same_rows_and_sums_live_and_rebuilt_2() {
    any_history(2);
}

#[test]
fn any_bookings_and_calls_are_the_same_rows_and_sums_live_and_rebuilt_3() {
    any_history(3);
}
