//! A tenant with a locked row delays only its own appends, which keep their order and have a time
//! limit.

use std::time::{Duration, Instant};

use ledger_core::ids::TenantId;
use ledger_store::Store;
use ledger_store::append::AppendError;
use ledger_store::append::AppendRequest;
use ledger_tests::{OwnDatabase, run};
use sqlx::{Connection, PgConnection, Postgres, Transaction};
use uuid::Uuid;

use super::{Expected, a_store, a_tenant, event, log, stream, together};

/// A request with one event in a separate stream.
fn single_event_request(tenant_id: TenantId, nth: u128) -> AppendRequest {
    AppendRequest { tenant_id, streams: vec![stream(nth, Expected::Any, vec![event(nth)])] }
}

async fn hold(conn: &mut PgConnection, tenant_id: TenantId) -> Transaction<'_, Postgres> {
    let mut held = conn.begin().await.expect("a transaction");
    sqlx::query("select from ledger.tenants where tenant_id = $1 for no key update")
        .bind(tenant_id.0)
        .execute(&mut *held)
        .await
        .expect("it is held");
    held
}

/// Appends one event at a time; returns the longest duration.
async fn append_all(store: &Store, tenant_id: TenantId, ids: std::ops::Range<u128>) -> Duration {
    let mut longest = Duration::ZERO;
    for nth in ids {
        let since = Instant::now();
        store
            .appender()
            .append(single_event_request(tenant_id, nth))
            .await
            .expect("nobody holds this one");
        longest = longest.max(since.elapsed());
    }
    longest
}

async fn three(own: &OwnDatabase, store: &Store) -> (PgConnection, [TenantId; 3]) {
    let tenants = [
        a_tenant(store, "held").await,
        a_tenant(store, "other-1").await,
        a_tenant(store, "other-2").await,
    ];
    (own.superuser().await, tenants)
}

#[test]
fn a_locked_tenant_delays_only_itself_and_is_refused_in_time() {
    run(async {
        let (own, store) = a_store().await;
        let (mut conn, [tenant, one, two]) = three(&own, &store).await;
        let held = hold(&mut conn, tenant).await;
        let since = Instant::now();
        let refused = async {
            let answers =
                together(&store, (0..20).map(|nth| single_event_request(tenant, nth)).collect())
                    .await;
            (answers, since.elapsed())
        };
        let (one, two, (answers, waited)) = tokio::join!(
            append_all(&store, one, 100..140),
            append_all(&store, two, 200..240),
            refused
        );
        for answer in answers {
            assert!(matches!(answer, Err(AppendError::Unavailable(Some(_)))), "{answer:?}");
        }
        assert!(waited >= Duration::from_secs(4) && waited < Duration::from_secs(8), "{waited:?}");
        assert!(one.max(two) < Duration::from_secs(2), "{one:?}, {two:?} beside a held tenant");
        held.rollback().await.expect("let go");
        store.appender().append(single_event_request(tenant, 1)).await.expect("it is let go");
        store.close().await;
    });
}

#[test]
fn appends_to_a_locked_tenant_are_stored_once_and_in_order_after_the_release() {
    run(async {
        let (own, store) = a_store().await;
        let (mut conn, [tenant, other, _]) = three(&own, &store).await;
        let held = hold(&mut conn, tenant).await;
        let mut waiting = Vec::new();
        for nth in 0..30 {
            let (appender, request) = (store.appender().clone(), single_event_request(tenant, nth));
            waiting.push(tokio::spawn(async move { appender.append(request).await }));
            // Staggered, so that some requests arrive after the tenant left the shared batches.
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        append_all(&store, other, 100..120).await;
        held.rollback().await.expect("let go");
        let mut last = 0;
        for append in waiting {
            let appended = append.await.expect("a task").expect("it was let go in time");
            assert!(!appended.duplicate && appended.first.0 > last, "{appended:?} after {last}");
            last = appended.first.0;
        }
        // The tenant is back in the shared batches, and the event is a known duplicate.
        let again =
            store.appender().append(single_event_request(tenant, 7)).await.expect("it is known");
        assert!(again.duplicate);
        let events = log(&store, tenant).await;
        let ids: Vec<_> = events.iter().skip(1).map(|one| one.event.event_id).collect();
        assert_eq!(ids, (0..30).map(Uuid::from_u128).collect::<Vec<_>>());
        store.close().await;
    });
}

#[test]
fn a_repeatedly_locked_tenant_hardly_delays_the_others() {
    run(async {
        let (own, store) = a_store().await;
        let (mut conn, [tenant, other, _]) = three(&own, &store).await;
        let holder = async {
            for _ in 0..10 {
                let held = hold(&mut conn, tenant).await;
                tokio::time::sleep(Duration::from_millis(150)).await;
                held.rollback().await.expect("let go");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let own = async {
            for nth in 0..12 {
                store
                    .appender()
                    .append(single_event_request(tenant, nth))
                    .await
                    .expect("it is let go in between");
            }
        };
        let (longest, (), ()) = tokio::join!(append_all(&store, other, 100..200), holder, own);
        assert!(longest < Duration::from_secs(1), "{longest:?}");
        assert_eq!(log(&store, tenant).await.len(), 13);
        store.close().await;
    });
}
