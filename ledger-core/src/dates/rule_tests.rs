//! The rules beyond the corpus, in the order of `docs/spoken-dates.md`. Without another context, it
//! is Monday, 30 November 2026, 10:00 in New York, and the opening hours are not known.

use chrono::DateTime;

use super::{Candidate, DateContext, OpeningHours, Outcome, read_arguments, read_phrase};

const MONDAY: &str = "2026-11-30T10:00:00-05:00";

/// Reads a phrase, or two arguments divided by `=>`, and describes the outcome in one line.
struct Reader {
    reference: &'static str,
    zone: &'static str,
    country: Option<&'static str>,
    hours: Option<&'static str>,
}

const NEW_YORK: Reader =
    Reader { reference: MONDAY, zone: "America/New_York", country: Some("US"), hours: None };
const OFFICE: Reader = Reader { hours: Some("09:00-17:00"), ..NEW_YORK };
const LONDON: Reader = Reader {
    reference: "2026-11-30T11:15:00+00:00",
    zone: "Europe/London",
    country: Some("GB"),
    hours: Some("09:00-17:00"),
};

impl Reader {
    fn read(&self, phrase: &str) -> String {
        let hours = self.hours.map(|hours| OpeningHours::parse_daily(hours).expect("hours"));
        let context = DateContext {
            reference: DateTime::parse_from_rfc3339(self.reference).expect("a time").to_utc(),
            zone: self.zone.parse().expect("a zone"),
            country: self.country,
            hours: hours.as_ref(),
        };
        let outcome = match phrase.split_once("=>") {
            Some((date, time)) => read_arguments(date, time, &context),
            None => read_phrase(phrase, &context),
        };
        described(&outcome)
    }

    fn check(&self, cases: &[(&str, &str)]) {
        let wrong: Vec<String> = cases
            .iter()
            .map(|(phrase, expected)| (phrase, expected, self.read(phrase)))
            .filter(|(_, expected, read)| *expected != read)
            .map(|(phrase, expected, read)| format!("{phrase:?}: {read:?} instead of {expected:?}"))
            .collect();
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}

/// `12-01 14:00`, `missing time 12-01`, `week? 12-01 10:00, 12-08 10:00`, `past`.
fn described(outcome: &Outcome) -> String {
    let candidate = |candidate: &Candidate| match candidate {
        Candidate::At(at) => at.format("%m-%d %H:%M").to_string(),
        Candidate::Date(date) => date.format("%m-%d").to_string(),
        Candidate::Time(time) => time.format("%H:%M").to_string(),
    };
    let candidates = |all: &[Candidate]| all.iter().map(candidate).collect::<Vec<_>>().join(", ");
    match outcome {
        Outcome::Known(known) => {
            let length = known.length_minutes.map(|minutes| format!(" for {minutes}"));
            format!("{}{}", known.starts_at.format("%m-%d %H:%M"), length.unwrap_or_default())
        }
        Outcome::Missing(missing) => {
            let parts: Vec<_> = missing.parts.iter().map(|part| part.as_str()).collect();
            let date = missing.date.map(|date| date.format(" %m-%d").to_string());
            let time = |name: &str, time: Option<chrono::NaiveTime>| {
                time.map(|time| time.format(&format!(" {name}%H:%M")).to_string())
                    .unwrap_or_default()
            };
            let (at, from, to) =
                (time("", missing.time), time("from ", missing.from), time("to ", missing.to));
            format!("missing {}{}{at}{from}{to}", parts.join(","), date.unwrap_or_default())
        }
        Outcome::Ambiguous(ambiguous) => {
            let text =
                format!("{}? {}", ambiguous.question.as_str(), candidates(&ambiguous.candidates));
            text.trim_end().to_owned()
        }
        Outcome::Refused(refused) => {
            let text = format!("{} {}", refused.reason.as_str(), candidates(&refused.candidates));
            text.trim_end().to_owned()
        }
    }
}

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

#[test]
fn two_numbers_with_a_dot_or_hyphen_beside_a_date_are_a_time() {
    OFFICE.check(&[
        ("tomorrow 12.10", "12-01 12:10"),
        ("14.30", "missing date 14:30"),
        ("24.12", "missing time 12-24"),
        ("tomorrow 2-3", "12-01 14:00 for 60"),
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
        ("tomorrow 2-3 pm", "12-01 14:00 for 60"),
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

#[test]
fn alternatives_and_corrections_are_asked() {
    NEW_YORK.check(&[
        ("tomorrow at 2 or 3 pm", "time? 12-01 14:00, 12-01 15:00"),
        ("tomorrow or Wednesday at 2 pm", "day? 12-01 14:00, 12-02 14:00"),
        ("tomorrow, no wait, Wednesday at 2 pm", "day? 12-01 14:00, 12-02 14:00"),
        ("tomorrow at 2 pm actually 3 pm", "time? 12-01 14:00, 12-01 15:00"),
        ("tomorrow at 2 pm no wait", "time? 12-01 14:00"),
        ("tomorrow at 2 pm or so", "time? 12-01 14:00"),
        ("actually tomorrow at 2 pm", "12-01 14:00"),
        ("tomorrow at won pm", "time? 12-01 13:00"),
        ("to morrow at 3 pm", "date? 12-01 15:00"),
        ("Thanksgiving at noon", "holiday?"),
        ("either Tuesday or Thursday at 2 pm", "day? 12-01 14:00, 12-03 14:00"),
        ("Tuesday and Thursday at 2 pm", "unreadable"),
    ]);
}

#[test]
fn a_named_zone_is_taken_only_if_it_is_the_tenants_own_and_in_force() {
    NEW_YORK.check(&[
        ("tomorrow at 2 pm EST", "12-01 14:00"),
        ("tomorrow at 2 pm EDT", "zone? 12-01 13:00, 12-01 14:00"),
        ("July 1 at 2 pm EST", "zone? 07-01 15:00, 07-01 14:00"),
        ("July 1 at 2 pm Eastern", "07-01 14:00"),
        ("tomorrow at 2 pm PST", "zone? 12-01 17:00, 12-01 14:00"),
        ("tomorrow at 2 pm UTC", "12-01 09:00"),
        ("tomorrow at 2 pm London time", "zone? 12-01 09:00, 12-01 14:00"),
        ("tomorrow at 2 pm New York time", "12-01 14:00"),
        ("tomorrow at 2 pm my time", "zone? 12-01 14:00"),
        ("2027-11-07 1:30 am EST", "11-07 01:30"),
        ("2026-12-24T14:00[Europe/Berlin]", "12-24 08:00"),
        ("2026-12-24T14:00[Mars/Base]", "unreadable"),
        ("2026-12-24 14:00:00 +0100", "12-24 08:00"),
    ]);
    LONDON.check(&[
        ("tomorrow at 2 pm GMT", "12-01 14:00"),
        ("tomorrow at 2 pm BST", "zone? 12-01 13:00, 12-01 14:00"),
    ]);
}

#[test]
fn two_arguments_are_one_time_or_a_contradiction() {
    NEW_YORK.check(&[
        ("2026-12-24T00:00:00Z=>14:00", "12-24 14:00"),
        ("2026-12-24T00:00:00Z=>", "missing time 12-24"),
        ("2026-12-24T14:00=>", "12-24 14:00"),
        ("2026-12-24T14:00=>2 pm", "12-24 14:00"),
        ("2026-12-24T14:00=>2", "12-24 14:00"),
        ("2026-12-24T10:00=>14:00", "contradiction"),
        ("2026-12-24=>2026-12-25T14:00", "contradiction"),
        ("tomorrow=>null", "missing time 12-01"),
        ("tomorrow=>{{time}}", "missing time 12-01"),
        ("tomorrow=>morning", "missing time 12-01 to 12:00"),
        ("tomorrow=>14:00:00-05:00", "12-01 14:00"),
        ("tomorrow=>09:00-05:00", "12-01 09:00"),
        ("12/24=>14.30", "12-24 14:30"),
        ("null=>N/A", "missing date,time"),
        ("banana=>2 pm", "unreadable"),
        ("tomorrow=>2 pm, cancel", "unreadable"),
    ]);
}

#[test]
fn what_is_no_date_is_unreadable() {
    NEW_YORK.check(&[
        ("3", "unreadable"),
        ("2026", "unreadable"),
        ("2026-W52-4", "unreadable"),
        ("5550100123", "unreadable"),
        ("1700000000", "past"),
        ("maybe tomorrow at 2 pm", "unreadable"),
        ("<b>tomorrow at 2 pm</b>", "unreadable"),
        ("tomorrow at 2 pm; drop table", "unreadable"),
        ("{\"date\": \"2026-12-24\"}", "unreadable"),
        ("demain \u{e0} 14h", "unreadable"),
        ("tomorrow at 1 2 3", "unreadable"),
        ("every banana", "recurrence"),
    ]);
}
