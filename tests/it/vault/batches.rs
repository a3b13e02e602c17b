//! The vault resolves the waiting messages of many tenants in one transaction.

use std::time::Duration;

use ledger_core::identity::{Handle, PersonIdentifiers};
use ledger_core::ids::StreamId;
use ledger_store::vault::{Resolved, VaultError};
use ledger_tests::{OwnDatabase, TestLedger, TestTenant, run};
use sqlx::{AssertSqlSafe, Executor, PgConnection};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use uuid::Uuid;

const TENANTS: usize = 12;

async fn tenants(ledger: &TestLedger) -> Vec<TestTenant> {
    let mut tenants = Vec::new();
    for _ in 0..TENANTS {
        let tenant = ledger.tenant().await;
        // A tenant's first message reads its epoch in a transaction of its own.
        resolve(ledger, &tenant, "+15550100180").await.expect("a task").expect("a subject");
        tenants.push(tenant);
    }
    tenants
}

/// Starts resolving the caller of a new call.
fn resolve(
    ledger: &TestLedger,
    tenant: &TestTenant,
    number: &str,
) -> JoinHandle<Result<Resolved, VaultError>> {
    let given = PersonIdentifiers { handles: vec![Handle::phone(number, None)], name: None };
    let (vault, tenant_id) = (ledger.store.vault().clone(), tenant.tenant_id);
    let stream = StreamId(ledger.store.ids().random());
    tokio::spawn(async move { vault.resolve(tenant_id, stream, given).await })
}

/// Resolves a caller of each tenant at the same time.
async fn resolve_all(
    ledger: &TestLedger,
    tenants: &[TestTenant],
    number: &str,
) -> Vec<Result<Resolved, VaultError>> {
    let all: Vec<_> = tenants.iter().map(|tenant| resolve(ledger, tenant, number)).collect();
    let mut resolved = Vec::new();
    for one in all {
        resolved.push(one.await.expect("a task"));
    }
    resolved
}

/// Returns the number of transactions that created these subjects.
async fn transactions(conn: &mut PgConnection, subjects: &[Uuid]) -> i64 {
    sqlx::query_scalar(
        "select count(distinct xmin::text) from vault.contacts where contact_id = any ($1)",
    )
    .bind(subjects)
    .fetch_one(conn)
    .await
    .expect("a count")
}

#[test]
fn new_callers_of_many_tenants_share_transactions() {
    run(async {
        let own = OwnDatabase::create().await;
        let ledger = own.server().await;
        let tenants = tenants(&ledger).await;
        let resolved = resolve_all(&ledger, &tenants, "+15550100181").await.into_iter();
        let subjects: Vec<Uuid> =
            resolved.map(|one| one.expect("a subject").subject.subject_id.0).collect();
        let count = transactions(&mut own.superuser().await, &subjects).await;
        assert!((1..12).contains(&count), "{count} transactions");
        // The caches hold what was committed, and a second process finds the same subjects.
        let other = own.server().await;
        for (tenant, subject) in tenants.iter().zip(&subjects) {
            for ledger in [&ledger, &other] {
                let again = resolve(ledger, tenant, "+15550100181").await.expect("a task");
                let again = again.expect("a subject");
                assert_eq!(again.subject.subject_id.0, *subject);
                assert!(again.subject.sealing_key().is_some());
            }
        }
        other.stop().await;
        ledger.stop().await;
    });
}

#[test]
fn a_tenant_with_a_locked_vault_delays_no_other() {
    run(async {
        let own = OwnDatabase::create().await;
        let ledger = own.server().await;
        let tenants = tenants(&ledger).await;
        let mut holder = own.superuser().await;
        let key = format!("hashtextextended('vault {}', 0)", tenants[0].tenant_id.0);
        holder
            .execute(AssertSqlSafe(format!("select pg_advisory_lock({key})")))
            .await
            .expect("held");
        let locked = resolve(&ledger, &tenants[0], "+15550100182");
        let others = resolve_all(&ledger, &tenants[1..], "+15550100182");
        let others = timeout(Duration::from_secs(3), others);
        let release = async {
            let others = others.await.expect("they do not wait");
            assert!(others.iter().all(Result::is_ok));
            let unlock = format!("select pg_advisory_unlock({key})");
            holder.execute(AssertSqlSafe(unlock)).await.expect("released");
        };
        let (locked, ()) = tokio::join!(locked, release);
        locked.expect("a task").expect("resolved after the release");
        ledger.stop().await;
    });
}

#[test]
fn a_tenant_with_refused_rows_fails_no_other() {
    run(async {
        let own = OwnDatabase::create().await;
        let ledger = own.server().await;
        let tenants = tenants(&ledger).await;
        let refused = tenants[0].tenant_id.0;
        let trigger = format!(
            "create function refuse() returns trigger language plpgsql as $$
             begin raise exception 'refused' using errcode = '23514'; end $$;
             create trigger refuse before insert on vault.contacts
               for each row when (new.tenant_id = '{refused}') execute function refuse()"
        );
        own.superuser().await.execute(AssertSqlSafe(trigger)).await.expect("a trigger");
        let resolved = resolve_all(&ledger, &tenants, "+15550100183").await;
        let failed: Vec<bool> = resolved.iter().map(Result::is_err).collect();
        assert!(failed[0]);
        assert!(!failed[1..].contains(&true), "{failed:?}");
        ledger.stop().await;
    });
}
