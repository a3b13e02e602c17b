//! The count of people does not depend on the order in which calls arrive.

use std::collections::BTreeMap;

use ledger_tests::{TestLedger, TestTenant, messages, run};
use serde_json::{Value, json};
use tokio::task::JoinSet;

/// All orders of three calls; the first two are those of two calls.
const ORDERS: [[usize; 3]; 6] = [[0, 1, 2], [1, 0, 2], [0, 2, 1], [1, 2, 0], [2, 0, 1], [2, 1, 0]];

/// The customers of the calls: numbers, a SIP address, an e-mail address, external ids and names.
/// `nth` makes the values of each set unique.
fn universe(nth: usize) -> Vec<Value> {
    let number = |of: usize| format!("+1555{:07}", 100_000 + 2 * nth + of);
    let sip = format!("sip:user{nth}@pbx.example.com");
    let email = format!("user{nth}@example.com");
    let external_id = |of: usize| format!("crm-{nth}-{of}");
    let (anna, ben) = ("Anna Example", "Ben Example");
    vec![
        json!({ "number": number(0) }),
        json!({ "number": number(1) }),
        json!({ "sipUri": sip }),
        json!({ "email": email }),
        json!({ "number": number(0), "sipUri": sip }),
        json!({ "number": number(1), "sipUri": sip }),
        json!({ "number": number(0), "email": email }),
        json!({ "externalId": external_id(0), "number": number(0) }),
        json!({ "number": number(0), "name": anna }),
        json!({ "number": number(0), "name": ben }),
        json!({ "sipUri": sip, "name": anna }),
        json!({ "number": number(0), "sipUri": sip, "name": anna }),
        json!({ "number": number(1), "email": email, "name": anna }),
        json!({ "externalId": external_id(0), "number": number(0), "name": anna }),
        json!({ "externalId": external_id(1), "number": number(0), "name": anna }),
    ]
}

/// One in this many sets of three is tested, because all of them take two minutes.
const ONE_IN: usize = 5;

/// Returns indices into the universe for every set of two calls and for some sets of three.
fn sets() -> Vec<Vec<usize>> {
    let len = universe(0).len();
    let pairs = (0..len).flat_map(|a| (a + 1..len).map(move |b| vec![a, b]));
    let of_three = pairs.clone().flat_map(|pair| {
        (pair[1] + 1..len).map(move |c| vec![pair[0], pair[1], c]).collect::<Vec<_>>()
    });
    pairs.chain(of_three.step_by(ONE_IN)).collect()
}

/// A call of a set, with the name of the set as its assistant.
fn call(nth: usize, place: usize, customer: &Value) -> String {
    let mut body = messages::report(&format!("call-{nth}-{place}"));
    body["message"]["call"]["customer"] = customer.clone();
    body["message"]["call"]["assistantId"] = format!("set-{nth}").into();
    body.to_string()
}

async fn people(tenant: &TestTenant, filter: &str) -> i64 {
    let summary = tenant.get(&format!("/v1/analytics/summary?{filter}")).await;
    summary["unique_contacts"].as_i64().unwrap_or_else(|| panic!("{summary}"))
}

fn taken(sent: Option<Result<reqwest::Result<reqwest::Response>, tokio::task::JoinError>>) {
    let answer = sent.expect("one is under way").expect("no panic").expect("an answer");
    assert_eq!(answer.status(), 200);
}

/// Returns the count of people of each set when its calls arrive in an order, and the count over
/// all sets.
async fn counted(sets: &[Vec<usize>], order: [usize; 3]) -> (Vec<i64>, i64) {
    let tenant = TestLedger::shared().await.tenant().await;
    for place in order {
        let told = sets.iter().enumerate().filter_map(|(nth, set)| {
            let which = set.get(place)?;
            Some(call(nth, place, &universe(nth)[*which]))
        });
        let mut under_way = JoinSet::new();
        for body in told {
            if under_way.len() == 16 {
                taken(under_way.join_next().await);
            }
            under_way.spawn(tenant.webhook(body).send());
        }
        while let Some(sent) = under_way.join_next().await {
            taken(Some(sent));
        }
    }
    tenant.settle().await;
    let mut counts = Vec::new();
    for nth in 0..sets.len() {
        counts.push(people(&tenant, &format!("agent_id=set-{nth}")).await);
    }
    (counts, people(&tenant, "").await)
}

#[test]
fn the_count_of_people_is_the_same_in_every_order_of_arrival() {
    run(async {
        let sets = sets();
        let mut known: BTreeMap<usize, i64> = BTreeMap::new();
        let mut differ = Vec::new();
        for order in ORDERS {
            let (counts, all) = counted(&sets, order).await;
            // No two sets share a handle, so the total is the sum over the sets.
            assert_eq!(all, counts.iter().sum::<i64>(), "{order:?}");
            for (nth, count) in counts.into_iter().enumerate() {
                let first = *known.entry(nth).or_insert(count);
                if first != count {
                    let told: Vec<Value> =
                        sets[nth].iter().map(|which| universe(0)[*which].clone()).collect();
                    differ.push(format!("{first} or {count} in {order:?}: {told:?}"));
                }
            }
        }
        assert!(differ.is_empty(), "{} differ:\n{}", differ.len(), differ.join("\n"));
    });
}

#[test]
fn each_set_of_calls_is_of_as_many_people_as_its_handles_and_names_prove() {
    let number = || json!({ "number": "+15550100100" });
    let with = |fields: &[(&str, &str)]| {
        let mut customer = number();
        for (field, value) in fields {
            customer[*field] = (*value).into();
        }
        customer
    };
    let (sip, email) = ("sip:anna@pbx.example.com", "anna@example.com");
    let other = |fields: &[(&str, &str)]| {
        let mut customer = with(fields);
        customer["number"] = "+15550100101".into();
        customer
    };
    let (anna, ben) = (("name", "Anna Example"), ("name", "Ben Example"));
    let cases = [
        (1, vec![number(), json!({ "sipUri": sip }), with(&[("sipUri", sip)])]),
        (2, vec![number(), other(&[])]),
        (2, vec![with(&[("sipUri", sip)]), other(&[("sipUri", sip)]), json!({ "sipUri": sip })]),
        (1, vec![number(), with(&[("email", email)]), json!({ "email": email })]),
        (1, vec![number(), with(&[anna])]),
        (2, vec![number(), with(&[anna]), with(&[ben])]),
        (2, vec![with(&[anna]), json!({ "sipUri": sip, "name": "Anna Example" })]),
        (
            1,
            vec![
                with(&[anna]),
                json!({ "sipUri": sip, "name": "Anna Example" }),
                with(&[("sipUri", sip), anna]),
            ],
        ),
        (1, vec![with(&[("email", email), anna]), other(&[("email", email), anna])]),
        (3, vec![with(&[("email", email), anna]), other(&[("email", email)]), with(&[ben])]),
        (2, vec![with(&[("externalId", "crm-1"), anna]), with(&[("externalId", "crm-2"), anna])]),
        (
            2,
            vec![
                with(&[anna]),
                with(&[("externalId", "crm-1"), anna]),
                with(&[("externalId", "crm-2"), anna]),
            ],
        ),
        (2, vec![with(&[("externalId", "crm-1")]), with(&[anna])]),
    ];
    for (wanted, customers) in cases {
        run(async {
            let tenant = TestLedger::shared().await.tenant().await;
            for (place, customer) in customers.iter().enumerate() {
                taken(Some(Ok(tenant.webhook(call(0, place, customer)).send().await)));
            }
            tenant.settle().await;
            for filter in ["", "agent_id=set-0", "from=2026-01-01T00:00:00Z", "is_test=any"] {
                assert_eq!(people(&tenant, filter).await, wanted, "{filter}: {customers:?}");
            }
        });
    }
}
