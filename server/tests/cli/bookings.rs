//! Bookings on two server processes of which one is killed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use chrono::Days;
use ledger_core::clock::Clock;
use nix::sys::signal::Signal;
use reqwest::Client;
use serde_json::{Value, json};
use server::system::SystemClock;
use tokio::task::JoinSet;

use crate::test_dir::{DirectAccess, TestDir};

/// Appointments that may be on the resource at one time.
const CAPACITY: i64 = 2;
/// Callers, each with a booking of its own.
const CALLERS: usize = 120;
/// Time within which every caller has a definite answer.
const PATIENCE: Duration = Duration::from_secs(40);

/// The API of an installation with several servers.
struct Api {
    client: Client,
    urls: Vec<String>,
    key: String,
}

impl Api {
    /// Sends a command until the answer is definite, to the servers in turn, as a client with an
    /// `Idempotency-Key` does. Some callers give their first request up so early that its outcome is open.
    async fn command(&self, first: usize, path: &str, key: &str, body: &Value) -> (u16, Value) {
        let begun = Instant::now();
        let mut last = String::new();
        for nth in first.. {
            let url = format!("{}{path}", self.urls[nth % self.urls.len()]);
            let mut request =
                self.client.post(url).bearer_auth(&self.key).header("idempotency-key", key);
            if nth == first && first % 4 == 3 {
                request =
                    request.timeout(Duration::from_millis(u64::try_from(first).expect("few")));
            }
            if let Ok(answer) = request.json(body).send().await {
                let status = answer.status().as_u16();
                let body: Value = answer.json().await.unwrap_or_default();
                let is_running = body["code"] == "idempotency-key-in-use";
                if status < 500 && !is_running && !body.is_null() {
                    return (status, body);
                }
                last = body.to_string();
            }
            assert!(begun.elapsed() < PATIENCE, "{path} has no definite answer: {last}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        unreachable!("the loop ends by its answer")
    }
}

/// What a caller was told in the end.
struct Told {
    nth: usize,
    body: Value,
    booked: (u16, Value),
    /// The last acknowledged change, with its path and body.
    changed: Option<(String, Value, Value)>,
}

/// Books, and then moves or cancels some of the appointments.
async fn call(api: &Api, nth: usize) -> Told {
    // Starts every five minutes: six of these bookings overlap at an instant, and two may have it.
    let day =
        SystemClock.now().date_naive() + Days::new(30 + u64::try_from(nth % 2).expect("0 or 1"));
    let at = |hour| format!("{day}T{:02}:{:02}:00Z", hour + nth / 24, 5 * (nth / 2 % 12));
    let starts_at = at(8);
    let contact = json!({ "name": "Anna Example", "email": format!("caller-{nth}@example.com") });
    let body = json!({ "contact": contact, "starts_at": starts_at, "duration_minutes": 30 });
    let booked = api.command(nth, "/v1/appointments", &format!("book-{nth}"), &body).await;
    let mut changed = None;
    if booked.0 == 201 {
        let id = booked.1["appointment_id"].as_str().expect("an id");
        let (verb, change) = match nth % 5 {
            0 => ("cancel", json!({})),
            1 | 2 => ("reschedule", json!({ "starts_at": at(18) })),
            _ => return Told { nth, body, booked, changed },
        };
        let path = format!("/v1/appointments/{id}/{verb}");
        let answer = api.command(nth, &path, &format!("change-{nth}"), &change).await;
        if answer.0 == 200 {
            changed = Some((path, change, answer.1));
        }
    }
    Told { nth, body, booked, changed }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_the_kill_of_a_server_each_acknowledged_booking_is_there_once_and_none_is_over_capacity()
 {
    let test_dir = TestDir::new();
    let first = test_dir.serve(&[]);
    let second = test_dir.serve(&[]);
    test_dir.json(&["tenant", "create", "--slug", "salon"]);
    let resources = json!({ "resources": [{ "id": "room", "capacity": CAPACITY }] }).to_string();
    test_dir.json(&["settings", "set", "resources", &resources, "--tenant", "salon"]);
    let key = test_dir.json(&["key", "create", "--tenant", "salon", "--scopes", "read,write"]);
    let api = Arc::new(Api {
        client: Client::builder().timeout(Duration::from_secs(20)).build().expect("a client"),
        urls: vec![first.url.clone(), second.url.clone()],
        key: key["api_key"].as_str().expect("a key").to_owned(),
    });

    let answered = Arc::new(AtomicUsize::new(0));
    let mut callers = JoinSet::new();
    for nth in 0..CALLERS {
        let (api, answered) = (Arc::clone(&api), Arc::clone(&answered));
        callers.spawn(async move {
            let told = call(&api, nth).await;
            answered.fetch_add(1, Ordering::Relaxed);
            told
        });
    }
    while answered.load(Ordering::Relaxed) < CALLERS / 6 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let at_the_kill = answered.load(Ordering::Relaxed);
    assert_eq!(second.end(Signal::SIGKILL).code, -1);
    assert!(at_the_kill < CALLERS, "the kill came in the middle");
    let mut database = DirectAccess::new(&test_dir).await;
    // As if the time-out of the killed requests were over. Those that still run on the other server are
    // run twice by this, which must not show.
    database
        .execute(
            "update ledger.command_answers set claimed_until = now() where answer_sealed is null",
        )
        .await;
    let mut all = Vec::new();
    while let Some(told) = callers.join_next().await {
        all.push(told.expect("no panic"));
    }

    let mut ids = BTreeSet::new();
    for Told { nth, body, booked: (status, booked), changed } in &all {
        if *status != 201 {
            assert_eq!((*status, &booked["code"]), (409, &json!("slot-taken")), "{booked}");
            continue;
        }
        assert!(ids.insert(booked["appointment_id"].as_str().expect("an id").to_owned()));
        let again = api.command(0, "/v1/appointments", &format!("book-{nth}"), body).await;
        assert_eq!(again, (201, booked.clone()), "a retry gets its first answer");
        if let Some((path, change, answer)) = changed {
            let again = api.command(0, path, &format!("change-{nth}"), change).await;
            assert_eq!(again, (200, answer.clone()), "a retry gets its first answer");
        }
    }
    assert!(ids.len() > 20, "hardly any was booked: {}", ids.len());
    check_read_model(&mut database, &ids, &all).await;
    database.close().await;
    assert_eq!(first.end(Signal::SIGTERM).code, 0);
    assert_eq!(test_dir.json(&["verify"])["ok"], true);
}

/// Compares the read model with what was acknowledged.
async fn check_read_model(database: &mut DirectAccess, ids: &BTreeSet<String>, all: &[Told]) {
    let begun = Instant::now();
    let lag = "select count(*) from projection.checkpoints c
                where c.projection = 'appointments'
                  and c.position < (select max(position) from ledger.events e where e.tenant_id = c.tenant_id)";
    while database.query::<i64>(lag).await > 0 {
        assert!(begun.elapsed() < Duration::from_secs(20), "the read model does not catch up");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let rows: String = database
        .query("select coalesce(json_object_agg(appointment_id, status), '{}')::text from read.appointments")
        .await;
    let rows: BTreeMap<String, String> = serde_json::from_str(&rows).expect("an object");
    assert_eq!(rows.keys().collect::<Vec<_>>(), ids.iter().collect::<Vec<_>>());
    let events = "select count(*) from ledger.events where event_type = 'appointment.booked'";
    assert_eq!(database.query::<i64>(events).await, i64::try_from(ids.len()).expect("few"));
    for Told { booked: (_, booked), changed, .. } in all {
        if let Some((_, _, answer)) = changed {
            let id = booked["appointment_id"].as_str().expect("an id");
            assert_eq!(json!(rows[id]), answer["status"], "an acknowledged change stays");
        }
    }
    // The number of appointments at one time is largest at the start of one of them.
    let most = "select coalesce(max(live), 0) from (
                  select count(*) as live from read.appointments a join read.appointments b
                      on b.resource = a.resource and b.status <> 'cancelled'
                     and b.scheduled_at <= a.scheduled_at and a.scheduled_at < b.ends_at
                   where a.status <> 'cancelled' group by a.appointment_id) at_start";
    assert_eq!(database.query::<i64>(most).await, CAPACITY, "as many as may be, and no more");
}
