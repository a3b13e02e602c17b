//! The process from the request to the live certificate.

use super::*;

#[test]
fn a_person_is_erased_with_a_certificate_within_a_minute_and_others_stay() {
    run(async {
        let officer = Officer::shared().await;
        let anna = officer.call("anna-1", "Anna Example", PHONE).await;
        officer.call("anna-2", "Anna Example", PHONE).await;
        let ben = officer.call("ben-1", "Ben Example", "+15550100124").await;
        let found =
            officer.ask(Method::POST, "/v1/subjects/lookup", &json!({ "phone": PHONE })).await.1;
        assert_eq!(found["subjects"][0]["subject_id"], json!(anna), "{found}");
        assert_eq!(found["subjects"][0]["calls"], 2);

        let begun = Instant::now();
        let erasure_id = officer.erase(&anna).await;
        let erasure = officer.until(&erasure_id, "certified").await;
        assert!(begun.elapsed() < Duration::from_mins(1));
        assert_eq!(erasure["state"], "destroyed");
        assert_eq!(erasure["subject_id"], json!(anna));
        assert_eq!(erasure["manifest"]["subjects"], 1, "{erasure}");
        assert_eq!(erasure["ambiguous_calls"], json!([]));
        let note = officer
            .send(Method::GET, &format!("/v1/erasures/{erasure_id}/certificate"), &Value::Null)
            .await;
        assert_eq!(note.status(), 200);
        assert_eq!(note.headers()["content-type"], "text/plain; charset=utf-8");
        let note = note.text().await.expect("a text");
        assert!(note.contains("\"certificate\":\"live\"") && !note.contains(&anna), "{note}");
        let kind = format!("/v1/erasures/{erasure_id}/certificate?kind=final");
        let (status, missing) = officer.ask(Method::GET, &kind, &Value::Null).await;
        assert_eq!((status, missing["code"].as_str()), (404, Some("certificate-not-found")));

        officer.tenant.settle().await;
        let erased = json!({ "contact_id": anna, "erased": true });
        for call in officer.tenant.calls().await {
            let expected = call["provider_call_id"].as_str().expect("an id").starts_with("anna");
            assert_eq!(call["customer"] == erased, expected, "{call}");
        }
        let contact = officer.get(&format!("/v1/contacts/{anna}")).await;
        assert_eq!((&contact["erased"], &contact["name"]), (&json!(true), &Value::Null));
        let contact = officer.get(&format!("/v1/contacts/{ben}")).await;
        assert_eq!((&contact["erased"], &contact["name"]), (&json!(false), &json!("Ben Example")));
        let subject = officer.get(&format!("/v1/subjects/{anna}")).await;
        assert_eq!(subject["state"], "destroyed", "{subject}");
        assert_eq!(subject["erasure"]["state"], "destroyed");
    });
}

#[test]
fn own_subjects_of_calls_and_merged_contacts_are_erased_too() {
    run(async {
        let officer = Officer::shared().await;
        let anna = officer.call("first", "Anna Example", PHONE).await;
        let other = officer.call("other", "Anne Example", "+15550100125").await;
        let merge = json!({ "into": anna });
        let path = format!("/v1/contacts/{other}/merge");
        assert_eq!(officer.ask(Method::POST, &path, &merge).await.0, 200);
        let refused = officer
            .ask(
                Method::POST,
                &format!("/v1/subjects/{other}/erasure"),
                &json!({ "ground": "17.1.a" }),
            )
            .await;
        assert_eq!(code(&refused), (409, "subject-merged"), "{}", refused.1);
        assert!(refused.1["detail"].as_str().is_some_and(|detail| detail.contains(&anna)));
        // A call that is anonymous at first and names Anna later has a subject of its own.
        let started = Message::report("late").field("cost", "0.01");
        officer.tenant.post_ok(started.body()).await;
        officer.call("late", "Anna Example", PHONE).await;

        let erasure_id = officer.erase(&anna).await;
        let erasure = officer.until(&erasure_id, "certified").await;
        let subjects = erasure["manifest"]["subjects"].as_u64().expect("a number");
        assert!(subjects >= 2, "the contact and its part: {erasure}");
        officer.tenant.settle().await;
        for call in officer.tenant.calls().await {
            assert_eq!(call["customer"]["erased"], true, "{call}");
        }
        for call in ["first", "other", "late"] {
            let page = officer.get(&format!("/v1/calls?provider_call_id={call}")).await;
            let id = page["data"][0]["call_id"].as_str().expect("an id").to_owned();
            let shown = officer.get(&format!("/v1/calls/{id}")).await;
            assert_eq!((&shown["transcript"], &shown["summary"]), (&Value::Null, &Value::Null));
        }
    });
}

#[test]
fn a_repeated_request_with_a_key_has_one_erasure() {
    run(async {
        let officer = Officer::shared().await;
        let anna = officer.call("c", "Anna Example", PHONE).await;
        let mut ids = Vec::new();
        for _ in 0..2 {
            let request = Client::new()
                .post(officer.tenant.url(&format!("/v1/subjects/{anna}/erasure")))
                .bearer_auth(&officer.key)
                .header("idempotency-key", "one")
                .body(
                    json!({ "ground": "17.1.a", "requested_by": "the daughter",
                              "note": "asked by letter" })
                    .to_string(),
                );
            let (status, answer) = status_and_json(request.send().await.expect("an answer")).await;
            assert_eq!(status, 202, "{answer}");
            ids.push(answer["erasure_id"].clone());
        }
        assert_eq!(ids[0], ids[1]);
        officer.tenant.settle().await;
        let page = officer.get("/v1/erasures").await;
        assert_eq!(page["data"].as_array().map(Vec::len), Some(1), "{page}");
        assert_eq!(page["data"][0]["requested_by"], "other");
        let overdue = officer.get("/v1/erasures?overdue=true").await;
        assert_eq!(overdue["data"], json!([]));
        let facts = officer.tenant.facts_of("subject.erasure_requested").await;
        assert!(!facts[0].to_string().contains("daughter"), "{facts:?}");
    });
}

#[test]
fn after_the_roll_an_erasure_is_verified_and_final_and_the_log_and_rebuilds_stay() {
    run(async {
        let own = ledger_tests::OwnDatabase::create().await;
        let server = own.server().await;
        let officer = Officer::new(&server).await;
        let anna = officer.call("anna", "Anna Example", PHONE).await;
        officer.call("ben", "Ben Example", "+15550100124").await;
        let erasure_id = officer.erase(&anna).await;
        officer.until(&erasure_id, "certified").await;
        let tenant_id = officer.tenant.tenant_id;
        server.store.roll_epoch(tenant_id).await.expect("the epoch is rolled");
        let erasure = officer.until(&erasure_id, "final").await;
        assert_eq!((&erasure["findings"], &erasure["step"]), (&json!(0), &json!("erased")));
        let kinds: Vec<&Value> = erasure["certificates"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|it| &it["kind"])
            .collect();
        assert_eq!(kinds, ["live", "final"]);
        let path = format!("/v1/erasures/{erasure_id}/certificate");
        let note =
            officer.send(Method::GET, &path, &Value::Null).await.text().await.expect("a text");
        assert!(note.contains("\"certificate\":\"final\""), "{note}");
        let twice = officer
            .ask(
                Method::POST,
                &format!("/v1/subjects/{anna}/erasure"),
                &json!({ "ground": "17.1.a" }),
            )
            .await;
        assert_eq!(code(&twice), (409, "subject-erased"), "{}", twice.1);
        officer.tenant.settle().await;
        for call in officer.tenant.calls().await {
            assert_eq!(
                call["customer"]["erased"] == true,
                call["provider_call_id"] == "anna",
                "{call}"
            );
        }
        let rows =
            crate::contacts::rebuild::assert_rebuilds_to_the_same(&server.store, "erasures").await;
        assert_eq!(rows, 1);
        crate::contacts::rebuild::assert_rebuilds_to_the_same(&server.store, "calls").await;
        server.stop().await;
    });
}

#[test]
fn two_servers_carry_out_one_erasure() {
    run(async {
        let own = ledger_tests::OwnDatabase::create().await;
        let (one, two) = (own.server().await, own.server().await);
        let here = Officer::new(&one).await;
        let there = here.through(&two);
        let mut erasures = Vec::new();
        for nth in 0..8 {
            let phone = format!("+1555010020{nth}");
            let person = here.call(&format!("c-{nth}"), &format!("Person {nth}"), &phone).await;
            erasures.push(if nth % 2 == 0 {
                here.erase(&person).await
            } else {
                there.erase(&person).await
            });
        }
        for erasure_id in &erasures {
            there.until(erasure_id, "certified").await;
        }
        let mut conn = own.superuser().await;
        for event in ["subject.fenced", "subject.erasure_journaled", "subject.erasure_certified"] {
            let events: i64 =
                sqlx::query_scalar("select count(*) from ledger.events where event_type = $1")
                    .bind(event)
                    .fetch_one(&mut conn)
                    .await
                    .expect("a count");
            assert_eq!(events, 8, "{event}");
        }
        one.stop().await;
        two.stop().await;
    });
}
