//! A rebuild of the read models equals their live rows, also after an event was dropped.

use std::time::{Duration, Instant};

use ledger_store::Store;
use ledger_tests::OwnDatabase;
use projections::versions;

use super::*;

/// Fills a new version and checks that it has the rows of the active one.
pub(crate) async fn assert_rebuilds_to_the_same(store: &Store, name: &str) -> i64 {
    let projector = versions::named(name).expect("a read model");
    let all = projections::progress(store.projector()).await.expect("an answer");
    let active =
        all.iter().find(|one| one.name() == name && one.version.state == versions::State::Active);
    let active = active.expect("one is active").version.version;
    let version =
        versions::begin(store.owner(), &*projector, None, false).await.expect("a version");
    let begun = Instant::now();
    loop {
        let all = projections::progress(store.projector()).await.expect("an answer");
        let one = all.iter().find(|one| one.name() == name && one.version.version == version);
        if one.is_some_and(|one| one.lag_events == 0 && one.version.indexed_at.is_some()) {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "it never catches up");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let diff =
        versions::diff(store.projector(), name, active, version, 20).await.expect("compared");
    assert_eq!((diff.rows, diff.not_compared), (0, 0), "{diff:#?}");
    let sum = versions::checksum(store.projector(), name, version, None).await;
    let rows = sum.expect("an answer").expect("a checksum").rows;
    versions::cancel(store.owner(), name).await.expect("given up");
    rows
}

async fn history(people: &People) -> Vec<String> {
    let mut ids = Vec::new();
    for nth in 0..6 {
        let name = format!("Person {}", ["Aa", "Bb", "Cc", "Dd", "Ee", "Ff"][nth % 4]);
        people
            .report(&format!("c-{nth}"), &person(&name, &format!("+1555010015{}", nth % 2)))
            .await;
    }
    people.tenant.settle().await;
    for nth in 0..6 {
        ids.push(people.contact_of(&format!("c-{nth}")).await);
    }
    people.change(&ids[0], &json!({ "name": "Person Gg", "tags": ["one", "two"] })).await;
    people.change(&ids[0], &json!({ "tags": ["two"], "segment": "new", "phone": PHONE })).await;
    people.merge(&ids[1], &ids[2]).await;
    people.merge(&ids[2], &ids[3]).await;
    people.create(&json!({ "name": "Person Hh", "custom_fields": { "a": "b" } })).await;
    people.report("c-7", &person("Person Bb", "+15550100151")).await;
    people.tenant.settle().await;
    ids
}

#[test]
fn a_rebuild_equals_the_live_rows_and_so_does_one_after_events_were_dropped() {
    run(async {
        let own = OwnDatabase::create().await;
        let ledger = own.server().await;
        let people = People::new(&ledger).await;
        let ids = history(&people).await;
        assert!(assert_rebuilds_to_the_same(&ledger.store, "contacts").await >= 5);
        assert_rebuilds_to_the_same(&ledger.store, "calls").await;

        for event_type in ["contact.updated", "contact.merged", "call.ended"] {
            let (event_id,): (uuid::Uuid,) = sqlx::query_as(
                "select event_id from ledger.events where event_type = $1 order by position limit 1",
            )
            .bind(event_type)
            .fetch_one(&mut own.superuser().await)
            .await
            .expect("an event");
            let body = json!({ "projection": "contacts", "reason": "a test" });
            let path = format!("/v1/parked/{event_id}/drop");
            let (status, answer) = people.ask(Method::POST, &path, &body).await;
            assert_eq!(status, 200, "{answer}");
            people.tenant.settle().await;
            assert_rebuilds_to_the_same(&ledger.store, "contacts").await;
        }
        let shown = people.show(&ids[0]).await;
        assert_ne!(shown["name"], "Person Gg", "the change of the name was dropped: {shown}");
        ledger.stop().await;
    });
}
