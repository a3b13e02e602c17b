//! Read models through the API: permissions, commands, and the codes of refusals.

mod parked;

use ledger_core::ids::TenantId;
use ledger_tests::ledger::status_and_json;
use ledger_tests::{OwnDatabase, TestLedger, TestTenant, messages, run};
use reqwest::{Client, Response};
use serde_json::{Value, json};

use crate::bad_input::problem;

/// A separate server, a tenant with calls, and keys.
struct Operated {
    own: OwnDatabase,
    ledger: TestLedger,
    tenant: TestTenant,
    /// Key of the installation.
    key: String,
    /// Key of the tenant.
    own_key: String,
}

impl Operated {
    async fn new() -> Self {
        let own = OwnDatabase::create().await;
        let ledger = own.server().await;
        let tenant = ledger.tenant().await;
        for nth in 0..3 {
            tenant.post_ok(messages::report(&format!("call-{nth}")).to_string()).await;
        }
        tenant.settle().await;
        let key = ledger.key(TenantId::INSTALLATION, &["admin"]).await;
        let own_key = ledger.key(tenant.tenant_id, &["admin"]).await;
        Self { own, ledger, tenant, key, own_key }
    }

    async fn post(&self, key: &str, path: &str, body: impl Into<reqwest::Body>) -> Response {
        let url = format!("http://{}{path}", self.ledger.address);
        let request = Client::new().post(url).bearer_auth(key).body(body);
        request.send().await.expect("an answer")
    }

    /// Sends a command that must be accepted; returns the response.
    async fn command_ok(&self, key: &str, path: &str, body: &Value) -> Value {
        let (status, answer) = status_and_json(self.post(key, path, body.to_string()).await).await;
        assert!(matches!(status, 200 | 202), "{path}: {answer}");
        answer
    }

    async fn versions(&self, key: &str) -> Vec<Value> {
        let (status, page) = self.tenant.get_with(key, "/v1/projections").await;
        assert_eq!(status, 200, "{page}");
        // Only those that these tests fill: a further read model changes none of them.
        let is_filled = |one: &&Value| one["name"] == "calls" || one["name"] == "usage";
        page["data"]
            .as_array()
            .expect("a page has data")
            .iter()
            .filter(is_filled)
            .cloned()
            .collect()
    }

    /// Returns as soon as a version of `calls` is in the given state.
    async fn until(&self, version: i64, state: &str) {
        for _ in 0..1_000 {
            let is_it = |one: &Value| {
                one["name"] == "calls" && one["version"] == version && one["state"] == state
            };
            if self.versions(&self.key).await.iter().any(is_it) {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        panic!("version {version} is not {state}: {:?}", self.versions(&self.key).await);
    }
}

#[test]
fn a_key_of_the_installation_can_rebuild_diff_promote_and_roll_back() {
    run(async {
        let operated = Operated::new().await;
        let key = &operated.key;
        let begun = operated.post(key, "/v1/projections/calls/rebuild", "").await;
        assert_eq!(begun.status(), 202);
        let begun = status_and_json(begun).await.1;
        let expected =
            json!({ "name": "calls", "version": 3, "state": "building", "tenant_id": null });
        assert_eq!(begun, expected);
        operated.until(3, "current").await;
        operated.until(2, "previous").await;
        let diff = operated.tenant.get_with(key, "/v1/projections/calls/diff").await.1;
        assert_eq!(
            (&diff["here"], &diff["there"], &diff["rows"]),
            (&json!(3), &json!(2), &json!(0))
        );

        let back = operated.command_ok(key, "/v1/projections/calls/rollback", &json!({})).await;
        assert_eq!((&back["version"], &back["state"]), (&json!(2), &json!("active")));
        operated.until(2, "current").await;

        let by_hand = json!({ "promote": false });
        operated.command_ok(key, "/v1/projections/calls/rebuild", &by_hand).await;
        let again = operated.post(key, "/v1/projections/calls/rebuild", "").await;
        problem(again, 409, "rebuild-running").await;
        operated.until(4, "building").await;
        let promoted_version = loop {
            // A version that is being filled cannot be promoted.
            let promoted = operated.post(key, "/v1/projections/calls/promote", "").await;
            match promoted.status().as_u16() {
                409 => problem(promoted, 409, "projection-behind").await,
                _ => break status_and_json(promoted).await.1,
            };
        };
        assert_eq!(
            (&promoted_version["version"], &promoted_version["state"]),
            (&json!(4), &json!("active"))
        );
        assert_eq!(operated.tenant.calls().await.len(), 3);
        operated.command_ok(key, "/v1/projections/calls/rebuild", &by_hand).await;
        let gone = operated.command_ok(key, "/v1/projections/calls/cancel", &json!({})).await;
        assert_eq!((&gone["version"], &gone["state"]), (&json!(5), &json!("cancelled")));
        operated.ledger.stop().await;
    });
}

#[test]
fn an_impossible_command_is_refused_with_a_code() {
    run(async {
        let operated = Operated::new().await;
        let key = &operated.key;
        for (path, body, status, code) in [
            ("/v1/projections/cals/rebuild", "", 404, "projection-not-found"),
            ("/v1/projections/cals/promote", "", 404, "projection-not-found"),
            ("/v1/projections/cals/rollback", "", 404, "projection-not-found"),
            ("/v1/projections/cals/cancel", "", 404, "projection-not-found"),
            ("/v1/projections/%ff/rebuild", "", 404, "projection-not-found"),
            ("/v1/projections/calls/promote", "", 409, "rebuild-not-running"),
            ("/v1/projections/calls/cancel", "", 409, "rebuild-not-running"),
            ("/v1/projections/calls/rollback", "", 409, "no-previous-version"),
            ("/v1/projections/calls/rebuild", "{", 400, "body-not-json"),
            ("/v1/projections/calls/rebuild", "[]", 400, "body-not-json"),
            ("/v1/projections/calls/rebuild", r#"{"promote": "no"}"#, 422, "invalid-field"),
            ("/v1/projections/calls/rebuild", r#"{"promot": false}"#, 422, "unknown-field"),
            ("/v1/projections/calls/rebuild", r#"{"tenant_id": "acme"}"#, 422, "invalid-field"),
            (
                "/v1/projections/calls/rebuild",
                r#"{"tenant_id": "00000000-0000-4000-8000-000000000001"}"#,
                404,
                "tenant-not-found",
            ),
            ("/v1/projections/calls/rebuild?promote=false", "", 400, "unknown-parameter"),
            ("/v1/parked/no-id/retry", "", 404, "parked-not-found"),
            (
                "/v1/parked/00000000-0000-4000-8000-000000000001/drop",
                r#"{"reason": "why not"}"#,
                404,
                "parked-not-found",
            ),
        ] {
            let refused = operated.post(key, path, body).await;
            let said = problem(refused, status, code).await;
            assert!(!said.to_string().contains("cals\""), "what was sent is not repeated");
        }
        for (path, status, code) in [
            ("/v1/projections/cals/diff", 404, "projection-not-found"),
            ("/v1/projections/calls/diff", 409, "no-version-to-compare"),
            ("/v1/projections/calls/diff?against=7", 409, "no-version-to-compare"),
            ("/v1/projections/calls/diff?against=x", 400, "invalid-parameter"),
            ("/v1/projections/calls/diff?limit=0", 400, "invalid-parameter"),
            ("/v1/projections?state=building", 400, "unknown-parameter"),
            ("/v1/parked?cursor=x", 400, "invalid-parameter"),
        ] {
            let refused = operated.tenant.request(key, path).send().await.expect("an answer");
            problem(refused, status, code).await;
        }
        assert_eq!(operated.versions(key).await.len(), 2, "nothing was begun");
        operated.ledger.stop().await;
    });
}

#[test]
fn a_tenants_key_reads_and_rebuilds_its_own_rows_only() {
    run(async {
        let operated = Operated::new().await;
        let other = operated.ledger.tenant().await;
        other.settle().await;
        let (key, other_key) =
            (&operated.own_key, operated.ledger.key(other.tenant_id, &["admin"]).await);
        let head = async |key: &str| {
            let calls = operated.versions(key).await[0].clone();
            let events = calls["events"].as_i64().zip(calls["lag_events"].as_i64());
            (calls["tenants"].clone(), events.map(|(events, lag)| events + lag))
        };
        let (all, own, others) =
            (head(&operated.key).await, head(key).await, head(&other_key).await);
        assert_eq!((&all.0, &own.0, &others.0), (&json!(2), &json!(1), &json!(1)));
        assert_eq!(all.1, own.1.zip(others.1).map(|(own, others)| own + others));

        for path in ["promote", "cancel", "rollback"] {
            let path = format!("/v1/projections/calls/{path}");
            let refused = operated.post(key, &path, "").await;
            problem(refused, 403, "installation-key-required").await;
        }
        let theirs = json!({ "tenant_id": other.tenant_id }).to_string();
        let refused = operated.post(key, "/v1/projections/calls/rebuild", theirs).await;
        problem(refused, 404, "tenant-not-found").await;

        let by_hand = json!({ "promote": false });
        let begun = operated.command_ok(key, "/v1/projections/calls/rebuild", &by_hand).await;
        assert_eq!(begun["tenant_id"], json!(operated.tenant.tenant_id));
        assert_eq!(operated.versions(key).await.len(), 3);
        assert_eq!(operated.versions(&other_key).await.len(), 2, "it is none of theirs");
        // A version of one tenant does not exclude one of another tenant.
        let beside =
            operated.command_ok(&other_key, "/v1/projections/calls/rebuild", &by_hand).await;
        assert_eq!(beside["tenant_id"], json!(other.tenant_id));
        operated.command_ok(&other_key, "/v1/projections/calls/cancel", &json!({})).await;
        assert_eq!(operated.versions(key).await.len(), 3, "it is still there");
        for path in ["promote", "cancel"] {
            let path = format!("/v1/projections/calls/{path}");
            let refused = operated.post(&other_key, &path, "").await;
            problem(refused, 403, "installation-key-required").await;
        }
        let unseen = other.request(&other_key, "/v1/projections/calls/diff?against=3").send().await;
        problem(unseen.expect("an answer"), 409, "no-version-to-compare").await;
        let promoted_version = loop {
            let promoted = operated.post(key, "/v1/projections/calls/promote", "").await;
            match promoted.status().as_u16() {
                409 => problem(promoted, 409, "projection-behind").await,
                _ => break status_and_json(promoted).await.1,
            };
        };
        assert_eq!(
            promoted_version["tenant_id"],
            json!(operated.tenant.tenant_id),
            "{promoted_version}"
        );
        assert_eq!(operated.tenant.calls().await.len(), 3);
        assert_eq!(operated.versions(&operated.key).await.len(), 2, "it went into what is shown");
        operated.ledger.stop().await;
    });
}
