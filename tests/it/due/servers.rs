//! Two servers and repeated requests.

use ledger_tests::OwnDatabase;
use tokio::task::JoinSet;

use super::*;

async fn send(tenant: &TestTenant, key: &str, path: &str, body: &Value, idem: &str) -> Response {
    let request = Client::new().post(tenant.url(path)).bearer_auth(key);
    let request = request.header("idempotency-key", idem).body(body.to_string());
    request.send().await.expect("an answer")
}

/// Number of events of these types.
async fn events(own: &OwnDatabase, types: &[&str]) -> i64 {
    sqlx::query_scalar("select count(*) from ledger.events where event_type = any ($1)")
        .bind(types)
        .fetch_one(&mut own.superuser().await)
        .await
        .expect("a count")
}

#[test]
fn a_task_finished_and_cancelled_on_two_servers_at_once_is_closed_once() {
    run(async {
        let own = OwnDatabase::create().await;
        let (ledger, other) = (own.server().await, own.server().await);
        let office = Office::new(&ledger).await;
        for round in 0..4 {
            let made = office.post(201, "/v1/tasks", &task(round)).await;
            let mut requests = JoinSet::new();
            for nth in 0..8 {
                let tenant = office.tenant.through(if nth % 2 == 0 { &ledger } else { &other });
                let (key, verb) = (office.key.clone(), if nth < 4 { "done" } else { "cancel" });
                let path = path(&made, verb);
                requests.spawn(async move {
                    let request = Client::new().post(tenant.url(&path)).bearer_auth(key);
                    let (status, answer) =
                        status_and_json(request.send().await.expect("an answer")).await;
                    (status, answer["status"].as_str().unwrap_or_default().to_owned())
                });
            }
            let answers = requests.join_all().await;
            let mut closed: Vec<_> =
                answers.iter().filter(|(status, _)| *status == 200).map(|(_, to)| to).collect();
            assert_eq!(closed.len(), 4, "those of one verb: {answers:?}");
            closed.dedup();
            assert_eq!(closed.len(), 1, "{answers:?}");
            assert_eq!(answers.iter().filter(|(status, _)| *status == 422).count(), 4);
        }
        let closing = events(&own, &["task.done", "task.cancelled"]).await;
        assert_eq!(closing, 4, "one event for each task");
        ledger.stop().await;
        other.stop().await;
    });
}

#[test]
fn a_repeated_request_gets_its_first_answer_and_acts_once() {
    run(async {
        let own = OwnDatabase::create().await;
        let (ledger, other) = (own.server().await, own.server().await);
        let office = Office::new(&ledger).await;
        let beside = office.tenant.through(&other);
        let first = send(&office.tenant, &office.key, "/v1/tasks", &task(0), "make").await;
        let (status, made) = status_and_json(first).await;
        assert_eq!(status, 201, "{made}");
        let done = path(&made, "done");
        let finished = send(&office.tenant, &office.key, &done, &json!({}), "finish").await;
        let (status, finished) = status_and_json(finished).await;
        assert_eq!((status, &finished["status"]), (200, &json!("done")));
        // The answer that was kept, and the answer of a request that was interrupted before.
        for is_kept in [true, false] {
            if !is_kept {
                sqlx::query("update ledger.command_answers set answer_sealed = null, claimed_until = now() - interval '1 second'")
                    .execute(&mut own.superuser().await)
                    .await
                    .expect("an update");
            }
            let again = send(&beside, &office.key, "/v1/tasks", &task(0), "make").await;
            assert_eq!(again.headers().contains_key("idempotent-replayed"), is_kept);
            assert_eq!(status_and_json(again).await, (201, made.clone()), "as it was then");
            let again = send(&beside, &office.key, &done, &json!({}), "finish").await;
            assert_eq!(status_and_json(again).await, (200, finished.clone()));
        }
        let reused = send(&beside, &office.key, "/v1/tasks", &task(1), "make").await;
        problem(reused, 422, "idempotency-key-reused").await;
        assert_eq!(events(&own, &["task.created", "task.done"]).await, 2);
        ledger.stop().await;
        other.stop().await;
    });
}
