//! Which time of day is meant.

use super::{LONDON, NEW_YORK, OFFICE, Reader};

#[test]
fn hours_and_minutes_from_now_are_elapsed_time_to_the_minute() {
    let with_seconds = Reader { reference: "2026-11-30T10:00:37.5-05:00", ..NEW_YORK };
    with_seconds.check(&[
        ("in half an hour", "11-30 10:30"),
        ("in an hour and a half", "11-30 11:30"),
        ("in 2 and a half hours", "11-30 12:30"),
        ("in 2.5 hours", "11-30 12:30"),
        ("in 1 hour and 30 minutes", "11-30 11:30"),
        ("90 minutes from now", "11-30 11:30"),
        ("in 24 hours", "12-01 10:00"),
        ("today at 10:00", "11-30 10:00"),
        ("today at 09:59", "past"),
        ("in two hours tomorrow", "contradiction"),
    ]);
}

#[test]
fn two_numbers_with_a_dot_or_hyphen_beside_a_date_are_a_time() {
    OFFICE.check(&[
        ("tomorrow 12.10", "12-01 12:10"),
        ("14.30", "missing date 14:30"),
        ("24.12", "missing time 12-24"),
        ("tomorrow 2-3", "missing time 12-01 from 14:00 to 15:00"),
        ("12-24 at 2 pm", "12-24 14:00"),
    ]);
}

#[test]
fn an_hour_without_its_half_of_the_day_needs_hours_or_a_part_of_the_day() {
    NEW_YORK.check(&[
        ("tomorrow at 3:30", "am-pm? 12-01 03:30, 12-01 15:30"),
        ("tomorrow at 10", "am-pm? 12-01 10:00, 12-01 22:00"),
        ("tomorrow at 12", "am-pm? 12-01 00:00, 12-01 12:00"),
        ("tomorrow at 3 in the afternoon", "12-01 15:00"),
        ("3 in the afternoon tomorrow", "12-01 15:00"),
        ("Friday evening at 7", "12-04 19:00"),
        ("Friday night at 1", "am-pm? 12-04 01:00, 12-04 13:00"),
        ("8 tonight", "11-30 20:00"),
        ("tonight at 11:30", "11-30 23:30"),
        ("tomorrow at 09:00 in the evening", "12-01 21:00"),
        ("the evening of December 5th at 12:30", "am-pm? 12-05 00:30, 12-05 12:30"),
        ("next Tuesday at half past three", "am-pm? 12-01 15:30, 12-08 15:30, 12-01 03:30"),
        ("tomorrow at 11 in the afternoon", "contradiction"),
        ("tomorrow at 9 pm in the morning", "contradiction"),
    ]);
    OFFICE.check(&[
        ("tomorrow at 3:30", "12-01 15:30"),
        ("tomorrow at 5", "am-pm? 12-01 05:00, 12-01 17:00"),
        ("tomorrow at quarter to one", "12-01 12:45"),
        ("today at 9", "past"),
        ("Tuesday=>3", "12-01 15:00"),
    ]);
}

#[test]
fn two_written_digits_are_the_24_hour_clock() {
    NEW_YORK.check(&[
        ("tomorrow at 10:30", "12-01 10:30"),
        ("tomorrow at 09", "12-01 09:00"),
        ("tomorrow at 0900", "12-01 09:00"),
        ("tomorrow 1430", "12-01 14:30"),
        ("tomorrow at 14h30", "12-01 14:30"),
        ("tomorrow at oh nine hundred", "12-01 09:00"),
        ("tomorrow at zero nine thirty", "12-01 09:30"),
        ("2026-12-24T2:00 PM", "12-24 14:00"),
        ("tomorrow at twenty one hundred hours", "12-01 21:00"),
        ("tomorrow at 900", "am-pm? 12-01 09:00, 12-01 21:00"),
        ("Dec 24 1430", "12-24 14:30"),
    ]);
}

#[test]
fn times_in_words_are_read_to_the_minute() {
    NEW_YORK.check(&[
        ("tomorrow at 12 am", "12-01 00:00"),
        ("tomorrow at 12:30 am", "12-01 00:30"),
        ("tomorrow at quarter of nine am", "12-01 08:45"),
        ("tomorrow at a quarter till 9 am", "12-01 08:45"),
        ("tomorrow at twenty-five to four pm", "12-01 15:35"),
        ("tomorrow at quarter to 12 pm", "12-01 11:45"),
        ("tomorrow at half past noon", "12-01 12:30"),
        ("tomorrow at two oh five pm", "12-01 14:05"),
        ("tomorrow at eleven forty-five am", "12-01 11:45"),
        ("tomorrow at 3 o clock in the afternoon", "12-01 15:00"),
        ("tomorrow 10 to 4 pm", "time? 12-01 15:50"),
        ("tomorrow at 10 to 4 pm", "12-01 15:50"),
        ("tomorrow at 3ish pm", "unreadable"),
        ("tomorrow at 3 pm ish", "time? 12-01 15:00"),
        ("tomorrow around 3 pm", "12-01 15:00"),
        ("tonight at 12", "am-pm? 11-30 12:00"),
    ]);
    LONDON.check(&[("tomorrow at half three", "12-01 15:30")]);
    NEW_YORK.check(&[("tomorrow at half three pm", "time? 12-01 14:30, 12-01 15:30")]);
}

#[test]
fn a_time_that_no_clock_shows_is_refused() {
    NEW_YORK.check(&[
        ("tomorrow at 25:00", "impossible"),
        ("tomorrow at 12:60", "impossible"),
        ("tomorrow at 3:75 pm", "impossible"),
        ("tomorrow at 13 pm", "12-01 13:00"),
        ("tomorrow at 13 am", "contradiction"),
        ("tomorrow at 0 pm", "contradiction"),
        ("tomorrow at 2 pm 3 pm", "contradiction"),
        ("2026-12-24T24:00", "impossible 12-25 00:00"),
        ("2026-12-24T14:00+15:00", "impossible"),
    ]);
}

#[test]
fn a_range_has_a_length_and_a_wish_has_no_time() {
    NEW_YORK.check(&[
        ("tomorrow 2-4 pm", "missing time 12-01 from 14:00 to 16:00"),
        ("tomorrow from 2 to 3 pm", "12-01 14:00 for 60"),
        ("tomorrow 2:00-2:45 pm", "12-01 14:00 for 45"),
        ("tomorrow 14:00-15:30", "12-01 14:00 for 90"),
        ("tomorrow from 11 to 1 pm", "12-01 11:00 for 120"),
        ("tomorrow from 10 pm to 2 am", "12-01 22:00 for 240"),
        ("tomorrow from 10:30 to 11:30 pm", "12-01 22:30 for 60"),
        ("tomorrow 10:00-11:30", "12-01 10:00 for 90"),
        ("tomorrow from 10:30 to 11:30 in the evening", "12-01 22:30 for 60"),
        ("tomorrow between 10:30 and 11:30 pm", "missing time 12-01 from 22:30 to 23:30"),
        ("tomorrow no later than 5 pm", "missing time 12-01 to 17:00"),
        ("this time tomorrow", "missing time 12-01"),
        ("tomorrow from 9 to 5", "am-pm? 12-01 09:00, 12-01 21:00"),
        ("tomorrow at 2 pm for an hour and a half", "12-01 14:00 for 90"),
        ("tomorrow from 2 pm", "missing time 12-01 from 14:00"),
        ("tomorrow before noon", "missing time 12-01 to 12:00"),
        ("tomorrow between 2 and 4 pm", "missing time 12-01 from 14:00 to 16:00"),
        ("tomorrow early afternoon", "missing time 12-01 from 12:00 to 18:00"),
        ("after Friday at 3 pm", "missing date 15:00"),
        ("next week at 3 pm", "missing day 15:00"),
        ("sometime next week", "missing day,time"),
        ("any day at 3 pm", "missing date 15:00"),
        ("next available appointment on Tuesday", "missing time 12-01"),
        ("um, please", "missing date,time"),
    ]);
    OFFICE.check(&[
        ("tomorrow from 9 to 5", "12-01 09:00 for 480"),
        ("tomorrow after 3", "missing time 12-01 from 15:00"),
    ]);
}
