//! Isolation of failures: locked rows, refused rows, a slow tenant, and a version that cannot be
//! finished affect nothing else.

use std::time::Duration;

use ledger_core::ids::TenantId;
use ledger_tests::{OwnDatabase, messages, run};
use projections::Batches;
use sqlx::{AssertSqlSafe, Connection, Executor};

use super::doubles::{Double, with};
use super::engine::{
    Engine, active, assert_rebuilds_to_the_same, begin_to_promote, is_current, new_tenant, record,
    until,
};

/// Creates tenants with one call each and waits until all are projected.
async fn projected<const N: usize>(engine: &Engine) -> [TenantId; N] {
    let mut tenants = Vec::new();
    for nth in 0..N {
        let tenant_id = new_tenant(&engine.store, &format!("tenant-{nth}")).await;
        record(&engine.store, tenant_id, &messages::status("a call", "ringing")).await;
        tenants.push(tenant_id);
    }
    for tenant_id in &tenants {
        until("it is projected", async || is_current(&engine.store, *tenant_id).await).await;
    }
    tenants.try_into().expect("so many")
}

#[test]
fn tenants_with_locked_rows_delay_no_other() {
    run(async {
        let own = OwnDatabase::create().await;
        let engine = Engine::start(&own, Batches::default());
        // More tenants than workers.
        let tenants: [TenantId; 6] = projected(&engine).await;
        let (held, free) = tenants.split_at(4);
        let ids: Vec<_> = held.iter().map(|tenant_id| tenant_id.0).collect();
        let mut conn = own.superuser().await;
        let mut holds = conn.begin().await.expect("a transaction");
        sqlx::query("select from calls_v2.calls where tenant_id = any ($1) for update")
            .bind(ids)
            .execute(&mut *holds)
            .await
            .expect("held, by somebody who went to lunch");
        for round in 0..3 {
            for tenant_id in tenants {
                let status =
                    messages::status("a call", ["in-progress", "forwarding", "ended"][round]);
                record(&engine.store, tenant_id, &status).await;
            }
            for tenant_id in free {
                until("others go on", async || is_current(&engine.store, *tenant_id).await).await;
            }
        }
        for tenant_id in held {
            assert!(!is_current(&engine.store, *tenant_id).await);
        }
        holds.rollback().await.expect("let go");
        for tenant_id in held {
            until("their turn comes again", async || is_current(&engine.store, *tenant_id).await)
                .await;
        }
        assert_rebuilds_to_the_same(&engine.store).await;
        engine.stop().await;
    });
}

#[test]
fn a_tenant_with_refused_rows_delays_no_other() {
    run(async {
        let own = OwnDatabase::create().await;
        let engine = Engine::start(&own, Batches::default());
        let tenants: [TenantId; 4] = projected(&engine).await;
        let refuse = format!(
            "create function public.refuse() returns trigger language plpgsql as $$
             begin
               if new.tenant_id = '{}' then raise exception 'not today'; end if;
               return new;
             end $$;
             create trigger refuse before insert or update on calls_v2.calls
               for each row execute function public.refuse()",
            tenants[0]
        );
        let mut conn = own.superuser().await;
        sqlx::raw_sql(AssertSqlSafe(refuse)).execute(&mut conn).await.expect("a refusal");
        engine.stop().await;
        // One scan finds all of them, and one cycle takes them.
        let quiet = own.store(1);
        for tenant_id in tenants {
            record(&quiet, tenant_id, &messages::report("a call")).await;
        }
        quiet.close().await;
        let engine = Engine::start(&own, Batches::default());
        for tenant_id in &tenants[1..] {
            until("others go on", async || is_current(&engine.store, *tenant_id).await).await;
        }
        assert!(!is_current(&engine.store, tenants[0]).await);
        let parked = projections::parked::list(engine.store.projector(), None, 10).await;
        assert_eq!(parked.expect("a list"), [], "it is no poison");
        conn.execute("drop trigger refuse on calls_v2.calls").await.expect("it is gone");
        until("its turn comes again", async || is_current(&engine.store, tenants[0]).await).await;
        assert_rebuilds_to_the_same(&engine.store).await;
        engine.stop().await;
    });
}

#[test]
fn tenants_far_behind_do_not_delay_a_small_backlog() {
    run(async {
        let own = OwnDatabase::create().await;
        let quiet = own.store(1);
        let mut far = Vec::new();
        for nth in 0..3 {
            let tenant_id = new_tenant(&quiet, &format!("far-{nth}")).await;
            for nth in 0..120 {
                let report = messages::report(&format!("call-{nth}"));
                record(&quiet, tenant_id, &report).await;
            }
            far.push(tenant_id);
        }
        quiet.close().await;
        // Sixty cycles for each, all of them slow.
        let double = with(Double::Delays(far.clone(), Duration::from_millis(60)));
        let batches = Batches { read: 2, fold: 2, close: 0 };
        let engine = Engine::start_with(&own, double, batches);
        let little = new_tenant(&engine.store, "little").await;
        for nth in 0..5 {
            record(&engine.store, little, &messages::report(&format!("call-{nth}"))).await;
            until("it goes on", async || is_current(&engine.store, little).await).await;
        }
        for tenant_id in &far {
            assert!(!is_current(&engine.store, *tenant_id).await, "they had not ended by then");
        }
        engine.stop().await;
    });
}

#[test]
fn a_version_that_cannot_be_finished_prevents_no_other_promotion() {
    run(async {
        let own = OwnDatabase::create().await;
        let engine = Engine::start(&own, Batches::default());
        let [tenant_id] = projected(&engine).await;
        engine.stop().await;
        let quiet = own.store(1);
        begin_to_promote(&quiet, "calls", None).await;
        let usage = begin_to_promote(&quiet, "usage", None).await;
        quiet.close().await;
        // Its indexes cannot be created.
        let mut conn = own.superuser().await;
        conn.execute("alter table calls_v3.calls drop column ended_reason").await.expect("dropped");
        let engine = Engine::start(&own, Batches::default());
        until("the other is active", async || active(&engine.store, "usage").await == usage).await;
        assert_eq!(active(&engine.store, "calls").await, 2);
        record(&engine.store, tenant_id, &messages::report("a call")).await;
        until("the active version goes on", async || is_current(&engine.store, tenant_id).await)
            .await;
        projections::versions::cancel(engine.store.owner(), "calls").await.expect("given up");
        assert_rebuilds_to_the_same(&engine.store).await;
        engine.stop().await;
    });
}
