//! Cycles that apply the events of many tenants in the same statements.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ledger_core::ids::TenantId;
use ledger_tests::{OwnDatabase, messages, run};
use projections::{Batches, parked};
use uuid::Uuid;

use super::doubles::{Double, Panics, with};
use super::engine::{Engine, assert_rebuilds_to_the_same, is_current, new_tenant, record, until};

const TENANTS: usize = 6;

/// Creates tenants with two calls each that no engine has applied.
async fn tenants_behind(own: &OwnDatabase) -> Vec<TenantId> {
    let quiet = own.store(1);
    let mut tenants = Vec::new();
    for nth in 0..TENANTS {
        let tenant_id = new_tenant(&quiet, &format!("tenant-{nth}")).await;
        for call in ["call-0", "call-1"] {
            record(&quiet, tenant_id, &messages::status(call, "ringing")).await;
            record(&quiet, tenant_id, &messages::report(call)).await;
        }
        tenants.push(tenant_id);
    }
    quiet.close().await;
    tenants
}

async fn all_current(engine: &Engine, tenants: &[TenantId]) {
    for tenant_id in tenants {
        until("it is current", async || is_current(&engine.store, *tenant_id).await).await;
    }
}

#[test]
fn tenants_behind_at_the_same_time_share_statements() {
    run(async {
        let own = OwnDatabase::create().await;
        let tenants = tenants_behind(&own).await;
        let loads = Arc::new(AtomicUsize::new(0));
        let double = with(Double::CountsLoads(Arc::clone(&loads)));
        let engine = Engine::start_with(&own, double, Batches::default());
        all_current(&engine, &tenants).await;
        let loads = loads.load(Ordering::SeqCst);
        assert!(loads < TENANTS / 2, "{loads} loads for {TENANTS} tenants");
        assert_rebuilds_to_the_same(&engine.store).await;
        engine.stop().await;
    });
}

#[test]
fn a_call_that_cannot_be_written_is_parked_alone_among_the_tenants_of_a_cycle() {
    run(async {
        let own = OwnDatabase::create().await;
        let tenants = tenants_behind(&own).await;
        let at_fault: Uuid = tenants[3].stream_of("call", "vapi", "call-1").0;
        let double = with(Double::Panics(at_fault, Panics::Writing));
        let engine = Engine::start_with(&own, double, Batches::default());
        all_current(&engine, &tenants).await;
        let waiting = parked::list(engine.store.projector(), None, 100).await.expect("a list");
        let keys: Vec<_> = waiting.iter().map(|one| (one.tenant_id, one.key)).collect();
        assert_eq!(keys, [(tenants[3], at_fault)]);
        let mut conn = own.superuser().await;
        let calls: i64 = sqlx::query_scalar("select count(*) from read.calls")
            .fetch_one(&mut conn)
            .await
            .expect("a count");
        assert_eq!(calls, i64::try_from(2 * TENANTS).expect("a few") - 1);
        engine.stop().await;
    });
}
