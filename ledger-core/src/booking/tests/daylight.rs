//! Days with 23 and 25 hours, other zones, and UTC midnight.

use super::*;
use crate::booking::local;

const NEW_YORK: Tz = Tz::America__New_York;

fn local_day(zone: Tz, date: &str) -> Interval {
    local::day(zone, date.parse().expect("a date")).expect("a day")
}

fn offered_in(zone: Tz, hours: Value, step: u32, date: &str) -> Vec<String> {
    let rules = json!({ "step_minutes": step });
    let diary = Diary::new(settings_in(zone, &[("hours", hours), ("bookings", rules)]));
    let day = local_day(zone, date);
    let query = availability::Query { kind: Kind::default(), from: day.start(), until: day.end() };
    let shown = |at: DateTime<Utc>| at.with_timezone(&zone).format("%H:%M%:::z").to_string();
    diary.offers(&query).into_iter().map(|offer| shown(offer.starts_at)).collect()
}

#[test]
fn opening_hours_are_wall_clock_on_both_sides_of_a_change() {
    // (24)
    for date in ["2026-03-07", "2026-03-08", "2026-03-09", "2026-10-31", "2026-11-01"] {
        let offered = offered_in(NEW_YORK, every_day("09:00", "17:00"), 60, date);
        assert_eq!(offered.len(), 8, "{date}");
        assert!(offered[0].starts_with("09:00"), "{date}: {offered:?}");
    }
}

#[test]
fn a_day_has_as_many_slots_as_hours() {
    // (26)
    let all_day = |date| offered_in(NEW_YORK, json!({}), 60, date);
    assert_eq!(all_day("2026-03-08").len(), 23);
    assert_eq!(all_day("2026-11-01").len(), 25);
    assert_eq!(
        all_day("2026-11-01")[..4],
        ["00:00-04", "01:00-04", "01:00-05", "02:00-05"],
        "both hours from one to two"
    );
    assert_eq!(all_day("2026-03-08")[..3], ["00:00-05", "01:00-05", "03:00-04"]);
}

#[test]
fn the_last_slot_of_a_changed_day_can_be_booked() {
    // (27)
    for date in ["2026-03-08", "2026-11-01"] {
        let mut diary =
            Diary::new(settings_in(NEW_YORK, &[("hours", every_day("00:00", "24:00"))]));
        let day = local_day(NEW_YORK, date);
        diary.book(day.end() - minutes(30)).expect("the last one");
        diary.book(day.start()).expect("the first one");
    }
}

#[test]
fn hours_that_begin_in_a_gap_begin_at_the_change() {
    let offered = offered_in(NEW_YORK, every_day("02:30", "04:00"), 30, "2026-03-08");
    assert_eq!(offered, ["03:00-04", "03:30-04"]);
}

#[test]
fn hours_that_begin_in_a_repeated_hour_include_both() {
    let offered = offered_in(NEW_YORK, every_day("01:00", "02:00"), 60, "2026-11-01");
    assert_eq!(offered, ["01:00-04", "01:00-05"]);
}

#[test]
fn notice_is_elapsed_time_also_on_the_day_of_a_change() {
    // (25)
    let rules = json!({ "minimum_notice_minutes": 180 });
    let mut diary = Diary::new(settings_in(NEW_YORK, &[("bookings", rules)]));
    diary.now = at("2026-03-08T05:00:00Z");
    assert_eq!(diary.book(at("2026-03-08T07:59:00Z")), Err(Refusal::TooShortNotice));
    diary.book(at("2026-03-08T08:00:00Z")).expect("three hours later, at four by the clock");
}

#[test]
fn the_hours_of_the_tenant_hold_whatever_the_zone_of_the_server() {
    // (28) (29)
    let mut diary =
        Diary::new(settings_in(Tz::Pacific__Auckland, &[("hours", every_day("09:00", "17:00"))]));
    // 9:00 on Monday in Auckland is Sunday evening in UTC.
    diary.now = at("2026-03-01T19:00:00Z");
    diary.book(at("2026-03-01T20:00:00Z")).expect("it opens at nine");
    assert_eq!(diary.book(at("2026-03-01T19:30:00Z")), Err(Refusal::OutsideHours));
}

#[test]
fn an_appointment_over_utc_midnight_is_in_the_way_on_both_days() {
    // (34)
    let zone = Tz::America__Los_Angeles;
    let mut diary = Diary::new(settings_in(zone, &[]));
    let id = diary.book_minutes(at("2026-03-02T23:30:00Z"), 60);
    id.expect("half past three in the afternoon");
    assert_eq!(diary.log.len(), 3, "the appointment and two days");
    assert_eq!(diary.book(at("2026-03-03T00:00:00Z")), Err(Refusal::SlotTaken));
    assert_eq!(diary.book(at("2026-03-02T23:30:00Z")), Err(Refusal::SlotTaken));
    diary.book(at("2026-03-03T00:30:00Z")).expect("it has ended");
}

#[test]
fn buffers_over_utc_midnight_are_in_the_way_on_the_other_day() {
    let services = json!({ "services": [
        { "id": "cut", "minutes": 30, "buffer_before_minutes": 60, "buffer_after_minutes": 60 },
    ]});
    let mut diary = Diary::new(settings(&[("services", services)]));
    let kind = Kind { service: Some(service("cut")), ..Kind::default() };
    diary.book_kind(at("2026-03-03T00:30:00Z"), kind).expect("it is free");
    assert_eq!(diary.book(at("2026-03-02T23:15:00Z")), Err(Refusal::SlotTaken));
    diary.book(at("2026-03-02T23:00:00Z")).expect("it ends where the buffer begins");
}

#[test]
fn a_change_of_the_zone_moves_no_booking() {
    let mut diary = Diary::new(settings_in(NEW_YORK, &[("hours", every_day("09:00", "17:00"))]));
    let id = diary.book(at("2026-03-02T14:00:00Z")).expect("nine in New York");
    let taken = diary.slot(id);
    for zone in [Tz::Asia__Tokyo, Tz::Pacific__Honolulu, Tz::UTC] {
        diary.set(settings_in(zone, &[]));
        assert_eq!(diary.slot(id), taken);
        assert_eq!(diary.book(at("2026-03-02T14:15:00Z")), Err(Refusal::SlotTaken), "{zone}");
        diary.reschedule(id, at("2026-03-04T23:50:00Z")).expect("it is free");
        diary.reschedule(id, at("2026-03-02T14:00:00Z")).expect("it is free again");
    }
    diary.cancel(id).expect("it is to take place");
    diary.book(at("2026-03-02T14:15:00Z")).expect("it is free");
}
