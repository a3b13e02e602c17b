//! One external id with several names: the names are different persons until a user merges them.

use super::*;

fn with_id(name: Option<&str>, external_id: &str) -> Value {
    let mut customer = json!({ "externalId": external_id });
    if let Some(name) = name {
        customer["name"] = json!(name);
    }
    customer
}

impl People {
    /// Posts the report of a call, and returns its contact, or none.
    async fn perhaps(&self, call: &str, customer: &Value) -> Option<String> {
        self.report(call, customer).await;
        self.tenant.settle().await;
        let page = self.get(&format!("/v1/calls?provider_call_id={call}")).await;
        page["data"][0]["customer"]["contact_id"].as_str().map(str::to_owned)
    }
}

#[test]
fn calls_with_one_external_id_and_different_names_are_of_different_contacts_in_any_order() {
    run(async {
        for names in [["Anna Example", "Ben Example"], ["Ben Example", "Anna Example"]] {
            let people = People::shared().await;
            let first = people.call("c-1", &with_id(Some(names[0]), "crm-7")).await;
            // Only one contact has the id: a call without a name is of it.
            assert_eq!(people.perhaps("c-2", &with_id(None, "crm-7")).await, Some(first.clone()));
            let second = people.call("c-3", &with_id(Some(names[1]), "crm-7")).await;
            assert_ne!(first, second, "another name is another person");
            let shown = people.show(&second).await;
            assert_eq!(shown["possible_duplicate_of"], json!([first]), "a user decides");
            assert_eq!(shown["name"], names[1]);
            for (call, name, expected) in [("c-4", names[0], &first), ("c-5", names[1], &second)] {
                assert_eq!(&people.call(call, &with_id(Some(name), "crm-7")).await, expected);
            }
            // With two contacts an id alone tells neither of them.
            assert_eq!(people.perhaps("c-6", &with_id(None, "crm-7")).await, None);
            let mut found = people.found("external_id=crm-7").await;
            found.sort();
            let mut both = vec![first.clone(), second.clone()];
            both.sort();
            assert_eq!(found, both);

            people.merge(&second, &first).await;
            assert_eq!(people.perhaps("c-7", &with_id(None, "crm-7")).await, Some(first.clone()));
            for (call, name) in [("c-8", names[0]), ("c-9", names[1])] {
                assert_eq!(people.call(call, &with_id(Some(name), "crm-7")).await, first);
            }
            assert_eq!(people.found("external_id=crm-7").await, std::slice::from_ref(&first));
        }
    });
}

#[test]
fn an_external_id_that_several_contacts_have_is_given_to_no_other_one_by_a_user() {
    run(async {
        let people = People::shared().await;
        let anna = people.call("c-1", &with_id(Some("Anna Example"), "crm-7")).await;
        people.call("c-2", &with_id(Some("Ben Example"), "crm-7")).await;
        let cleo = id(&people.create(&json!({ "name": "Cleo Example" })).await);
        for (id, expected) in [(&cleo, 409), (&anna, 409)] {
            let path = format!("/v1/contacts/{id}");
            let change = json!({ "external_id": "crm-7" });
            let (status, answer) = people.ask(Method::PATCH, &path, &change).await;
            assert_eq!((status, &answer["code"]), (expected, &json!("external-id-taken")));
        }
        let known = json!({ "name": "Anna Example", "external_id": "crm-7", "tags": ["vip"] });
        let (status, answer) = people.ask(Method::POST, "/v1/contacts", &known).await;
        assert_eq!((status, &answer["contact_id"]), (200, &json!(anna)), "{answer}");
    });
}
