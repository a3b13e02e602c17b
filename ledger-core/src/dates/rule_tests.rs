//! The rules beyond the corpus, in the order of `docs/spoken-dates.md`. Without another context, it
//! is Monday, 30 November 2026, 10:00 in New York, and the opening hours are not known.

mod days;
mod times;

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
