//! Laws over random histories.

use proptest::prelude::*;

use super::*;
use crate::booking::slot::{Occupancy, Shape};

/// A random step. Numbers select minutes, resources and earlier appointments.
#[derive(Debug, Clone)]
enum Step {
    Book { start: u16, length: u16, on: u8, service: u8 },
    Reschedule { which: u8, start: u16, length: Option<u16> },
    Cancel(u8),
    Confirm(u8),
    Hold { start: u16, on: u8, until: u8 },
    ConfirmHold { which: u8 },
    Release { which: u8 },
    Close { start: u16, length: u16, on: u8 },
    Wait(u16),
    Settings(u8),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let (start, length) = (0_u16..700, 1_u16..200);
    let step = prop_oneof![
        6 => (start.clone(), length.clone(), 0_u8..3, 0_u8..3).prop_map(|(start, length, on, service)| {
            Step::Book { start, length, on, service }
        }),
        3 => (any::<u8>(), start.clone(), proptest::option::of(length.clone()))
            .prop_map(|(which, start, length)| Step::Reschedule { which, start, length }),
        2 => any::<u8>().prop_map(Step::Cancel),
        1 => any::<u8>().prop_map(Step::Confirm),
        2 => (start.clone(), 0_u8..3, 1_u8..60).prop_map(|(start, on, until)| Step::Hold { start, on, until }),
        1 => any::<u8>().prop_map(|which| Step::ConfirmHold { which }),
        1 => any::<u8>().prop_map(|which| Step::Release { which }),
        1 => (start, length, 0_u8..3).prop_map(|(start, length, on)| Step::Close { start, length, on }),
        1 => (0_u16..40).prop_map(Step::Wait),
        1 => any::<u8>().prop_map(Step::Settings),
    ];
    proptest::collection::vec(step, 1..40)
}

/// Settings that differ in hours, buffers, limits and zone. The capacities stay.
fn variant(number: u8) -> BookingSettings {
    let zone = [Tz::UTC, Tz::America__New_York, Tz::Asia__Kolkata][usize::from(number % 3)];
    let buffer = u32::from(number % 4) * 10;
    let mut values = vec![
        (
            "resources",
            json!({ "resources": [{ "id": "a", "capacity": 1 }, { "id": "b", "capacity": 2 }] }),
        ),
        (
            "services",
            json!({ "services": [
                { "id": "s1", "minutes": 45, "buffer_before_minutes": buffer },
                { "id": "s2", "minutes": 20, "buffer_after_minutes": buffer },
            ]}),
        ),
    ];
    if number % 5 == 1 {
        values.push(("bookings", json!({ "daily_limit": 3, "minimum_notice_minutes": 30 })));
    }
    if number % 5 == 2 {
        values.push(("hours", every_day("20:00", "06:00")));
        values.push(("bookings", json!({ "closures": "buffers", "step_minutes": 20 })));
    }
    settings_in(zone, &values)
}

const ORIGIN: &str = "2026-10-31T18:00:00Z";

fn minute(number: u16) -> DateTime<Utc> {
    at(ORIGIN) + minutes(i64::from(number))
}

fn on(number: u8) -> Option<ResourceId> {
    [None, Some(resource("a")), Some(resource("b"))][usize::from(number % 3)].clone()
}

fn wanted(service_number: u8) -> Option<ServiceId> {
    [None, Some(service("s1")), Some(service("s2"))][usize::from(service_number % 3)].clone()
}

struct World {
    diary: Diary,
    appointments: Vec<AppointmentId>,
    holds: Vec<(HoldId, SlotFacts)>,
}

impl World {
    fn new(number: u8) -> Self {
        let mut diary = Diary::new(variant(number));
        diary.now = at(ORIGIN);
        Self { diary, appointments: Vec::new(), holds: Vec::new() }
    }

    fn run(&mut self, step: &Step) {
        match step {
            Step::Book { start, length, on: number, service } => {
                let minutes = Some(u32::from(*length));
                let kind = Kind { service: wanted(*service), resource: on(*number), minutes };
                self.appointments.extend(self.diary.book_kind(minute(*start), kind));
            }
            Step::Reschedule { which, start, length } => {
                let Some(id) = pick(&self.appointments, *which) else { return };
                let length = length.map(u32::from);
                let change = Reschedule { minutes: length, ..moving(id, minute(*start)) };
                let _ = self.diary.execute(Action::Reschedule(change));
            }
            Step::Cancel(which) => {
                let Some(id) = pick(&self.appointments, *which) else { return };
                let _ = self.diary.cancel(id);
            }
            Step::Confirm(which) => {
                let Some(id) = pick(&self.appointments, *which) else { return };
                let _ = self.diary.execute(Action::Confirm(change(id)));
            }
            Step::Hold { start, on: number, until } => self.hold(*start, *number, *until),
            Step::ConfirmHold { which } => {
                let Some((hold_id, slot)) = pick(&self.holds, *which) else { return };
                let mut book = self.diary.new_booking(slot.starts_at);
                (book.hold, book.kind.resource) = (Some(hold_id), Some(slot.resource));
                let id = book.appointment_id;
                let done = self.diary.execute(Action::Book(book));
                self.appointments.extend(done.is_ok().then_some(id));
            }
            Step::Release { which } => {
                let Some((hold_id, slot)) = pick(&self.holds, *which) else { return };
                let (resource, starts_at) = (slot.resource, slot.starts_at);
                let _ = self.diary.execute(Action::ReleaseHold { hold_id, resource, starts_at });
            }
            Step::Close { start, length, on: number } => {
                let closure_id = ClosureId(Uuid::from_u128(90_000 + self.diary.fresh()));
                let period = Interval::new(minute(*start), minute(*start + *length));
                let period = period.expect("a period");
                let resource = on(*number).unwrap_or_else(|| resource("a"));
                let _ = self.diary.execute(Action::Close { closure_id, resource, period });
            }
            Step::Wait(minutes) => self.diary.now += TimeDelta::minutes(i64::from(*minutes)),
            Step::Settings(number) => self.diary.set(variant(*number)),
        }
    }

    fn hold(&mut self, start: u16, number: u8, until: u8) {
        let hold_id = HoldId(Uuid::from_u128(80_000 + self.diary.fresh()));
        let kind = Kind { resource: on(number), ..Kind::default() };
        let until = self.diary.now + minutes(i64::from(until));
        let hold = Hold { hold_id, starts_at: minute(start), kind, until };
        let Ok(events) = self.diary.execute(Action::Hold(hold)) else { return };
        if let BookingEvent::Schedule(ScheduleEvent::SlotHeld(held)) = &events[0] {
            self.holds.push((hold_id, held.slot.clone()));
        }
    }

    /// Live appointments, from their own streams.
    fn live(&self) -> Vec<SlotFacts> {
        let state = |id: &AppointmentId| {
            let stream = Stream::new(StreamId(id.0), crate::envelope::StreamKind::Appointment);
            self.diary.state(&[stream]).appointment.expect("it is booked")
        };
        let appointments = self.appointments.iter().map(state);
        appointments
            .filter(|appointment| appointment.status.is_open())
            .map(|appointment| appointment.slot)
            .collect()
    }
}

fn pick<T: Clone>(list: &[T], which: u8) -> Option<T> {
    list.get(usize::from(which) % list.len().max(1)).cloned()
}

/// All events of all streams, folded.
fn everything(diary: &Diary) -> BookingState {
    let mut state = BookingState::default();
    for (_, event) in &diary.log {
        if matches!(event, BookingEvent::Schedule(_)) {
            Bookings::evolve(&mut state, event);
        }
    }
    state
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_resource_ever_has_more_appointments_than_its_capacity(first in any::<u8>(), steps in steps()) {
        let mut world = World::new(first);
        for step in &steps {
            world.run(step);
            let live = world.live();
            for (name, capacity) in [("a", 1), ("b", 2)] {
                let blocked: Vec<_> = live
                    .iter()
                    .filter(|slot| slot.resource == resource(name))
                    .map(|slot| Interval::new(slot.blocked_from, slot.blocked_until).expect("one"))
                    .collect();
                // Somewhere in a group that overlaps too much, one of them begins.
                for one in &blocked {
                    let minute = Interval::new(one.start(), one.start() + minutes(1)).expect("one");
                    let same = blocked.iter().filter(|other| other.overlaps(minute)).count();
                    prop_assert!(same <= capacity, "{name}: {same} after {step:?}");
                }
            }
        }
        // Appointments and schedule entries are the same set.
        let entries = everything(&world.diary);
        let mut scheduled: Vec<_> = ["a", "b"]
            .into_iter()
            .flat_map(|name| entries.schedule.live(&resource(name), world.diary.now).into_values())
            .filter(|entry| matches!(entry.occupant, crate::booking::schedule::Occupant::Appointment { .. }))
            .filter_map(|entry| entry.slot.clone())
            .collect();
        let mut live = world.live();
        let by_time = |slot: &SlotFacts| (slot.resource.clone(), slot.starts_at, slot.ends_at, slot.blocked_from, slot.blocked_until);
        scheduled.sort_by_key(by_time);
        live.sort_by_key(by_time);
        prop_assert_eq!(scheduled, live);
    }

    #[test]
    fn what_is_offered_can_be_booked_and_what_is_not_cannot(
        first in any::<u8>(), steps in steps(),
        starts in proptest::collection::vec(0_u16..760, 1..12),
        which in 0_u8..3, number in 0_u8..3,
    ) {
        let mut world = World::new(first);
        for step in &steps {
            world.run(step);
        }
        let diary = &mut world.diary;
        let kind = Kind { service: wanted(which), resource: on(number), minutes: None };
        let (from, until) = (minute(0), minute(720));
        let listed = diary.offers(&availability::Query { kind: kind.clone(), from, until });
        let asked = starts.iter().map(|start| minute(*start));
        let steps = listed.iter().map(|offer| offer.starts_at);
        for start in asked.chain(steps).collect::<Vec<_>>() {
            let exactly = availability::Query { kind: kind.clone(), from: start, until: start + minutes(1) };
            let offer = diary.offers(&exactly).into_iter().find(|offer| offer.starts_at == start);
            let length = diary.log.len();
            let booked = diary.book_kind(start, kind.clone());
            let resource = booked.map(|id| diary.slot(id).resource);
            prop_assert_eq!(offer.map(|offer| offer.resource), resource.ok(), "{}", start);
            let is_listed = listed.iter().any(|offer| offer.starts_at == start);
            prop_assert!(!is_listed || booked.is_ok());
            diary.log.truncate(length);
        }
    }

    #[test]
    fn a_decision_needs_no_stream_that_it_does_not_name(first in any::<u8>(), steps in steps(), start in 0_u16..700, which in 0_u8..3) {
        // The occupancy of the loaded days decides as that of the whole log.
        let mut world = World::new(first);
        for step in &steps {
            world.run(step);
        }
        let diary = &mut world.diary;
        let settings = Arc::clone(&diary.settings);
        let kind = Kind { service: wanted(which), resource: Some(resource("a")), minutes: None };
        let shape = Shape::of(&settings, &kind).expect("a shape");
        let times = shape.at(minute(start)).expect("in range");
        let whole = everything(diary);
        let range = (diary.now, times.blocked);
        let expected = crate::booking::slot::check_start(&settings, diary.now, minute(start))
            .and_then(|()| Occupancy::of(&settings, shape.resources[0], &whole.schedule, range, None).check(times));
        prop_assert_eq!(diary.book_kind(minute(start), kind).map(|_| ()), expected);
    }
}
