//! Operation of the server: probes, metrics, request ids, and shutdown.

mod documented;
mod outage;
mod stalled;

use std::collections::BTreeSet;

use ledger_tests::{OwnDatabase, TestLedger, cluster, fixtures, messages, run};
use reqwest::{Client, Response};
use serde_json::Value;
use sqlx::Connection;

async fn get(ledger: &TestLedger, path: &str) -> Response {
    Client::new().get(format!("http://{}{path}", ledger.address)).send().await.expect("an answer")
}

async fn json(response: Response) -> Value {
    response.json().await.expect("a document")
}

#[test]
fn the_probes_report_liveness_and_readiness() {
    run(async {
        // Other tests halt tenants and leave projections behind in the shared database.
        let own = OwnDatabase::create().await;
        let ledger = own.server().await;
        ledger.tenant().await.settle().await;
        let health = get(&ledger, "/healthz").await;
        assert_eq!(
            (health.status().as_u16(), json(health).await["status"].take()),
            (200, "ok".into())
        );
        let ready = get(&ledger, "/readyz").await;
        assert_eq!(ready.status(), 200);
        let model = |name: &str, version| {
            serde_json::json!({
                "name": name, "version": version, "state": "current", "lag_events": 0,
                "lag_seconds": 0, "parked": 0, "stalled": 0, "reason": null,
            })
        };
        let workers =
            ["metrics", "exports", "denials", "counts", "follow_ups", "erasures", "epochs", "api"]
                .map(|name| serde_json::json!({ "name": name, "state": "running", "restarts": 0 }));
        let expected = serde_json::json!({
            "status": "ready", "database": "ok", "migrations": "ok", "keyring": "ok", "journal": "ok",
            "lag_events": 0, "halted": 0, "parked": 0,
            "projections": [model("appointments", 1), model("calls", 2), model("contacts", 1), model("due", 1), model("erasures", 1), model("usage", 1)],
            "workers": workers,
        });
        assert_eq!(json(ready).await, expected);
        ledger.stop().await;
    });
}

#[test]
fn a_server_on_a_database_that_was_not_migrated_is_not_ready() {
    run(async {
        let own = OwnDatabase::create().await;
        let forget = "delete from public._sqlx_migrations where version = 4";
        sqlx::raw_sql(forget).execute(&mut own.superuser().await).await.expect("forgotten");
        let ledger = own.server().await;
        let ready = get(&ledger, "/readyz").await;
        assert_eq!(ready.status(), 503);
        let ready = json(ready).await;
        assert_eq!((&ready["database"], &ready["status"]), (&"ok".into(), &"not_ready".into()));
        assert!(
            ready["migrations"].as_str().is_some_and(|said| said.contains("migrate")),
            "{ready}"
        );
        ledger.stop().await;
    });
}

/// Returns the label sets of a metric, unparsed.
fn labels<'a>(metrics: &'a str, name: &str) -> Vec<&'a str> {
    let ours = metrics.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix('{'));
    ours.filter_map(|rest| rest.split_once('}')).map(|(labels, _)| labels).collect()
}

#[test]
fn metrics_count_webhooks_and_no_label_is_open_text() {
    run(async {
        let ledger = TestLedger::shared().await;
        let tenant = ledger.tenant().await;
        let open = messages::message("metrics", "sender-chosen-kind", &serde_json::json!({}));
        let report = messages::report("metrics").to_string();
        for body in [open.to_string(), report.clone(), report, "not json".into()] {
            tenant.post(body).await;
        }
        get(ledger, "/sender/chosen/path").await;
        tenant.get("/v1/calls").await;

        let metrics = get(ledger, "/metrics").await;
        let kind = metrics.headers()["content-type"].to_str().expect("a text").to_owned();
        assert!(kind.starts_with("text/plain"), "{kind}");
        let metrics = metrics.text().await.expect("a text");
        let webhooks = labels(&metrics, "ledger_webhooks_total");
        for (kind, outcome) in [
            ("end-of-call-report", "recorded"),
            ("end-of-call-report", "duplicate"),
            ("other", "recorded"),
            ("unparsable", "refused"),
        ] {
            let is_it = |labels: &&str| {
                labels.contains(&format!("kind=\"{kind}\""))
                    && labels.contains(&format!("outcome=\"{outcome}\""))
            };
            assert!(webhooks.iter().any(is_it), "no {kind} {outcome} in {webhooks:?}");
        }
        assert!(!metrics.contains("chosen"), "{metrics}");
        assert!(!metrics.contains(&tenant.tenant_id.to_string()));
        let names: BTreeSet<&str> = metrics
            .lines()
            .filter_map(|line| line.split_once('{')?.1.split_once('}'))
            .flat_map(|(labels, _)| labels.split("\",").filter_map(|label| label.split('=').next()))
            .collect();
        let known = BTreeSet::from([
            "code",
            "kind",
            "le",
            "outcome",
            "part",
            "place",
            "projection",
            "provider",
            "quantile",
            "reason",
            "route",
            "section",
            "stage",
            "status",
            "step",
            "term",
            "worker",
        ]);
        assert!(names.is_subset(&known), "is a new label free of personal data? {names:?}");
    });
}

#[test]
fn every_response_has_a_request_id_that_clients_cannot_set() {
    run(async {
        let ledger = TestLedger::shared().await;
        let tenant = ledger.tenant().await;
        let mut seen = BTreeSet::new();
        for path in ["/healthz", "/readyz", "/metrics", "/v1/calls", "/nowhere", "/openapi.json"] {
            let request = tenant.request(&tenant.read_key, path).header("x-request-id", "mine");
            let answer = request.send().await.expect("an answer");
            let id = answer.headers()["x-request-id"].to_str().expect("an id").to_owned();
            assert_ne!(id, "mine", "{path}");
            let body = answer.text().await.expect("a text");
            if let Ok(problem) = serde_json::from_str::<Value>(&body)
                && let Some(named) = problem["request_id"].as_str()
            {
                assert_eq!(named, id);
            }
            assert!(seen.insert(id), "{path}: a request has a name of its own");
        }
        // Events recorded by a request carry its id.
        let answer = tenant.webhook(messages::report("named").to_string()).send().await;
        let answer = answer.expect("an answer");
        let id = answer.headers()["x-request-id"].to_str().expect("an id").to_owned();
        let meta: String = sqlx::query_scalar(
            "select meta ->> 'request_id' from ledger.events
              where tenant_id = $1 and event_type = 'call.ended'",
        )
        .bind(tenant.tenant_id.0)
        .fetch_one(&mut cluster::superuser().await)
        .await
        .expect("the event");
        assert_eq!(meta, id);
    });
}

#[test]
fn the_page_of_the_api_works_without_the_network() {
    run(async {
        let ledger = TestLedger::shared().await;
        let document = json(get(ledger, "/openapi.json").await).await;
        assert!(document["openapi"].as_str().is_some_and(|version| version.starts_with("3.1")));
        let page = get(ledger, "/docs/").await;
        assert_eq!(page.status(), 200);
        let page = page.text().await.expect("a page");
        assert!(!page.contains("src=\"http") && !page.contains("href=\"http"), "{page}");
    });
}

#[test]
fn a_request_in_flight_is_answered_during_a_stop() {
    run(async {
        let own = OwnDatabase::create().await;
        let ledger = own.server().await;
        let tenant = ledger.tenant().await;
        let address = ledger.address;
        let mut conn = own.superuser().await;
        let mut held = conn.begin().await.expect("a transaction");
        sqlx::raw_sql("select from ledger.tenants for update")
            .execute(&mut *held)
            .await
            .expect("the tenant is held, so that the append has to wait");
        let beside = tenant.through(&ledger);
        let posted = tokio::spawn(async move {
            beside.post(fixtures::bytes("vapi/hang.inbound.composed.json")).await
        });
        own.until_lock_wait().await;
        let stopped = tokio::spawn(ledger.stop());
        while Client::new().get(format!("http://{address}/healthz")).send().await.is_ok() {
            tokio::task::yield_now().await;
        }
        assert!(!posted.is_finished() && !stopped.is_finished(), "one waits for the other");
        held.rollback().await.expect("let go");
        let (status, answer) = posted.await.expect("an answer");
        assert_eq!((status, &answer["status"]), (200, &"recorded".into()), "{answer}");
        stopped.await.expect("it drained");

        let again = own.server().await;
        assert_eq!(tenant.through(&again).calls().await.len(), 1);
        again.stop().await;
    });
}

#[test]
fn a_change_with_a_failed_append_is_not_made() {
    run(async {
        let own = OwnDatabase::create().await;
        let ledger = own.server().await;
        let tenant = ledger.tenant().await;
        let mut conn = own.superuser().await;
        let freeze = "update ledger.tenants set state = 'frozen'";
        sqlx::query(freeze).execute(&mut conn).await.expect("a frozen tenant");
        let keys = "select count(*) from ledger.api_keys";
        let before: i64 = sqlx::query_scalar(keys).fetch_one(&mut conn).await.expect("a count");

        let key = server::auth::new_key(tenant.tenant_id);
        let refused = ledger.store.create_api_key(tenant.tenant_id, &key, &[], None).await;

        assert!(refused.is_err(), "a frozen tenant's log takes nothing");
        let after: i64 = sqlx::query_scalar(keys).fetch_one(&mut conn).await.expect("a count");
        assert_eq!(after, before);
        ledger.stop().await;
    });
}
