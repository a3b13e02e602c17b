//! Closures and holds.

use super::*;

const HOLD: HoldId = HoldId(Uuid::from_u128(70));
const CLOSURE: ClosureId = ClosureId(Uuid::from_u128(71));

fn close(from: DateTime<Utc>, until: DateTime<Utc>) -> Action {
    let period = Interval::new(from, until).expect("a period");
    Action::Close { closure_id: CLOSURE, resource: resource("main"), period }
}

fn open(from: DateTime<Utc>) -> Action {
    Action::Open { closure_id: CLOSURE, resource: resource("main"), closed_from: from }
}

fn release(starts_at: DateTime<Utc>) -> Action {
    Action::ReleaseHold { hold_id: HOLD, resource: resource("main"), starts_at }
}

fn held(diary: &mut Diary, starts_at: DateTime<Utc>) -> Book {
    let mut book = diary.new_booking(starts_at);
    (book.hold, book.kind.resource) = (Some(HOLD), Some(resource("main")));
    book
}

#[test]
fn a_closed_local_day_is_closed_in_every_zone_until_it_is_opened() {
    // (35)
    for zone in [Tz::America__Los_Angeles, Tz::Pacific__Kiritimati, Tz::Asia__Kolkata] {
        let mut diary = Diary::new(settings_in(zone, &[]));
        let date = monday("00:00").date_naive();
        let day = crate::booking::local::day(zone, date).expect("a day");
        diary.execute(close(day.start(), day.end())).expect("it is open");
        assert!(diary.offered(day.start(), day.end()).is_empty(), "{zone}");
        assert_eq!(diary.book(day.start()), Err(Refusal::Closed));
        assert_eq!(diary.book(day.end() - minutes(30)), Err(Refusal::Closed));
        diary.book(day.start() - minutes(30)).expect("it is the day before");
        diary.book(day.end()).expect("it is the day after");
        diary.execute(open(day.start())).expect("it is closed");
        diary.book(day.end() - minutes(30)).expect("it is open again");
    }
}

#[test]
fn a_closure_leaves_appointments_and_refuses_new_ones() {
    let mut diary = Diary::new(settings(&[]));
    let id = diary.book(monday("09:00")).expect("it is free");
    diary.execute(close(monday("08:00"), monday("12:00"))).expect("it is open");
    assert_eq!(diary.slot(id).starts_at, monday("09:00"));
    assert_eq!(diary.reschedule(id, monday("10:00")), Err(Refusal::Closed));
    diary.reschedule(id, monday("12:00")).expect("it is free");
    let again = diary.execute(close(monday("08:00"), monday("12:00"))).expect("it is known");
    assert_eq!(again, []);
}

#[test]
fn buffers_may_be_in_a_closure_unless_the_rule_says_otherwise() {
    let services =
        json!({ "services": [{ "id": "cut", "minutes": 30, "buffer_after_minutes": 30 }] });
    for (rule, expected) in [("appointment", Ok(())), ("buffers", Err(Refusal::Closed))] {
        let rules = json!({ "closures": rule });
        let mut diary =
            Diary::new(settings(&[("services", services.clone()), ("bookings", rules)]));
        diary.execute(close(monday("10:00"), monday("12:00"))).expect("it is open");
        let kind = Kind { service: Some(service("cut")), ..Kind::default() };
        assert_eq!(diary.book_kind(monday("09:30"), kind).map(|_| ()), expected);
    }
}

#[test]
fn a_closure_is_refused_where_it_cannot_be() {
    let mut diary = Diary::new(settings(&[]));
    let long = close(monday("00:00"), monday("00:00") + minutes(60 * 24 * 40));
    assert_eq!(diary.execute(long).map(|_| ()), Err(Refusal::InvalidPeriod));
    let year = close(monday("00:00"), monday("00:00") + minutes(60 * 24 * 400_000));
    assert_eq!(diary.execute(year).map(|_| ()), Err(Refusal::InvalidPeriod));
    diary.now = monday("12:00");
    let past = close(monday("08:00"), monday("12:00"));
    assert_eq!(diary.execute(past).map(|_| ()), Err(Refusal::Past));
    assert_eq!(diary.execute(open(monday("08:00"))).map(|_| ()), Err(Refusal::ClosureNotFound));
    let period = Interval::new(monday("13:00"), monday("14:00")).expect("a period");
    let unknown = Action::Close { closure_id: CLOSURE, resource: resource("z"), period };
    assert_eq!(diary.execute(unknown).map(|_| ()), Err(Refusal::UnknownResource));
}

#[test]
fn a_hold_takes_its_time_until_its_end_without_a_further_event() {
    // (41)
    let mut diary = Diary::new(settings(&[]));
    diary.now = monday("08:00");
    diary.execute(hold(HOLD, monday("09:00"), monday("08:05"))).expect("it is free");
    let known = diary.execute(hold(HOLD, monday("09:00"), monday("08:05"))).expect("it is known");
    assert_eq!(known, []);
    assert_eq!(diary.book(monday("09:00")), Err(Refusal::SlotTaken));
    diary.now = monday("08:05");
    let late = held(&mut diary, monday("09:00"));
    assert_eq!(diary.execute(Action::Book(late)).map(|_| ()), Err(Refusal::HoldExpired));
    assert_eq!(diary.execute(release(monday("09:00"))), Ok(vec![]));
    diary.book(monday("09:00")).expect("the hold has ended");
}

#[test]
fn a_confirmed_hold_is_an_appointment() {
    let mut diary = Diary::new(settings(&[]));
    let late = at("2026-03-02T23:45:00Z");
    diary.now = monday("23:00");
    diary.execute(hold(HOLD, late, monday("23:30"))).expect("it is free");
    let book = held(&mut diary, late);
    let events = diary.execute(Action::Book(book.clone())).expect("it is held for it");
    assert_eq!(events.len(), 3, "the appointment, and both days that it touches");
    diary.now = monday("23:40");
    assert_eq!(diary.book(late), Err(Refusal::SlotTaken), "the hold's end is over");
    diary.cancel(book.appointment_id).expect("it is to take place");
    diary.book(late).expect("both days are free again");
}

#[test]
fn a_released_hold_frees_its_time() {
    let mut diary = Diary::new(settings(&[]));
    diary.now = monday("08:00");
    diary.execute(hold(HOLD, monday("09:00"), monday("08:30"))).expect("it is free");
    let other = HoldId(Uuid::from_u128(75));
    let second = diary.execute(hold(other, monday("09:15"), monday("08:30")));
    assert_eq!(second.map(|_| ()), Err(Refusal::SlotTaken));
    diary.execute(release(monday("09:00"))).expect("it is held");
    diary.book(monday("09:00")).expect("it is free again");
    let gone = diary.execute(release(monday("09:00")));
    assert_eq!(gone.map(|_| ()), Err(Refusal::HoldNotFound));
}

#[test]
fn a_hold_is_confirmed_at_its_own_start_only() {
    let mut diary = Diary::new(settings(&[]));
    diary.now = monday("08:00");
    diary.execute(hold(HOLD, monday("09:00"), monday("08:30"))).expect("it is free");
    let other = held(&mut diary, monday("09:15"));
    assert_eq!(diary.execute(Action::Book(other)).map(|_| ()), Err(Refusal::HoldNotFound));
    for until in [monday("08:00"), monday("09:01")] {
        let refused = diary.execute(hold(HoldId(Uuid::from_u128(76)), monday("12:00"), until));
        assert_eq!(refused.map(|_| ()), Err(Refusal::InvalidPeriod), "an hour is the longest");
    }
}

#[test]
fn the_notice_of_a_held_slot_is_that_of_the_hold() {
    let mut diary = Diary::new(settings(&[("bookings", json!({ "minimum_notice_minutes": 30 }))]));
    diary.now = monday("08:00");
    diary.execute(hold(HOLD, monday("08:30"), monday("09:00"))).expect("it is half an hour ahead");
    let book = held(&mut diary, monday("08:30"));
    diary.now = monday("08:31");
    let late = diary.execute(Action::Book(book.clone())).map(|_| ());
    assert_eq!(late, Err(Refusal::Past));
    diary.now = monday("08:20");
    diary.execute(Action::Book(book)).expect("its notice was kept");
}
