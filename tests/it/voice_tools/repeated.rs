//! One tool call has one answer, whatever repeats it.

use std::sync::Arc;

use ledger_tests::OwnDatabase;
use ledger_tests::ledger::status_and_json;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::*;

/// Events of a tenant in a database of its own, by the start of their type.
async fn events_in(own: &OwnDatabase, tenant: &TestTenant, start: &str) -> i64 {
    sqlx::query_scalar(
        "select count(*) from ledger.events
          where tenant_id = $1 and starts_with(event_type, $2)",
    )
    .bind(tenant.tenant_id.0)
    .bind(start)
    .fetch_one(&mut own.superuser().await)
    .await
    .expect("the log answers")
}

async fn booked_in(own: &OwnDatabase, tenant: &TestTenant) -> i64 {
    events_in(own, tenant, "appointment.booked").await
}

#[test]
fn the_same_id_gets_the_same_words_for_ever_and_one_appointment() {
    run(async {
        let own = OwnDatabase::create().await;
        let ledger = own.server().await;
        let tenant = ledger.tenant().await;
        let booking = call("c", &[("t-1", "bookAppointment", at("14:00", "Ann Example"))]);
        let refusal = call("c-2", &[("t-1", "bookAppointment", at("14:15", "Ben Example"))]);
        let refusal = from(refusal, "+15550100124");
        let first = said(&tenant, &booking).await;
        let refused = said(&tenant, &refusal).await;
        assert_eq!(first, Ok(booked_at("2 pm")));
        assert!(refused.is_err());
        let free = call("c", &[("t-2", "cancelAppointment", json!({}))]);
        said(&tenant, &free).await.expect("it is cancelled");
        // The refused time is free now; the first words stay, also in another body and after a
        // restart.
        let events = events_in(&own, &tenant, "call.").await;
        assert_eq!(said(&tenant, &refusal).await, refused);
        assert_eq!(said(&tenant, &booking).await, first);
        assert_eq!(events_in(&own, &tenant, "call.").await, events, "the same bodies are known");
        ledger.stop().await;
        let ledger = own.server().await;
        let tenant = tenant.through(&ledger);
        let later = refusal.clone().field("timestamp", 1_796_000_000_000_i64);
        assert_eq!(said(&tenant, &later).await, refused);
        assert_eq!(said(&tenant, &booking).await, first);
        assert_eq!(events_in(&own, &tenant, "call.").await, events + 1, "another body is kept");
        assert_eq!(booked_in(&own, &tenant).await, 1);
        ledger.stop().await;
    });
}

#[test]
fn the_same_wish_under_a_new_id_gets_the_words_of_its_appointment() {
    run(async {
        let tenant = TestLedger::shared().await.tenant().await;
        for id in ["t-1", "t-2", "t-3"] {
            let booking = call("c", &[(id, "bookAppointment", at("14:00", "Ann Example"))]);
            assert_eq!(said(&tenant, &booking).await, Ok(booked_at("2 pm")), "{id}");
        }
        assert_eq!(appointments(&tenant).await, 1);
    });
}

#[test]
fn one_tool_call_on_two_servers_at_once_has_one_answer_and_one_appointment() {
    run(async {
        let shared = TestLedger::shared().await;
        let other = TestLedger::start().await;
        let tenant = shared.tenant().await;
        let there = tenant.through(&other);
        let barrier = Arc::new(Barrier::new(12));
        let mut posts = JoinSet::new();
        for nth in 0..12_i64 {
            // The same tool call in three bodies, and one of another caller for the same time.
            let booking = call("c", &[("t-1", "bookAppointment", at("14:00", "Ann Example"))]);
            let booking = booking.field("timestamp", 1_796_000_000_000_i64 + nth % 3);
            let server = if nth % 2 == 0 { &tenant } else { &there };
            let request = server.webhook(booking.body());
            let barrier = Arc::clone(&barrier);
            posts.spawn(async move {
                barrier.wait().await;
                status_and_json(request.send().await.expect("an answer")).await
            });
        }
        for (status, answer) in posts.join_all().await {
            assert_eq!((status, reply(&answer["results"][0])), (200, Ok(booked_at("2 pm"))));
        }
        assert_eq!(appointments(&tenant).await, 1);
        assert_eq!(tenant.facts_of("call.tool_called").await.len(), 3, "three bodies");
        other.stop().await;
    });
}

#[test]
fn of_many_callers_for_one_time_on_two_servers_one_is_booked() {
    run(async {
        let shared = TestLedger::shared().await;
        let other = TestLedger::start().await;
        let tenant = shared.tenant().await;
        let there = tenant.through(&other);
        let mut posts = JoinSet::new();
        for nth in 0..20 {
            let booking =
                call(&format!("c-{nth}"), &[("t", "bookAppointment", at("14:00", "Ann Example"))]);
            let booking = from(booking, &format!("+155501001{nth:02}"));
            let server = if nth % 2 == 0 { &tenant } else { &there };
            let request = server.webhook(booking.body());
            posts.spawn(async move {
                let answer = status_and_json(request.send().await.expect("an answer")).await;
                reply(&answer.1["results"][0])
            });
        }
        let answers = posts.join_all().await;
        let booked = answers.iter().filter(|answer| answer.is_ok()).count();
        assert_eq!(booked, 1, "{answers:?}");
        let is_refusal = |words: &String| words.starts_with("That time is not available.");
        assert!(answers.iter().all(|answer| answer.as_ref().err().is_none_or(is_refusal)));
        assert_eq!(appointments(&tenant).await, 1);
        other.stop().await;
    });
}

#[test]
fn a_frozen_tenant_repeats_its_first_words_and_books_nothing_new() {
    run(async {
        let ledger = TestLedger::shared().await;
        let tenant = ledger.tenant().await;
        let booking = call("c", &[("t-1", "bookAppointment", at("14:00", "Ann Example"))]);
        let first = said(&tenant, &booking).await;
        assert_eq!(first, Ok(booked_at("2 pm")));
        let by = tenant.store.operator();
        let frozen = ledger_store::tenants::TenantState::Frozen;
        tenant.store.set_tenant_state(&by, tenant.tenant_id, frozen).await.expect("it is frozen");
        let events = tenant.recorded().await.len();
        assert_eq!(said(&tenant, &booking).await, first);
        let later = booking.field("timestamp", 1_796_000_000_000_i64);
        assert_eq!(said(&tenant, &later).await, first, "in another body");
        let new = call("c", &[("t-2", "bookAppointment", at("16:00", "Ann Example"))]);
        let refused = said(&tenant, &new).await.expect_err("nothing is booked");
        assert!(refused.contains("Nothing was done"), "{refused}");
        assert_eq!(tenant.recorded().await.len(), events);
    });
}

#[test]
fn an_unknown_outcome_is_said_to_be_unknown_and_asking_again_tells_it() {
    run(async {
        let own = OwnDatabase::create().await;
        let ledger = own.server().await;
        let tenant = ledger.tenant().await;
        let before = call("c", &[("t-0", "bookAppointment", at("09:00", "Ann Example"))]);
        said(&tenant, &before).await.expect("free");
        // Every append waits for the tenant's row, so whether it is made is not known in time.
        let mut conn = own.superuser().await;
        let mut held = sqlx::Connection::begin(&mut conn).await.expect("a transaction");
        sqlx::query("select from ledger.tenants for update")
            .execute(&mut *held)
            .await
            .expect("the tenants are held");
        let booking = call("c", &[("t-1", "bookAppointment", at("14:00", "Ann Example"))]);
        let unknown = said(&tenant, &booking).await;
        held.rollback().await.expect("released");
        assert_eq!(unknown, Err(ledger_core::tools::words::UNCONFIRMED.to_owned()));
        assert_eq!(said(&tenant, &booking).await, Ok(booked_at("2 pm")));
        assert_eq!(said(&tenant, &booking).await, Ok(booked_at("2 pm")));
        assert_eq!(booked_in(&own, &tenant).await, 2);
        ledger.stop().await;
    });
}
