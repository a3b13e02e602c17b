//! Descriptions, changes and handles of contacts.

use super::*;

#[test]
fn a_description_is_answered_and_read_back_with_every_field() {
    run(async {
        let people = People::shared().await;
        let made = people
            .create(&json!({
                "name": "Anna Example", "phone": "+1 (555) 010-0123", "email": "anna@example.com",
                "external_id": "crm-77", "segment": "regular", "priority": "high",
                "tags": ["vip", "recall"],
                "custom_fields": { "insurance": "Example Health", "visits": 3, "parking": true },
            }))
            .await;
        let expected = json!({
            "contact_id": made["contact_id"], "name": "Anna Example", "phone": PHONE,
            "email": "anna@example.com", "external_id": "crm-77", "possible_duplicate_of": [],
            "merged_into": null, "segment": "regular", "priority": "high",
            "tags": ["recall", "vip"],
            "custom_fields": { "insurance": "Example Health", "visits": 3, "parking": true },
            "first_seen_at": made["first_seen_at"], "last_call_at": null, "total_calls": 0,
            "total_duration_ms": 0, "total_cost_nanos": 0, "appointments": 0, "no_shows": 0,
            "erased": false,
        });
        assert_eq!(made, expected);
        people.tenant.settle().await;
        assert_eq!(people.show(&id(&made)).await, expected);

        let changed = people
            .change(
                &id(&made),
                &json!({
                    "name": "Anna Example-Sample", "email": null, "segment": null, "tags": ["vip"],
                    "custom_fields": { "visits": 4 },
                }),
            )
            .await;
        assert_eq!(changed["name"], "Anna Example-Sample");
        assert_eq!((&changed["email"], &changed["segment"]), (&Value::Null, &Value::Null));
        assert_eq!(changed["tags"], json!(["vip"]));
        assert_eq!(changed["custom_fields"], json!({ "visits": 4 }));
        assert_eq!(changed["phone"], PHONE, "what is absent stays");
        people.tenant.settle().await;
        assert_eq!(people.show(&id(&made)).await, changed);
    });
}

#[test]
fn a_known_person_is_described_and_not_made_again() {
    run(async {
        let people = People::shared().await;
        let caller = people.call("c-1", &person("Anna Example", PHONE)).await;
        let wish = json!({ "name": "anna  EXAMPLE", "phone": PHONE, "tags": ["vip"] });
        let (status, known) = people.ask(Method::POST, "/v1/contacts", &wish).await;
        assert_eq!((status, id(&known)), (200, caller.clone()));
        assert_eq!((&known["tags"], &known["total_calls"]), (&json!(["vip"]), &json!(1)));
        let other = people.create(&json!({ "name": "Ben Example", "phone": PHONE })).await;
        assert_eq!(other["possible_duplicate_of"], json!([caller]));
        let taken = json!({ "name": "Cleo Example", "external_id": "crm-1" });
        people.create(&taken).await;
        let again = json!({ "name": "Dora Example", "external_id": "crm-1" });
        let response = people.send(Method::POST, "/v1/contacts", &again).await;
        problem(response, 409, "external-id-taken").await;
    });
}

#[test]
fn a_repeated_description_with_a_key_makes_one_contact() {
    run(async {
        let people = People::shared().await;
        let body = json!({ "name": "Anna Example" });
        let mut ids = Vec::new();
        for _ in 0..2 {
            let request = Client::new()
                .post(people.tenant.url("/v1/contacts"))
                .bearer_auth(&people.key)
                .header("idempotency-key", "one")
                .body(body.to_string());
            let (status, answer) = status_and_json(request.send().await.expect("an answer")).await;
            assert_eq!(status, 201, "{answer}");
            ids.push(id(&answer));
        }
        assert_eq!(ids[0], ids[1]);
        people.tenant.settle().await;
        assert_eq!(people.found("name=anna").await.len(), 1);
    });
}

#[test]
fn a_changed_number_ends_the_old_one_and_earlier_calls_stay() {
    run(async {
        let people = People::shared().await;
        let anna = people.call("c-1", &person("Anna Example", PHONE)).await;
        let changed = people.change(&anna, &json!({ "phone": OTHER_PHONE })).await;
        assert_eq!(changed["phone"], OTHER_PHONE);
        people.tenant.settle().await;
        assert_eq!(people.found("phone=%2B15550100123").await, Vec::<String>::new());
        assert_eq!(people.found("phone=%2B15550100124").await, std::slice::from_ref(&anna));
        assert_eq!(people.contact_of("c-1").await, anna);
        let next = people.call("c-2", &person("Ben Example", PHONE)).await;
        assert_ne!(next, anna, "the number has another owner now");
        assert_eq!(people.call("c-3", &person("Anna Example", OTHER_PHONE)).await, anna);
        // A message that states the ended number beside another handle is accepted.
        let both = json!({ "name": "Anna Example", "number": PHONE, "email": "anna@example.com" });
        people.change(&anna, &json!({ "email": "anna@example.com" })).await;
        assert_eq!(people.call("c-4", &both).await, anna);
        assert_eq!(people.call("c-5", &both).await, anna);
        assert_eq!(
            people.found("phone=%2B15550100123").await,
            std::slice::from_ref(&next),
            "it stays ended"
        );
        assert_eq!(people.show(&anna).await["phone"], OTHER_PHONE, "what a user set stays");
    });
}

#[test]
fn handles_are_added_beside_the_others_and_ended_by_kind() {
    run(async {
        let people = People::shared().await;
        let anna = people.create(&json!({ "name": "Anna Example", "phone": PHONE })).await;
        let path = format!("/v1/contacts/{}/handles", id(&anna));
        let added = json!({ "kind": "phone", "value": OTHER_PHONE });
        let (status, shown) = people.ask(Method::POST, &path, &added).await;
        assert_eq!((status, &shown["phone"]), (201, &json!(OTHER_PHONE)));
        people.tenant.settle().await;
        for phone in ["15550100123", "15550100124"] {
            assert_eq!(people.found(&format!("phone=%2B{phone}")).await, [id(&anna)]);
        }
        let (status, shown) =
            people.ask(Method::DELETE, &format!("{path}/phone"), &Value::Null).await;
        assert_eq!((status, &shown["phone"]), (200, &Value::Null), "{shown}");
        for phone in ["15550100123", "15550100124"] {
            assert_eq!(people.found(&format!("phone=%2B{phone}")).await, Vec::<String>::new());
        }
        people.ask(Method::POST, &path, &added).await;
        people.tenant.settle().await;
        assert_eq!(people.found("phone=%2B15550100124").await, [id(&anna)], "it begins again");
        let response = people.send(Method::DELETE, &format!("{path}/fax"), &Value::Null).await;
        let refused = problem(response, 422, "invalid-field").await;
        assert_eq!(refused["errors"][0]["pointer"], "/kind", "{refused}");
    });
}

#[test]
fn a_key_without_scope_personal_sees_no_person() {
    run(async {
        let people = People::shared().await;
        let made = people
            .create(&json!({
                "name": "Anna Example", "phone": PHONE, "email": "anna@example.com",
                "external_id": "crm-77", "tags": ["vip"], "custom_fields": { "note": "private" },
            }))
            .await;
        people.tenant.settle().await;
        let path = format!("/v1/contacts/{}", id(&made));
        for path in [path.as_str(), "/v1/contacts"] {
            let (status, shown) = people.tenant.get_with(&people.tenant.read_key, path).await;
            assert_eq!(status, 200, "{shown}");
            let text = shown.to_string();
            for personal in ["Anna", "0100123", "anna@", "crm-77", "private"] {
                assert!(!text.contains(personal), "{personal} in {text}");
            }
            assert!(text.contains("•••23") && text.contains("vip"), "{text}");
        }
        for query in
            ["phone=%2B15550100123", "email=anna@example.com", "name=Anna", "external_id=crm-77"]
        {
            let path = format!("/v1/contacts?{query}");
            let (status, refused) = people.tenant.get_with(&people.tenant.read_key, &path).await;
            assert_eq!((status, &refused["code"]), (403, &json!("scope-missing")), "{query}");
        }
        let read = people.tenant.facts_of("access.personal_data_read").await.len();
        people.found("name=Anna").await;
        let all = people.tenant.facts_of("access.personal_data_read").await;
        let actions: Vec<_> = all[read..].iter().map(|one| one["action"].clone()).collect();
        assert_eq!(actions, ["contacts.find", "contacts.list"]);
    });
}

#[test]
fn another_tenants_contact_is_a_missing_one() {
    run(async {
        let (people, others) = (People::shared().await, People::shared().await);
        let anna = people.create(&json!({ "name": "Anna Example", "phone": PHONE })).await;
        let ben = others.create(&json!({ "name": "Ben Example", "phone": PHONE })).await;
        people.tenant.settle().await;
        others.tenant.settle().await;
        let path = format!("/v1/contacts/{}", id(&anna));
        for (method, path, body) in [
            (Method::GET, path.clone(), Value::Null),
            (Method::GET, format!("{path}/timeline"), Value::Null),
            (Method::PATCH, path.clone(), json!({ "tags": ["x"] })),
            (Method::POST, format!("{path}/merge"), json!({ "into": id(&ben) })),
            (Method::POST, format!("{path}/handles"), json!({ "kind": "phone", "value": PHONE })),
            (Method::DELETE, format!("{path}/handles/phone"), Value::Null),
        ] {
            let response = others.send(method, &path, &body).await;
            problem(response, 404, "contact-not-found").await;
        }
        let path = format!("/v1/contacts/{}/merge", id(&ben));
        let response = others.send(Method::POST, &path, &json!({ "into": id(&anna) })).await;
        let problem = problem(response, 422, "invalid-field").await;
        assert_eq!(problem["errors"][0]["pointer"], "/into");
        assert_eq!(others.found("phone=%2B15550100123").await, [id(&ben)]);
    });
}
