//! A missing keyring: webhooks are refused, and probes and metrics report it, until it is restored.

use std::fs;

use ledger_tests::{OwnDatabase, TestTenant, messages, run};
use reqwest::Client;
use serde_json::Value;

pub(super) async fn ready(tenant: &TestTenant) -> (u16, Value) {
    let response = Client::new().get(tenant.url("/readyz")).send().await.expect("an answer");
    (response.status().as_u16(), response.json().await.expect("a document"))
}

#[test]
fn a_server_without_its_keyring_accepts_nothing_reports_it_and_recovers() {
    run(async {
        let own = OwnDatabase::create().await;
        let first = own.server().await;
        let tenant = first.tenant().await;
        tenant.settle().await;
        first.stop().await;
        // Recorded but not projected: a store without a server runs no projection.
        let bare = own.store(1);
        let body = messages::report("before").to_string();
        record(&bare, &tenant, &body).await;
        bare.close().await;

        let (keyring, away) = (own.keys.join("keyring"), own.keys.join("away"));
        fs::rename(&keyring, &away).expect("it moves");
        let second = own.server().await;
        let tenant = tenant.through(&second);
        let body = messages::report("meanwhile").to_string();
        let refused = tenant.webhook(body.clone()).send().await.expect("an answer");
        assert_eq!(refused.status(), 503);
        assert!(refused.headers().contains_key("retry-after"));
        let (status, readiness) = ready(&tenant).await;
        assert_eq!((status, &readiness["status"]), (503, &"not_ready".into()), "{readiness}");
        assert_ne!(readiness["keyring"], "ok");
        assert_eq!(readiness["database"], "ok");
        // Projections need no keys.
        tenant.settle().await;
        assert_eq!(readiness["halted"], 0);

        fs::rename(&away, &keyring).expect("it moves back");
        assert_eq!(tenant.post_ok(body).await["status"], "recorded");
        assert_eq!(ready(&tenant).await.0, 200);
        assert_eq!(tenant.calls().await.len(), 2);
        second.stop().await;
    });
}

/// Records a webhook as ingest does, without a server.
async fn record(store: &ledger_store::Store, tenant: &TestTenant, body: &str) {
    use ledger_core::provider::Provider;
    let adapter = Provider::Vapi.adapter();
    let understood = adapter.translate(body.as_bytes(), None).expect("a message");
    let origin = ledger_store::record::DeliveryContext {
        tenant_id: tenant.tenant_id,
        provider: Provider::Vapi.as_str(),
        source_id: tenant.source_id,
        request_id: store.ids().ordered(),
    };
    store.record(&origin, &understood.canonical, &understood.drafts).await.expect("recorded");
}

#[test]
fn a_running_server_reports_a_missing_keyring() {
    run(async {
        let own = OwnDatabase::create().await;
        let ledger = own.server().await;
        let tenant = ledger.tenant().await;
        assert_eq!(ready(&tenant).await.0, 200);
        for part in ["keyring", "root.key"] {
            let (there, away) = (own.keys.join(part), own.keys.join("away"));
            fs::rename(&there, &away).expect("it moves");
            let (status, readiness) = ready(&tenant).await;
            assert_eq!(status, 503, "{part}: {readiness}");
            assert_ne!(readiness["keyring"], "ok", "{part}");
            fs::rename(&away, &there).expect("it moves back");
            assert_eq!(ready(&tenant).await.0, 200);
        }
        ledger.stop().await;
    });
}

#[test]
fn a_root_key_readable_by_others_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    run(async {
        let own = OwnDatabase::create().await;
        let ledger = own.server().await;
        let tenant = ledger.tenant().await;
        let root = own.keys.join("root.key");
        let mode = |bits| fs::set_permissions(&root, fs::Permissions::from_mode(bits));
        mode(0o644).expect("our own file");
        assert_eq!(ready(&tenant).await.0, 503);
        mode(0o600).expect("our own file");
        assert_eq!(ready(&tenant).await.0, 200);
        ledger.stop().await;
    });
}
