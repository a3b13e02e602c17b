//! Descriptions at the same time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ledger_tests::OwnDatabase;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::*;

const NAMES: [&str; 8] = ["Aa", "Bb", "Cc", "Dd", "Ee", "Ff", "Gg", "Hh"];

/// Describes a person of each name at the same time, with one external id. Returns the answers.
async fn describe(people: &People, names: [&str; 8]) -> Vec<(u16, Value)> {
    let barrier = Arc::new(Barrier::new(names.len()));
    let mut posts = JoinSet::new();
    for name in names {
        let body = json!({ "name": format!("Person {name}"), "external_id": "crm-1" });
        let request = Client::new().post(people.tenant.url("/v1/contacts"));
        let request = request.bearer_auth(&people.key).body(body.to_string());
        let barrier = Arc::clone(&barrier);
        posts.spawn(async move {
            barrier.wait().await;
            status_and_json(request.send().await.expect("an answer")).await
        });
    }
    posts.join_all().await
}

#[test]
fn of_several_names_with_one_external_id_one_is_described_and_the_others_are_refused() {
    run(async {
        let people = People::shared().await;
        let (mut made, mut refused) = (Vec::new(), 0);
        for (status, answer) in describe(&people, NAMES).await {
            if status == 201 {
                made.push(id(&answer));
            } else {
                assert_eq!((status, &answer["code"]), (409, &json!("external-id-taken")));
                refused += 1;
            }
        }
        assert_eq!((made.len(), refused), (1, NAMES.len() - 1));
        people.tenant.settle().await;
        assert_eq!(people.found("external_id=crm-1").await, made);
        assert_eq!(people.found("name=person").await, made, "a refusal leaves nothing");
    });
}

#[test]
fn of_several_descriptions_of_one_person_one_makes_the_contact() {
    run(async {
        let people = People::shared().await;
        let answers = describe(&people, ["Aa"; 8]).await;
        let made = answers.iter().filter(|(status, _)| *status == 201).count();
        assert_eq!(made, 1, "{answers:?}");
        for (status, answer) in &answers {
            assert!([200, 201].contains(status), "{answer}");
            assert_eq!(id(answer), id(&answers[0].1));
        }
    });
}

/// Longer than a notification takes, and shorter than an entry of a cache lives.
const NOTIFIED: Duration = Duration::from_secs(10);

#[test]
fn another_server_resolves_to_the_survivor_once_it_is_notified() {
    run(async {
        let own = OwnDatabase::create().await;
        let (ledger, other) = (own.server().await, own.server().await);
        let people = People::new(&ledger).await;
        let elsewhere = People { tenant: people.tenant.through(&other), key: people.key.clone() };
        let ben = person("Ben Example", OTHER_PHONE);
        let anna = people.call("c-1", &person("Anna Example", PHONE)).await;
        let part = elsewhere.call("c-2", &ben).await;
        assert_eq!(elsewhere.call("c-3", &ben).await, part, "it is in the cache there");
        people.merge(&part, &anna).await;
        assert_becomes(&elsewhere, "merged", &ben, |contact| *contact == anna).await;
        // A number that ended is of nobody there.
        let path = format!("/v1/contacts/{anna}/handles/phone");
        let (status, answer) = people.ask(Method::DELETE, &path, &Value::Null).await;
        assert_eq!(status, 200, "{answer}");
        assert_becomes(&elsewhere, "ended", &ben, |contact| *contact != anna).await;
        other.stop().await;
        ledger.stop().await;
    });
}

/// Posts calls of a person until their contact is an expected one.
async fn assert_becomes(
    people: &People,
    calls: &str,
    customer: &Value,
    is_expected: impl Fn(&String) -> bool,
) {
    let begun = Instant::now();
    for nth in 0.. {
        let contact = people.call(&format!("{calls}-{nth}"), customer).await;
        if is_expected(&contact) {
            return;
        }
        assert!(begun.elapsed() < NOTIFIED, "it is still of {contact}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
