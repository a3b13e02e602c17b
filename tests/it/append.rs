//! Appends are stored exactly, once and in order, and each caller gets the true result.

mod batching;
mod held;
mod race;
mod raw;
mod stored;

use std::future::Future;
use std::task::Poll;

use chrono::DateTime;
use ledger_core::envelope::StreamKind;
use ledger_core::ids::{EventId, Position, StreamId, StreamVersion, TenantId};
use ledger_store::append::AppendError;
use ledger_store::append::{
    AppendRejection, AppendRequest, Appended, Expected, NewEvent, StreamAppend,
};
use ledger_store::read::{FullEvent, PageSize, full_after};
use ledger_store::tenants::NewTenant;
use ledger_store::{Store, TenantTx};
use ledger_tests::{OwnDatabase, cluster, run};
use raw::RawEvent;
use sqlx::{AssertSqlSafe, Executor};
use uuid::Uuid;

/// A store on a separate database with one append worker, so that waiting requests form one batch.
async fn a_store() -> (OwnDatabase, Store) {
    let own = OwnDatabase::create().await;
    let store = own.store(1);
    (own, store)
}

/// Creates a tenant; its log begins with one event of the tenant stream.
async fn a_tenant(store: &Store, slug: &str) -> TenantId {
    let new = NewTenant {
        slug: slug.into(),
        name: "Test".into(),
        timezone: "UTC".into(),
        country: "US".into(),
    };
    store.create_tenant(&new).await.expect("a tenant")
}

fn event(id: u128) -> NewEvent {
    NewEvent {
        event_id: EventId(Uuid::from_u128(id)),
        event_type: "call.message_received",
        schema_version: 1,
        occurred_at: DateTime::UNIX_EPOCH,
        recorded_at: DateTime::UNIX_EPOCH,
        facts: r#"{"provider":"vapi","kind":"test"}"#.into(),
        sections: None,
        bulk: None,
        subjects: Vec::new(),
        meta: "{}".into(),
    }
}

fn stream(nth: u128, expected: Expected, events: Vec<NewEvent>) -> StreamAppend {
    let stream_id = StreamId(Uuid::from_u128(nth));
    StreamAppend { stream_id, kind: StreamKind::Call, expected, events }
}

fn one(tenant_id: TenantId, events: Vec<NewEvent>) -> AppendRequest {
    AppendRequest { tenant_id, streams: vec![stream(1, Expected::Any, events)] }
}

fn at(version: i64, tenant_id: TenantId, events: Vec<NewEvent>) -> AppendRequest {
    let expected = Expected::Exactly(StreamVersion(version));
    AppendRequest { tenant_id, streams: vec![stream(1, expected, events)] }
}

fn appended_at(first: i64, last: i64, duplicate: bool) -> Appended {
    Appended { first: Position(first), last: Position(last), duplicate }
}

async fn log(store: &Store, tenant_id: TenantId) -> Vec<FullEvent> {
    let mut tx = TenantTx::begin(store.app(), tenant_id).await.expect("a tenant");
    full_after(&mut tx, Position(0), PageSize { rows: 100_000, bytes: usize::MAX })
        .await
        .expect("a log")
}

fn conflict(answer: Result<Appended, AppendError>) -> i64 {
    match answer {
        Err(AppendError::Conflict { actual }) => actual.0,
        other => panic!("{other:?}"),
    }
}

fn refusal(answer: Result<Appended, AppendError>) -> AppendRejection {
    match answer {
        Err(AppendError::Rejected(why)) => why,
        other => panic!("{other:?}"),
    }
}

/// Returns the results of requests that are all queued before the first is executed.
async fn together(
    store: &Store,
    requests: Vec<AppendRequest>,
) -> Vec<Result<Appended, AppendError>> {
    let mut waiting: Vec<_> = requests
        .into_iter()
        .map(|request| (Box::pin(store.appender().append(request)), None))
        .collect();
    std::future::poll_fn(|context| {
        for (append, answer) in &mut waiting {
            if answer.is_none()
                && let Poll::Ready(answered) = append.as_mut().poll(context)
            {
                *answer = Some(answered);
            }
        }
        let all = waiting.iter().all(|(_, answer)| answer.is_some());
        if all { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    waiting.into_iter().filter_map(|(_, answer)| answer).collect()
}

#[test]
fn a_conflict_returns_the_version_of_the_stream() {
    run(async {
        let (_own, store) = a_store().await;
        let tenant = a_tenant(&store, "conflict").await;
        let append = |request| store.appender().append(request);
        let first = append(at(0, tenant, vec![event(1), event(2)])).await.expect("a new stream");
        assert_eq!(first, appended_at(2, 3, false));
        for wrong in [0, 1, 3, 99] {
            assert_eq!(conflict(append(at(wrong, tenant, vec![event(9)])).await), 2);
        }
        let next = append(at(2, tenant, vec![event(3)])).await.expect("where it stands");
        assert_eq!(next, appended_at(4, 4, false));
        store.close().await;
    });
}

#[test]
fn a_retry_with_an_exact_version_gets_its_first_result() {
    run(async {
        let (_own, store) = a_store().await;
        let tenant = a_tenant(&store, "retry").await;
        let request = at(0, tenant, vec![event(1), event(2)]);
        let append = |request| store.appender().append(request);
        assert_eq!(append(request.clone()).await.expect("new"), appended_at(2, 3, false));
        append(at(2, tenant, vec![event(3)])).await.expect("the stream moves on");
        for _ in 0..2 {
            let again = append(request.clone()).await.expect("known, not a conflict");
            assert_eq!(again, appended_at(2, 3, true));
        }
        let twice = together(&store, vec![at(3, tenant, vec![event(4)]); 3]).await;
        let answers: Vec<_> = twice.into_iter().map(|one| one.expect("an answer")).collect();
        assert_eq!(
            answers,
            [appended_at(5, 5, false), appended_at(5, 5, true), appended_at(5, 5, true)]
        );
        assert_eq!(log(&store, tenant).await.len(), 5);
        store.close().await;
    });
}

#[test]
fn a_request_with_a_repeated_stream_is_refused_with_a_code() {
    run(async {
        let (_own, store) = a_store().await;
        let tenant_id = a_tenant(&store, "acme").await;
        let exactly = |version| Expected::Exactly(StreamVersion(version));
        let streams =
            vec![stream(1, exactly(0), vec![event(1)]), stream(1, exactly(1), vec![event(2)])];
        let refused = store.appender().append(AppendRequest { tenant_id, streams }).await;
        assert_eq!(refusal(refused), AppendRejection::StreamRepeated);
        assert_eq!(log(&store, tenant_id).await.len(), 1, "only the tenant's own event");
    });
}

#[test]
fn several_streams_are_appended_together_or_not_at_all() {
    run(async {
        let (_own, store) = a_store().await;
        let tenant = a_tenant(&store, "together").await;
        let exactly = |version| Expected::Exactly(StreamVersion(version));
        let request = |first, second, from| AppendRequest {
            tenant_id: tenant,
            streams: vec![
                stream(1, first, vec![event(from), event(from + 1)]),
                stream(2, second, vec![event(from + 2)]),
            ],
        };
        let append = |request| store.appender().append(request);
        let done = append(request(exactly(0), exactly(0), 1)).await.expect("both are new");
        assert_eq!(done, appended_at(2, 4, false));
        assert_eq!(conflict(append(request(exactly(2), exactly(0), 11)).await), 1);
        assert_eq!(conflict(append(request(exactly(1), exactly(1), 21)).await), 2);
        assert_eq!(log(&store, tenant).await.len(), 4, "nothing of either");
        append(request(exactly(2), exactly(1), 31)).await.expect("both stand there");
        store.close().await;
    });
}

#[test]
fn an_inactive_tenant_accepts_only_audit_events_and_repetitions() {
    run(async {
        let (own, store) = a_store().await;
        for state in ["frozen", "closed"] {
            let tenant = a_tenant(&store, state).await;
            let append = |request| store.appender().append(request);
            append(one(tenant, vec![event(1)])).await.expect("an active tenant takes it");
            let set = format!("update ledger.tenants set state = '{state}' where slug = '{state}'");
            own.superuser().await.execute(AssertSqlSafe(set)).await.expect("an update");

            let of = |event_type, id| NewEvent { event_type, ..event(id) };
            // First each alone, on the path for single requests, and then all in one batch.
            for round in [10, 20] {
                let requests = vec![
                    one(tenant, vec![event(1)]),
                    one(tenant, vec![event(round + 1)]),
                    one(tenant, vec![of("access.denied", round + 2)]),
                    one(tenant, vec![of("access.denied", round + 3), event(round + 4)]),
                    one(tenant, vec![of("tenant.key_revoked", round + 5)]),
                    one(tenant, vec![of("tenant.key_created", round + 6)]),
                    one(tenant, vec![event(1), event(round + 7)]),
                    one(TenantId(Uuid::from_u128(404)), vec![of("access.denied", round + 8)]),
                ];
                let answers = if round == 10 {
                    let mut answers = Vec::new();
                    for request in requests {
                        answers.push(append(request).await);
                    }
                    answers
                } else {
                    together(&store, requests).await
                };
                let taken: Vec<_> = answers.iter().map(Result::is_ok).collect();
                assert_eq!(taken, [true, false, true, false, true, false, false, false], "{state}");
                let mut answers = answers.into_iter();
                assert_eq!(
                    answers.next().expect("the first").expect("it is known"),
                    appended_at(2, 2, true)
                );
                for refused in answers.filter(Result::is_err) {
                    assert_eq!(refusal(refused), AppendRejection::TenantNotActive);
                }
            }
            assert_eq!(log(&store, tenant).await.len(), 2 + 4);
        }
        store.close().await;
    });
}

#[test]
fn one_bad_request_never_fails_its_neighbours() {
    run(async {
        let (own, store) = a_store().await;
        let tenant = a_tenant(&store, "neighbours").await;
        let frozen = a_tenant(&store, "frozen").await;
        let freeze = "update ledger.tenants set state = 'frozen' where slug = 'frozen'";
        own.superuser().await.execute(freeze).await.expect("an update");

        let nobody = TenantId(Uuid::from_u128(404));
        let facts = |facts: &str, id| NewEvent { facts: facts.into(), ..event(id) };
        let meta = |meta: &str, id| NewEvent { meta: meta.into(), ..event(id) };
        let bad = vec![
            (one(tenant, vec![facts("{", 101)]), AppendRejection::Data),
            (one(tenant, vec![facts("{\"a\":\"\0\"}", 102)]), AppendRejection::Data),
            (one(tenant, vec![event(103), facts("", 104)]), AppendRejection::Data),
            (one(tenant, vec![meta("not json", 105)]), AppendRejection::Data),
            (
                one(tenant, vec![NewEvent { event_type: "nul\0", ..event(106) }]),
                AppendRejection::Data,
            ),
            (one(nobody, vec![event(107)]), AppendRejection::TenantNotActive),
            (one(frozen, vec![event(108)]), AppendRejection::TenantNotActive),
            (one(tenant, vec![event(109), event(109)]), AppendRejection::EventIdRepeated),
        ];
        let mut requests = Vec::new();
        let mut expected = Vec::new();
        for (nth, (request, reason)) in (0..).zip(bad) {
            requests.extend([one(tenant, vec![event(nth + 1)]), request]);
            expected.extend([None, Some(reason)]);
        }
        requests.push(at(0, tenant, vec![event(201)]));
        let mut answers = together(&store, requests).await;
        assert_eq!(conflict(answers.pop().expect("the last")), 8);
        let mut position = 1;
        for (answer, expected) in answers.into_iter().zip(expected) {
            match expected {
                Some(reason) => assert_eq!(refusal(answer), reason),
                None => {
                    position += 1;
                    assert_eq!(
                        answer.expect("a neighbour"),
                        appended_at(position, position, false)
                    );
                }
            }
        }
        assert_eq!(log(&store, tenant).await.len(), 9);
        store.close().await;
    });
}

#[test]
fn a_partly_known_request_is_refused_with_a_code() {
    run(async {
        let (_own, store) = a_store().await;
        let tenant = a_tenant(&store, "partly").await;
        let append = |events| store.appender().append(one(tenant, events));
        append(vec![event(1)]).await.expect("new");
        assert_eq!(refusal(append(vec![event(1), event(2)]).await), AppendRejection::PartlyKnown);
        assert_eq!(refusal(append(vec![event(2), event(1)]).await), AppendRejection::PartlyKnown);
        assert_eq!(
            refusal(append(vec![event(3), event(3)]).await),
            AppendRejection::EventIdRepeated
        );
        // Known only from an earlier request of the same batch.
        let requests = vec![one(tenant, vec![event(4)]), one(tenant, vec![event(4), event(5)])];
        let mut answers = together(&store, requests).await.into_iter();
        assert_eq!(answers.next().expect("the first").expect("new"), appended_at(3, 3, false));
        assert_eq!(refusal(answers.next().expect("the second")), AppendRejection::PartlyKnown);
        store.close().await;
    });
}

#[test]
fn a_request_over_several_tenants_is_refused_with_a_code() {
    run(async {
        let (own, store) = a_store().await;
        let (a, b) = (a_tenant(&store, "several-a").await, a_tenant(&store, "several-b").await);
        let mut conn = own.superuser().await;
        conn.execute("set role ledger_app").await.expect("a role");
        let raw = |request, tenant_id, id| RawEvent {
            request,
            tenant_id,
            stream_id: Uuid::from_u128(id),
            event_id: Uuid::from_u128(id),
        };
        let events = [raw(1, a, 1), raw(2, a, 2), raw(2, b, 3), raw(3, b, 4)];
        let answers = raw::append(&mut conn, &events).await.expect("an answer each");
        let results: Vec<_> = answers
            .iter()
            .map(|one| {
                (one.request, one.status.as_str(), one.first_position, one.reason.as_deref())
            })
            .collect();
        assert_eq!(
            results,
            [
                (1, "appended", Some(2), None),
                (2, "refused", None, Some("several_tenants")),
                (3, "appended", Some(2), None),
            ]
        );
        assert_eq!(raw::append(&mut conn, &[]).await.expect("nothing to do"), []);
        store.close().await;
    });
}

#[test]
fn a_transaction_with_an_old_snapshot_is_refused() {
    run(async {
        let mut conn = cluster::superuser().await;
        for isolation in ["repeatable read", "serializable"] {
            let begin = format!("begin isolation level {isolation}");
            conn.execute(sqlx::AssertSqlSafe(begin)).await.expect("a transaction");
            let error = raw::append(&mut conn, &[]).await.expect_err("not read committed");
            let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
            assert_eq!(code.as_deref(), Some("LG002"), "{error}");
            conn.execute("rollback").await.expect("a rollback");
        }
    });
}
