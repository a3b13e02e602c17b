//! The read model over random histories: each open appointment has exactly its reminders.

use std::collections::{BTreeMap, BTreeSet};

use ledger_core::booking::ResourceId;
use ledger_core::booking::settings::reminders::{Offsets, Reminders};
use ledger_core::envelope::StreamKind;
use ledger_core::event::{
    AppointmentBooked, AppointmentChanged, AppointmentEvent, AppointmentRescheduled,
    AppointmentStatus, Event, SlotFacts, TaskClosed, TaskCreated, TaskEvent, TaskKind, TaskOrigin,
};
use ledger_core::ids::{StreamId, SubjectId};
use ledger_tests::cluster;
use projections::due::DueWork;
use projections::testing::given;

use super::*;

const TABLES: &str = "create table tasks (like due_v1.tasks including all);
                      create table open_appointments (like due_v1.open_appointments including all);
                      create table reminders (like due_v1.reminders including all)";

const CONTACT: Uuid = Uuid::from_u128(77);

fn slot(starts_at: DateTime<Utc>) -> SlotFacts {
    let resource = ResourceId::parse("main").expect("an id");
    let ends_at = starts_at + TimeDelta::minutes(30);
    SlotFacts { resource, starts_at, ends_at, blocked_from: starts_at, blocked_until: ends_at }
}

fn random_offsets(random: &mut fastrand::Rng) -> Offsets {
    let offsets: BTreeSet<u32> = (0..random.usize(0..4)).map(|_| random.u32(1..=3000)).collect();
    let fields = serde_json::from_value(json!({ "offsets_minutes": offsets })).expect("an object");
    let default = random.bool();
    if default {
        Offsets::default()
    } else {
        Reminders::parse(fields).expect("offsets").offsets_minutes
    }
}

/// An appointment as the test follows it: start, time of the booking or move, and offsets.
type Open = (DateTime<Utc>, DateTime<Utc>, Offsets);

/// The next event of an appointment, as decisions permit it.
fn appointment_event(
    random: &mut fastrand::Rng,
    at: DateTime<Utc>,
    open: &mut Option<Open>,
    was_booked: &mut bool,
) -> Option<AppointmentEvent> {
    let starts_at = at + TimeDelta::minutes(random.i64(1..5000));
    let reminders = random_offsets(random);
    let changed = AppointmentChanged::default();
    let Some((from, ..)) = *open else {
        if *was_booked {
            return None;
        }
        *was_booked = true;
        *open = Some((starts_at, at, reminders.clone()));
        return Some(AppointmentEvent::Booked(AppointmentBooked {
            slot: slot(starts_at),
            service: None,
            price_cents: None,
            currency: None,
            status: AppointmentStatus::Pending,
            contact_id: SubjectId(CONTACT),
            booked_by_contact_id: None,
            call_id: None,
            party: None,
            settings_version: 0,
            reminders,
        }));
    };
    let event = match random.u8(0..8) {
        0 => AppointmentEvent::Cancelled(changed),
        1 => AppointmentEvent::Completed(changed),
        2 => AppointmentEvent::NoShow(changed),
        3 | 4 => return Some(AppointmentEvent::Confirmed(changed)),
        _ => {
            *open = Some((starts_at, at, reminders.clone()));
            return Some(AppointmentEvent::Rescheduled(AppointmentRescheduled {
                from,
                slot: slot(starts_at),
                call_id: None,
                settings_version: 0,
                reminders,
            }));
        }
    };
    *open = None;
    Some(event)
}

fn task_event(
    random: &mut fastrand::Rng,
    at: DateTime<Utc>,
    status: &mut Option<&str>,
) -> Option<TaskEvent> {
    let (event, to) = match (*status, random.bool()) {
        (None, _) => {
            let created = TaskCreated {
                kind: TaskKind::Review,
                due_at: at + TimeDelta::minutes(random.i64(-5000..5000)),
                contact_id: None,
                call_id: None,
                appointment_id: None,
                origin: TaskOrigin::Tool,
            };
            (TaskEvent::Created(created), "open")
        }
        (Some("open"), true) => (TaskEvent::Done(TaskClosed {}), "done"),
        (Some("open"), false) => (TaskEvent::Cancelled(TaskClosed {}), "cancelled"),
        _ => return None,
    };
    *status = Some(to);
    Some(event)
}

fn expected(open: &BTreeMap<u128, Option<Open>>) -> Vec<Value> {
    let mut all = Vec::new();
    for (id, open) in open {
        let Some((starts_at, made_at, offsets)) = open else { continue };
        let mut offsets = offsets.minutes().to_vec();
        offsets.sort_unstable();
        for offset in offsets {
            let due_at = *starts_at - TimeDelta::minutes(offset.into());
            if due_at > *made_at {
                all.push(json!({
                    "appointment_id": Uuid::from_u128(*id), "offset_minutes": offset,
                    "due": due_at.timestamp(), "starts": starts_at.timestamp(),
                    "contact_id": CONTACT,
                }));
            }
        }
    }
    all
}

#[test]
fn each_open_appointment_has_exactly_its_reminders_and_a_closed_one_has_none() {
    run(async {
        let start: DateTime<Utc> = "2026-03-02T09:00:00Z".parse().expect("a time");
        let mut conn = cluster::superuser().await;
        for seed in 0..40 {
            let mut random = fastrand::Rng::with_seed(seed);
            let mut given = given(&DueWork).tables(TABLES);
            let mut appointments: BTreeMap<u128, Option<Open>> = BTreeMap::new();
            let mut booked: BTreeMap<u128, bool> = BTreeMap::new();
            let mut tasks: BTreeMap<u128, Option<&str>> = BTreeMap::new();
            for nth in 0..random.i64(1..40) {
                let at = start + TimeDelta::minutes(nth * 700);
                let id = u128::from(random.u8(1..5));
                if random.u8(0..4) == 0 {
                    let status = tasks.entry(id).or_default();
                    let Some(event) = task_event(&mut random, at, status) else { continue };
                    let stream = StreamId(Uuid::from_u128(id + 100));
                    given = given.event_at(at, StreamKind::Task, stream, &Event::Task(event));
                    continue;
                }
                let (open, was_booked) =
                    (appointments.entry(id).or_default(), booked.entry(id).or_default());
                let Some(event) = appointment_event(&mut random, at, open, was_booked) else {
                    continue;
                };
                let stream = StreamId(Uuid::from_u128(id));
                let event = Event::Appointment(event);
                given = given.event_at(at, StreamKind::Appointment, stream, &event);
            }
            let query =
                "select appointment_id, offset_minutes, extract(epoch from due_at)::bigint as due,
                                extract(epoch from starts_at)::bigint as starts, contact_id
                           from reminders order by appointment_id, offset_minutes";
            let rows = given.then(&mut conn, query).await.expect("rows");
            assert_eq!(rows, expected(&appointments), "seed {seed}");
            let query = "select status, count(*) as n from tasks group by status order by status";
            let mut count: BTreeMap<&str, i64> = BTreeMap::new();
            for status in tasks.values().flatten() {
                *count.entry(*status).or_default() += 1;
            }
            let counted: Vec<Value> =
                count.iter().map(|(status, n)| json!({ "status": status, "n": n })).collect();
            assert_eq!(given.then(&mut conn, query).await.expect("rows"), counted, "seed {seed}");
        }
    });
}
