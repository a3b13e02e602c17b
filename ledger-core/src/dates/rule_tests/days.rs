//! Which date a day is.

use super::{LONDON, NEW_YORK, Reader};

#[test]
fn a_weekday_is_the_next_one_unless_its_week_is_in_doubt() {
    NEW_YORK.check(&[
        ("coming Friday at 3 pm", "12-04 15:00"),
        ("Monday at 3 pm", "week? 11-30 15:00, 12-07 15:00"),
        ("Monday", "week? 11-30, 12-07"),
        ("this Monday at 3 pm", "11-30 15:00"),
        ("this Monday at 9 am", "week? 12-07 09:00"),
        ("next Monday at 9 am", "12-07 09:00"),
        ("next Friday at 3 pm", "week? 12-04 15:00, 12-11 15:00"),
        ("next Tuesday the 8th at 2 pm", "12-08 14:00"),
        ("Friday next week at 3 pm", "12-11 15:00"),
        ("next week on Friday at 3 pm", "12-11 15:00"),
        ("Sunday of next week at 3 pm", "week? 12-06 15:00, 12-13 15:00"),
        ("the Friday after next at 3 pm", "week? 12-11 15:00, 12-18 15:00"),
        ("last Friday at 3 pm", "past"),
        ("Friday 3", "unreadable"),
    ]);
    LONDON.check(&[("Sunday of next week at 3 pm", "12-13 15:00")]);
}

#[test]
fn a_span_is_counted_from_today_or_from_a_named_day() {
    NEW_YORK.check(&[
        ("the day after tomorrow at 3 pm", "12-02 15:00"),
        ("day-after-tomorrow at 3pm", "12-02 15:00"),
        ("two days after tomorrow at 9 am", "12-03 09:00"),
        ("the day after Friday at 9 am", "12-05 09:00"),
        ("three weeks from Tuesday at 9 am", "12-22 09:00"),
        ("in a week from Friday at 9 am", "12-11 09:00"),
        ("a week on Friday at 9 am", "12-11 09:00"),
        ("a week tomorrow at 9 am", "12-08 09:00"),
        ("a fortnight today at 9 am", "12-14 09:00"),
        ("Monday week at noon", "week? 12-07 12:00, 12-14 12:00"),
        ("in two weeks' time at 2 pm", "12-14 14:00"),
        ("in two weeks on Tuesday at 3 pm", "12-15 15:00"),
        ("Tuesday in two weeks at 3 pm", "12-15 15:00"),
        ("three days from now at noon", "12-03 12:00"),
        ("in a month at 2 pm", "12-30 14:00"),
        ("in a couple of days", "missing day,time"),
        ("in 1000000 days at 2 pm", "unreadable"),
        ("in 9999 years at 2 pm", "impossible"),
        ("two weeks ago", "past"),
        ("an hour ago", "past"),
    ]);
    let friday = Reader { reference: "2026-12-04T10:00:00-05:00", ..NEW_YORK };
    friday.check(&[("Tuesday in two weeks at 3 pm", "week? 12-15 15:00, 12-22 15:00")]);
    let january = Reader { reference: "2027-01-31T10:00:00-05:00", ..NEW_YORK };
    january.check(&[("in a month at 2 pm", "date? 02-28 14:00, 03-01 14:00")]);
}

#[test]
fn a_weekday_beside_a_date_must_be_its_weekday() {
    NEW_YORK.check(&[
        ("Thursday December 24 at 3 pm", "12-24 15:00"),
        ("Friday December 24 at 3 pm", "contradiction"),
        ("Thursday the 24th at 3 pm", "12-24 15:00"),
        ("Thursday the 25th at 3 pm", "contradiction"),
        ("Monday the 30th at 4 pm", "11-30 16:00"),
        ("third Thursday at 3 pm", "unreadable"),
        ("last Friday of December at 3 pm", "12-25 15:00"),
        ("fifth Monday of February at 3 pm", "impossible"),
        ("first Monday of next month at 3 pm", "12-07 15:00"),
    ]);
}

#[test]
fn a_day_without_its_month_or_year_is_the_next_one_or_asked() {
    NEW_YORK.check(&[
        ("November 30 at 4 pm", "11-30 16:00"),
        ("November 29 at 9 am", "year? 11-29 09:00"),
        ("Feb 29 at 10 am", "year? 02-29 10:00"),
        ("January 4th 2027 at 9 am", "01-04 09:00"),
        ("January fourth two thousand twenty seven at 9 am", "01-04 09:00"),
        ("the 31st at 9 am", "month? 12-31 09:00"),
        ("the 5th of next month at 9 am", "12-05 09:00"),
        ("next month on the 5th at 9 am", "12-05 09:00"),
        ("the 32nd at 9 am", "impossible"),
        ("12/24/1999 3pm", "past"),
    ]);
    let february = Reader { reference: "2027-01-31T10:00:00-05:00", ..NEW_YORK };
    february.check(&[("the 30th at 9 am", "month? 03-30 09:00")]);
}

#[test]
fn two_numbers_are_read_in_the_order_of_the_country() {
    NEW_YORK.check(&[
        ("3/4 at 2 pm", "03-04 14:00"),
        ("24.12. 14:00", "12-24 14:00"),
        ("12.24 at 2 pm", "impossible"),
    ]);
    LONDON.check(&[("3/4 at 2 pm", "04-03 14:00"), ("12.12 at 2 pm", "12-12 14:00")]);
    for country in [None, Some("CA"), Some("JP")] {
        let reader = Reader { country, ..NEW_YORK };
        reader.check(&[
            ("3/4 at 2 pm", "order? 03-04 14:00, 04-03 14:00"),
            ("Thursday 3/4 at 2 pm", "03-04 14:00"),
            ("12/24 at 2 pm", "12-24 14:00"),
        ]);
    }
}
