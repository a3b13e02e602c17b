//! Properties over generated phrases, instants and zones.

use chrono::{DateTime, Datelike, Days, Duration, NaiveDate, NaiveTime, TimeZone, Timelike, Utc};
use chrono_tz::Tz;
use proptest::prelude::*;

use super::token::MAX_BYTES;
use super::{DateContext, OpeningHours, Outcome, read_arguments, read_phrase};

const ZONES: [Tz; 6] = [
    Tz::America__New_York,
    Tz::America__Los_Angeles,
    Tz::Europe__Berlin,
    Tz::Australia__Lord_Howe,
    Tz::Asia__Kolkata,
    Tz::UTC,
];

/// Words of the grammar and others, to make phrases that are nearly read.
const WORDS: &[&str] = &[
    "tomorrow",
    "today",
    "tonight",
    "next",
    "this",
    "coming",
    "Tuesday",
    "Sunday",
    "Friday",
    "week",
    "month",
    "two",
    "three",
    "2",
    "14",
    "30",
    "1430",
    "12",
    "24th",
    "first",
    "last",
    "half",
    "quarter",
    "past",
    "to",
    "at",
    "around",
    "noon",
    "midnight",
    "pm",
    "am",
    "a.m.",
    "p",
    "m",
    "o'clock",
    "hundred",
    "hours",
    "in",
    "an",
    "hour",
    "and",
    "a",
    "from",
    "between",
    "or",
    "no",
    "wait",
    "for",
    "minutes",
    "December",
    "of",
    "the",
    "morning",
    "evening",
    "night",
    "12/24",
    "03-04",
    "14.30",
    "14:30",
    "2026-12-24",
    "T14:00",
    "Z",
    "+01:00",
    "UTC",
    "Eastern",
    "EST",
    "London",
    "time",
    "your",
    "every",
    "Christmas",
    "Eve",
    "asap",
    ",",
    ".",
    "?",
    ":",
    "-",
    "/",
    "'",
    "banana",
    "\u{202e}",
    "[Europe/Berlin]",
    "999999999999999999",
    "0",
    "24:00",
    "25:61",
];

fn context(reference: DateTime<Utc>, zone: Tz) -> DateContext<'static> {
    DateContext { reference, zone, country: Some("US"), hours: None }
}

fn reference() -> impl Strategy<Value = DateTime<Utc>> {
    // 2020 to 2040, to the second.
    (1_577_836_800i64..2_208_988_800).prop_map(|at| Utc.timestamp_opt(at, 0).unwrap())
}

fn zone() -> impl Strategy<Value = Tz> {
    prop::sample::select(&ZONES[..])
}

fn phrase() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(WORDS), 0..12).prop_map(|words| words.join(" "))
}

/// A phrase that is known in the morning of any day.
fn known_phrase() -> impl Strategy<Value = &'static str> {
    prop::sample::select(
        &[
            "tomorrow at 2 pm",
            "day after tomorrow at half past three pm",
            "in three days at 10:15",
            "a week from tomorrow at noon",
            "two weeks from today at quarter to nine am",
            "today at 11 pm",
            "tonight at 9",
        ][..],
    )
}

/// The forms that name a date, with its year.
fn dates(date: NaiveDate) -> Vec<String> {
    let ordinal = match date.day() {
        11..=13 => "th",
        day => ["th", "st", "nd", "rd", "th", "th", "th", "th", "th", "th"][(day % 10) as usize],
    };
    let plain = [
        "%Y-%m-%d",
        "%Y/%m/%d",
        "%Y%m%d",
        "%m/%d/%Y",
        "%-m/%-d/%Y",
        "%-m-%-d-%Y",
        "%d.%m.%Y",
        "%B %-d %Y",
        "%b %-d, %Y",
        "%b. %-d, %Y",
        "%-d %B %Y",
        "%-d %b, %Y",
        "%-d-%b-%Y",
        "%A, %B %-d, %Y",
        "%a %-d %b %Y",
    ];
    let mut forms: Vec<String> = plain.iter().map(|form| date.format(form).to_string()).collect();
    let (day, month, year) = (date.day(), date.format("%B"), date.year());
    forms.push(format!("{month} the {day}{ordinal}, {year}"));
    forms.push(format!("the {day}{ordinal} of {month} {year}"));
    forms
}

/// The forms that name a time of day without doubt.
fn times(time: NaiveTime) -> Vec<String> {
    let mut forms: Vec<String> = [
        "%H:%M",
        "%-I:%M %p",
        "%-I:%M%P",
        "%I:%M:%S %p",
        "%-I.%M%P",
        "%Hh%M",
        "%H%M hours",
        "%H:%M:%S",
    ]
    .iter()
    .map(|form| time.format(form).to_string())
    .collect();
    let (hour, half) = (time.format("%-I").to_string(), time.format("%P").to_string());
    let next = (time + Duration::hours(1)).format("%-I %P").to_string();
    match time.minute() {
        0 => forms.extend([
            format!("{hour} {half}"),
            format!("{hour} o'clock {half}"),
            format!("{hour}{half}"),
        ]),
        15 => forms.push(format!("quarter past {hour} {half}")),
        30 => forms.push(format!("half past {hour} {half}")),
        45 if time.hour() < 23 => forms.push(format!("a quarter to {next}")),
        _ => {}
    }
    forms
}

/// Whether the local clock shows this time exactly once.
fn is_single(local: chrono::NaiveDateTime, zone: Tz) -> bool {
    local.and_local_timezone(zone).single().is_some()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_date_and_time_in_any_supported_form_is_that_instant(
        reference in reference(), zone in zone(), days in 2u64..2000, quarter in 0u32..96,
        date_form in any::<prop::sample::Index>(), time_form in any::<prop::sample::Index>(),
    ) {
        let context = context(reference, zone);
        let date = reference.with_timezone(&zone).date_naive() + Days::new(days);
        let time = NaiveTime::from_hms_opt(quarter / 4, quarter % 4 * 15, 0).unwrap();
        prop_assume!(is_single(date.and_time(time), zone));
        let expected = date.and_time(time).and_local_timezone(zone).single().unwrap().to_utc();
        let (dates, times) = (dates(date), times(time));
        let (date, time) = (date_form.get(&dates), time_form.get(&times));
        for phrase in [format!("{date} at {time}"), format!("at {time} on {date}"), format!("{date}, {time}")] {
            prop_assert_eq!(read_phrase(&phrase, &context).starts_at(), Some(expected), "{}", phrase);
        }
        prop_assert_eq!(read_arguments(date, time, &context).starts_at(), Some(expected), "{} | {}", date, time);
    }

    #[test]
    fn the_sentence_that_is_read_back_is_the_same_instant(
        reference in reference(), zone in zone(), seconds in 0i64..80_000_000, has_seconds in any::<bool>(),
    ) {
        let context = context(reference, zone);
        let at = reference.timestamp() + seconds;
        let at = Utc.timestamp_opt(if has_seconds { at } else { at / 60 * 60 }, 0).unwrap();
        prop_assume!(at >= reference);
        let written = at.with_timezone(&zone).to_rfc3339();
        let Outcome::Known(known) = read_phrase(&written, &context) else {
            return Err(TestCaseError::fail(written));
        };
        prop_assert_eq!(known.starts_at.to_utc(), at);
        let sentence = known.readback(&context);
        prop_assert_eq!(read_phrase(&sentence, &context).starts_at(), Some(at), "{}", sentence);
    }

    #[test]
    fn a_relative_phrase_moves_with_the_reference(
        date in 0u64..5000, minute in 0u32..660, zone in zone(), phrase in known_phrase(),
    ) {
        let at = |days: u64| {
            let date = NaiveDate::from_ymd_opt(2024, 1, 1).unwrap() + Days::new(days);
            let local = date.and_hms_opt(minute / 60, minute % 60, 0).unwrap();
            local.and_local_timezone(zone).earliest().map(|reference| {
                read_phrase(phrase, &context(reference.to_utc(), zone))
            })
        };
        let (Some(first), Some(second)) = (at(date), at(date + 7)) else { return Ok(()) };
        let (Outcome::Known(first), Outcome::Known(second)) = (&first, &second) else {
            return Err(TestCaseError::fail(format!("{phrase}: {first:?} {second:?}")));
        };
        let moved = second.starts_at.naive_local() - first.starts_at.naive_local();
        prop_assert_eq!(moved, Duration::days(7));
    }

    #[test]
    fn a_weekday_moves_with_the_reference(date in 0u64..5000, phrase in prop::sample::select(&[
        "Tuesday at 2 pm", "next Tuesday at 2 pm", "this Tuesday at 2 pm", "Tuesday week at 2 pm",
        "a week from Tuesday at 2 pm", "Tuesday of next week at 2 pm", "Sunday of next week at 2 pm",
    ][..])) {
        let read = |days: u64| {
            let date = NaiveDate::from_ymd_opt(2024, 1, 1).unwrap() + Days::new(days);
            read_phrase(phrase, &context(date.and_hms_opt(10, 0, 0).unwrap().and_utc(), Tz::UTC))
        };
        let (first, second) = (read(date), read(date + 7));
        prop_assert_eq!(first.as_str(), second.as_str());
        let week = first.starts_at().zip(second.starts_at()).map(|(first, second)| second - first);
        prop_assert!(week.is_none_or(|week| week == Duration::days(7)));
    }

    #[test]
    fn no_text_panics_and_a_known_time_is_never_past(
        text in phrase(), other in ".{0,60}", reference in reference(), zone in zone(),
        country in prop::sample::select(&[None, Some("US"), Some("GB"), Some("DE")][..]),
        has_hours in any::<bool>(),
    ) {
        let hours = OpeningHours::parse_daily("09:00-18:00").unwrap();
        let context = DateContext { reference, zone, country, hours: has_hours.then_some(&hours) };
        let reading = [
            read_phrase(&text, &context),
            read_phrase(&other, &context),
            read_arguments(&text, &other, &context),
            read_arguments(&other, &text, &context),
            read_arguments(&text, &text, &context),
        ];
        for outcome in reading {
            prop_assert_eq!(outcome.starts_at().is_some(), matches!(outcome, Outcome::Known(_)));
            if let Outcome::Known(known) = outcome {
                prop_assert!(known.starts_at.to_utc() > reference - Duration::minutes(1));
                let sentence = known.readback(&context);
                prop_assert_eq!(
                    read_phrase(&sentence, &context).starts_at(), Some(known.starts_at.to_utc()),
                    "{}: {}", text, sentence
                );
            }
        }
    }

    #[test]
    fn an_unknown_word_anywhere_stops_the_booking(
        phrase in known_phrase(), nth in 0usize..12,
        word in prop::sample::select(&["banana", "cancel", "not", "ignore", "admin", "<b>", "confirm", "99x", "morgen", "и"][..]),
    ) {
        let mut words: Vec<&str> = phrase.split(' ').collect();
        words.insert(nth.min(words.len()), word);
        let reference = Utc.with_ymd_and_hms(2026, 11, 30, 10, 0, 0).unwrap();
        let outcome = read_phrase(&words.join(" "), &context(reference, Tz::UTC));
        prop_assert!(matches!(outcome, Outcome::Refused(_)), "{:?}: {:?}", words, outcome);
    }

    #[test]
    fn a_candidate_given_back_in_iso_form_is_known(text in phrase(), reference in reference(), zone in zone()) {
        let context = context(reference, zone);
        if let Outcome::Ambiguous(ambiguous) = read_phrase(&text, &context) {
            prop_assert!(ambiguous.candidates.len() <= 3);
            for candidate in ambiguous.candidates {
                if let super::Candidate::At(at) = candidate {
                    let again = read_phrase(&at.to_rfc3339(), &context);
                    prop_assert_eq!(again.starts_at(), Some(at.to_utc()), "{}: {}", text, at);
                }
            }
        }
    }
}

/// The length is bounded before anything is read. With a cost that is not linear in the number of
/// words, this test does not end.
#[test]
fn the_longest_phrases_are_read_and_longer_ones_are_refused() {
    let context = context(Utc.with_ymd_and_hms(2026, 11, 30, 10, 0, 0).unwrap(), Tz::UTC);
    for word in WORDS {
        let text = format!("{word} ").repeat(100_000);
        let _ = read_phrase(&text[..text.floor_char_boundary(MAX_BYTES)], &context);
        let longer = read_phrase(&text, &context);
        assert!(matches!(longer, Outcome::Refused(_)), "{word}: {longer:?}");
    }
    let padded = format!("tomorrow at 2 pm{}", " ".repeat(MAX_BYTES - 16));
    assert!(read_phrase(&padded, &context).starts_at().is_some());
    assert!(read_phrase(&format!("{padded} "), &context).starts_at().is_none());
}
