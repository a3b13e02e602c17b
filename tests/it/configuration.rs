//! Keys, sources and routes on the command path: each decision is recorded once, whatever runs at the
//! same time, a repeated command gets its first answer, and the rows are the fold of the log.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use ledger_core::aggregate::fold;
use ledger_core::event::{Event, TenantEvent};
use ledger_core::ids::{CommandId, KeyId, SourceId, TenantId};
use ledger_core::provider::Provider;
use ledger_core::scope::Scope;
use ledger_core::tenant::keys::ApiKeys;
use ledger_core::tenant::sources::Sources;
use ledger_store::Store;
use ledger_store::admin_events::Attribution;
use ledger_store::api_keys::{KeyError, NewKey, Revocation};
use ledger_store::source::change::SourcePatch;
use ledger_store::source::route::{RouteError, Routed};
use ledger_store::source::{NewSource, Period, RouteKind, RouteRejection, SourceError};
use ledger_store::tenants::NewTenant;
use ledger_tests::{OwnDatabase, run};
use sqlx::Executor;
use tokio::task::JoinSet;
use uuid::Uuid;

async fn a_tenant(store: &Store, slug: &str) -> TenantId {
    let new = NewTenant {
        slug: slug.into(),
        name: "Test".into(),
        timezone: "UTC".into(),
        country: "US".into(),
    };
    store.create_tenant(&new).await.expect("a tenant")
}

fn command(store: &Store, id: u128) -> Attribution {
    store.operator().with_command(Some(CommandId(Uuid::from_u128(id))))
}

fn new_source(tenant_id: TenantId, secret: &str) -> NewSource<'_> {
    NewSource {
        tenant_id,
        provider: Provider::Vapi,
        secret,
        name: None,
        record_all: false,
        assistant_id: None,
        tools: None,
    }
}

/// The events of the tenant's own stream, in the order of the log.
async fn tenant_events(own: &OwnDatabase, tenant_id: TenantId) -> Vec<TenantEvent> {
    let rows: Vec<(String, i16, String)> = sqlx::query_as(
        "select event_type, schema_version, facts::text from ledger.events
          where tenant_id = $1 and stream_id = $2 order by position",
    )
    .bind(tenant_id.0)
    .bind(tenant_id.tenant_stream().0)
    .fetch_all(&mut own.superuser().await)
    .await
    .expect("the log answers");
    let event = |(event_type, version, facts): &(String, i16, String)| {
        let event = ledger_core::event::upcast::decode(event_type, *version, facts);
        match event.expect("an event of this build") {
            Event::Tenant(event) => event,
            other => panic!("{other:?}"),
        }
    };
    rows.iter().map(event).collect()
}

/// Terminates random connections until it is stopped.
fn kill_connections(own: &OwnDatabase, stopped: &Arc<AtomicBool>) -> tokio::task::JoinHandle<()> {
    let (database, stopped) = (own.database.clone(), Arc::clone(stopped));
    tokio::spawn(async move {
        let mut conn = <sqlx::PgConnection as sqlx::Connection>::connect_with(&database)
            .await
            .expect("the cluster answers");
        while !stopped.load(Ordering::Relaxed) {
            let kill = "select pg_terminate_backend(pid) from pg_stat_activity
                         where datname = current_database() and pid <> pg_backend_pid()
                         order by random() limit 1";
            conn.execute(kill).await.expect("the cluster answers");
            tokio::time::sleep(Duration::from_millis(15)).await;
        }
    })
}

/// Runs every command four times on two servers, while connections are terminated, until each run has
/// an answer. Checks that all answers to a command are equal, and returns one of each.
async fn repeated<T, F, R>(
    own: &OwnDatabase,
    stores: &[Arc<Store>; 2],
    commands: u128,
    run: F,
) -> Vec<T>
where
    T: Debug + PartialEq + Send + 'static,
    F: Fn(Arc<Store>, u128) -> R + Clone + Send + 'static,
    R: Future<Output = Option<T>> + Send,
{
    let stopped = Arc::new(AtomicBool::new(false));
    let killer = kill_connections(own, &stopped);
    let mut tasks = JoinSet::new();
    for nth in 0..commands * 4 {
        let store = Arc::clone(&stores[usize::try_from(nth % 2).expect("0 or 1")]);
        let run = run.clone();
        tasks.spawn(async move {
            loop {
                if let Some(answer) = run(Arc::clone(&store), nth / 4).await {
                    return (nth / 4, answer);
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        });
    }
    let mut answers = Vec::new();
    while let Some(done) = tasks.join_next().await {
        answers.push(done.expect("no panic"));
    }
    stopped.store(true, Ordering::Relaxed);
    killer.await.expect("it ends");
    for (nth, answer) in &answers {
        let first = answers.iter().find(|(other, _)| other == nth).expect("itself");
        assert_eq!(answer, &first.1, "command {nth}");
    }
    answers.sort_by_key(|(nth, _)| *nth);
    answers.dedup_by_key(|(nth, _)| *nth);
    answers.into_iter().map(|(_, answer)| answer).collect()
}

/// The answer of a run; `None` to run the command again.
fn answered<T, R: Debug + std::error::Error>(
    done: Result<T, ledger_store::execute::ChangeError<R>>,
) -> Option<T> {
    match done {
        Ok(answer) => Some(answer),
        Err(ledger_store::execute::ChangeError::Rejected(rejection)) => panic!("{rejection:?}"),
        Err(ledger_store::execute::ChangeError::Store(_)) => None,
    }
}

const KEYS: u128 = 12;

#[test]
fn repeated_commands_issue_and_revoke_each_key_once_through_kills_on_two_servers() {
    run(async {
        let own = OwnDatabase::create().await;
        let stores = [Arc::new(own.store(2)), Arc::new(own.store(2))];
        let tenant_id = a_tenant(&stores[0], "keys").await;
        let created = repeated(&own, &stores, KEYS, move |store, nth| async move {
            let new = NewKey { scopes: &[Scope::Read], name: None, expires_at: None };
            let (key, by) = (format!("secret-{nth}"), command(&store, nth + 1));
            answered(store.create_api_key_by(&by, tenant_id, &key, &new).await)
        });
        let created = created.await;
        let keys: Vec<KeyId> = created.iter().map(|(key_id, _)| *key_id).collect();
        let revoking = keys.clone();
        let revoked = repeated(&own, &stores, KEYS, move |store, nth| {
            let key_id = revoking[usize::try_from(nth).expect("a few")];
            async move {
                let by = command(&store, nth + 1001);
                answered(store.revoke_api_key(&by, Some(tenant_id), key_id).await)
            }
        });
        let mut positions: Vec<_> = revoked
            .await
            .into_iter()
            .map(|answer| match answer {
                Revocation::Revoked(position) => position,
                Revocation::AlreadyRevoked => panic!("a repetition gets the first answer"),
            })
            .collect();
        positions.extend(created.iter().map(|(_, position)| *position));
        positions.sort();
        positions.dedup();
        assert_eq!(positions.len(), 24, "one position for each decision: {positions:?}");
        let events = tenant_events(&own, tenant_id).await;
        assert_eq!(events.len(), 25, "with the creation of the tenant");
        let folded = fold::<ApiKeys>(&events).keys;
        // The connections of the two stores may be terminated.
        let rows = own.store(2).api_keys(Some(tenant_id)).await.expect("the rows");
        assert_eq!(rows.len(), folded.len());
        for (_, row) in rows {
            let key = &folded[&row.key_id];
            assert_eq!((&row.scopes, row.expires_at), (&key.scopes, key.expires_at));
            assert!(key.is_revoked && row.revoked_at.is_some());
        }
    });
}

const SOURCES: u128 = 6;

#[test]
fn repeated_commands_change_each_source_once_through_kills_on_two_servers() {
    run(async {
        let own = OwnDatabase::create().await;
        let stores = [Arc::new(own.store(2)), Arc::new(own.store(2))];
        let tenant_id = a_tenant(&stores[0], "sources").await;
        let created = repeated(&own, &stores, SOURCES, move |store, nth| async move {
            let (secret, by) = (format!("first-secret-{nth}"), command(&store, nth + 1));
            let new = new_source(tenant_id, &secret);
            answered(store.create_source_by(&by, &new, None).await)
        });
        let ids: Vec<SourceId> = created.await.into_iter().map(|(id, _)| id).collect();
        let until = DateTime::<Utc>::UNIX_EPOCH + TimeDelta::days(40_000);
        let changing = ids.clone();
        let changed = repeated(&own, &stores, SOURCES * 3, move |store, nth| {
            let source_id = changing[usize::try_from(nth / 3).expect("a few")];
            async move {
                let by = command(&store, nth + 1001);
                let tenant = Some(tenant_id);
                let patch = SourcePatch { record_all: Some(true), ..SourcePatch::default() };
                let secret = format!("second-secret-{nth}");
                let done = match nth % 3 {
                    0 => {
                        store
                            .rotate_source_secret(&by, tenant, source_id, &secret, Some(until))
                            .await
                    }
                    1 => store.switch_source(&by, tenant, source_id, false).await,
                    _ => store.update_source(&by, tenant, source_id, patch).await,
                };
                answered(done).map(|done| done.position.expect("it is recorded"))
            }
        });
        let positions: BTreeSet<_> = changed.await.into_iter().collect();
        assert_eq!(positions.len(), 18, "one position for each decision");
        let events = tenant_events(&own, tenant_id).await;
        assert_eq!(events.len(), 25, "with the creation of the tenant and of the sources");
        let folded = fold::<Sources>(&events).sources;
        let rows = own.store(2).sources(Some(tenant_id)).await.expect("the rows");
        assert_eq!(rows.len(), folded.len());
        for (_, row) in rows {
            let source = &folded[&row.source_id];
            assert_eq!((row.record_all, source.record_all), (true, true));
            assert_eq!((row.disabled_at.is_some(), source.is_enabled), (true, false));
            assert_eq!((row.old_secret_until, source.old_secret_until), (Some(until), Some(until)));
        }
    });
}

#[test]
fn a_repeated_rotation_answers_with_its_own_overlap_after_a_later_one() {
    run(async {
        let own = OwnDatabase::create().await;
        let store = own.store(1);
        let tenant_id = a_tenant(&store, "rotated").await;
        let new = new_source(tenant_id, "first-secret-of-source");
        let source_id = store.create_source(&new).await.expect("a source");
        let until = Some(DateTime::<Utc>::UNIX_EPOCH + TimeDelta::days(40_000));
        let (first, second) = (command(&store, 1), command(&store, 2));
        let rotate = async |by: &Attribution, secret: &str, until| {
            let done = store.rotate_source_secret(by, Some(tenant_id), source_id, secret, until);
            let done = done.await.expect("a rotation");
            (done.source.old_secret_until, done.position)
        };
        let answer = rotate(&first, "second-secret-of-source", until).await;
        rotate(&second, "third-secret-of-source", None).await;
        assert_eq!(rotate(&first, "second-secret-of-source", until).await, answer);
        let source = store.find_source(source_id).await.expect("it opens").expect("it is enabled");
        assert_eq!(source.secret.as_str(), "third-secret-of-source", "nothing is rotated back");
    });
}

#[test]
fn a_rejected_change_records_nothing_and_names_the_reason() {
    run(async {
        let own = OwnDatabase::create().await;
        let store = own.store(1);
        let tenant_id = a_tenant(&store, "rejected").await;
        let other = a_tenant(&store, "other").await;
        let source_id = store.create_source(&new_source(other, "secret-of-another")).await;
        let source_id = source_id.expect("a source");
        let by = store.operator();
        let unknown = store.revoke_api_key(&by, None, KeyId(Uuid::from_u128(1))).await;
        assert!(matches!(unknown, Err(KeyError::Rejected(_))), "{unknown:?}");
        let empty = NewKey { scopes: &[], name: None, expires_at: None };
        let empty = store.create_api_key_by(&by, tenant_id, "key", &empty).await;
        assert!(matches!(empty, Err(KeyError::Rejected(_))), "{empty:?}");
        let foreign = store.switch_source(&by, Some(tenant_id), source_id, false).await;
        assert!(matches!(foreign, Err(SourceError::Rejected(_))), "{foreign:?}");
        let routed = Routed { tenant_id, source_id, kind: RouteKind::AssistantId, value: "a" };
        let route = store.add_route_for(&by, routed, Period::ALWAYS).await;
        assert!(matches!(route, Err(RouteError::Rejected(RouteRejection::NotShared))), "{route:?}");
        assert_eq!(tenant_events(&own, tenant_id).await.len(), 1, "its creation");
    });
}

#[test]
fn of_many_tenants_that_claim_an_id_one_gets_it() {
    run(async {
        let own = OwnDatabase::create().await;
        let stores = [Arc::new(own.store(2)), Arc::new(own.store(2))];
        let shared = new_source(TenantId::INSTALLATION, "secret-of-shared-source");
        let source_id = stores[0].create_source(&shared).await.expect("a source");
        let mut tasks = JoinSet::new();
        for nth in 0..12_usize {
            let store = Arc::clone(&stores[nth % 2]);
            let tenant_id = a_tenant(&store, &format!("claims-{nth}")).await;
            tasks.spawn(async move {
                let kind = RouteKind::AssistantId;
                store.add_route(tenant_id, source_id, kind, "assistant-1").await
            });
        }
        let mut added = 0;
        while let Some(done) = tasks.join_next().await {
            match done.expect("no panic") {
                Ok(()) => added += 1,
                Err(RouteError::Rejected(RouteRejection::Overlap { .. })) => {}
                Err(error) => panic!("{error:?}"),
            }
        }
        assert_eq!(added, 1);
    });
}
