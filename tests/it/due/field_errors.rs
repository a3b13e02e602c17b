//! Values that no task can have, refused by field, and parameters by name.

use super::*;

#[test]
fn an_impossible_task_is_refused_by_its_field_and_records_nothing() {
    run(async {
        let ledger = TestLedger::shared().await;
        let (office, other) = (Office::new(ledger).await, Office::new(ledger).await);
        let foreign = other.book(0).await;
        let own = office.book(0).await;
        let now = SystemClock.now();
        for (field, value, code) in [
            ("kind", Value::Null, "invalid-field"),
            ("kind", json!("reminder"), "invalid-field"),
            ("kind", json!(1), "invalid-field"),
            ("due_at", Value::Null, "invalid-field"),
            ("due_at", json!("tomorrow"), "invalid-field"),
            ("due_at", json!("2027-02-30T09:00:00Z"), "invalid-field"),
            ("due_at", json!("9999-12-31T23:59:59Z"), "invalid-field"),
            ("due_at", json!("0000-01-01T00:00:00Z"), "invalid-field"),
            ("due_at", json!(text(now - TimeDelta::days(32))), "invalid-field"),
            ("due_at", json!(text(now + TimeDelta::days(1827))), "invalid-field"),
            ("due_at", json!(1_800_000_000), "invalid-field"),
            ("contact_id", json!("anna"), "invalid-field"),
            ("contact_id", json!(Uuid::nil()), "invalid-field"),
            ("contact_id", foreign["contact_id"].clone(), "invalid-field"),
            ("contact_id", own["appointment_id"].clone(), "invalid-field"),
            ("call_id", json!(Uuid::nil()), "invalid-field"),
            ("call_id", own["appointment_id"].clone(), "invalid-field"),
            ("appointment_id", json!(Uuid::nil()), "invalid-field"),
            ("appointment_id", foreign["appointment_id"].clone(), "invalid-field"),
            ("appointment_id", own["contact_id"].clone(), "invalid-field"),
            ("text", json!(""), "invalid-field"),
            ("text", json!(7), "invalid-field"),
            ("text", json!("a\u{0}b"), "invalid-field"),
            ("text", json!("x".repeat(4_001)), "invalid-field"),
            ("status", json!("done"), "unknown-field"),
            ("origin", json!("tool"), "unknown-field"),
        ] {
            let mut body = task(0);
            body[field] = value.clone();
            let refused =
                problem(office.send(&office.key, "/v1/tasks", &body).await, 422, code).await;
            assert_eq!(refused["errors"][0]["pointer"], format!("/{field}"), "{value}");
            assert!(!refused.to_string().contains("Anna"), "{refused}");
        }
        assert_eq!(office.get("/v1/tasks").await["data"], json!([]));
        let mut edge = task(0);
        edge["due_at"] = json!(text(now - TimeDelta::days(30)));
        edge["text"] = Value::Null;
        office.post(201, "/v1/tasks", &edge).await;
        edge["due_at"] = json!(text(now + TimeDelta::days(1826)));
        edge["text"] = json!("x".repeat(4_000));
        office.post(201, "/v1/tasks", &edge).await;
    });
}

#[test]
fn a_malformed_or_unknown_parameter_is_refused_with_its_name() {
    run(async {
        let office = Office::shared().await;
        let (now, later) = (text(at(0)), text(at(60)));
        for (path, name) in [
            ("due?from=yesterday", "from"),
            ("due?from=", "from"),
            (&*format!("due?from={later}&to={now}"), "from"),
            ("due?to=soon", "to"),
            ("due?kind=call", "kind"),
            ("due?limit=0", "limit"),
            ("due?cursor=xyz", "cursor"),
            ("tasks?status=lost", "status"),
            ("tasks?due_from=soon", "due_from"),
            (&*format!("tasks?due_from={later}&due_to={now}"), "due_from"),
            ("tasks?contact_id=", "contact_id"),
            ("tasks?call_id=c-1", "call_id"),
            ("tasks?appointment_id=a-1", "appointment_id"),
            ("tasks?limit=201", "limit"),
            ("tasks?cursor=xyz", "cursor"),
            ("tasks?min_position=last", "min_position"),
        ] {
            let path = format!("/v1/{path}");
            let response =
                office.tenant.request(&office.key, &path).send().await.expect("an answer");
            let problem = problem(response, 400, "invalid-parameter").await;
            assert_eq!(problem["errors"][0]["pointer"], format!("/{name}"), "{path}");
        }
        for path in ["/v1/due?status=open", "/v1/tasks?kind=review"] {
            let response =
                office.tenant.request(&office.key, path).send().await.expect("an answer");
            problem(response, 400, "unknown-parameter").await;
        }
    });
}
