//! Hours, capacity, buffers, lengths, notice and limits.

use super::*;
use crate::event::AppointmentStatus;

fn two_services(after: u32) -> Value {
    json!({ "services": [
        { "id": "cut", "minutes": 20, "buffer_after_minutes": after, "price_cents": 4500, "currency": "EUR" },
        { "id": "wash", "minutes": 30, "buffer_before_minutes": 10 },
    ]})
}

fn of_service(id: &str) -> Kind {
    Kind { service: Some(service(id)), ..Kind::default() }
}

#[test]
fn overlapping_times_are_refused_in_both_orders() {
    // (2)
    for (first, second) in [("09:00", "09:15"), ("09:15", "09:00")] {
        let mut diary = Diary::new(settings(&[]));
        diary.book(monday(first)).expect("it is free");
        assert_eq!(diary.book(monday(second)), Err(Refusal::SlotTaken));
    }
}

#[test]
fn a_pending_appointment_takes_its_time() {
    // (3)
    let mut diary = Diary::new(settings(&[("bookings", json!({ "requires_confirmation": true }))]));
    let id = diary.book(monday("09:00")).expect("it is free");
    assert_eq!(diary.book(monday("09:00")), Err(Refusal::SlotTaken));
    let BookingEvent::Appointment(AppointmentEvent::Booked(booked)) = &diary.log[0].1 else {
        panic!("the first event is of the appointment");
    };
    assert_eq!(booked.status, AppointmentStatus::Pending);
    diary.execute(Action::Confirm(change(id))).expect("it is pending");
    assert_eq!(diary.book(monday("09:00")), Err(Refusal::SlotTaken));
}

#[test]
fn buffers_block_their_time_once_on_each_side() {
    // (6) (7) (8) (9) (10)
    let mut diary = Diary::new(settings(&[("services", two_services(5))]));
    diary.book_kind(monday("09:00"), of_service("cut")).expect("it is free");
    assert_eq!(diary.book_kind(monday("09:24"), of_service("cut")), Err(Refusal::SlotTaken));
    assert_eq!(
        diary.book_kind(monday("09:30"), of_service("wash")),
        Err(Refusal::SlotTaken),
        "the buffer before it would begin at 9:20"
    );
    let query = availability::Query {
        kind: of_service("cut"),
        from: monday("09:01"),
        until: monday("10:00"),
    };
    assert_eq!(clock(diary.offers(&query)[0].starts_at), "09:25");
    diary.book_kind(monday("09:35"), of_service("wash")).expect("the buffers touch");
    assert_eq!(
        diary.book_kind(monday("08:35"), of_service("cut")).map(|_| ()),
        Ok(()),
        "its buffer ends where the other appointment begins"
    );
}

#[test]
fn capacity_is_the_number_of_simultaneous_appointments() {
    // (11) (13) (14)
    let capacity = |capacity: u32| {
        settings(&[("resources", json!({ "resources": [{ "id": "main", "capacity": capacity }] }))])
    };
    let mut diary = Diary::new(capacity(2));
    diary.book_minutes(monday("09:00"), 60).expect("A");
    diary.book_minutes(monday("10:00"), 60).expect("B");
    diary.book_minutes(monday("09:30"), 60).expect("A and B do not meet");
    assert_eq!(diary.book_minutes(monday("09:30"), 60), Err(Refusal::SlotTaken));
    assert!(diary.offered(monday("10:30"), monday("10:31")).contains(&"10:30".to_owned()));

    diary.set(capacity(1));
    assert_eq!(diary.book_minutes(monday("10:30"), 30), Err(Refusal::SlotTaken));
    diary.book_minutes(monday("11:00"), 30).expect("nothing is there");
}

#[test]
fn any_resource_is_the_least_booked_free_one() {
    // (15) (16) (17)
    let three = json!({ "resources": [
        { "id": "a" }, { "id": "b" },
        { "id": "c", "hours": every_day("09:00", "09:15") },
    ]});
    let mut diary = Diary::new(settings(&[("resources", three)]));
    diary.book_on("a", monday("09:00")).expect("it is free");
    let second = diary.book(monday("09:00")).expect("b is free");
    assert_eq!(diary.slot(second).resource, resource("b"));
    assert_eq!(diary.book(monday("09:00")), Err(Refusal::SlotTaken), "c is open for half of it");
    let third = diary.book(monday("12:00")).expect("a and b are free");
    let fourth = diary.book(monday("13:00")).expect("a and b are free");
    let on = |diary: &Diary, id| diary.slot(id).resource;
    assert_eq!(on(&diary, third), resource("a"), "equal loads: the first");
    assert_eq!(on(&diary, fourth), resource("b"), "b has fewer by now");
}

#[test]
fn a_service_takes_place_on_its_resources_only() {
    let two = json!({ "resources": [{ "id": "a" }, { "id": "b" }] });
    let services = json!({ "services": [
        { "id": "cut", "minutes": 30, "resources": ["b"] },
        { "id": "gone", "minutes": 30, "resources": ["z"] },
    ]});
    let mut diary = Diary::new(settings(&[("resources", two), ("services", services)]));
    let id = diary.book_kind(monday("09:00"), of_service("cut")).expect("b is free");
    assert_eq!(diary.slot(id).resource, resource("b"));
    assert_eq!(diary.book_kind(monday("09:00"), of_service("cut")), Err(Refusal::SlotTaken));
    let on_a = Kind { resource: Some(resource("a")), ..of_service("cut") };
    assert_eq!(diary.book_kind(monday("12:00"), on_a), Err(Refusal::UnfitResource));
    assert_eq!(diary.book_kind(monday("12:00"), of_service("gone")), Err(Refusal::NoResource));
}

#[test]
fn what_does_not_exist_is_refused_by_name() {
    let services = json!({ "services": [{ "id": "cut", "minutes": 30 }] });
    let mut diary = Diary::new(settings(&[("services", services)]));
    assert_eq!(diary.book_on("z", monday("09:00")), Err(Refusal::UnknownResource));
    assert_eq!(diary.book_kind(monday("09:00"), of_service("z")), Err(Refusal::UnknownService));
    for minutes in [0, 24 * 60 + 1, 40 * 60, u32::MAX] {
        assert_eq!(diary.book_minutes(monday("09:00"), minutes), Err(Refusal::InvalidDuration));
    }
    diary.book_minutes(monday("09:00"), 24 * 60).expect("a day is the longest");
}

#[test]
fn a_tenant_without_a_list_of_services_has_any_service_of_the_default_length() {
    let mut diary = Diary::new(settings(&[]));
    let id = diary.book_kind(monday("09:00"), of_service("z")).expect("any service");
    let slot = diary.slot(id);
    assert_eq!(slot.ends_at - slot.starts_at, minutes(30));
}

#[test]
fn a_start_is_a_whole_minute_that_is_to_come() {
    // (36) (37) (38)
    let mut diary = Diary::new(settings(&[("bookings", json!({ "horizon_days": 30 }))]));
    diary.now = at("2026-03-02T09:00:20Z");
    for (start, refusal) in [
        ("2026-03-02T08:59:00Z", Refusal::Past),
        ("2025-03-02T12:00:00Z", Refusal::Past),
        ("2026-03-02T12:00:30Z", Refusal::InvalidStart),
        ("2026-04-02T12:00:00Z", Refusal::TooFarAhead),
        ("+262000-01-01T00:00:00Z", Refusal::TooFarAhead),
    ] {
        assert_eq!(diary.book(at(start)), Err(refusal), "{start}");
    }
    diary.book(monday("09:00")).expect("this very minute");

    diary.set(settings(&[("bookings", json!({ "minimum_notice_minutes": 120 }))]));
    assert_eq!(diary.book(monday("11:00")), Err(Refusal::TooShortNotice));
    assert!(!diary.offered(monday("10:00"), monday("11:01")).contains(&"11:00".to_owned()));
    diary.book(monday("11:01")).expect("it is two hours ahead");
}

#[test]
fn the_daily_limit_counts_local_days_of_a_resource() {
    // (39)
    let zone = Tz::America__Los_Angeles;
    let limit = [("bookings", json!({ "daily_limit": 2 }))];
    let mut diary = Diary::new(settings_in(zone, &limit));
    // Both sides of UTC midnight are Monday in Los Angeles.
    diary.book(at("2026-03-02T17:00:00Z")).expect("the first");
    let second = diary.book(at("2026-03-03T01:00:00Z")).expect("the second");
    assert_eq!(diary.book(at("2026-03-02T20:00:00Z")), Err(Refusal::DailyLimit));
    assert!(diary.offered(at("2026-03-02T20:00:00Z"), at("2026-03-03T08:00:00Z")).is_empty());
    diary.book(at("2026-03-03T08:00:00Z")).expect("it is Tuesday");
    diary.reschedule(second, at("2026-03-03T02:00:00Z")).expect("it counts once");
    diary.cancel(second).expect("it is to take place");
    diary.book(at("2026-03-02T20:00:00Z")).expect("there is one left");
}

#[test]
fn an_appointment_is_within_the_hours_and_its_buffers_need_not_be() {
    // (31)
    let hours = every_day("09:00", "24:00");
    let services = two_services(60);
    let mut diary = Diary::new(settings(&[("hours", hours), ("services", services)]));
    diary.book_kind(monday("09:00"), of_service("wash")).expect("its buffer begins at 8:50");
    diary.book_kind(monday("23:40"), of_service("cut")).expect("it ends at 24:00");
    assert_eq!(diary.book(monday("08:45")), Err(Refusal::OutsideHours));
    assert_eq!(diary.book(at("2026-03-03T23:45:00Z")), Err(Refusal::OutsideHours));
    diary.book(at("2026-03-03T23:30:00Z")).expect("it ends at 24:00");
}

#[test]
fn hours_last_past_midnight() {
    // (30) (32) (33)
    let mut diary = Diary::new(settings(&[("hours", every_day("22:30", "02:00"))]));
    diary.book_minutes(monday("23:30"), 60).expect("it is open");
    assert_eq!(diary.book_minutes(at("2026-03-03T01:30:00Z"), 60), Err(Refusal::OutsideHours));

    let saturday = json!({ "weekdays": { "saturday": [{ "from": "18:00", "to": "02:00" }] } });
    let mut diary = Diary::new(settings(&[("hours", saturday)]));
    let sunday = |clock: &str| at(&format!("2026-03-08T{clock}:00Z"));
    assert_eq!(
        diary.offered(sunday("00:30"), sunday("23:59")),
        ["00:30", "00:45", "01:00", "01:15", "01:30"]
    );
    diary.book(sunday("00:30")).expect("Saturday's hours last until two");
    assert_eq!(diary.book(sunday("02:00")), Err(Refusal::OutsideHours));

    let midnight = json!({ "weekdays": { "saturday": [{ "from": "18:00", "to": "24:00" }] } });
    let mut diary = Diary::new(settings(&[("hours", midnight)]));
    assert_eq!(diary.book(sunday("00:00")), Err(Refusal::OutsideHours));
    assert!(diary.offered(sunday("00:00"), sunday("23:59")).is_empty());
}

#[test]
fn a_date_has_hours_of_its_own() {
    let mut hours = every_day("09:00", "17:00");
    hours["exceptions"] = json!([
        { "date": "2026-03-02", "intervals": [{ "from": "10:00", "to": "11:00" }] },
        { "date": "2026-03-03", "intervals": [] },
    ]);
    let diary = Diary::new(settings(&[("hours", hours)]));
    let day = |day: u32| at(&format!("2026-03-{day:02}T00:00:00Z"));
    assert_eq!(diary.offered(day(2), day(4)), ["10:00", "10:15", "10:30"]);
    assert_eq!(diary.offered(day(4), day(5)).len(), 31);
}

#[test]
fn a_booking_keeps_its_times_and_price_when_the_settings_change() {
    let mut diary = Diary::new(settings(&[("services", two_services(60))]));
    let id = diary.book_kind(monday("09:00"), of_service("cut")).expect("it is free");
    let before = diary.slot(id);
    assert_eq!(before.blocked_until, monday("10:20"));
    diary.set(settings(&[
        ("services", two_services(0)),
        ("hours", every_day("12:00", "13:00")),
        ("bookings", json!({ "minimum_notice_minutes": 600 })),
    ]));
    assert_eq!(diary.slot(id), before);
    diary.set(settings(&[("services", two_services(0))]));
    assert_eq!(diary.book(monday("09:45")), Err(Refusal::SlotTaken), "its buffer stays");
    let BookingEvent::Appointment(AppointmentEvent::Booked(booked)) = &diary.log[0].1 else {
        panic!("the first event is of the appointment");
    };
    assert_eq!((booked.price_cents, booked.currency.as_deref()), (Some(4500), Some("EUR")));
    assert_eq!(booked.settings_version, 1);
}

#[test]
fn an_appointment_whose_service_is_gone_moves_with_its_old_length_and_buffers() {
    let mut diary = Diary::new(settings(&[("services", two_services(60))]));
    let id = diary.book_kind(monday("09:00"), of_service("cut")).expect("it is free");
    diary.set(settings(&[]));
    diary.reschedule(id, monday("12:00")).expect("it is free");
    let slot = diary.slot(id);
    assert_eq!((slot.ends_at, slot.blocked_until), (monday("12:20"), monday("13:20")));
    diary.cancel(id).expect("it is to take place");
    diary.book(monday("12:00")).expect("it is free again (18)");
}

#[test]
fn a_long_appointment_under_way_takes_its_later_half() {
    // (40)
    let mut diary = Diary::new(settings(&[]));
    diary.book_minutes(monday("09:00"), 300).expect("it is free");
    diary.now = monday("12:00");
    assert_eq!(diary.book(monday("13:30")), Err(Refusal::SlotTaken));
    assert_eq!(diary.offered(monday("12:00"), monday("14:30")), ["14:00", "14:15"]);
}
