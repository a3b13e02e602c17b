//! Completeness: the lines of an export are the events of the log about the person.

use std::collections::{BTreeMap, BTreeSet};

use ledger_core::ids::SubjectId;
use ledger_store::seal::{Sealed, unpack};
use ledger_tests::{TestTenant, cluster, fixtures, run};
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Desk, PASSPHRASE, events, json_of, opened};

/// A row of the log.
#[derive(sqlx::FromRow)]
struct Row {
    position: i64,
    stream_id: Uuid,
    stream_kind: String,
    event_id: Uuid,
    event_type: String,
    facts: String,
    subjects: Option<Vec<Uuid>>,
    sections: Option<Vec<u8>>,
    bulk: Option<Vec<u8>>,
}

impl Row {
    fn names(&self, subject: Uuid) -> bool {
        self.subjects.iter().flatten().any(|one| *one == subject)
    }

    /// Names of the sections of some subjects, and the number of others.
    fn sections(&self, subjects: &BTreeSet<Uuid>) -> (BTreeSet<String>, usize) {
        let (mut mine, mut others) = (BTreeSet::new(), 0);
        for column in [&self.sections, &self.bulk].into_iter().flatten() {
            for section in unpack(column).expect("sections") {
                let sealed = Sealed::parse(section).expect("a section");
                if subjects.contains(&sealed.subject_id.0) {
                    mine.insert(sealed.name.as_str().to_owned());
                } else {
                    others += 1;
                }
            }
        }
        (mine, others)
    }
}

/// The whole log of a tenant, as a superuser reads it.
async fn log(tenant: &TestTenant) -> Vec<Row> {
    sqlx::query_as(
        "select position, stream_id, stream_kind, event_id, event_type, facts::text as facts,
                subjects, sections, bulk
           from ledger.events where tenant_id = $1 order by position",
    )
    .bind(tenant.tenant_id.0)
    .fetch_all(&mut cluster::superuser().await)
    .await
    .expect("the log")
}

/// The streams about a contact: its own two, and those with an event that names it.
fn streams_about(rows: &[Row], tenant: &TestTenant, contact: Uuid) -> BTreeSet<Uuid> {
    let is_named = |row: &&Row| {
        let facts: Value = serde_json::from_str(&row.facts).expect("JSON");
        let is_id = |name: &str| facts[name] == contact.to_string();
        let by_facts = matches!(row.event_type.as_str(), "appointment.booked" | "task.created")
            && (is_id("contact_id") || is_id("booked_by_contact_id"));
        row.stream_kind != "access" && (row.names(contact) || by_facts)
    };
    let mut streams: BTreeSet<Uuid> =
        rows.iter().filter(is_named).map(|row| row.stream_id).collect();
    streams.extend([contact, tenant.tenant_id.subject_stream(SubjectId(contact)).0]);
    streams
}

/// Compares an export with the log, event by event, and returns its record.
async fn compare(desk: &Desk, contact: Uuid) -> Value {
    let (export, file) = desk.export(&contact.to_string()).await;
    let files = opened(&file, PASSPHRASE).expect("it opens");
    let record = json_of(&files, "record.json");
    let last = export["last_position"].as_i64().expect("a position");
    let rows: Vec<Row> =
        log(&desk.tenant).await.into_iter().filter(|row| row.position <= last).collect();
    let streams = streams_about(&rows, &desk.tenant, contact);
    let own = record["own_subjects_of_calls"].as_array().expect("a list").iter();
    let mut subjects: BTreeSet<Uuid> =
        own.map(|id| id.as_str().expect("an id").parse().expect("an id")).collect();
    subjects.insert(contact);
    let is_about = |row: &&Row| {
        streams.contains(&row.stream_id) || subjects.iter().any(|subject| row.names(*subject))
    };
    let expected: Vec<&Row> = rows.iter().filter(is_about).collect();
    let lines = events(&files);
    assert_eq!(lines.len(), expected.len());
    let mut withheld = 0;
    for (line, row) in lines.iter().zip(&expected) {
        assert_eq!(line["position"], row.position);
        assert_eq!(line["event_id"], row.event_id.to_string());
        assert_eq!(line["type"], row.event_type.as_str());
        let (mine, others) = row.sections(&subjects);
        let personal = line["personal"].as_object();
        let opened: BTreeSet<String> =
            personal.into_iter().flat_map(|all| all.keys().cloned()).collect();
        assert_eq!(opened, mine, "{}", row.event_type);
        let left_out = line["withheld"].as_array().map_or(0, Vec::len);
        assert_eq!(left_out, others);
        withheld += others;
        assert_eq!(line["erased"], Value::Null);
    }
    assert_eq!(export["events"], expected.len());
    assert_eq!(export["withheld_sections"], withheld);
    check_form(&files, &record);
    record
}

/// Checks the manifest, and that the record has the members of its schema and no other.
fn check_form(files: &BTreeMap<String, Vec<u8>>, record: &Value) {
    let schema = json_of(files, "record.schema.json");
    let names = |value: &Value| {
        value.as_object().expect("an object").keys().cloned().collect::<BTreeSet<_>>()
    };
    assert_eq!(names(record), names(&schema["properties"]));
    for list in ["person", "calls", "appointments", "tasks", "rights", "read_by"] {
        let known = names(&schema["properties"][list]["items"]["properties"]);
        for item in record[list].as_array().expect("a list") {
            assert!(names(item).is_subset(&known), "{list}: {item}");
        }
    }
    let manifest = json_of(files, "manifest.json");
    let listed = manifest["files"].as_array().expect("a list");
    assert_eq!(listed.len() + 1, files.len(), "every file but the manifest is in it");
    for file in listed {
        let name = file["name"].as_str().expect("a name");
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &files[name]);
        assert_eq!(file["sha256"], hex::encode(digest), "{name}");
    }
    let calls = record["calls"].as_array().expect("a list");
    let table = String::from_utf8(files["calls.csv"].clone()).expect("UTF-8");
    assert_eq!(table.matches("\r\n").count(), calls.len() + 1);
    for name in calls.iter().filter_map(|call| call["transcript"].as_str()) {
        assert!(!files[name].is_empty());
    }
}

#[test]
fn the_export_of_each_person_of_the_samples_has_exactly_the_events_about_them() {
    run(async {
        let desk = Desk::shared().await;
        for name in fixtures::names("vapi") {
            let (status, answer) = desk.tenant.post(fixtures::bytes(&name)).await;
            assert!(status == 200, "{name}: {answer}");
        }
        desk.tenant.settle().await;
        let contacts: Vec<Uuid> = sqlx::query_scalar(
            "select contact_id from vault.contacts where tenant_id = $1 order by contact_id",
        )
        .bind(desk.tenant.tenant_id.0)
        .fetch_all(&mut cluster::superuser().await)
        .await
        .expect("the contacts");
        assert!(contacts.len() > 3, "{}", contacts.len());
        let mut transcripts = 0;
        for contact in contacts {
            let record = compare(&desk, contact).await;
            let calls = record["calls"].as_array().expect("a list").iter();
            transcripts += calls.filter(|call| call["transcript"].is_string()).count();
        }
        assert!(transcripts > 0);
    });
}

#[test]
fn bookings_notes_tasks_changes_merges_and_reads_of_the_person_are_in_the_export() {
    run(async {
        let desk = Desk::shared().await;
        let anna = json!({ "name": "Anna Example", "number": "+15550100123" });
        let first = desk.call("full-1", &anna, "User: =cmd|' /C calc'!A0").await;
        let ben = json!({ "name": "Ann Example", "number": "+15550100124" });
        let part = desk.call("full-2", &ben, "User: as Ann.").await;
        let merge = format!("/v1/contacts/{part}/merge");
        desk.staff(Method::POST, &merge, &json!({ "into": first })).await;
        let change = json!({ "custom_fields": { "pet": "a heron" }, "tags": ["vip"] });
        desk.staff(Method::PATCH, &format!("/v1/contacts/{first}"), &change).await;
        let page = desk.staff(Method::GET, "/v1/calls?provider_call_id=full-1", &Value::Null).await;
        let call = page["data"][0]["call_id"].as_str().expect("an id").to_owned();
        let note = json!({ "text": "prefers the <b>window</b>" });
        desk.staff(Method::POST, &format!("/v1/calls/{call}/notes"), &note).await;
        let booking = json!({
            "contact_id": first, "starts_at": desk.in_days(20), "notes": "=HYPERLINK(1)",
        });
        let booked = desk.staff(Method::POST, "/v1/appointments", &booking).await;
        let appointment = booked["appointment_id"].as_str().expect("an id").to_owned();
        desk.staff(Method::POST, &format!("/v1/appointments/{appointment}/cancel"), &Value::Null)
            .await;
        let task = json!({
            "kind": "call_back", "due_at": desk.in_days(21), "contact_id": first,
            "text": "call about the window",
        });
        desk.staff(Method::POST, "/v1/tasks", &task).await;
        desk.tenant.settle().await;

        let contact: Uuid = first.parse().expect("an id");
        let (export, file) = desk.export(&first).await;
        let files = opened(&file, PASSPHRASE).expect("it opens");
        let record = json_of(&files, "record.json");
        assert_eq!(record["merged_subjects"], json!([part]));
        let calls: Vec<&Value> = record["calls"].as_array().expect("a list").iter().collect();
        assert_eq!(calls.len(), 2, "those of both");
        assert_eq!(record["contact"]["custom_fields"], json!({ "pet": "a heron" }));
        assert_eq!(record["contact"]["tags"], json!(["vip"]));
        assert_eq!(record["appointments"][0]["status"], "cancelled");
        assert_eq!(record["appointments"][0]["details"][0]["notes"], "=HYPERLINK(1)");
        assert_eq!(record["tasks"][0]["text"], "call about the window");
        assert_eq!(record["rights"][0]["type"], "subject.access_requested");
        let names: BTreeSet<&str> = record["person"]
            .as_array()
            .expect("a list")
            .iter()
            .filter_map(|stated| stated["value"].as_str())
            .collect();
        for value in ["Anna Example", "Ann Example", "+15550100123", "+15550100124"] {
            assert!(names.contains(value), "{value}");
        }
        let readers = record["read_by"].as_array().expect("a list");
        assert!(readers.iter().any(|one| one["action"] == "calls.list"), "{readers:?}");
        let text = String::from_utf8(files[&format!("transcripts/{call}.txt")].clone());
        let text = text.expect("UTF-8");
        assert!(text.contains("calc'!A0") && text.contains("the <b>window</b>"), "{text}");
        let table = String::from_utf8(files["appointments.csv"].clone()).expect("UTF-8");
        assert!(table.contains("\"cancelled\""), "{table}");
        let page = String::from_utf8(files["index.html"].clone()).expect("UTF-8");
        assert!(!page.contains("<script") && page.contains("Anna Example"), "{page}");

        // Event by event, with the streams of the part.
        let lines = events(&files);
        let last = export["last_position"].as_i64().expect("a position");
        let rows = log(&desk.tenant).await;
        let rows: Vec<Row> = rows.into_iter().filter(|row| row.position <= last).collect();
        let part: Uuid = part.parse().expect("an id");
        let mut streams = streams_about(&rows, &desk.tenant, contact);
        streams.extend(streams_about(&rows, &desk.tenant, part));
        let is_about =
            |row: &&Row| streams.contains(&row.stream_id) || row.names(contact) || row.names(part);
        let expected: Vec<i64> = rows.iter().filter(is_about).map(|row| row.position).collect();
        let written: Vec<i64> =
            lines.iter().map(|line| line["position"].as_i64().expect("a position")).collect();
        assert_eq!(written, expected);
    });
}
