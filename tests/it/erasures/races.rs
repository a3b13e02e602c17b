//! Messages of a person that arrive while the person is erased.

use futures_util::future::join_all;

use super::*;

/// Number of persons; `ERASURE_RACES=10000` for the full run.
fn rounds() -> usize {
    std::env::var("ERASURE_RACES").ok().and_then(|text| text.parse().ok()).unwrap_or(40)
}

/// Persons that are erased at the same time.
const AT_ONCE: usize = 8;

#[test]
fn no_message_that_arrives_during_an_erasure_leaves_readable_data() {
    run(async {
        let own = ledger_tests::OwnDatabase::create().await;
        let (one, two) = (own.server().await, own.server().await);
        let here = Officer::new(&one).await;
        let there = here.through(&two);
        let mut conn = own.superuser().await;
        let mut left = rounds();
        let mut nth = 0;
        while left > 0 {
            let batch = left.min(AT_ONCE);
            left -= batch;
            let people: Vec<usize> = (nth..nth + batch).collect();
            nth += batch;
            let races = people.iter().map(|nth| race(&here, &there, *nth));
            join_all(races).await;
        }
        here.tenant.settle().await;
        // Nothing is sealed for a person after its fence, and every key is destroyed.
        let late: Vec<(String, i64)> = sqlx::query_as(
            "select e.event_type, e.position
               from ledger.events e
               join vault.fences f on f.tenant_id = e.tenant_id and f.subject_id = any (e.subjects)
               join ledger.events fenced
                 on fenced.tenant_id = e.tenant_id and fenced.event_type = 'subject.fenced'
                and fenced.facts ->> 'erasure_id' = f.erasure_id::text
              where e.position > fenced.position and e.event_type not like 'access.%'
                and (e.sections is not null or e.bulk is not null)",
        )
        .fetch_all(&mut conn)
        .await
        .expect("the log");
        assert_eq!(late, []);
        let keys: Vec<(String, i64)> = sqlx::query_as(
            "select k.state, count(*) from vault.subject_keys k
              where k.tenant_id = $1
                and exists (select from vault.contacts c
                             where c.tenant_id = k.tenant_id and c.contact_id = k.subject_id)
              group by k.state",
        )
        .bind(here.tenant.tenant_id.0)
        .fetch_all(&mut conn)
        .await
        .expect("the keys");
        let expected = i64::try_from(rounds()).expect("a number");
        assert_eq!(keys, [("destroyed".to_owned(), expected)], "one key each, and none anew");
        one.stop().await;
        two.stop().await;
    });
}

/// Erases a person while calls of the person are reported through both servers.
async fn race(here: &Officer, there: &Officer, nth: usize) {
    let phone = format!("+1555010{nth:04}");
    let name = format!("Person {}", letters(nth));
    let person = here.call(&format!("first-{nth}"), &name, &phone).await;
    let customer = json!({ "name": name, "number": phone });
    let reports = async {
        for late in 0..6 {
            let officer = if late % 2 == 0 { here } else { there };
            officer.report(&format!("late-{nth}-{late}"), &customer).await;
            tokio::time::sleep(Duration::from_millis(fastrand::u64(0..900))).await;
        }
    };
    let erased = async {
        tokio::time::sleep(Duration::from_millis(fastrand::u64(0..600))).await;
        let erasure_id = there.erase(&person).await;
        there.until(&erasure_id, "certified").await;
    };
    tokio::join!(reports, erased);
    here.report(&format!("after-{nth}"), &customer).await;
}

/// A number in letters, for a name.
fn letters(nth: usize) -> String {
    nth.to_string().bytes().map(|digit| char::from(digit - b'0' + b'a')).collect()
}
