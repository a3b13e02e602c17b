//! Texts of requests that nothing can show: every text of every body is refused by its field if it has a
//! control character, an invisible character or a mark of direction. The fields are those of the OpenAPI
//! document, so a new one is tested too.

use std::collections::BTreeSet;

use ledger_tests::ledger::status_and_json;
use ledger_tests::{TestLedger, TestTenant, run};
use reqwest::{Client, Method};
use serde_json::{Value, json};

const HOSTILE: [&str; 6] =
    ["a\u{202e}b", "a\u{2066}b", "a\u{200f}b", "a\u{61c}b", "a\u{200b}b", "a\u{7}b"];
const NIL: &str = "00000000-0000-0000-0000-000000000000";

/// A body of each operation with every text that it may have. An operation with a body that is not here
/// fails the test.
fn bodies() -> Vec<(&'static str, Value)> {
    vec![
        (
            "create_appointment",
            json!({
                "contact": { "name": "Anna Example", "phone": "+15550100123", "email": "anna@example.com" },
                "contact_id": NIL, "booked_by_contact_id": NIL, "service_type": "cleaning",
                "starts_at": "2027-03-01T09:00:00Z", "resource": "main", "call_id": NIL, "notes": "none",
            }),
        ),
        (
            "reschedule_appointment",
            json!({ "starts_at": "2027-03-01T09:00:00Z", "resource": "main" }),
        ),
        ("create_contact", contact()),
        ("update_contact", contact()),
        ("add_contact_handle", json!({ "kind": "email", "value": "anna@example.com" })),
        ("merge_contact", json!({ "into": NIL })),
        (
            "update_call_campaign",
            json!({ "campaign": "spring", "call_type": "sales", "attempt": 1 }),
        ),
        ("set_call_context", json!({ "plan": "basic" })),
        ("set_call_disposition", json!({ "disposition": "follow_up" })),
        ("escalate_call", json!({ "reason": "a reason" })),
        ("add_call_note", json!({ "text": "a note", "kind": "general", "visibility": "internal" })),
        (
            "update_call_note",
            json!({ "text": "a note", "kind": "general", "visibility": "internal" }),
        ),
        ("score_call", json!({ "score": 5 })),
        ("tag_call", json!({ "tag": "vip", "category": "work" })),
        ("mark_test_call", json!({ "is_test": true })),
        (
            "create_task",
            json!({
                "kind": "call_back", "due_at": "2027-03-01T09:00:00Z", "contact_id": NIL, "call_id": NIL,
                "appointment_id": NIL, "text": "a task",
            }),
        ),
        (
            "drop_parked_event",
            json!({ "reason": "a reason", "projection": "calls", "tenant_id": NIL }),
        ),
        ("promote_projection", json!({})),
        (
            "export_subject",
            json!({ "passphrase": "seven heron bridge 41", "requested_by": "person", "format": "zip" }),
        ),
        (
            "look_up_subjects",
            json!({ "phone": "+15550100123", "email": "anna@example.com", "external_id": "crm-7" }),
        ),
        (
            "erase_subject",
            json!({
                "ground": "17.1.a", "requested_by": "the person", "identity": "account",
                "received_at": "2026-11-01T09:00:00Z", "note": "a note",
            }),
        ),
        ("refuse_erasure", json!({ "reason": "unfounded" })),
        ("extend_erasure", json!({ "reason": "complexity" })),
        ("place_hold", json!({ "reason": "litigation" })),
        ("restrict_subject", json!({ "reason": "18.1.a" })),
        ("rebuild_projection", json!({ "tenant_id": NIL })),
        ("create_source", source()),
        ("update_source", source()),
        ("rotate_source_secret", json!({ "secret": "a-secret-of-a-source-1" })),
        (
            "create_key",
            json!({ "scopes": ["read"], "name": "a key", "expires_at": "2027-03-01T09:00:00Z" }),
        ),
        (
            "update_tenant",
            json!({ "name": "Acme Dental", "country": "US", "timezone": "Europe/London" }),
        ),
    ]
}

fn contact() -> Value {
    json!({
        "name": "Anna Example", "phone": "+15550100123", "email": "anna@example.com",
        "external_id": "crm-7", "segment": "gold", "priority": "high", "tags": ["vip"],
        "custom_fields": { "note": "a text" },
    })
}

fn source() -> Value {
    json!({
        "provider": "vapi", "name": "a source", "assistant_id": "an-assistant", "speech": "model",
        "secret": "a-secret-of-a-source-1", "tools": { "reserve": "book" },
    })
}

/// A value of each setting with every text that it may have, by the schema of the setting.
fn settings() -> Vec<(&'static str, &'static str, Value)> {
    let opening = json!([{ "from": "09:00", "to": "17:00" }]);
    let days = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
    let week: Value = days.iter().map(|day| ((*day).to_owned(), opening.clone())).collect();
    let hours = json!({
        "weekdays": week, "exceptions": [{ "date": "2027-12-24", "intervals": opening }],
    });
    let resource = json!({ "id": "main", "name": "Chair", "hours": hours });
    let service = json!({
        "id": "cleaning", "name": "Cleaning", "keywords": ["clean"], "minutes": 30,
        "price_cents": 100, "currency": "USD", "resources": ["main"],
    });
    let disposition = json!({ "id": "sold", "label": "Sold" });
    vec![
        ("plan", "PlanSetting", json!({})),
        ("hours", "HoursSetting", hours),
        ("resources", "ResourcesSetting", json!({ "resources": [resource] })),
        ("services", "ServicesSetting", json!({ "services": [service] })),
        ("bookings", "BookingsSetting", json!({ "closures": "buffers" })),
        ("reminders", "RemindersSetting", json!({})),
        ("dispositions", "DispositionsSetting", json!({ "dispositions": [disposition] })),
        (
            "annotations",
            "AnnotationsSetting",
            json!({ "clear_context_fields": ["plan"], "tag_categories": ["work"] }),
        ),
        ("contacts", "ContactsSetting", json!({ "clear_custom_fields": ["tier"] })),
        ("retention", "RetentionSetting", json!({})),
        ("lead_score", "LeadScoreSetting", json!({ "dispositions": { "sold": 5 } })),
    ]
}

/// Returns a schema without the null that an optional field may be, and with its reference resolved.
fn resolved<'d>(document: &'d Value, schema: &'d Value) -> &'d Value {
    if let Some(name) = schema["$ref"].as_str().and_then(|path| path.strip_prefix('#')) {
        return resolved(document, document.pointer(name).expect("a schema"));
    }
    let choices = schema["oneOf"].as_array().into_iter().flatten();
    let mut choices = choices.filter(|choice| choice["type"] != "null");
    choices.next().map_or(schema, |choice| resolved(document, choice))
}

fn has_type(schema: &Value, name: &str) -> bool {
    let types = schema["type"].as_array().into_iter().flatten();
    schema["type"] == name || types.into_iter().any(|one| one == name)
}

/// Adds the pointers of all texts of a schema. An object with names of its own has those of the sample.
fn texts(document: &Value, schema: &Value, sample: &Value, at: &str, found: &mut BTreeSet<String>) {
    let schema = resolved(document, schema);
    if has_type(schema, "string") {
        found.insert(at.to_owned());
    } else if has_type(schema, "array") {
        let items = schema["items"].as_object().map(|_| &schema["items"]).expect("items");
        texts(document, items, &sample[0], &format!("{at}/0"), found);
    } else if let Some(fields) = schema["properties"].as_object() {
        for (name, field) in fields {
            texts(document, field, &sample[name], &format!("{at}/{name}"), found);
        }
    } else if has_type(schema, "object") {
        for (name, value) in sample.as_object().expect("a sample of a free object") {
            let text = value.is_string().then(|| format!("{at}/{name}"));
            found.extend(text);
        }
    }
}

struct Checks {
    tenant: TestTenant,
    key: String,
    /// Faults, all of which are reported at once.
    faults: Vec<String>,
}

impl Checks {
    async fn send(&self, method: &Method, path: &str, body: &Value) -> (u16, Value) {
        let request = Client::new().request(method.clone(), self.tenant.url(path));
        let request = request.bearer_auth(&self.key).body(body.to_string());
        status_and_json(request.send().await.expect("an answer")).await
    }

    /// Checks that each text of a body, and each name of a free object, is refused if it is hostile.
    async fn walk(&mut self, method: &Method, path: &str, sample: &Value, texts: BTreeSet<String>) {
        for at in texts {
            if sample.pointer(&at).is_none() {
                self.faults.push(format!("{method} {path}: the sample has no {at}"));
                continue;
            }
            // A telephone number loses hidden characters, and this one is one of three handles.
            if path == "/v1/subjects/lookup" && at == "/phone" {
                continue;
            }
            for text in HOSTILE {
                let mut body = sample.clone();
                *body.pointer_mut(&at).expect("it is there") = json!(text);
                self.check(method, path, &body, &at).await;
            }
        }
        for at in ["/custom_fields", "/tools", "/dispositions", ""] {
            let is_free = (at.is_empty() && path.ends_with("/context"))
                || (!at.is_empty() && sample[&at[1..]].is_object());
            if is_free {
                let mut body = sample.clone();
                let object = body.pointer_mut(at).and_then(Value::as_object_mut).expect("one");
                let value = object.values().next().expect("a field").clone();
                object.insert(HOSTILE[0].to_owned(), value);
                self.check(method, path, &body, at).await;
            }
        }
    }

    async fn check(&mut self, method: &Method, path: &str, body: &Value, at: &str) {
        let (status, answer) = self.send(method, path, body).await;
        let pointer = answer["errors"][0]["pointer"].as_str().unwrap_or_default();
        let is_about = at == pointer.trim_end_matches('/')
            || at.starts_with(&format!("{}/", pointer.trim_end_matches('/')));
        let is_named = at.is_empty() || pointer.len() > 1;
        if status != 422 || !is_about || !is_named {
            self.faults.push(format!("{method} {path} {at}: {status} {answer}"));
        }
    }
}

#[test]
fn every_text_of_every_request_is_refused_with_hidden_characters() {
    run(async {
        let ledger = TestLedger::shared().await;
        let tenant = ledger.tenant().await;
        let key = ledger
            .key(tenant.tenant_id, &["read", "personal", "write", "admin", "compliance"])
            .await;
        let document: Value = Client::new()
            .get(tenant.url("/openapi.json"))
            .send()
            .await
            .expect("an answer")
            .json()
            .await
            .expect("JSON");
        let mut checks = Checks { tenant, key, faults: Vec::new() };
        let bodies = bodies();
        for (path, item) in document["paths"].as_object().expect("paths") {
            for (method, operation) in item.as_object().expect("methods") {
                let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
                if !path.starts_with("/v1/") || schema.is_null() {
                    continue;
                }
                let method = method.to_uppercase().parse::<Method>().expect("a method");
                let id = operation["operationId"].as_str().expect("an id");
                if id == "replace_setting" {
                    continue;
                }
                let Some((_, sample)) = bodies.iter().find(|(known, _)| *known == id) else {
                    checks.faults.push(format!("{id} has no sample"));
                    continue;
                };
                let mut found = BTreeSet::new();
                texts(&document, schema, sample, "", &mut found);
                let parts = path.split('/').map(|part| match part {
                    "{name}" => "calls",
                    part if part.starts_with('{') => NIL,
                    part => part,
                });
                let path = parts.collect::<Vec<_>>().join("/");
                checks.walk(&method, &path, sample, found).await;
            }
        }
        let settings = settings();
        let schemas = &document["components"]["schemas"];
        let known = schemas["SettingValue"]["oneOf"].as_array().expect("settings").len();
        assert_eq!(settings.len(), known, "each setting has a sample");
        for (name, schema, sample) in settings {
            let mut found = BTreeSet::new();
            texts(&document, &schemas[schema], &sample, "", &mut found);
            checks.walk(&Method::PUT, &format!("/v1/settings/{name}"), &sample, found).await;
        }
        assert!(checks.faults.is_empty(), "{:#?}", checks.faults);
    });
}

#[test]
fn a_number_that_is_copied_with_marks_of_direction_is_the_number() {
    run(async {
        let ledger = TestLedger::shared().await;
        let tenant = ledger.tenant().await;
        let key = ledger.key(tenant.tenant_id, &["read", "personal", "write"]).await;
        let checks = Checks { tenant, key, faults: Vec::new() };
        let copied = "\u{202a}+1 555 010 0141\u{202c}";
        let body = json!({ "name": "Anna Example", "phone": copied });
        let (status, contact) = checks.send(&Method::POST, "/v1/contacts", &body).await;
        assert_eq!((status, &contact["phone"]), (201, &json!("+15550100141")), "{contact}");
        let path =
            format!("/v1/contacts/{}/handles", contact["contact_id"].as_str().expect("an id"));
        let body = json!({ "kind": "phone", "value": "\u{200e}+15550100142" });
        let (status, contact) = checks.send(&Method::POST, &path, &body).await;
        assert_eq!((status, &contact["phone"]), (201, &json!("+15550100142")), "{contact}");
    });
}
