//! Identity resolution over the API: contacts, filters by number, and the count of people.

mod count;
mod migration;

use ledger_tests::{TestLedger, TestTenant, messages, run};
use serde_json::{Value, json};

/// Posts the report of one call with a customer.
async fn call(tenant: &TestTenant, id: &str, customer: &Value) {
    let mut body = messages::report(id);
    body["message"]["call"]["customer"] = customer.clone();
    tenant.post_ok(body.to_string()).await;
}

/// A tenant with one call for each of these customers, in this order.
async fn tenant_with_calls_of(people: &[(&str, Value)]) -> TestTenant {
    let tenant = TestLedger::shared().await.tenant().await;
    for (id, customer) in people {
        call(&tenant, id, customer).await;
    }
    tenant.settle().await;
    tenant
}

/// Returns the ids of the calls that match a filter, sorted.
async fn found(tenant: &TestTenant, filter: &str) -> Vec<String> {
    let page = tenant.get(&format!("/v1/calls?{filter}")).await;
    let calls = page["data"].as_array().unwrap_or_else(|| panic!("{page}")).iter();
    let mut ids: Vec<_> =
        calls.map(|call| call["provider_call_id"].as_str().expect("an id").to_owned()).collect();
    ids.sort();
    ids
}

async fn people(tenant: &TestTenant, filter: &str) -> i64 {
    let summary = tenant.get(&format!("/v1/analytics/summary?{filter}")).await;
    summary["unique_contacts"].as_i64().unwrap_or_else(|| panic!("{summary}"))
}

async fn contact(tenant: &TestTenant, id: &str) -> Value {
    let page = tenant.get(&format!("/v1/calls?provider_call_id={id}")).await;
    page["data"][0]["customer"]["contact_id"].clone()
}

fn number(nth: u32) -> String {
    format!("+155501001{nth:02}")
}

#[test]
fn callers_with_different_numbers_are_different_contacts_despite_other_shared_handles() {
    for shared in [
        json!({ "email": "frontdesk@example.com" }),
        json!({ "externalId": "lead" }),
        json!({ "externalId": "undefined", "email": "null@null.com" }),
        json!({ "externalId": "{{customer.id}}", "name": "Unknown Caller" }),
        json!({ "externalId": "[object Object]", "email": "noreply@example.com" }),
        json!({ "externalId": "00000000-0000-0000-0000-000000000000" }),
        json!({ "externalId": "-1", "email": "test@test.com" }),
    ] {
        run(async {
            let people: Vec<_> = (0..3)
                .map(|nth| {
                    let mut customer = shared.clone();
                    customer["number"] = number(nth).into();
                    (["a0", "a1", "a2"][nth as usize], customer)
                })
                .collect();
            let tenant = tenant_with_calls_of(&people).await;
            assert_eq!(self::people(&tenant, "").await, 3, "{shared}");
            assert_eq!(found(&tenant, "phone=%2B15550100100").await, ["a0"], "{shared}");
        });
    }
}

#[test]
fn two_names_on_one_number_are_two_contacts_and_a_call_without_a_name_has_none() {
    run(async {
        let phone = |name: Option<&str>| json!({ "number": number(0), "name": name });
        let tenant = tenant_with_calls_of(&[
            ("anna", phone(Some("Anna Example"))),
            ("ben", phone(Some("Ben Example"))),
            ("again", phone(Some("Dr. ANNA  example"))),
            ("nobody", phone(None)),
        ])
        .await;
        assert_eq!(people(&tenant, "").await, 2);
        assert_eq!(people(&tenant, "phone=%2B15550100100").await, 2);
        let filter = "phone=%2B15550100100";
        assert_eq!(found(&tenant, filter).await, ["again", "anna", "ben", "nobody"]);
        let [anna, ben, again, nobody] = [
            contact(&tenant, "anna").await,
            contact(&tenant, "ben").await,
            contact(&tenant, "again").await,
            contact(&tenant, "nobody").await,
        ];
        assert_eq!((&again, &nobody), (&anna, &Value::Null));
        assert_ne!(anna, ben);
        let anna = anna.as_str().expect("an id").to_owned();
        assert_eq!(found(&tenant, &format!("contact_id={anna}")).await, ["again", "anna"]);
        let observed = tenant.facts_of("call.ended").await;
        assert_eq!(observed[3]["person"]["candidates"].as_array().map(Vec::len), Some(2));
    });
}

#[test]
fn the_number_of_contacts_does_not_depend_on_the_order_of_calls() {
    let shared = "desk@example.com";
    let a = ("a", json!({ "number": number(0) }));
    let b = ("b", json!({ "email": shared }));
    let c = ("c", json!({ "number": number(0), "email": shared }));
    let d = ("d", json!({ "number": number(1), "email": shared, "name": "Ben Example" }));
    let all = [a, b, c, d];
    for order in
        [[0, 1, 2, 3], [2, 0, 1, 3], [1, 3, 0, 2], [3, 2, 1, 0], [1, 0, 3, 2], [3, 1, 2, 0]]
    {
        run(async {
            let observed: Vec<_> = order.iter().map(|nth: &usize| all[*nth].clone()).collect();
            let tenant = tenant_with_calls_of(&observed).await;
            assert_eq!(people(&tenant, "").await, 2, "{order:?}");
            assert_eq!(people(&tenant, "phone=%2B15550100100").await, 1, "{order:?}");
            assert_eq!(people(&tenant, "from=2026-01-01T00:00:00Z").await, 2, "{order:?}");
        });
    }
}

#[test]
fn a_call_with_handles_of_two_contacts_gets_one_and_links_neither() {
    let anna = json!({ "number": number(0), "email": "anna@example.com" });
    let ben = json!({ "number": number(1), "name": "Ben Example" });
    for order in [[&anna, &ben], [&ben, &anna]] {
        run(async {
            let tenant = TestLedger::shared().await.tenant().await;
            for (kind, customer) in ["ringing", "in-progress"].into_iter().zip(order) {
                let observed = messages::from(messages::status("both", kind), customer);
                tenant.post_ok(observed.to_string()).await;
            }
            call(&tenant, "later", &json!({ "number": number(0) })).await;
            tenant.settle().await;
            let page = tenant.get("/v1/calls?provider_call_id=both").await;
            let mut customer = page["data"][0]["customer"].clone();
            customer["contact_id"].take();
            let shown = json!({ "contact_id": null, "name": "Ben Example", "phone": number(1),
                                "email": null });
            assert_eq!(customer, shown);
            assert_eq!(found(&tenant, "phone=%2B15550100101").await, ["both"]);
            assert_eq!(found(&tenant, "phone=%2B15550100100").await, ["both", "later"]);
            assert_ne!(contact(&tenant, "both").await, contact(&tenant, "later").await);
        });
    }
}

#[test]
fn a_call_is_found_by_every_number_and_address_of_its_messages_in_any_order() {
    let anna = json!({ "number": number(0), "email": "anna@example.com", "name": "Anna Example" });
    let ben = json!({ "number": number(1), "name": "Ben Example" });
    let desk = json!({ "number": number(2), "email": "desk@example.com" });
    let sip = json!({ "sipUri": "sip:alice@pbx.example.com" });
    let orders = [[0, 1, 2, 3], [3, 2, 1, 0], [1, 3, 0, 2], [2, 0, 3, 1]];
    for (nth, order) in orders.into_iter().enumerate() {
        run(async {
            let tenant = TestLedger::shared().await.tenant().await;
            // Ben is a contact already, Anna is met later, the desk's number is shared.
            call(&tenant, "ben-before", &ben).await;
            call(&tenant, "desk-1", &json!({ "number": number(2), "name": "Carla Example" })).await;
            let statuses = ["ringing", "in-progress", "forwarding", "ended"];
            let all = [&anna, &ben, &desk, &sip];
            for message in order.into_iter().chain([order[nth]]) {
                let observed = messages::status("call", statuses[message]);
                tenant.post_ok(messages::from(observed, all[message]).to_string()).await;
            }
            call(&tenant, "anna-after", &anna).await;
            call(&tenant, "other", &json!({ "number": number(3) })).await;
            tenant.settle().await;
            for (filter, calls) in [
                ("phone=%2B15550100100", vec!["anna-after", "call"]),
                ("phone=%2B15550100101", vec!["ben-before", "call"]),
                ("phone=%2B15550100102", vec!["call", "desk-1"]),
                ("phone=%2B15550100103", vec!["other"]),
                ("email=anna@example.com", vec!["anna-after", "call"]),
                ("email=desk@example.com", vec!["call"]),
                ("phone=%2B15550100101&email=anna@example.com", vec!["call"]),
                ("phone=%2B15550100101&email=other@example.com", vec![]),
                ("phone=%2B15550100101&status=ended&limit=1", vec!["call"]),
            ] {
                let found = found(&tenant, filter).await;
                if filter.ends_with("limit=1") {
                    assert_eq!(found.len(), 1, "{order:?} {filter}");
                    continue;
                }
                assert_eq!(found, calls, "{order:?} {filter}");
                let summary = tenant.get(&format!("/v1/analytics/summary?{filter}")).await;
                assert_eq!(summary["calls"], calls.len(), "{order:?} {filter}");
            }
            // The shown person is chosen by the messages, not by whom the vault knew first.
            let page = tenant.get("/v1/calls?provider_call_id=call").await;
            let customer = &page["data"][0]["customer"];
            let shown = (&customer["name"], &customer["phone"]);
            let first = tenant.get("/call/call").await["customer"]["number"].clone();
            assert_eq!(&first, shown.1, "{order:?}");
            assert!(
                shown == (&json!("Anna Example"), &json!(number(0)))
                    || shown == (&json!("Ben Example"), &json!(number(1))),
                "{order:?}: {customer}"
            );
        });
    }
}

#[test]
fn the_calls_of_a_number_are_listed_in_pages_without_gaps() {
    run(async {
        let tenant = TestLedger::shared().await.tenant().await;
        for nth in 0..7 {
            let mut body = messages::report(&format!("call-{nth}"));
            body["message"]["startedAt"] = format!("2026-11-02T09:00:0{}.000Z", nth / 2).into();
            let customer = json!({ "number": number(nth % 2), "email": "desk@example.com" });
            tenant.post_ok(messages::from(body, &customer).to_string()).await;
        }
        tenant.settle().await;
        for (filter, calls) in [("email=desk@example.com", 7), ("phone=%2B15550100100", 4)] {
            let (mut seen, mut cursor) = (Vec::new(), String::new());
            loop {
                let page = tenant.get(&format!("/v1/calls?{filter}&limit=2{cursor}")).await;
                let calls = page["data"].as_array().expect("calls").iter();
                seen.extend(
                    calls.map(|call| (call["started_at"].to_string(), call["call_id"].to_string())),
                );
                let Some(next) = page["next_cursor"].as_str() else { break };
                cursor = format!("&cursor={next}");
            }
            assert!(seen.windows(2).all(|two| two[0] > two[1]), "{seen:?}");
            assert_eq!(seen.len(), calls, "{filter}");
        }
    });
}

#[test]
fn a_sip_address_is_one_caller_and_its_number_is_that_number() {
    run(async {
        let alice = json!({ "sipUri": "sip:alice@pbx.example.com" });
        let tenant = tenant_with_calls_of(&[
            ("s0", alice.clone()),
            ("s1", json!({ "sipUri": "SIP:Alice@PBX.example.com;transport=tcp" })),
            ("s2", json!({ "number": "sip:alice@pbx.example.com:5060" })),
            ("n0", json!({ "sipUri": "sip:+15550100140@carrier.example.com" })),
            ("n1", json!({ "number": "+15550100140" })),
            ("x0", json!({ "sipUri": "sip:anonymous@anonymous.invalid" })),
            ("x1", json!({ "sipUri": "sip:anonymous@anonymous.invalid" })),
        ])
        .await;
        assert_eq!(people(&tenant, "").await, 4);
        assert_eq!(found(&tenant, "phone=%2B15550100140").await, ["n0", "n1"]);
        let page = tenant.get("/v1/calls?provider_call_id=s0").await;
        assert_eq!(page["data"][0]["customer"]["sip_uri"], alice["sipUri"]);
        let (_, masked) = tenant.get_with(&tenant.read_key, "/v1/calls?provider_call_id=n0").await;
        let customer = &masked["data"][0]["customer"];
        assert_eq!((&customer["phone"], &customer["sip_uri"]), (&json!("•••40"), &Value::Null));
        assert_eq!(tenant.get("/call/s0").await["customer"]["sipUri"], alice["sipUri"]);
    });
}

#[test]
fn callers_with_a_shared_switchboard_number_are_different_contacts() {
    run(async {
        let tenant = tenant_with_calls_of(&[
            ("bare", json!({ "number": number(0) })),
            ("e101", json!({ "number": number(0), "extension": "101" })),
            ("typed", json!({ "number": "+15550100100,101" })),
            ("e102", json!({ "number": "+15550100100 ext. 102" })),
        ])
        .await;
        assert_eq!(people(&tenant, "").await, 3);
        assert_eq!(found(&tenant, "phone=%2B15550100100").await, ["bare"]);
        assert_eq!(found(&tenant, "phone=%2B15550100100,101").await, ["e101", "typed"]);
        for call in ["e101", "typed"] {
            let customer = tenant.get(&format!("/call/{call}")).await["customer"].clone();
            assert_eq!(
                (&customer["number"], &customer["extension"]),
                (&json!(number(0)), &json!("101"))
            );
        }
        let page = tenant.get("/v1/calls?provider_call_id=e102").await;
        assert_eq!(page["data"][0]["customer"]["extension"], "102");
    });
}

#[test]
fn an_address_in_any_spelling_is_one_contact() {
    run(async {
        let spelled = |email: &str| json!({ "email": email, "name": "Anna Example" });
        let tenant = tenant_with_calls_of(&[
            ("u0", spelled("anna@b\u{fc}cher.example")),
            ("u1", spelled("Anna@xn--bcher-kva.example")),
            ("u2", spelled("anna@bu\u{308}cher.EXAMPLE")),
        ])
        .await;
        assert_eq!(people(&tenant, "").await, 1);
        let filter = "email=anna%40xn--bcher-kva.example";
        assert_eq!(found(&tenant, filter).await, ["u0", "u1", "u2"]);
    });
}

#[test]
fn a_placeholder_is_the_id_of_no_call() {
    run(async {
        let tenant = TestLedger::shared().await.tenant().await;
        for id in ["undefined", "null", "{{call.id}}", "00000000-0000-0000-0000-000000000000"] {
            for nth in 0..2 {
                let mut body = messages::report(id);
                body["message"]["cost"] = nth.into();
                assert_eq!(tenant.post_ok(body.to_string()).await["status"], "recorded", "{id}");
            }
        }
        call(&tenant, "real", &json!({ "number": number(0) })).await;
        tenant.settle().await;
        assert_eq!(found(&tenant, "").await, ["real"]);
        assert_eq!(people(&tenant, "").await, 1);
    });
}

#[test]
fn a_key_has_a_limit_of_searches_for_people_a_minute() {
    run(async {
        let limits = server::limits::Limits {
            lookups: 3,
            ..server::limits::Limits::with_max_body(5_000_000)
        };
        let ledger = TestLedger::start_with_limits(limits).await;
        let tenant = ledger.tenant().await;
        for _ in 0..3 {
            assert_eq!(tenant.get_with(&tenant.key, "/v1/calls?phone=%2B15550100100").await.0, 200);
        }
        for path in ["/v1/calls", "/v1/analytics/summary", "/v1/agents"] {
            let path = format!("{path}?email=anna@example.com");
            let refused = tenant.request(&tenant.key, &path).send().await.expect("an answer");
            assert_eq!(refused.status(), 429, "{path}");
            assert!(refused.headers().contains_key("retry-after"));
            let refused: Value = refused.json().await.expect("a problem");
            assert_eq!(refused["code"], "too-many-lookups");
            let (status, masked) = tenant.get_with(&tenant.read_key, &path).await;
            assert_eq!((status, &masked["code"]), (403, &json!("scope-missing")));
        }
        assert_eq!(tenant.get_with(&tenant.key, "/v1/calls").await.0, 200);
        assert!(!tenant.facts_of("access.denied").await.is_empty());
        ledger.stop().await;
    });
}
