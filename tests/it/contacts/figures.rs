//! Sums over the calls of a contact.

use ledger_tests::messages;

use super::*;

/// The sums of a contact, as its calls tell them.
async fn counted(people: &People, contact: &str) -> (i64, i64, i64) {
    let page = people.get(&format!("/v1/calls?contact_id={contact}&limit=200")).await;
    let calls = page["data"].as_array().expect("a list").clone();
    let sum = |name: &str| calls.iter().filter_map(|call| call[name].as_i64()).sum::<i64>();
    (i64::try_from(calls.len()).expect("few"), sum("duration_ms"), sum("cost_nanos"))
}

async fn shown(people: &People, contact: &str) -> (i64, i64, i64) {
    let shown = people.show(contact).await;
    let number = |name: &str| shown[name].as_i64().expect("a number");
    (number("total_calls"), number("total_duration_ms"), number("total_cost_nanos"))
}

#[test]
fn sums_are_exact_after_repeated_late_and_reattributed_messages() {
    run(async {
        let people = People::shared().await;
        let anna = people.call("c-1", &person("Anna Example", PHONE)).await;
        let ben = people.call("c-2", &person("Ben Example", PHONE)).await;
        assert_eq!(shown(&people, &anna).await, (1, 60_000, 70_000_000));
        // The same report again.
        people.report("c-1", &person("Anna Example", PHONE)).await;
        people.tenant.settle().await;
        assert_eq!(shown(&people, &anna).await, (1, 60_000, 70_000_000));
        // A call that is Anna's by its first message, and Ben's by its report.
        let first =
            messages::from(messages::status("c-3", "in-progress"), &person("Anna Example", PHONE));
        people.tenant.post_ok(first.to_string()).await;
        people.tenant.settle().await;
        assert_eq!(people.contact_of("c-3").await, anna);
        assert_eq!(shown(&people, &anna).await.0, 2);
        people.report("c-3", &person("Ben Example", PHONE)).await;
        people.tenant.settle().await;
        assert_eq!(people.contact_of("c-3").await, ben);
        for contact in [&anna, &ben] {
            assert_eq!(shown(&people, contact).await, counted(&people, contact).await);
        }
        assert_eq!(shown(&people, &anna).await, (1, 60_000, 70_000_000));
        assert_eq!(shown(&people, &ben).await, (2, 120_000, 140_000_000));
        // A late message of a call that has ended.
        people.tenant.post_ok(first.to_string()).await;
        people.tenant.settle().await;
        assert_eq!(shown(&people, &ben).await, (2, 120_000, 140_000_000));
        assert_eq!(people.show(&ben).await["last_call_at"], "2025-06-15T15:06:40Z");
    });
}

#[test]
fn a_breakdown_by_contact_counts_the_calls_of_parts_with_their_survivor() {
    run(async {
        let people = People::shared().await;
        let anna = people.call("c-1", &person("Anna Example", PHONE)).await;
        people.call("c-2", &person("Anna Example", PHONE)).await;
        let ben = people.call("c-3", &person("Ben Example", PHONE)).await;
        let cleo = people.call("c-4", &person("Cleo Example", PHONE)).await;
        people.merge(&ben, &anna).await;
        people.tenant.settle().await;
        let shown = people.get("/v1/analytics/breakdown?by=contact").await;
        let groups: Vec<_> = shown["data"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|group| {
                (group["key"].clone(), group["calls"].clone(), group["cost_nanos"].clone())
            })
            .collect();
        assert_eq!(
            groups,
            [
                (json!(anna), json!(3), json!(210_000_000)),
                (json!(cleo), json!(1), json!(70_000_000)),
            ]
        );
    });
}
