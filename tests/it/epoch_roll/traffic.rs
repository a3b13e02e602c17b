//! Rolls under traffic of two servers: no request fails, nobody is doubled or lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use ledger_tests::{OwnDatabase, run};

use super::*;

/// Persons that call for the first time during the rolls, through both servers at once.
const NEW: std::ops::Range<usize> = 100..160;

async fn counts(conn: &mut PgConnection, tenant_id: TenantId) -> (i64, i64, i64) {
    sqlx::query_as(
        "select (select count(*) from vault.contacts where tenant_id = $1),
                (select count(*) from vault.handles where tenant_id = $1 and kind = 'phone'),
                (select count(*) from vault.contact_handles where tenant_id = $1)",
    )
    .bind(tenant_id.0)
    .fetch_one(conn)
    .await
    .expect("counts")
}

#[test]
fn callers_are_found_and_none_is_doubled_while_epochs_are_rolled() {
    run(async {
        let own = OwnDatabase::create().await;
        let mut conn = own.superuser().await;
        let (one, two) = (own.server().await, own.server().await);
        let here = Arc::new(one.tenant().await);
        let there = Arc::new(here.through(&two));
        let tenant_id = here.tenant_id;
        record(&here).await;
        let before = all_found(&one.store, tenant_id).await;
        let is_done = Arc::new(AtomicBool::new(false));
        let calls = Arc::new(AtomicUsize::new(0));
        let mut tasks = tokio::task::JoinSet::new();
        for (side, tenant) in [(0, Arc::clone(&here)), (1, Arc::clone(&there))] {
            let (is_done, calls) = (Arc::clone(&is_done), Arc::clone(&calls));
            tasks.spawn(async move {
                for round in 0.. {
                    for (nth, new) in (0..PERSONS).zip(NEW.cycle().skip(round * 7)) {
                        call(&tenant, &format!("known-{side}-{round}-{nth}"), &person(nth)).await;
                        call(&tenant, &format!("new-{side}-{round}-{new}"), &person(new)).await;
                        calls.fetch_add(2, Ordering::Relaxed);
                    }
                    if is_done.load(Ordering::Relaxed) && round > 10 {
                        return;
                    }
                }
            });
        }
        for (store, expected) in
            [(Arc::clone(&one.store), before.clone()), (Arc::clone(&two.store), before.clone())]
        {
            let is_done = Arc::clone(&is_done);
            tasks.spawn(async move {
                while !is_done.load(Ordering::Relaxed) {
                    assert_eq!(all_found(&store, tenant_id).await, expected);
                }
            });
        }
        for epoch in 2..=5 {
            let by = if epoch % 2 == 0 { &one } else { &two };
            assert_eq!(roll(by, tenant_id).await.current, epoch);
        }
        is_done.store(true, Ordering::Relaxed);
        while let Some(ended) = tasks.join_next().await {
            ended.expect("no request fails and nothing is missed");
        }
        roll(&one, tenant_id).await;
        let persons = PERSONS + NEW.len();
        let (contacts, handles, held) = counts(&mut conn, tenant_id).await;
        assert_eq!(
            usize::try_from(contacts),
            Ok(persons),
            "{} calls",
            calls.load(Ordering::Relaxed)
        );
        assert_eq!(usize::try_from(handles), Ok(persons));
        assert_eq!(usize::try_from(held), Ok(2 * persons));
        assert_eq!(rows_below(&mut conn, tenant_id, 6).await, 0);
        for nth in NEW {
            contact(&found(&two.store, tenant_id, nth).await);
        }
        one.stop().await;
        two.stop().await;
    });
}
