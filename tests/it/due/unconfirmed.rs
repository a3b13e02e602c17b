//! A booking by a voice agent whose outcome could not be confirmed gets a follow-up task, unless it
//! turns out to be recorded.

use std::path::Path;
use std::time::{Duration, Instant};

use ledger_tests::OwnDatabase;
use ledger_tests::fixtures::Message;
use ledger_tests::proxy::{NetworkMode, Proxy, Upstream};
use server::limits::Limits;
use sqlx::postgres::{PgConnectOptions, PgSslMode};

use super::*;

const UNCONFIRMED: &str = "I cannot confirm it right now. Please ask again in a moment.";

/// Starts a server with a proxy between it and its database, that looks tool calls up after a delay.
async fn behind_a_proxy(own: &OwnDatabase, delay: Duration) -> (Proxy, TestLedger) {
    let socket = own.database.get_socket().expect("a private cluster has a socket");
    let socket = Path::new(socket).join(".s.PGSQL.5432");
    let proxy = Proxy::start(Upstream::Unix(socket)).await.expect("a proxy");
    let database = PgConnectOptions::new_without_pgpass()
        .host("127.0.0.1")
        .port(proxy.address().port())
        .username("ledger")
        .database(own.database.get_database().expect("it is named"))
        .ssl_mode(PgSslMode::Disable);
    let limits = Limits { follow_up_delay: delay, ..Limits::default() };
    let ledger = TestLedger::start_on_with_limits(database, own.keyring(), limits).await;
    (proxy, ledger)
}

/// A tool call of a voice agent that books an appointment.
fn booking_call(call_id: &str, name: &str, clock: &str) -> Message {
    let day = at(0).date_naive().to_string();
    let arguments = json!({ "name": "Ann Example", "date": day, "time": clock });
    let tool = json!([{ "id": format!("{name}-{clock}"), "type": "function",
                        "function": { "name": name, "arguments": arguments } }]);
    Message::new("tool-calls", call_id)
        .field("toolCallList", tool)
        .call_field("customer", json!({ "number": "+15550100123" }))
}

async fn said(tenant: &TestTenant, message: &Message) -> String {
    let answer = tenant.post_ok(message.body()).await;
    let result = &answer["results"][0];
    let text = result["result"].as_str().or(result["error"].as_str());
    text.unwrap_or_else(|| panic!("{answer}")).to_owned()
}

/// Facts of the events of a type, in a database of its own.
async fn facts(own: &OwnDatabase, event_type: &str) -> Vec<Value> {
    let facts: Vec<String> = sqlx::query_scalar(
        "select facts::text from ledger.events where event_type = $1 order by position",
    )
    .bind(event_type)
    .fetch_all(&mut own.superuser().await)
    .await
    .expect("the log answers");
    facts.iter().map(|facts| serde_json::from_str(facts).expect("JSON")).collect()
}

async fn until(what: &str, mut is_true: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !is_true().await {
        assert!(begun.elapsed() < Duration::from_secs(40), "{what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[test]
fn a_booking_that_met_an_outage_gets_one_follow_up_task_when_the_database_is_back() {
    run(async {
        let own = OwnDatabase::create().await;
        let (proxy, ledger) = behind_a_proxy(&own, Duration::ZERO).await;
        let tenant = ledger.tenant().await;
        assert!(
            said(&tenant, &booking_call("c-1", "bookAppointment", "09:00"))
                .await
                .contains("is booked")
        );
        proxy.set(NetworkMode::BlackHole);
        let booking = booking_call("c-1", "bookAppointment", "11:00");
        let look_up = booking_call("c-1", "checkAvailability", "12:00");
        let (first, second, other) =
            tokio::join!(said(&tenant, &booking), said(&tenant, &booking), said(&tenant, &look_up));
        assert_eq!([first, second, other], [UNCONFIRMED; 3]);
        proxy.set(NetworkMode::Normal);
        until("a task", async || !facts(&own, "task.created").await.is_empty()).await;
        let call_id = tenant.tenant_id.stream_of("call", "vapi", "c-1");
        assert!(said(&tenant, &booking).await.contains("is booked"));
        ledger.stop().await;
        let tasks = facts(&own, "task.created").await;
        assert_eq!(
            tasks.len(),
            1,
            "a look-up changes nothing, and a repetition is the same: {tasks:?}"
        );
        assert_eq!(
            (&tasks[0]["kind"], &tasks[0]["origin"], &tasks[0]["call_id"]),
            (&json!("follow_up"), &json!("tool"), &json!(call_id))
        );
        assert_eq!(facts(&own, "appointment.booked").await.len(), 2);
    });
}

#[test]
fn a_booking_that_was_recorded_after_all_gets_no_task() {
    run(async {
        let own = OwnDatabase::create().await;
        let (proxy, ledger) = behind_a_proxy(&own, Duration::from_secs(4)).await;
        let tenant = ledger.tenant().await;
        said(&tenant, &booking_call("c-1", "bookAppointment", "09:00")).await;
        proxy.set(NetworkMode::BlackHole);
        let recorded = booking_call("c-1", "bookAppointment", "11:00");
        let lost = booking_call("c-2", "bookAppointment", "12:00");
        let both = tokio::join!(said(&tenant, &recorded), said(&tenant, &lost));
        assert_eq!(both, (UNCONFIRMED.to_owned(), UNCONFIRMED.to_owned()));
        proxy.set(NetworkMode::Normal);
        assert!(said(&tenant, &recorded).await.contains("is booked"), "the platform repeats it");
        until("a task", async || !facts(&own, "task.created").await.is_empty()).await;
        // What still waits is looked up now.
        ledger.stop().await;
        let tasks = facts(&own, "task.created").await;
        let lost = tenant.tenant_id.stream_of("call", "vapi", "c-2");
        assert_eq!((tasks.len(), &tasks[0]["call_id"]), (1, &json!(lost)), "{tasks:?}");
        assert_eq!(facts(&own, "appointment.booked").await.len(), 2);
    });
}

#[test]
fn a_tool_call_that_waits_at_shutdown_is_followed_up_at_once() {
    run(async {
        let own = OwnDatabase::create().await;
        let (proxy, ledger) = behind_a_proxy(&own, Duration::from_hours(1)).await;
        let tenant = ledger.tenant().await;
        said(&tenant, &booking_call("c-1", "bookAppointment", "09:00")).await;
        proxy.set(NetworkMode::BlackHole);
        assert_eq!(
            said(&tenant, &booking_call("c-1", "bookAppointment", "11:00")).await,
            UNCONFIRMED
        );
        proxy.set(NetworkMode::Normal);
        until("the database is back", async || {
            let ready = reqwest::get(format!("http://{}/readyz", ledger.address)).await;
            ready.is_ok_and(|ready| ready.status() == 200)
        })
        .await;
        assert_eq!(facts(&own, "task.created").await, Vec::<Value>::new());
        ledger.stop().await;
        assert_eq!(facts(&own, "task.created").await.len(), 1);
    });
}
