//! The command path: each decision is appended once, whatever runs at the same time, and a repeated command
//! gets its first answer.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ledger_core::aggregate::testing::given;
use ledger_core::aggregate::{Aggregate, Decided, Stream};
use ledger_core::envelope::StreamKind;
use ledger_core::event::{StateChanged, TenantEvent};
use ledger_core::ids::{CommandId, StreamId, StreamVersion, TenantId};
use ledger_store::Store;
use ledger_store::append::{AppendRejection, AppendRequest, Expected, NewEvent, StreamAppend};
use ledger_store::appender::AppendError;
use ledger_store::execute::{CommandContext, ExecuteError, Executed};
use ledger_store::tenants::NewTenant;
use ledger_tests::{OwnDatabase, run};
use sqlx::Executor;
use tokio::task::JoinSet;
use uuid::Uuid;

/// Slots of days that are taken once each. A day that is closed has no free slots.
struct Slots;

struct Take {
    day: &'static str,
    slot: String,
    /// A day that is only checked: it must not be closed.
    checked: Option<&'static str>,
}

#[derive(Debug, PartialEq)]
enum Refused {
    Taken,
    Closed,
}

impl Aggregate for Slots {
    type State = BTreeSet<String>;
    type Command = Take;
    type Event = TenantEvent;
    type Rejection = Refused;

    fn streams(tenant_id: TenantId, command: &Take) -> Vec<Stream> {
        let stream = |day: &str| Stream::new(day_stream(tenant_id, day), StreamKind::Tenant);
        [command.day].into_iter().chain(command.checked).map(stream).collect()
    }

    fn decide(
        taken: &BTreeSet<String>,
        command: &Take,
    ) -> Result<Vec<Decided<TenantEvent>>, Refused> {
        if taken.contains("closed") {
            return Err(Refused::Closed);
        }
        if taken.contains(&command.slot) {
            return Err(Refused::Taken);
        }
        Ok(vec![Decided::first(slot(&command.slot))])
    }

    fn evolve(taken: &mut BTreeSet<String>, event: &TenantEvent) {
        if let TenantEvent::StateChanged(changed) = event {
            taken.insert(changed.to.clone());
        }
    }
}

fn slot(name: &str) -> TenantEvent {
    TenantEvent::StateChanged(StateChanged { from: String::new(), to: name.to_owned() })
}

fn day_stream(tenant_id: TenantId, day: &str) -> StreamId {
    StreamId(tenant_id.derive(&[b"test day", day.as_bytes()]))
}

fn take(slot: &str) -> Take {
    Take { day: "monday", slot: slot.to_owned(), checked: None }
}

fn context(store: &Store, tenant_id: TenantId, command: Option<u128>) -> CommandContext {
    let command_id = command.map(|id| CommandId(Uuid::from_u128(id)));
    let by = store.operator().with_command(command_id);
    CommandContext { tenant_id, by, content: None, subject: None }
}

async fn a_tenant(store: &Store) -> TenantId {
    let new = NewTenant {
        slug: "slots".into(),
        name: "Test".into(),
        timezone: "UTC".into(),
        country: "US".into(),
    };
    store.create_tenant(&new).await.expect("a tenant")
}

/// The slots taken on a day, in the order of its stream.
async fn taken(own: &OwnDatabase, tenant_id: TenantId, day: &str) -> Vec<String> {
    sqlx::query_scalar(
        "select facts->>'to' from ledger.events where tenant_id = $1 and stream_id = $2 order by stream_version",
    )
    .bind(tenant_id.0)
    .bind(day_stream(tenant_id, day).0)
    .fetch_all(&mut own.superuser().await)
    .await
    .expect("the log answers")
}

#[test]
fn a_free_slot_is_taken_a_taken_one_is_refused() {
    given::<Slots>([]).when(take("9:00")).then(Ok(vec![slot("9:00")]));
    given::<Slots>([slot("9:00")]).when(take("9:00")).then(Err(Refused::Taken));
    given::<Slots>([slot("closed")]).when(take("9:00")).then(Err(Refused::Closed));
}

#[test]
fn one_slot_is_taken_once_and_every_free_slot_is_taken_on_two_servers() {
    run(async {
        let own = OwnDatabase::create().await;
        let stores = [Arc::new(own.store(2)), Arc::new(own.store(2))];
        let tenant_id = a_tenant(&stores[0]).await;
        let mut tasks = JoinSet::new();
        for nth in 0..60_usize {
            let store = Arc::clone(&stores[nth % 2]);
            // Half of the commands want the same slot, the others one of their own.
            let wanted = if nth % 4 < 2 { "9:00".to_owned() } else { format!("slot {nth}") };
            tasks.spawn(async move {
                loop {
                    let context = context(&store, tenant_id, None);
                    match store.execute::<Slots>(&context, &take(&wanted)).await {
                        Err(ExecuteError::Busy) => {}
                        other => return (wanted, other.map(|done| done.events.len())),
                    }
                }
            });
        }
        let (mut accepted, mut refused) = (Vec::new(), 0);
        while let Some(done) = tasks.join_next().await {
            match done.expect("no panic") {
                (wanted, Ok(1)) => accepted.push(wanted),
                (wanted, Err(ExecuteError::Rejected(Refused::Taken))) if wanted == "9:00" => {
                    refused += 1;
                }
                other => panic!("{other:?}"),
            }
        }
        accepted.sort();
        let mut recorded_slots = taken(&own, tenant_id, "monday").await;
        recorded_slots.sort();
        assert_eq!(recorded_slots, accepted);
        assert_eq!((recorded_slots.len(), refused), (31, 29));
    });
}

#[test]
fn a_repeated_command_gets_its_first_answer_through_kills_on_two_servers() {
    run(async {
        let own = OwnDatabase::create().await;
        let stores = [Arc::new(own.store(2)), Arc::new(own.store(2))];
        let tenant_id = a_tenant(&stores[0]).await;
        let stopped = Arc::new(AtomicBool::new(false));
        let killer = {
            let (stopped, mut conn) = (Arc::clone(&stopped), own.superuser().await);
            tokio::spawn(async move {
                while !stopped.load(Ordering::Relaxed) {
                    let kill = "select pg_terminate_backend(pid) from pg_stat_activity
                                 where datname = current_database() and pid <> pg_backend_pid()
                                 order by random() limit 1";
                    conn.execute(kill).await.expect("the cluster answers");
                    tokio::time::sleep(Duration::from_millis(15)).await;
                }
            })
        };
        let mut tasks = JoinSet::new();
        for nth in 0..80_u128 {
            let store = Arc::clone(&stores[usize::try_from(nth % 2).expect("0 or 1")]);
            // Each command is sent four times, by both servers.
            let command = nth / 4;
            tasks.spawn(async move {
                let wanted = take(&format!("slot {command}"));
                loop {
                    let context = context(&store, tenant_id, Some(command + 1));
                    match store.execute::<Slots>(&context, &wanted).await {
                        Ok(Executed { events, position, .. }) => {
                            return (command, events, position);
                        }
                        Err(ExecuteError::Rejected(refused)) => panic!("{refused:?}: its own slot"),
                        Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
                    }
                }
            });
        }
        let mut answers = Vec::new();
        while let Some(done) = tasks.join_next().await {
            answers.push(done.expect("no panic"));
        }
        stopped.store(true, Ordering::Relaxed);
        killer.await.expect("it ends");
        for (command, events, position) in &answers {
            assert_eq!(*events, [slot(&format!("slot {command}"))]);
            let first = answers.iter().find(|(other, ..)| other == command).expect("itself");
            assert_eq!(position, &first.2, "one decision, one position");
        }
        let mut recorded_slots = taken(&own, tenant_id, "monday").await;
        recorded_slots.sort();
        recorded_slots.dedup();
        assert_eq!(recorded_slots.len(), 20);
        assert_eq!(taken(&own, tenant_id, "monday").await.len(), 20, "each decision once");
    });
}

#[test]
fn a_command_id_with_other_content_is_refused() {
    run(async {
        let own = OwnDatabase::create().await;
        let store = own.store(1);
        let tenant_id = a_tenant(&store).await;
        let with = |content: u8| CommandContext {
            content: Some([content; 32]),
            ..context(&store, tenant_id, Some(7))
        };
        let first = store.execute::<Slots>(&with(1), &take("9:00")).await.expect("it is free");
        let again = store.execute::<Slots>(&with(1), &take("9:00")).await.expect("it is its own");
        assert_eq!((again.events, again.position), (first.events, first.position));
        assert!(again.is_repeated && !first.is_repeated);
        let other = store.execute::<Slots>(&with(2), &take("10:00")).await;
        assert!(matches!(other, Err(ExecuteError::Reused)), "{other:?}");
        assert_eq!(taken(&own, tenant_id, "monday").await, ["9:00"]);
    });
}

#[test]
fn a_stream_that_gets_no_event_is_checked_too() {
    run(async {
        let own = OwnDatabase::create().await;
        let stores = [Arc::new(own.store(2)), Arc::new(own.store(2))];
        let tenant_id = a_tenant(&stores[0]).await;
        let close = Take { day: "sunday", slot: "closed".to_owned(), checked: None };
        let mut tasks = JoinSet::new();
        for nth in 0..24_usize {
            let store = Arc::clone(&stores[nth % 2]);
            tasks.spawn(async move {
                let slot = format!("slot {nth}");
                let take = Take { day: "monday", slot, checked: Some("sunday") };
                store.execute::<Slots>(&context(&store, tenant_id, None), &take).await.map(|_| ())
            });
        }
        let closed =
            stores[0].execute::<Slots>(&context(&stores[0], tenant_id, None), &close).await;
        let closed = closed.expect("it is open").position.expect("it is recorded");
        while let Some(done) = tasks.join_next().await {
            let done = done.expect("no panic");
            assert!(
                matches!(
                    done,
                    Ok(()) | Err(ExecuteError::Rejected(Refused::Closed) | ExecuteError::Busy)
                ),
                "{done:?}"
            );
        }
        let last: Option<i64> = sqlx::query_scalar(
            "select max(position) from ledger.events where tenant_id = $1 and stream_id = $2",
        )
        .bind(tenant_id.0)
        .bind(day_stream(tenant_id, "monday").0)
        .fetch_one(&mut own.superuser().await)
        .await
        .expect("the log answers");
        assert!(
            last.is_none_or(|last| last < closed.0),
            "no slot is taken after the day was closed"
        );
    });
}

fn new_event(id: u128) -> NewEvent {
    NewEvent {
        event_id: ledger_core::ids::EventId(Uuid::from_u128(id)),
        event_type: "tenant.state_changed",
        schema_version: 1,
        occurred_at: chrono::DateTime::UNIX_EPOCH,
        recorded_at: chrono::DateTime::UNIX_EPOCH,
        facts: r#"{"from":"","to":""}"#.into(),
        sections: None,
        bulk: None,
        subjects: Vec::new(),
        meta: "{}".into(),
    }
}

#[test]
fn of_many_appends_that_expect_a_new_stream_one_is_appended() {
    run(async {
        let own = OwnDatabase::create().await;
        let stores = [Arc::new(own.store(2)), Arc::new(own.store(2))];
        let tenant_id = a_tenant(&stores[0]).await;
        let mut tasks = JoinSet::new();
        for nth in 0..40_u128 {
            let store = Arc::clone(&stores[usize::try_from(nth % 2).expect("0 or 1")]);
            tasks.spawn(async move {
                let streams = vec![StreamAppend {
                    stream_id: day_stream(tenant_id, "new"),
                    kind: StreamKind::Tenant,
                    expected: Expected::Exactly(StreamVersion(0)),
                    events: vec![new_event(nth * 2), new_event(nth * 2 + 1)],
                }];
                store.appender().append(AppendRequest { tenant_id, streams }).await
            });
        }
        let mut appended = 0;
        while let Some(done) = tasks.join_next().await {
            match done.expect("no panic") {
                Ok(_) => appended += 1,
                Err(AppendError::Conflict { actual }) => assert_eq!(actual, StreamVersion(2)),
                Err(other) => panic!("{other}"),
            }
        }
        assert_eq!(appended, 1);
    });
}

#[test]
fn an_append_that_checks_a_stream_without_events_is_refused() {
    run(async {
        let own = OwnDatabase::create().await;
        let store = own.store(1);
        let tenant_id = a_tenant(&store).await;
        let stream = |day: &str, expected, events| StreamAppend {
            stream_id: day_stream(tenant_id, day),
            kind: StreamKind::Tenant,
            expected,
            events,
        };
        let streams = vec![
            stream("monday", Expected::Any, vec![new_event(1)]),
            stream("sunday", Expected::Exactly(StreamVersion(4)), Vec::new()),
        ];
        let refused = store.appender().append(AppendRequest { tenant_id, streams }).await;
        assert!(
            matches!(refused, Err(AppendError::Rejected(AppendRejection::StreamWithoutEvents))),
            "{refused:?}"
        );
        assert_eq!(taken(&own, tenant_id, "monday").await.len(), 0, "nothing is appended");
    });
}
