//! Bookings on the command path: one appointment for each time, whatever runs at the same time.

mod races;
mod settings;

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};
use std::time::Instant;

use chrono::{DateTime, TimeDelta, Utc};
use ledger_core::booking::availability::Query;
use ledger_core::booking::command::Change;
use ledger_core::booking::slot::Kind;
use ledger_core::booking::{
    Action, Book, BookingCommand, BookingEvent, BookingSettings, Bookings, Refusal, Reschedule,
    ResourceId,
};
use ledger_core::clock::Clock;
use ledger_core::event::AppointmentEvent;
use ledger_core::identity::PersonIdentifiers;
use ledger_core::ids::{AppointmentId, CommandId, StreamId, SubjectId, TenantId};
use ledger_core::personal::{AppointmentDetails, Party};
use ledger_core::section::{SectionName, Sections};
use ledger_core::settings::{BookingSetting, Setting, SettingName};
use ledger_store::execute::{CommandContext, ExecuteError, Executed};
use ledger_store::seal::Opened;
use ledger_store::tenants::NewTenant;
use ledger_store::vault::SectionColumn;
use ledger_store::{Store, TenantTx};
use ledger_tests::{OwnDatabase, run};
use serde_json::{Value, json};
use server::system::SystemClock;
use tokio::task::JoinSet;
use uuid::Uuid;

/// Nine in the morning, UTC, of a day to come.
fn start() -> DateTime<Utc> {
    static START: LazyLock<DateTime<Utc>> = LazyLock::new(|| {
        let day = SystemClock.now().date_naive() + TimeDelta::days(30);
        day.and_hms_opt(9, 0, 0).expect("a time").and_utc()
    });
    *START
}

async fn a_tenant(store: &Store) -> TenantId {
    let new = NewTenant {
        slug: "salon".into(),
        name: "Test".into(),
        timezone: "America/New_York".into(),
        country: "US".into(),
    };
    store.create_tenant(&new).await.expect("a tenant")
}

fn setting(name: &str, value: Value) -> BookingSetting {
    let name = SettingName::parse(name).expect("a name");
    let fields: BTreeMap<_, _> = serde_json::from_value(value).expect("an object");
    match Setting::parse(name, fields).expect("a value") {
        Setting::Booking(setting) => setting,
        Setting::Plan(_) | Setting::Call(_) => panic!("it is no setting of bookings"),
    }
}

async fn settings_of(store: &Store, tenant_id: TenantId) -> Arc<BookingSettings> {
    store.booking_settings(tenant_id).await.expect("it answers").expect("a tenant")
}

fn context(store: &Store, tenant_id: TenantId, command: Option<u128>) -> CommandContext {
    let command_id = command.map(|id| CommandId(Uuid::from_u128(id)));
    let by = store.operator().with_command(command_id);
    CommandContext { tenant_id, by, content: None, subject: None }
}

fn booking(number: u128, starts_at: DateTime<Utc>) -> Book {
    Book {
        appointment_id: AppointmentId(Uuid::from_u128(number)),
        starts_at,
        kind: Kind::default(),
        hold: None,
        contact_id: SubjectId(Uuid::from_u128(1_000_000 + number)),
        is_known_person: true,
        booked_by_contact_id: None,
        call_id: None,
        party: None,
        sections: Sections::default(),
    }
}

type Answer = Result<Executed<BookingEvent>, ExecuteError<Refusal>>;

/// Sends a command, and again while the answer is that the schedule is busy: on a loaded machine a
/// command may not get its turn in time.
async fn send(store: &Store, tenant_id: TenantId, action: Action) -> Answer {
    for _ in 0..30 {
        let context = context(store, tenant_id, None);
        match send_as(store, &context, action.clone()).await {
            Err(ExecuteError::Busy) => {}
            answer => return answer,
        }
    }
    Err(ExecuteError::Busy)
}

async fn send_as(store: &Store, context: &CommandContext, action: Action) -> Answer {
    let settings = settings_of(store, context.tenant_id).await;
    let now = SystemClock.now();
    store.execute::<Bookings>(context, &BookingCommand { settings, now, action }).await
}

/// Blocked intervals of live appointments by the log: taken and not freed since, by day stream.
async fn overlaps(own: &OwnDatabase, tenant_id: TenantId) -> i64 {
    sqlx::query_scalar(
        "with live as (
           select t.stream_id, t.facts->>'appointment_id' as id,
                  (t.facts->>'blocked_from')::timestamptz as low,
                  (t.facts->>'blocked_until')::timestamptz as high
             from ledger.events t
            where t.tenant_id = $1 and t.event_type = 'schedule.slot_taken'
              and not exists (
                  select from ledger.events f
                   where f.tenant_id = $1 and f.stream_id = t.stream_id
                     and f.event_type = 'schedule.slot_freed' and f.position > t.position
                     and f.facts->>'appointment_id' = t.facts->>'appointment_id'))
         select count(*) from live a join live b
             on a.stream_id = b.stream_id and a.id < b.id and a.low < b.high and b.low < a.high",
    )
    .bind(tenant_id.0)
    .fetch_one(&mut own.superuser().await)
    .await
    .expect("the log answers")
}

async fn count(own: &OwnDatabase, tenant_id: TenantId, event_type: &str) -> i64 {
    sqlx::query_scalar(
        "select count(*) from ledger.events where tenant_id = $1 and event_type = $2",
    )
    .bind(tenant_id.0)
    .bind(event_type)
    .fetch_one(&mut own.superuser().await)
    .await
    .expect("the log answers")
}

#[test]
fn of_many_overlapping_bookings_at_once_one_wins_and_the_others_are_told_so() {
    run(async {
        let own = OwnDatabase::create().await;
        let stores = [Arc::new(own.store(2)), Arc::new(own.store(2))];
        let tenant_id = a_tenant(&stores[0]).await;
        let mut tasks = JoinSet::new();
        for number in 0..200_u32 {
            let store = Arc::clone(&stores[number as usize % 2]);
            // Starts that differ by less than the length overlap all.
            let starts_at = start() + TimeDelta::minutes(i64::from(number % 29));
            let book = booking(u128::from(number) + 1, starts_at);
            tasks.spawn(async move { send(&store, tenant_id, Action::Book(book)).await });
        }
        let (mut won, mut taken) = (0, 0);
        while let Some(answer) = tasks.join_next().await {
            match answer.expect("no panic") {
                Ok(_) => won += 1,
                Err(ExecuteError::Rejected(Refusal::SlotTaken)) => taken += 1,
                Err(other) => panic!("{other}"),
            }
        }
        assert_eq!((won, taken), (1, 199));
        assert_eq!(count(&own, tenant_id, "appointment.booked").await, 1);
    });
}

#[test]
fn every_different_free_time_of_one_day_is_booked_on_two_servers() {
    run(async {
        let own = OwnDatabase::create().await;
        let stores = [Arc::new(own.store(2)), Arc::new(own.store(2))];
        let tenant_id = a_tenant(&stores[0]).await;
        let begun = Instant::now();
        let mut tasks = JoinSet::new();
        for number in 0..120_u32 {
            let store = Arc::clone(&stores[number as usize % 2]);
            let starts_at = start() + TimeDelta::minutes(4 * i64::from(number));
            let mut book = booking(u128::from(number) + 1, starts_at);
            book.kind.minutes = Some(4);
            tasks.spawn(async move { send(&store, tenant_id, Action::Book(book)).await });
        }
        while let Some(answer) = tasks.join_next().await {
            answer.expect("no panic").expect("its time is free: no false refusal");
        }
        println!("120 bookings of one day on two servers took {:?}", begun.elapsed());
        assert_eq!(count(&own, tenant_id, "appointment.booked").await, 120);
        assert_eq!(overlaps(&own, tenant_id).await, 0);
    });
}

#[test]
fn random_bookings_moves_and_cancellations_at_once_never_overlap() {
    run(async {
        let own = OwnDatabase::create().await;
        let stores = [Arc::new(own.store(2)), Arc::new(own.store(2))];
        let tenant_id = a_tenant(&stores[0]).await;
        let mut tasks = JoinSet::new();
        for number in 1..=60_u32 {
            let store = Arc::clone(&stores[number as usize % 2]);
            tasks.spawn(async move {
                // Around UTC midnight, so that appointments of one and of two days meet.
                let around = |step: u32| {
                    let minutes = i64::from((number * 37 + step * 53) % 480);
                    start() + TimeDelta::hours(13) + TimeDelta::minutes(minutes)
                };
                let mut book = booking(u128::from(number), around(0));
                book.kind.minutes = Some(10);
                let id = book.appointment_id;
                let mut answers = vec![send(&store, tenant_id, Action::Book(book)).await];
                let moved = Reschedule {
                    appointment_id: id,
                    from: None,
                    starts_at: around(1),
                    minutes: None,
                    resource: None,
                    call_id: None,
                };
                answers.push(send(&store, tenant_id, Action::Reschedule(moved)).await);
                if number % 3 == 0 {
                    let change =
                        Change { appointment_id: id, call_id: None, sections: Sections::default() };
                    answers.push(send(&store, tenant_id, Action::Cancel(change)).await);
                }
                answers
            });
        }
        while let Some(answers) = tasks.join_next().await {
            for answer in answers.expect("no panic") {
                let expected = matches!(
                    answer,
                    Ok(_)
                        | Err(ExecuteError::Rejected(
                            Refusal::SlotTaken | Refusal::AppointmentNotFound
                        ))
                );
                assert!(expected, "{answer:?}");
            }
        }
        assert_eq!(overlaps(&own, tenant_id).await, 0);
        assert!(count(&own, tenant_id, "appointment.rescheduled").await > 0);
    });
}

#[test]
fn any_resource_is_booked_until_none_is_free() {
    run(async {
        let own = OwnDatabase::create().await;
        let stores = [Arc::new(own.store(2)), Arc::new(own.store(2))];
        let tenant_id = a_tenant(&stores[0]).await;
        let chairs: Vec<_> = (0..5).map(|n| json!({ "id": format!("chair-{n}") })).collect();
        let chairs = setting("resources", json!({ "resources": chairs }));
        let by = stores[0].operator();
        stores[0].set_booking_setting(&by, tenant_id, chairs).await.expect("it is set");
        let mut tasks = JoinSet::new();
        for number in 0..40_u32 {
            let store = Arc::clone(&stores[number as usize % 2]);
            let book = booking(u128::from(number) + 1, start());
            tasks.spawn(async move { send(&store, tenant_id, Action::Book(book)).await });
        }
        let mut resources = Vec::new();
        while let Some(answer) = tasks.join_next().await {
            match answer.expect("no panic") {
                Ok(done) => resources.push(resource_of(&done.events)),
                Err(ExecuteError::Rejected(Refusal::SlotTaken)) => {}
                Err(other) => panic!("{other}"),
            }
        }
        resources.sort();
        let expected: Vec<_> = (0..5).map(|n| format!("chair-{n}")).collect();
        assert_eq!(resources.iter().map(ResourceId::as_str).collect::<Vec<_>>(), expected);
        let query =
            Query { kind: Kind::default(), from: start(), until: start() + TimeDelta::hours(1) };
        let settings = settings_of(&stores[0], tenant_id).await;
        let offers = stores[0].availability(tenant_id, &settings, &query, 50).await;
        let offers = offers.expect("it answers");
        assert_eq!(offers[0].starts_at, start() + TimeDelta::minutes(30));
    });
}

fn resource_of(events: &[BookingEvent]) -> ResourceId {
    let BookingEvent::Appointment(AppointmentEvent::Booked(booked)) = &events[0] else {
        panic!("{events:?}")
    };
    booked.slot.resource.clone()
}

#[test]
fn a_repeated_command_gets_its_first_appointment() {
    run(async {
        let own = OwnDatabase::create().await;
        let store = own.store(1);
        let tenant_id = a_tenant(&store).await;
        let context = context(&store, tenant_id, Some(77));
        let book = booking(1, start());
        let first = send_as(&store, &context, Action::Book(book.clone())).await.expect("free");
        let again = send_as(&store, &context, Action::Book(book)).await.expect("its own");
        assert_eq!((&again.events, again.position), (&first.events, first.position));
        assert!(again.is_repeated);
        let mut other = booking(2, start());
        other.contact_id = SubjectId(Uuid::from_u128(1_000_001));
        let answer = send(&store, tenant_id, Action::Book(other)).await;
        let expected = AppointmentId(Uuid::from_u128(1));
        assert!(
            matches!(answer, Err(ExecuteError::Rejected(Refusal::AlreadyBooked(id))) if id == expected),
            "{answer:?}"
        );
    });
}

#[test]
fn the_person_and_the_notes_of_a_booking_are_sealed_for_the_contact() {
    run(async {
        let own = OwnDatabase::create().await;
        let store = own.store(1);
        let tenant_id = a_tenant(&store).await;
        let mut book = booking(1, start());
        let stream_id = StreamId(book.appointment_id.0);
        let resolved = store
            .vault()
            .resolve(tenant_id, stream_id, PersonIdentifiers::default())
            .await
            .expect("a subject");
        book.contact_id = resolved.subject.subject_id;
        let name = "Canary Person";
        let party = Party { name: Some(name.into()), ..Party::default() };
        let details = AppointmentDetails {
            notes: Some("canary notes".into()),
            ..AppointmentDetails::default()
        };
        book.sections =
            Sections { party: Some(party), details: Some(details), ..Sections::default() };
        let mut context = context(&store, tenant_id, None);
        let without = send_as(&store, &context, Action::Book(book.clone())).await;
        assert!(matches!(without, Err(ExecuteError::Misplaced)), "{without:?}");

        context.subject = Some(resolved.subject.clone());
        send_as(&store, &context, Action::Book(book)).await.expect("it is free");
        let mut tx = TenantTx::begin(store.app(), tenant_id).await.expect("a transaction");
        let row: (Uuid, Vec<u8>, Vec<Uuid>, String, String) = sqlx::query_as(
            "select event_id, sections, subjects, facts::text, meta::text from ledger.events
              where event_type = 'appointment.booked'",
        )
        .fetch_one(tx.conn())
        .await
        .expect("it is recorded");
        let (event_id, sections, subjects, facts, meta) = row;
        assert_eq!(subjects, [resolved.subject.subject_id.0]);
        assert!(!(facts + &meta).to_lowercase().contains("canary"));
        assert!(!String::from_utf8_lossy(&sections).to_lowercase().contains("canary"));
        let column = SectionColumn::Sections(ledger_core::ids::EventId(event_id));
        let opened = store.vault().open(tenant_id, &[(column, &sections)]).await.expect("keys");
        let texts: Vec<_> = opened
            .into_iter()
            .flatten()
            .map(|section| match section.plain {
                Opened::Clear(plain) => {
                    (section.name, String::from_utf8(plain.reveal()).expect("text"))
                }
                other => panic!("{other:?}"),
            })
            .collect();
        let expected = [
            (SectionName::Party, r#"{"name":"Canary Person"}"#.to_owned()),
            (SectionName::Details, r#"{"notes":"canary notes"}"#.to_owned()),
        ];
        assert_eq!(texts, expected);
    });
}
