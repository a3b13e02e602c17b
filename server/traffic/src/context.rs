//! Facts of one conversation: person, service and slots. Both the lines of a script and the
//! arguments of tool calls are filled from it, so that a transcript agrees with its tool calls.

use chrono::{DateTime, Datelike, NaiveDate, TimeDelta, Utc, Weekday};

use crate::people::Person;
use crate::rng::SeededRng;
use crate::seeded_clinic::{SeededClinic, Service};

/// An appointment slot, in machine-readable and human-readable form.
#[derive(Debug)]
pub(crate) struct Slot {
    /// Date such as `2026-09-14`, local.
    pub(crate) date: String,
    /// Time such as `14:30`, local.
    pub(crate) clock: String,
    /// Human-readable date, such as `Monday the 14th`.
    day: String,
    /// Human-readable time, such as `2:30 pm`.
    time: String,
}

/// Facts of one conversation, available as placeholders.
#[derive(Debug)]
pub(crate) struct CallContext {
    clinic: &'static str,
    street: &'static str,
    hours: &'static str,
    pub(crate) assistant: &'static str,
    first: &'static str,
    pub(crate) name: String,
    /// Caller's number; `None` on the web or if it is withheld.
    pub(crate) phone: Option<String>,
    pub(crate) service: &'static Service,
    minutes: String,
    service_start: String,
    pub(crate) staff: &'static str,
    insurer: &'static str,
    pub(crate) excuse: &'static str,
    /// The slot agreed on in the conversation.
    pub(crate) slot: Slot,
    /// The previous slot, or one that was full.
    pub(crate) other: Slot,
    /// The clinic's reference of the appointment.
    pub(crate) appointment: String,
}

const EXCUSES: [&str; 6] = [
    "a work trip",
    "a family matter",
    "a cold",
    "the school run",
    "a change of shift",
    "the weather",
];

impl CallContext {
    /// Draws the facts of a call that begins at `at`.
    pub(crate) fn new(
        seeded_clinic: &SeededClinic,
        assistant: &'static str,
        person: &Person,
        at: DateTime<Utc>,
        rng: &mut SeededRng,
    ) -> Self {
        let profile = seeded_clinic.profile;
        let service = &profile.services[rng.index(profile.services.len())];
        let today = at.with_timezone(&seeded_clinic.timezone).date_naive();
        let before = rng.between(1..=4);
        let after = before + rng.between(1..=16);
        Self {
            clinic: profile.clinic.name,
            street: profile.street,
            hours: profile.hours,
            assistant,
            first: person.first,
            name: person.name(),
            phone: None,
            service,
            minutes: service.minutes.to_string(),
            service_start: capitalised(service.phrase),
            staff: rng.one(profile.staff),
            insurer: rng.one(profile.insurers),
            excuse: rng.one(&EXCUSES),
            slot: slot(today, after, rng),
            other: slot(today, before, rng),
            appointment: format!("apt_{}", rng.word(8, b"abcdefghjkmnpqrstuvwxyz23456789")),
        }
    }

    /// Replaces the placeholders of a line. Unknown placeholders stay unchanged.
    pub(crate) fn fill(&self, line: &str) -> String {
        let mut out = String::with_capacity(line.len() + 32);
        let mut rest = line;
        while let Some((before, tail)) = rest.split_once('{') {
            let Some((key, after)) = tail.split_once('}') else { break };
            out.push_str(before);
            match self.word(key) {
                Some(word) => out.push_str(word),
                None => out.extend(["{", key, "}"]),
            }
            rest = after;
        }
        out.push_str(rest);
        out
    }

    fn word(&self, key: &str) -> Option<&str> {
        Some(match key {
            "clinic" => self.clinic,
            "street" => self.street,
            "hours" => self.hours,
            "assistant" => self.assistant,
            "first" => self.first,
            "name" => &self.name,
            "service" => self.service.phrase,
            "service_start" => &self.service_start,
            "minutes" => &self.minutes,
            "price" => self.service.price,
            "staff" => self.staff,
            "insurer" => self.insurer,
            "excuse" => self.excuse,
            "day" => &self.slot.day,
            "time" => &self.slot.time,
            "other_day" => &self.other.day,
            "other_time" => &self.other.time,
            _ => return None,
        })
    }
}

/// Draws a slot on a weekday at least `days` after `today`.
fn slot(today: NaiveDate, days: i64, rng: &mut SeededRng) -> Slot {
    let mut date = today + TimeDelta::days(days);
    while matches!(date.weekday(), Weekday::Sat | Weekday::Sun) {
        date += TimeDelta::days(1);
    }
    let half_hours = rng.between(18..=33);
    let (hour, minute) = (half_hours / 2, half_hours % 2 * 30);
    let half = if hour < 12 { "am" } else { "pm" };
    Slot {
        date: date.format("%Y-%m-%d").to_string(),
        clock: format!("{hour:02}:{minute:02}"),
        day: format!("{} the {}", date.format("%A"), ordinal(date.day())),
        time: format!("{}:{minute:02} {half}", (hour + 11) % 12 + 1),
    }
}

fn ordinal(day: u32) -> String {
    let ending = match day {
        1 | 21 | 31 => "st",
        2 | 22 => "nd",
        3 | 23 => "rd",
        _ => "th",
    };
    format!("{day}{ending}")
}

fn capitalised(phrase: &str) -> String {
    let mut letters = phrase.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
