//! Merges: what they move, what they leave, and their order.

use super::*;

#[test]
fn one_of_several_names_on_a_number_is_merged_and_the_others_stay() {
    run(async {
        let people = People::shared().await;
        let anna = people.call("c-1", &person("Anna Example", PHONE)).await;
        let ben = people.call("c-2", &person("Ben Example", PHONE)).await;
        let cleo = people.call("c-3", &person("Cleo Example", PHONE)).await;
        let mut all = people.found("phone=%2B15550100123").await;
        all.sort();
        let mut expected = vec![anna.clone(), ben.clone(), cleo.clone()];
        expected.sort();
        assert_eq!(all, expected);

        let survivor = people.merge(&ben, &anna).await;
        assert_eq!((id(&survivor), &survivor["total_calls"]), (anna.clone(), &json!(2)));
        people.tenant.settle().await;
        let part = people.show(&ben).await;
        assert_eq!((&part["merged_into"], &part["name"]), (&json!(anna), &json!("Ben Example")));
        let other = people.show(&cleo).await;
        assert_eq!((&other["merged_into"], &other["total_calls"]), (&Value::Null, &json!(1)));
        assert_eq!(other["name"], "Cleo Example");
        let left = people.found("phone=%2B15550100123").await;
        assert_eq!(left.len(), 2);
        assert!(!left.contains(&ben), "{left:?}");
        assert_eq!(
            people.found("name=ben").await,
            std::slice::from_ref(&anna),
            "a part is found as its survivor"
        );

        // Later calls go to the survivor, and earlier ones are found with it.
        assert_eq!(people.call("c-4", &person("Ben Example", PHONE)).await, anna);
        assert_eq!(people.call("c-5", &person("Cleo Example", PHONE)).await, cleo);
        let page = people.get(&format!("/v1/calls?contact_id={anna}")).await;
        assert_eq!(page["data"].as_array().map(Vec::len), Some(3), "{page}");
        assert_eq!(people.contact_of("c-2").await, ben, "an earlier call keeps its contact");
        assert_eq!(people.show(&anna).await["total_calls"], 3);
    });
}

#[test]
fn a_merge_into_itself_in_a_circle_or_elsewhere_is_refused_and_a_repetition_changes_nothing() {
    run(async {
        let people = People::shared().await;
        let mut ids = Vec::new();
        for name in ["Anna Example", "Ben Example", "Cleo Example"] {
            ids.push(id(&people.create(&json!({ "name": name })).await));
        }
        let [anna, ben, cleo] = ids.try_into().expect("three");
        people.merge(&anna, &ben).await;
        people.merge(&anna, &ben).await;
        assert_eq!(people.tenant.facts_of("contact.merged").await.len(), 2, "one in each stream");
        for (from, into, status, code) in [
            (&anna, &anna, 422, "merge-into-itself"),
            (&ben, &anna, 422, "merge-circle"),
            (&anna, &cleo, 409, "contact-merged"),
        ] {
            let path = format!("/v1/contacts/{from}/merge");
            let response = people.send(Method::POST, &path, &json!({ "into": into })).await;
            problem(response, status, code).await;
        }
        let response = people
            .send(Method::PATCH, &format!("/v1/contacts/{anna}"), &json!({ "tags": ["x"] }))
            .await;
        problem(response, 409, "contact-merged").await;
    });
}

#[test]
fn a_merged_contact_with_parts_of_its_own_is_refused_with_its_survivor() {
    run(async {
        let people = People::shared().await;
        let mut ids = Vec::new();
        for name in ["Anna Example", "Ben Example", "Cleo Example", "Dora Example"] {
            ids.push(id(&people.create(&json!({ "name": name })).await));
        }
        let [anna, ben, cleo, dora] = ids.try_into().expect("four");
        people.merge(&anna, &ben).await;
        people.merge(&ben, &cleo).await;
        for part in [&anna, &ben] {
            let path = format!("/v1/contacts/{part}/merge");
            let response = people.send(Method::POST, &path, &json!({ "into": dora })).await;
            let refused = problem(response, 409, "contact-merged").await;
            assert!(refused["detail"].as_str().expect("a text").contains(&cleo), "{refused}");
        }
        assert_eq!(id(&people.merge(&ben, &cleo).await), cleo, "a repetition");
        assert_eq!(id(&people.merge(&anna, &ben).await), cleo, "a repetition");
        let path = format!("/v1/contacts/{cleo}/merge");
        let response = people.send(Method::POST, &path, &json!({ "into": anna })).await;
        problem(response, 422, "merge-circle").await;
        assert_eq!(id(&people.merge(&cleo, &dora).await), dora);
        people.tenant.settle().await;
        for part in [&anna, &ben, &cleo] {
            assert_eq!(people.show(part).await["merged_into"], json!(dora));
        }
    });
}

#[test]
fn a_call_without_a_name_is_of_the_survivor_if_all_contacts_of_its_number_are_one() {
    run(async {
        let people = People::shared().await;
        let anna = people.call("c-1", &person("Anna Example", PHONE)).await;
        let ben = people.call("c-2", &person("Ben Example", PHONE)).await;
        let nameless = json!({ "number": PHONE });
        people.report("c-3", &nameless).await;
        people.tenant.settle().await;
        let page = people.get("/v1/calls?provider_call_id=c-3").await;
        assert_eq!(page["data"][0]["customer"]["contact_id"], Value::Null, "it may be either");
        people.merge(&anna, &ben).await;
        assert_eq!(people.call("c-4", &nameless).await, ben);
        let page = people.get("/v1/calls?provider_call_id=c-4").await;
        let name = &page["data"][0]["customer"]["name"];
        assert_eq!(name, "Ben Example", "the name that the contact has: {page}");
        let shown = people.change(&ben, &json!({ "name": "Ben Sample" })).await;
        people.tenant.settle().await;
        let page = people.get("/v1/calls?provider_call_id=c-4").await;
        assert_eq!(page["data"][0]["customer"]["name"], shown["name"]);
        let call_id = page["data"][0]["call_id"].as_str().expect("an id");
        let detail = people.get(&format!("/v1/calls/{call_id}")).await;
        assert_eq!(detail["customer"]["name"], "Ben Sample");
    });
}

#[test]
fn an_erased_person_is_not_merged() {
    run(async {
        let people = People::shared().await;
        let anna = id(&people.create(&json!({ "name": "Anna Example" })).await);
        let ben = id(&people.create(&json!({ "name": "Ben Example" })).await);
        fence(&anna).await;
        for (from, into) in [(&anna, &ben), (&ben, &anna)] {
            let path = format!("/v1/contacts/{from}/merge");
            let response = people.send(Method::POST, &path, &json!({ "into": into })).await;
            problem(response, 409, "subject-erased").await;
        }
    });
}

/// Ends the key of a contact, as an erasure does.
pub(super) async fn fence(contact: &str) {
    let contact: uuid::Uuid = contact.parse().expect("an id");
    sqlx::query("update vault.subject_keys set state = 'fenced' where subject_id = $1")
        .bind(contact)
        .execute(&mut ledger_tests::cluster::superuser().await)
        .await
        .expect("its key ends");
}

/// The merges of a chain and a branch, and all orders of them.
const MERGES: [(usize, usize); 3] = [(0, 1), (1, 2), (3, 2)];
const ORDERS: [[usize; 3]; 6] = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];

#[test]
fn the_same_merges_in_any_order_end_alike() {
    run(async {
        for order in ORDERS {
            let people = People::shared().await;
            let mut ids = Vec::new();
            for nth in 0..4 {
                let caller = person(&format!("Person N{}", ["A", "B", "C", "D"][nth]), PHONE);
                ids.push(people.call(&format!("c-{nth}"), &caller).await);
            }
            for nth in order {
                let (from, into) = MERGES[nth];
                people.merge(&ids[from], &ids[into]).await;
            }
            people.tenant.settle().await;
            for nth in [0, 1, 3] {
                let part = people.show(&ids[nth]).await;
                assert_eq!(part["merged_into"], json!(ids[2]), "{order:?} {nth}");
            }
            let survivor = people.show(&ids[2]).await;
            assert_eq!(survivor["merged_into"], Value::Null);
            assert_eq!(survivor["total_calls"], 4, "{order:?}");
            assert_eq!(people.found("").await, [ids[2].clone()], "{order:?}");
            // The vault has them alike.
            for (nth, name) in ["Person NA", "Person NB", "Person ND"].iter().enumerate() {
                let call = format!("later-{nth}");
                assert_eq!(people.call(&call, &person(name, PHONE)).await, ids[2], "{order:?}");
            }
        }
    });
}

#[test]
fn of_each_field_the_newest_value_is_shown_and_tags_are_joined() {
    run(async {
        let people = People::shared().await;
        let anna = id(&people
            .create(&json!({ "name": "Anna Example", "email": "a@example.com", "tags": ["one"] }))
            .await);
        let ben = id(&people
            .create(&json!({ "name": "Ben Example", "phone": PHONE, "segment": "new",
                             "tags": ["two"] }))
            .await);
        people.change(&anna, &json!({ "name": "Anna Sample" })).await;
        let merged = people.merge(&ben, &anna).await;
        people.tenant.settle().await;
        let shown = people.show(&anna).await;
        assert_eq!(shown, merged);
        assert_eq!(
            (&shown["name"], &shown["email"], &shown["phone"], &shown["segment"], &shown["tags"]),
            (
                &json!("Anna Sample"),
                &json!("a@example.com"),
                &json!(PHONE),
                &json!("new"),
                &json!(["one", "two"])
            )
        );
        for query in ["tag=one", "tag=two", "segment=new", "email=a@example.com"] {
            assert_eq!(people.found(query).await, std::slice::from_ref(&anna), "{query}");
        }
    });
}

#[test]
fn the_calls_of_merged_contacts_are_found_together_with_every_other_filter() {
    run(async {
        let people = People::shared().await;
        let anna = people.call("c-1", &person("Anna Example", PHONE)).await;
        let ben = people.call("c-2", &person("Ben Example", PHONE)).await;
        for call in ["c-1", "c-2"] {
            let page = people.get(&format!("/v1/calls?provider_call_id={call}")).await;
            let call = page["data"][0]["call_id"].as_str().expect("an id").to_owned();
            let path = format!("/v1/calls/{call}/tags");
            let (status, answer) = people.ask(Method::POST, &path, &json!({ "tag": "vip" })).await;
            assert_eq!(status, 200, "{answer}");
        }
        people.merge(&ben, &anna).await;
        people.tenant.settle().await;
        for filter in ["", "&tag=vip", "&phone=%2B15550100123", "&tag=vip&phone=%2B15550100123"] {
            let page = people.get(&format!("/v1/calls?contact_id={anna}{filter}")).await;
            assert_eq!(page["data"].as_array().map(Vec::len), Some(2), "{filter}: {page}");
        }
    });
}
