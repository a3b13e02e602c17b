//! Legal holds, refusals, extensions and restrictions.

use super::*;

#[test]
fn a_hold_defers_an_erasure_until_it_is_released() {
    run(async {
        let officer = Officer::shared().await;
        let anna = officer.call("c", "Anna Example", PHONE).await;
        let (status, hold) = officer.hold(&anna).await;
        assert_eq!(status, 201, "{hold}");
        let hold_id = hold["hold_id"].as_str().expect("an id");
        let path = format!("/v1/subjects/{anna}/erasure");
        let (status, answer) =
            officer.ask(Method::POST, &path, &json!({ "ground": "17.1.a" })).await;
        assert_eq!((status, answer["state"].as_str()), (202, Some("deferred")), "{answer}");
        let erasure_id = answer["erasure_id"].as_str().expect("an id");
        let subject = officer.get(&format!("/v1/subjects/{anna}")).await;
        assert_eq!(subject["state"], "restricted", "{subject}");
        assert_eq!(subject["holds"][0]["hold_id"], json!(hold_id));
        assert_eq!(subject["restriction"]["reason"], "deferral");
        let lift = format!("/v1/subjects/{anna}/restriction");
        let refused = officer.ask(Method::DELETE, &lift, &Value::Null).await;
        assert_eq!(code(&refused), (409, "erasure-deferred"));

        tokio::time::sleep(Duration::from_secs(3)).await;
        let erasure = officer.until(erasure_id, "deferred").await;
        assert_eq!(erasure["deferral"]["rule"], "legal_hold");
        assert_eq!(erasure["deferral"]["hold_id"], json!(hold_id));

        let path = format!("/v1/subjects/{anna}/holds/{hold_id}");
        assert_eq!(officer.ask(Method::DELETE, &path, &Value::Null).await.0, 204);
        assert_eq!(officer.ask(Method::DELETE, &path, &Value::Null).await.0, 204);
        officer.until(erasure_id, "certified").await;
        let refused = officer.hold(&anna).await;
        assert_eq!(code(&refused), (409, "erasure-fenced"), "{}", refused.1);
    });
}

#[test]
fn holds_and_fences_race_and_one_of_them_wins() {
    run(async {
        let officer = Officer::shared().await;
        let mut persons = Vec::new();
        for nth in 0..12_u64 {
            let phone = format!("+155501002{nth:02}");
            persons.push(officer.call(&format!("c-{nth}"), &format!("Person {nth}"), &phone).await);
        }
        let races = persons.iter().enumerate().map(async |(nth, person)| {
            let erasure_id = officer.erase(person).await;
            // Around the fence, which takes effect five seconds after it is placed.
            tokio::time::sleep(Duration::from_millis(nth as u64 * 600)).await;
            let placed = officer.hold(person).await;
            (erasure_id, placed)
        });
        for (erasure_id, placed) in futures_util::future::join_all(races).await {
            match code(&placed) {
                (409, "erasure-fenced") => {
                    officer.until(&erasure_id, "certified").await;
                }
                (201, _) => {
                    let erasure = officer.until(&erasure_id, "deferred").await;
                    let path =
                        format!("/v1/subjects/{}", erasure["subject_id"].as_str().expect("an id"));
                    // The fence that was placed before the hold is lifted: the data can be opened.
                    let begun = Instant::now();
                    loop {
                        let subject = officer.get(&path).await;
                        if subject["state"] == "restricted" {
                            break;
                        }
                        assert!(begun.elapsed() < Duration::from_secs(30), "{subject}");
                        tokio::time::sleep(Duration::from_millis(200)).await;
                    }
                    assert!(erasure["steps"].get("fenced").is_none(), "{erasure}");
                }
                other => panic!("{other:?}: {}", placed.1),
            }
        }
    });
}

#[test]
fn an_erasure_is_refused_and_extended_by_the_rules() {
    run(async {
        let officer = Officer::shared().await;
        let anna = officer.call("c", "Anna Example", PHONE).await;
        officer.hold(&anna).await;
        let erasure_id = officer.erase(&anna).await;
        let path = |verb: &str| format!("/v1/erasures/{erasure_id}/{verb}");
        let reason = json!({ "reason": "complexity" });
        let (status, extended) = officer.ask(Method::POST, &path("extend"), &reason).await;
        assert_eq!((status, &extended["is_extended"]), (200, &json!(true)), "{extended}");
        let unknown = json!({ "reason": "because" });
        let answer = officer.ask(Method::POST, &path("refuse"), &unknown).await;
        assert_eq!(code(&answer), (422, "invalid-field"), "{}", answer.1);
        let reason = json!({ "reason": "17.3.e" });
        let (status, refused) = officer.ask(Method::POST, &path("refuse"), &reason).await;
        assert_eq!((status, refused["state"].as_str()), (200, Some("refused")), "{refused}");
        let notice = refused["refusal"]["notice"].as_str().expect("a text");
        assert!(notice.contains("17(3)(e)") && notice.contains("complaint"), "{notice}");
        let reason = json!({ "reason": "complexity" });
        let answer = officer.ask(Method::POST, &path("extend"), &reason).await;
        assert_eq!(code(&answer), (409, "erasure-refused"));
    });
}

#[test]
fn a_restricted_person_gets_nothing_new_on_any_server_until_it_is_lifted() {
    run(async {
        let own = ledger_tests::OwnDatabase::create().await;
        let (one, two) = (own.server().await, own.server().await);
        let here = Officer::new(&one).await;
        let there = here.through(&two);
        let anna = here.call("c-1", "Anna Example", PHONE).await;
        there.call("c-2", "Anna Example", PHONE).await;
        let path = format!("/v1/subjects/{anna}/restriction");
        let reason = json!({ "reason": "18.1.a" });
        assert_eq!(here.ask(Method::POST, &path, &reason).await.0, 204);
        let deferral = json!({ "reason": "deferral" });
        assert_eq!(here.ask(Method::POST, &path, &deferral).await.0, 422);
        tokio::time::sleep(Duration::from_secs(5)).await;
        for (officer, call) in [(&here, "c-3"), (&there, "c-4")] {
            officer.call(call, "Anna Example", PHONE).await;
            let page = officer.get(&format!("/v1/calls?provider_call_id={call}")).await;
            // The name is known from the calls before.
            assert_eq!(page["data"][0]["customer"]["phone"], Value::Null, "{page}");
        }
        // What is stored is shown with scope compliance only.
        let reader = one.key(here.tenant.tenant_id, &["personal"]).await;
        let (_, page) = here.tenant.get_with(&reader, "/v1/calls?provider_call_id=c-1").await;
        let masked = json!({ "contact_id": anna, "restricted": true });
        assert_eq!(page["data"][0]["customer"], masked, "{page}");
        let page = here.get("/v1/calls?provider_call_id=c-1").await;
        assert_eq!(page["data"][0]["customer"]["name"], "Anna Example", "{page}");
        let (_, contact) = here.tenant.get_with(&reader, &format!("/v1/contacts/{anna}")).await;
        assert_eq!((&contact["restricted"], &contact["name"]), (&json!(true), &Value::Null));
        let change = json!({ "name": "Anna Sample" });
        let answer = here.ask(Method::PATCH, &format!("/v1/contacts/{anna}"), &change).await;
        assert_eq!(answer.0, 409, "{}", answer.1);
        assert_eq!(here.ask(Method::DELETE, &path, &Value::Null).await.0, 204);
        tokio::time::sleep(Duration::from_secs(5)).await;
        there.call("c-5", "Anna Example", PHONE).await;
        let page = there.get("/v1/calls?provider_call_id=c-5").await;
        assert_eq!(page["data"][0]["customer"]["phone"], PHONE, "{page}");
        one.stop().await;
        two.stop().await;
    });
}
