//! Lists: search by handle and name, filters, pages and the timeline.

use super::*;

#[test]
fn a_name_is_found_by_whole_words_in_any_order_and_spelling() {
    run(async {
        let people = People::shared().await;
        let anna = id(&people.create(&json!({ "name": "Dr. Anna Maria Éxample" })).await);
        let caller = people.call("c-1", &person("Anna Other", PHONE)).await;
        for query in ["name=maria", "name=E%CC%81XAMPLE%20anna", "name=Anna+Maria"] {
            assert_eq!(people.found(query).await, std::slice::from_ref(&anna), "{query}");
        }
        let mut both = people.found("name=anna").await;
        both.sort();
        let mut expected = [anna.clone(), caller.clone()];
        expected.sort();
        assert_eq!(both, expected, "the name of a caller is indexed too");
        for query in ["name=ann", "name=anna+nobody", "name=anna&phone=%2B15550100129"] {
            assert_eq!(people.found(query).await, Vec::<String>::new(), "{query}");
        }
        people.change(&anna, &json!({ "name": "Zoe Example" })).await;
        assert_eq!(people.found("name=maria").await, Vec::<String>::new());
        assert_eq!(people.found("name=zoe").await, [anna]);
        assert_eq!(people.found("name=anna&phone=%2B15550100123").await, [caller]);
    });
}

#[test]
fn the_words_of_a_name_end_with_the_key_of_the_person() {
    run(async {
        let people = People::shared().await;
        let anna = people.call("c-1", &person("Anna Zimmer", PHONE)).await;
        let ben = id(&people.create(&json!({ "name": "Ben Zimmer" })).await);
        people.tenant.settle().await;
        assert_eq!(people.found("name=zimmer").await.len(), 2);
        merges::fence(&anna).await;
        assert_eq!(people.found("name=zimmer").await, [ben]);
        let left: i64 = sqlx::query_scalar(
            "select count(*) from vault.contact_names where contact_id = $1::uuid",
        )
        .bind(anna.parse::<uuid::Uuid>().expect("an id"))
        .fetch_one(&mut ledger_tests::cluster::superuser().await)
        .await
        .expect("a number");
        assert_eq!(left, 0);
    });
}

#[test]
fn pages_return_each_contact_once() {
    run(async {
        let people = People::shared().await;
        let mut made = Vec::new();
        for nth in 0..5 {
            let tags = if nth % 2 == 0 { json!(["even"]) } else { json!([]) };
            let name = format!("Anna {}", ["Aa", "Bb", "Cc", "Dd", "Ee"][nth]);
            made.push(id(&people.create(&json!({ "name": name, "tags": tags })).await));
        }
        people.tenant.settle().await;
        made.reverse();
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = people.get(&format!("/v1/contacts?limit=2&cursor={cursor}")).await;
            seen.extend(page["data"].as_array().expect("a list").iter().map(id));
            match page["next_cursor"].as_str() {
                Some(next) => next.clone_into(&mut cursor),
                None => break,
            }
        }
        assert_eq!(seen, made, "the newest first");
        assert_eq!(people.found("tag=even").await.len(), 3);
        for query in ["tag=none", "segment=none"] {
            assert_eq!(people.found(query).await, Vec::<String>::new(), "{query}");
        }
        for (query, pointer) in [
            ("phone=soon", "/phone"),
            ("email=x", "/email"),
            ("name=7", "/name"),
            ("tag=", "/tag"),
            ("segment=", "/segment"),
        ] {
            let (status, refused) =
                people.tenant.get_with(&people.key, &format!("/v1/contacts?{query}")).await;
            assert_eq!((status, &refused["errors"][0]["pointer"]), (400, &json!(pointer)));
        }
    });
}

#[test]
fn a_timeline_has_calls_bookings_and_changes_newest_first_in_pages() {
    run(async {
        let people = People::shared().await;
        let anna = people.call("c-1", &person("Anna Example", PHONE)).await;
        let ben = people.call("c-2", &person("Ben Example", PHONE)).await;
        let resources = json!({ "resources": [{ "id": "chair-1" }] });
        let (status, answer) = people.ask(Method::PUT, "/v1/settings/resources", &resources).await;
        assert_eq!(status, 200, "{answer}");
        let booking = json!({ "contact_id": ben, "starts_at": "2027-01-05T10:00:00Z",
                              "duration_minutes": 30 });
        let (status, answer) = people.ask(Method::POST, "/v1/appointments", &booking).await;
        assert_eq!(status, 201, "{answer}");
        people.change(&anna, &json!({ "tags": ["vip"] })).await;
        people.merge(&ben, &anna).await;
        people.tenant.settle().await;
        let path = format!("/v1/contacts/{anna}/timeline");
        let all = people.get(&path).await;
        let kinds: Vec<_> =
            all["data"].as_array().expect("a list").iter().map(|one| &one["kind"]).collect();
        assert_eq!(kinds.iter().filter(|kind| **kind == "call").count(), 2, "{all}");
        assert_eq!(kinds.iter().filter(|kind| **kind == "appointment").count(), 1, "{all}");
        let changes = kinds.iter().filter(|kind| **kind == "change").count();
        assert_eq!(changes, 3, "a tag, and the merge in both streams: {all}");
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = people.get(&format!("{path}?limit=2&cursor={cursor}")).await;
            seen.extend(page["data"].as_array().expect("a list").clone());
            match page["next_cursor"].as_str() {
                Some(next) => next.clone_into(&mut cursor),
                None => break,
            }
        }
        assert_eq!(&json!(seen), &all["data"]);
        let shown = people.show(&anna).await;
        assert_eq!((&shown["appointments"], &shown["no_shows"]), (&json!(1), &json!(0)));
        let page = people.get(&format!("/v1/appointments?contact_id={anna}")).await;
        assert_eq!(page["data"].as_array().map(Vec::len), Some(1), "{page}");
    });
}
