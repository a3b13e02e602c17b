//! Every transition of an appointment, permitted and refused.

use super::*;
use crate::aggregate::testing::given;
use crate::booking::settings::reminders::Offsets;
use crate::event::AppointmentStatus::{self, Cancelled, Completed, Confirmed, NoShow, Pending};
use crate::event::{AppointmentBooked, AppointmentChanged, AppointmentRescheduled, SlotFreed};

const ID: AppointmentId = AppointmentId(Uuid::from_u128(7));

fn slot(start: &str) -> SlotFacts {
    let starts_at = monday(start);
    let ends_at = starts_at + minutes(30);
    SlotFacts {
        resource: resource("main"),
        starts_at,
        ends_at,
        blocked_from: starts_at,
        blocked_until: ends_at,
    }
}

fn booked(status: AppointmentStatus) -> BookingEvent {
    AppointmentEvent::Booked(AppointmentBooked {
        slot: slot("09:00"),
        service: None,
        price_cents: None,
        currency: None,
        status,
        contact_id: SubjectId(Uuid::from_u128(8)),
        booked_by_contact_id: None,
        call_id: None,
        party: None,
        settings_version: 0,
        reminders: Offsets::default(),
    })
    .into()
}

fn changed(to: AppointmentStatus) -> BookingEvent {
    let facts = AppointmentChanged::default();
    match to {
        Pending => booked(Pending),
        Confirmed => AppointmentEvent::Confirmed(facts).into(),
        Completed => AppointmentEvent::Completed(facts).into(),
        Cancelled => AppointmentEvent::Cancelled(facts).into(),
        NoShow => AppointmentEvent::NoShow(facts).into(),
    }
}

fn history(status: AppointmentStatus) -> Vec<BookingEvent> {
    match status {
        Pending => vec![booked(Pending)],
        other => vec![booked(Pending), changed(other)],
    }
}

fn command(now: &str, action: Action) -> BookingCommand {
    let settings = Arc::new(BookingSettings::defaults(Tz::UTC));
    BookingCommand { settings, now: monday(now), action }
}

fn to(status: AppointmentStatus) -> Action {
    match status {
        Confirmed => Action::Confirm(change(ID)),
        Completed => Action::Complete(change(ID)),
        Cancelled => Action::Cancel(change(ID)),
        NoShow => Action::NoShow(change(ID)),
        Pending => panic!("no command makes an appointment pending"),
    }
}

fn freed() -> BookingEvent {
    let day = monday("09:00").date_naive();
    let freed = SlotFreed { day, resource: resource("main"), appointment_id: ID };
    ScheduleEvent::SlotFreed(freed).into()
}

#[test]
fn an_appointment_that_is_to_take_place_can_be_changed() {
    for (from, status) in [
        (Pending, Confirmed),
        (Pending, Completed),
        (Pending, NoShow),
        (Confirmed, Completed),
        (Confirmed, NoShow),
    ] {
        given::<Bookings>(history(from))
            .when(command("09:00", to(status)))
            .then(Ok(vec![changed(status)]));
    }
}

#[test]
fn a_cancelled_appointment_frees_its_time() {
    for from in [Pending, Confirmed] {
        given::<Bookings>(history(from))
            .when(command("08:00", to(Cancelled)))
            .then_in_streams(Ok(vec![(0, changed(Cancelled)), (1, freed())]));
    }
}

#[test]
fn an_appointment_that_has_ended_in_any_way_stays_as_it_is() {
    for from in [Completed, Cancelled, NoShow] {
        for status in [Confirmed, Completed, Cancelled, NoShow] {
            let expected = if from == status {
                Ok(vec![])
            } else {
                Err(Refusal::InvalidTransition { from, to: status })
            };
            given::<Bookings>(history(from)).when(command("10:00", to(status))).then(expected);
        }
        given::<Bookings>(history(from))
            .when(command("08:00", Action::Reschedule(moving(ID, monday("11:00")))))
            .then(Err(Refusal::InvalidTransition { from, to: from }));
    }
}

#[test]
fn a_second_confirmation_records_nothing() {
    given::<Bookings>(history(Confirmed)).when(command("08:00", to(Confirmed))).then(Ok(vec![]));
}

#[test]
fn an_outcome_is_not_known_before_the_start() {
    for status in [Completed, NoShow] {
        given::<Bookings>(history(Confirmed))
            .when(command("08:59", to(status)))
            .then(Err(Refusal::NotStarted));
    }
}

#[test]
fn what_was_never_booked_cannot_be_changed() {
    for status in [Confirmed, Completed, Cancelled, NoShow] {
        given::<Bookings>([])
            .when(command("08:00", to(status)))
            .then(Err(Refusal::AppointmentNotFound));
    }
    given::<Bookings>([])
        .when(command("08:00", Action::Reschedule(moving(ID, monday("11:00")))))
        .then(Err(Refusal::AppointmentNotFound));
}

#[test]
fn a_moved_appointment_frees_its_old_time_and_takes_the_new_one() {
    for from in [Pending, Confirmed] {
        let mut diary = Diary::new(settings(&[(
            "bookings",
            json!({ "requires_confirmation": from == Pending }),
        )]));
        let id = diary.book(monday("09:00")).expect("it is free");
        let events =
            diary.execute(Action::Reschedule(moving(id, monday("11:00")))).expect("it is free");
        let BookingEvent::Appointment(AppointmentEvent::Rescheduled(moved)) = &events[0] else {
            panic!("{events:?}");
        };
        let expected = AppointmentRescheduled {
            from: monday("09:00"),
            slot: slot("11:00"),
            call_id: None,
            settings_version: 1,
            reminders: Offsets::default(),
        };
        assert_eq!(*moved, expected);
        assert!(matches!(events[1], BookingEvent::Schedule(ScheduleEvent::SlotFreed(_))));
        assert!(matches!(events[2], BookingEvent::Schedule(ScheduleEvent::SlotTaken(_))));
        diary.book(monday("09:00")).expect("the old time is free (19)");
        assert_eq!(diary.book(monday("11:00")), Err(Refusal::SlotTaken));
        let status =
            diary.state(&[Stream::new(StreamId(id.0), crate::envelope::StreamKind::Appointment)]);
        assert_eq!(status.appointment.expect("it exists").status, from);
    }
}

#[test]
fn a_move_over_its_own_old_time_works() {
    // (20)
    let mut diary = Diary::new(settings(&[]));
    let id = diary.book(monday("09:00")).expect("it is free");
    diary.reschedule(id, monday("09:15")).expect("only its own time is in the way");
    assert_eq!(diary.slot(id).starts_at, monday("09:15"));
    diary.book(monday("08:45")).expect("its old time is free up to the new start");
}

#[test]
fn a_move_to_where_it_is_records_nothing() {
    let mut diary = Diary::new(settings(&[]));
    let id = diary.book(monday("09:00")).expect("it is free");
    assert_eq!(diary.reschedule(id, monday("09:00")), Ok(0));
}

#[test]
fn a_refused_move_keeps_the_old_time() {
    // (22)
    let mut diary = Diary::new(settings(&[]));
    let id = diary.book(monday("09:00")).expect("it is free");
    diary.book(monday("11:00")).expect("it is free");
    assert_eq!(diary.reschedule(id, monday("11:15")), Err(Refusal::SlotTaken));
    assert_eq!(diary.slot(id), slot("09:00"));
    assert_eq!(diary.book(monday("09:00")), Err(Refusal::SlotTaken));
}

#[test]
fn a_move_by_an_outdated_start_is_refused() {
    // (21)
    let mut diary = Diary::new(settings(&[]));
    let id = diary.book(monday("09:00")).expect("it is free");
    diary.reschedule(id, monday("11:00")).expect("it is free");
    let from = Some(monday("09:00"));
    let outdated = Reschedule { from, ..moving(id, monday("12:00")) };
    assert_eq!(diary.execute(Action::Reschedule(outdated)).map(|_| ()), Err(Refusal::Moved));
}

#[test]
fn the_id_of_an_appointment_is_used_once() {
    let mut diary = Diary::new(settings(&[]));
    let mut book = diary.new_booking(monday("09:00"));
    diary.execute(Action::Book(book.clone())).expect("it is free");
    book.contact_id = SubjectId(Uuid::from_u128(99));
    book.starts_at = monday("12:00");
    let again = diary.execute(Action::Book(book)).map(|_| ());
    assert_eq!(again, Err(Refusal::AppointmentExists));
}

#[test]
fn reminders_are_those_of_the_settings_at_the_booking_and_at_the_move() {
    let mut diary =
        Diary::new(settings(&[("reminders", json!({ "offsets_minutes": [60, 2880] }))]));
    let book = diary.new_booking(monday("09:00"));
    let id = book.appointment_id;
    let booked = diary.execute(Action::Book(book)).expect("it is free");
    diary.settings = Arc::new(settings(&[("reminders", json!({ "offsets_minutes": [] }))]));
    let moved = diary.execute(Action::Reschedule(moving(id, monday("11:00")))).expect("it is free");
    let BookingEvent::Appointment(AppointmentEvent::Booked(booked)) = &booked[0] else {
        panic!("{booked:?}");
    };
    let BookingEvent::Appointment(AppointmentEvent::Rescheduled(moved)) = &moved[0] else {
        panic!("{moved:?}");
    };
    assert_eq!((booked.reminders.minutes(), moved.reminders.minutes()), (&[2880, 60][..], &[][..]));
}
