//! `appointment` and `availability`: the same use cases as the API, without personal data in the output.

use nix::sys::signal::Signal;
use reqwest::Client;
use serde_json::{Value, json};

use crate::test_dir::TestDir;

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("no {name} in {value}"))
}

/// Books a free time for a person by name; returns the time and the appointment. The first free time may have
/// passed when it is booked.
fn book_second(test_dir: &TestDir) -> (String, Value) {
    let free = test_dir.json(&["availability", "--tenant", "acme", "--limit", "2"]);
    let starts_at = text(&free[1], "starts_at").to_owned();
    let person = ["--name", "Robin Example", "--phone", "+15550100123", "--notes", "wheelchair"];
    let book = ["appointment", "book", "--tenant", "acme", "--starts-at", &starts_at];
    let booked = test_dir.json(&[&book, &person[..]].concat());
    (starts_at, booked)
}

#[tokio::test]
async fn a_booking_of_the_command_line_is_the_appointment_that_the_api_returns() {
    let test_dir = TestDir::new();
    let serving = test_dir.serve(&[]);
    test_dir.json(&["tenant", "create", "--slug", "acme"]);
    let scopes = ["key", "create", "--tenant", "acme", "--scopes", "read,personal,write"];
    let key = test_dir.json(&scopes);
    let (starts_at, booked) = book_second(&test_dir);
    let id = text(&booked, "appointment_id");

    let position = booked["position"].as_i64().expect("a position");
    let url = format!("{}/v1/appointments/{id}?min_position={position}", serving.url);
    let asked = Client::new().get(url).bearer_auth(text(&key, "api_key"));
    let mut answer: Value = asked.send().await.expect("an answer").json().await.expect("JSON");
    assert_eq!(answer["customer"]["name"], "Robin Example");
    assert_eq!(answer["notes"], "wheelchair");
    let fields = answer.as_object_mut().expect("an object");
    for personal in ["customer", "notes", "reason"] {
        fields.remove(personal).expect(personal);
    }
    assert_eq!(answer, booked, "the same fields, except those about the person");
    assert_eq!(booked["history"][0]["actor"], "operator");
    assert_eq!(test_dir.json(&["appointment", "list", "--tenant", "acme"]), json!([booked]));

    let taken = ["appointment", "book", "--tenant", "acme", "--starts-at", &starts_at];
    let taken = test_dir.run(&[&taken[..], &["--name", "Kim Example"]].concat());
    assert_eq!(taken.code, 1, "{}", taken.stderr);
    assert!(taken.stderr.contains("(slot-taken)"), "{}", taken.stderr);
    assert!(!taken.stderr.contains("Kim"), "{}", taken.stderr);
    let body = json!({ "contact": { "name": "Kim Example" }, "starts_at": starts_at });
    let url = format!("{}/v1/appointments", serving.url);
    let refused = Client::new().post(url).bearer_auth(text(&key, "api_key")).json(&body);
    let refused: Value = refused.send().await.expect("an answer").json().await.expect("JSON");
    assert_eq!(refused["code"], "slot-taken", "the same rule for both");
    assert_eq!(serving.end(Signal::SIGTERM).code, 0);
}

#[test]
fn each_change_is_recorded_once_by_the_operator_and_shows_no_person() {
    let test_dir = TestDir::new();
    test_dir.json(&["tenant", "create", "--slug", "acme"]);
    test_dir.json(&["tenant", "create", "--slug", "other"]);
    let rules = r#"{"requires_confirmation": true}"#;
    test_dir.json(&["settings", "set", "bookings", rules, "--tenant", "acme"]);
    let (_, booked) = book_second(&test_dir);
    let id = text(&booked, "appointment_id");
    let change = |change: &str| test_dir.json(&["appointment", change, id, "--tenant", "acme"]);
    assert_eq!(booked["status"], "pending");
    let confirmed = change("confirm");
    assert_eq!(confirmed["status"], "confirmed");
    assert_eq!(change("confirm")["history"], confirmed["history"], "nothing is recorded twice");

    let free = test_dir.json(&["availability", "--tenant", "acme", "--limit", "9"]);
    let later = text(&free[8], "starts_at");
    let reschedule = ["appointment", "reschedule", id, "--tenant", "acme", "--starts-at", later];
    assert_eq!(test_dir.json(&reschedule)["scheduled_at"], later);
    let early = test_dir.run(&["appointment", "complete", id, "--tenant", "acme"]);
    assert_eq!(early.code, 1, "{}", early.stderr);
    assert_eq!(change("cancel")["status"], "cancelled");
    let moved = test_dir.run(&reschedule);
    assert!(moved.stderr.contains("(invalid-transition)"), "{}", moved.stderr);

    let shown = change("show");
    let changes = shown["history"].as_array().expect("a list").iter();
    let changes: Vec<_> = changes.map(|one| (text(one, "change"), text(one, "actor"))).collect();
    let by_operator = ["booked", "confirmed", "rescheduled", "cancelled"];
    assert_eq!(changes, by_operator.map(|change| (change, "operator")));
    for output in ["json", "table"] {
        let show = ["--output", output, "appointment", "show", id, "--tenant", "acme"];
        let shown = test_dir.run(&show).stdout;
        for personal in ["Robin", "5550100123", "wheelchair"] {
            assert!(!shown.contains(personal), "{shown}");
        }
    }
    for command in ["show", "cancel"] {
        let of_other = test_dir.run(&["appointment", command, id, "--tenant", "other"]);
        assert_eq!((of_other.code, of_other.stdout.as_str()), (1, ""), "{command}");
    }
    assert_eq!(test_dir.json(&["verify"])["ok"], true);
}

#[test]
fn an_option_that_cannot_be_is_refused_by_its_name() {
    let test_dir = TestDir::new();
    test_dir.json(&["tenant", "create", "--slug", "acme", "--country", "us"]);
    let at = ["appointment", "book", "--tenant", "acme", "--starts-at", "2099-01-05T10:00:00Z"];
    let nobody = "01a1fcae-5d88-7792-b19c-87f840c88c05";
    let long = "x".repeat(201);
    let refused: [(&[&str], &str); 10] = [
        (&[], "--contact-id"),
        (&["--contact-id", nobody, "--name", "Robin Example"], "--name"),
        (&["--contact-id", nobody, "--phone", "+15550100123"], "--phone"),
        (&["--contact-id", nobody], "--contact-id"),
        (&["--name", "<b>"], "--name"),
        (&["--name", &long], "--name"),
        (&["--name", "Robin Example", "--phone", "a number"], "--phone"),
        (&["--name", "Robin Example", "--email", "no address"], "--email"),
        (&["--name", "Robin Example", "--minutes", "1441"], "--minutes"),
        (&["--name", "Robin Example", "--call-id", nobody], "--call-id"),
    ];
    for (options, name) in refused {
        let ran = test_dir.run(&[&at[..], options].concat());
        assert_eq!(ran.code, 2, "{options:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(name), "{options:?}: {}", ran.stderr);
    }
    let status = ["appointment", "list", "--tenant", "acme", "--status", "gone"];
    assert_eq!(test_dir.run(&status).code, 2);
    assert_eq!(test_dir.json(&["tenant", "list"])[0]["events"], 1, "nothing was recorded");
}
