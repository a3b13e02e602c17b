//! Versions of one tenant at the same time as versions of another tenant and of all tenants.

use ledger_tests::{OwnDatabase, messages, run};
use projections::versions::{self, VersionError};

use super::engine::{
    active, all_versions, assert_same, begin, begin_to_promote, caught_up, progress_of, until,
};

#[test]
fn an_unpromoted_version_of_one_tenant_prevents_no_other_rebuild() {
    run(async {
        let own = OwnDatabase::create().await;
        let ledger = own.server().await;
        let (idle, other) = (ledger.tenant().await, ledger.tenant().await);
        for tenant in [&idle, &other] {
            for nth in 0..4 {
                tenant.post_ok(messages::report(&format!("c-{nth}")).to_string()).await;
            }
            tenant.settle().await;
        }
        let store = &ledger.store;
        let kept = begin(store, "calls", Some(idle.tenant_id)).await;
        let projector = versions::named("calls").expect("a read model");
        let again = versions::begin(store.owner(), &*projector, Some(idle.tenant_id), false).await;
        assert!(matches!(again, Err(VersionError::Running { .. })), "{again:?}");

        // A version of another tenant is built to its end.
        begin_to_promote(store, "calls", Some(other.tenant_id)).await;
        until("the other tenant's rows are replaced", async || {
            all_versions(store, "calls").await.iter().all(|one| one.only != Some(other.tenant_id))
        })
        .await;
        // A version of the installation is built to its end.
        let active_version = active(store, "calls").await;
        let global = begin(store, "calls", None).await;
        caught_up(store, "calls", global).await;
        assert_same(store, "calls", active_version, global).await;
        assert_eq!(versions::promote(store.owner(), "calls", false).await.ok(), Some(global));
        // The first version still exists, is current, and is promoted into the new active version.
        idle.post_ok(messages::report("later").to_string()).await;
        caught_up(store, "calls", kept).await;
        let mine = progress_of(store, "calls", kept).await.expect("it is there").version;
        versions::promote_version(store.owner(), &mine, false).await.expect("its turn");
        assert_eq!(idle.calls().await.len(), 5);
        assert_eq!(other.calls().await.len(), 4);
        assert_eq!(active(store, "calls").await, global);
        ledger.stop().await;
    });
}

#[test]
fn a_tenants_key_cancels_its_own_version_and_not_that_of_all_tenants() {
    run(async {
        let own = OwnDatabase::create().await;
        let ledger = own.server().await;
        let tenant = ledger.tenant().await;
        tenant.post_ok(messages::report("c").to_string()).await;
        tenant.settle().await;
        let key = ledger.key(tenant.tenant_id, &["admin"]).await;
        let post = async |path: &str, body: &str| {
            let url = tenant.url(&format!("/v1/projections/calls/{path}"));
            let request = reqwest::Client::new().post(url).bearer_auth(&key);
            let request = request.header("content-type", "application/json").body(body.to_owned());
            request.send().await.expect("an answer").status().as_u16()
        };
        let global = begin(&ledger.store, "calls", None).await;
        assert_eq!(post("rebuild", r#"{"promote":false}"#).await, 202);
        assert_eq!(post("rebuild", r#"{"promote":false}"#).await, 409, "its own runs already");
        assert_eq!(post("cancel", "").await, 200);
        assert_eq!(post("cancel", "").await, 403, "what is left is not its own");
        let left: Vec<_> = all_versions(&ledger.store, "calls").await;
        assert!(left.iter().any(|one| one.version == global && one.only.is_none()));
        assert_eq!(post("rebuild", r#"{"promote":true}"#).await, 202);
        until("its rows are replaced", async || {
            all_versions(&ledger.store, "calls").await.iter().all(|one| one.only.is_none())
        })
        .await;
        ledger.stop().await;
    });
}
