//! `/v1/deliveries/in`: the list of single webhooks.

use ledger_tests::fixtures::Message;
use ledger_tests::{OwnDatabase, TestTenant, messages, run};
use serde_json::{Value, json};

use super::{SHARED_SECRET, SourceSetup};
use crate::bad_input::problem;

/// Returns every delivery a key can read, from all pages.
async fn all(tenant: &TestTenant, key: &str, limit: usize) -> Vec<Value> {
    let (mut seen, mut path) = (Vec::new(), format!("/v1/deliveries/in?limit={limit}"));
    loop {
        let (status, page) = tenant.get_with(key, &path).await;
        assert_eq!(status, 200, "{page}");
        let data = page["data"].as_array().expect("a page has data");
        assert!(data.len() <= limit);
        seen.extend(data.iter().cloned());
        let Some(cursor) = page["next_cursor"].as_str() else { return seen };
        path = format!("/v1/deliveries/in?limit={limit}&cursor={cursor}");
    }
}

#[test]
fn a_tenant_lists_recorded_and_refused_deliveries_newest_first() {
    run(async {
        let own = OwnDatabase::create().await;
        let ledger = own.server().await;
        let setup = SourceSetup::build(own, &ledger).await;
        let tenant = &setup.tenant;
        let first = tenant.post_ok(messages::report("told").to_string()).await;
        tenant.post_ok(messages::report("told").to_string()).await;
        tenant.webhook_at(tenant.source_id, "wrong", "{}").send().await.expect("an answer");
        let tools = Message::tools("told", &[("t-1", "book"), ("t-2", "look"), ("t-3", "ask")]);
        let asked = tenant.webhook(tools.body()).send().await.expect("an answer");
        let request_id = asked.headers()["x-request-id"].to_str().expect("a text").to_owned();
        // Reads record access events, which are no deliveries.
        tenant.only_call().await;

        for limit in [1, 2, 50] {
            let seen = all(tenant, &setup.admin, limit).await;
            let shown: Vec<(&Value, &Value)> =
                seen.iter().map(|one| (&one["type"], &one["outcome"])).collect();
            let expected = [
                (json!("call.tool_called"), json!("recorded")),
                (Value::Null, json!("refused")),
                (json!("call.ended"), json!("recorded")),
            ];
            let expected: Vec<_> = expected.iter().map(|(kind, outcome)| (kind, outcome)).collect();
            assert_eq!(shown, expected, "{limit} to a page");
            assert_eq!(seen[0]["request_id"], request_id);
            assert_eq!(seen[1]["reason"], "signature-invalid");
            assert_eq!(seen[2]["position"], first["position"]);
            assert!(seen[2]["call_id"].is_string());
            let is_ours = |one: &Value| one["source_id"] == json!(tenant.source_id);
            assert!(seen.iter().all(is_ours), "{seen:?}");
        }
        assert!(all(tenant, &setup.installation, 50).await.is_empty());
        ledger.stop().await;
    });
}

#[test]
fn the_installation_lists_quarantined_deliveries_and_a_tenant_those_assigned_to_it() {
    run(async {
        let own = OwnDatabase::create().await;
        let ledger = own.server().await;
        let setup = SourceSetup::build(own, &ledger).await;
        for call in ["lost-1", "lost-2", "lost-3"] {
            let body = messages::report(call).to_string();
            let request = setup.tenant.webhook_at(setup.shared, SHARED_SECRET, body);
            assert_eq!(request.send().await.expect("an answer").status(), 202);
        }
        for limit in [1, 2, 50] {
            let seen = all(&setup.tenant, &setup.installation, limit).await;
            assert_eq!(seen.len(), 3);
            assert!(seen.is_sorted_by(|a, b| a["at"].as_str() >= b["at"].as_str()));
            for one in &seen {
                assert_eq!(
                    (&one["outcome"], &one["reason"]),
                    (&json!("quarantined"), &json!("no-single-route"))
                );
                assert!(one["quarantine_id"].is_string() && one["request_id"].is_null());
            }
        }
        assert!(all(&setup.tenant, &setup.admin, 50).await.is_empty());
        ledger.stop().await;
    });
}

#[test]
fn a_long_stretch_without_webhooks_ends_a_page_early_and_loses_none() {
    run(async {
        let own = OwnDatabase::create().await;
        let ledger = own.server().await;
        let setup = SourceSetup::build(own, &ledger).await;
        setup.tenant.post_ok(messages::report("old").to_string()).await;
        for nth in 0..6 {
            let fill = format!(
                "insert into ledger.events
                   (tenant_id, position, stream_id, stream_kind, stream_version, event_id, event_type,
                    schema_version, occurred_at, recorded_at, facts, meta, leaf_hash)
                 select '{}', h.head + n, '{}', 'tenant', 1000000 * ({nth} + 1) + n, gen_random_uuid(),
                        'access.personal_data_read', 1, now(), now(), '{{}}',
                        '{{\"request_id\":\"00000000-0000-4000-8000-000000000001\"}}', sha256('')
                   from generate_series(1, 1000) n,
                        (select max(position) as head from ledger.events where tenant_id = '{}') h",
                setup.tenant.tenant_id,
                setup.tenant.tenant_id.tenant_stream(),
                setup.tenant.tenant_id,
            );
            sqlx::raw_sql(sqlx::AssertSqlSafe(fill))
                .execute(&mut setup.own.superuser().await)
                .await
                .expect("many reads");
        }
        let (status, page) = setup.tenant.get_with(&setup.admin, "/v1/deliveries/in").await;
        assert_eq!(status, 200, "{page}");
        assert_eq!(page["data"], json!([]));
        assert!(page["next_cursor"].is_string());
        let seen = all(&setup.tenant, &setup.admin, 50).await;
        assert_eq!(seen.len(), 1);
        assert_eq!(seen[0]["type"], "call.ended");
        ledger.stop().await;
    });
}

#[test]
fn a_cursor_of_one_list_is_invalid_for_the_other() {
    run(async {
        let own = OwnDatabase::create().await;
        let ledger = own.server().await;
        let setup = SourceSetup::build(own, &ledger).await;
        for call in ["one", "two"] {
            setup.tenant.post_ok(messages::report(call).to_string()).await;
        }
        let page = setup.tenant.get_with(&setup.admin, "/v1/deliveries/in?limit=1").await.1;
        let cursor = page["next_cursor"].as_str().expect("there is more").to_owned();
        let path = format!("/v1/deliveries/in?cursor={cursor}");
        let refused = setup.tenant.request(&setup.installation, &path).send().await;
        problem(refused.expect("an answer"), 400, "invalid-parameter").await;
        ledger.stop().await;
    });
}
