//! Plan limits: row and event are written in one transaction.

use std::sync::Arc;

use ledger_core::ids::TenantId;
use ledger_store::tenants::{Limit, PlanLimits, plan_limits};
use ledger_store::{Store, StoreError, TenantTx};
use ledger_tests::{TestLedger, cluster, run};
use serde_json::json;
use tokio::task::JoinSet;

fn plan(calls: i64, cost_nanos: i64) -> PlanLimits {
    PlanLimits {
        calls: Limit::new(calls),
        cost_nanos: Limit::new(cost_nanos),
        ..PlanLimits::default()
    }
}

async fn read(store: &Store, tenant_id: TenantId) -> PlanLimits {
    let mut tx = TenantTx::begin(store.app(), tenant_id).await.expect("a transaction");
    plan_limits(&mut tx).await.expect("the database answers")
}

#[test]
fn a_changed_limit_is_in_the_row_of_the_tenant_and_in_its_log() {
    run(async {
        let ledger = TestLedger::shared().await;
        let (tenant, other) = (ledger.tenant().await, ledger.tenant().await);
        let store = &tenant.store;
        assert_eq!(read(store, tenant.tenant_id).await, PlanLimits::default());
        for limits in [plan(5, 7), plan(5, 7), plan(5, 0), PlanLimits::default()] {
            store.set_plan_limits(tenant.tenant_id, limits).await.expect("it is set");
            assert_eq!(read(store, tenant.tenant_id).await, limits);
        }
        let facts = tenant.facts_of("tenant.plan_limits_set").await;
        let expected = [json!({ "calls": 5, "cost_nanos": 7 }), json!({ "calls": 5 }), json!({})];
        assert_eq!(facts, expected, "what was in force already was no change");

        store.set_plan_limits(tenant.tenant_id, plan(5, 7)).await.expect("it is set");
        assert_eq!(read(store, other.tenant_id).await, PlanLimits::default());
    });
}

#[test]
fn a_failed_append_leaves_the_limits_unchanged() {
    run(async {
        let tenant = TestLedger::shared().await.tenant().await;
        let store = &tenant.store;
        store.set_plan_limits(tenant.tenant_id, plan(5, 7)).await.expect("it is set");
        sqlx::query("update ledger.tenants set state = 'frozen' where tenant_id = $1")
            .bind(tenant.tenant_id.0)
            .execute(&mut cluster::superuser().await)
            .await
            .expect("it is frozen");
        let refused = store.set_plan_limits(tenant.tenant_id, plan(50, 70)).await;
        assert!(matches!(refused, Err(StoreError::Append(_))), "{refused:?}");
        assert_eq!(read(store, tenant.tenant_id).await, plan(5, 7));
        assert_eq!(tenant.facts_of("tenant.plan_limits_set").await.len(), 1);
    });
}

#[test]
fn limits_set_concurrently_end_as_in_the_last_event() {
    run(async {
        let tenant = TestLedger::shared().await.tenant().await;
        let store = &tenant.store;
        let mut setting = JoinSet::new();
        for calls in 1..=8 {
            let (store, tenant_id) = (Arc::clone(store), tenant.tenant_id);
            setting.spawn(async move { store.set_plan_limits(tenant_id, plan(calls, 1)).await });
        }
        for done in setting.join_all().await {
            done.expect("it is set");
        }
        let facts = tenant.facts_of("tenant.plan_limits_set").await;
        assert_eq!(facts.len(), 8);
        let calls = read(store, tenant.tenant_id).await.calls.map(Limit::get);
        assert_eq!(calls, facts[7]["calls"].as_i64());
    });
}

#[test]
fn a_limit_is_above_zero_on_every_path() {
    assert_eq!([0, -1, i64::MIN].map(Limit::new), [None; 3]);
    run(async {
        let tenant = TestLedger::shared().await.tenant().await;
        let mut conn = cluster::superuser().await;
        for column in ["calls", "minutes", "cost_nanos", "events"] {
            for amount in [0, -1] {
                let row = format!(
                    "insert into ledger.plan_limits (tenant_id, {column}, updated_at)
                     values ($1, {amount}, now())"
                );
                let refused = sqlx::query(sqlx::AssertSqlSafe(row))
                    .bind(tenant.tenant_id.0)
                    .execute(&mut conn)
                    .await
                    .expect_err("a limit is above zero");
                let refused = refused.into_database_error().expect("of the database");
                assert_eq!(
                    refused.constraint(),
                    Some("plan_limits_above_zero"),
                    "{column} {amount}"
                );
            }
        }
    });
}
