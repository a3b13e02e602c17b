//! What the voice says: one or two short sentences on one line, in the tenant's time zone. No
//! sentence has an id, a value from the arguments, another person's data or the reason for which a
//! time is not free.

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};

use super::names::Field;
use crate::booking::Refusal;
use crate::booking::availability::Offer;
use crate::dates::{self, Candidate, DateContext, Known, Missing, Outcome, Part, Question};
use crate::event::AppointmentStatus;

/// Maximum number of times in a sentence.
const MAX_OFFERS: usize = 3;

/// The outcome of a command is not known. Asking again is safe: the same wish has one appointment.
pub const UNCONFIRMED: &str = "I cannot confirm it right now. Please ask again in a moment.";
/// Too much happens at once to decide. Nothing was recorded.
pub const BUSY: &str = "The calendar is very busy at the moment and nothing was changed. \
                        Please try again in a moment.";
/// The answer was given before and cannot be read any more.
pub const UNREADABLE: &str =
    "This was asked before, and its answer cannot be read any more. Please take a message instead.";

/// Asks for the name.
#[must_use]
pub fn which_name() -> String {
    "What name is the appointment for?".to_owned()
}

/// Asks for day and time.
#[must_use]
pub fn which_time() -> String {
    "Which day and time would suit?".to_owned()
}

/// There is no such day in the zone.
pub(super) fn no_such_time() -> String {
    "There is no such day or time. Which other day would suit?".to_owned()
}

/// The time is past.
#[must_use]
pub fn past() -> String {
    "That time has already passed. Which other time would suit?".to_owned()
}

/// Two arguments give one field different values.
#[must_use]
pub fn contradiction(field: Field) -> String {
    format!("There are two different answers for {}. Which one is right?", field.words())
}

/// A value cannot be read.
#[must_use]
pub fn unreadable(field: Field) -> String {
    format!("I could not make out {}. Could you say it again?", field.words())
}

/// No service is the one that was told.
#[must_use]
pub fn which_service(names: &[&str]) -> String {
    match names {
        [] => "Which service is it for?".to_owned(),
        names => format!("Which service is it for: {}?", joined(names, "or")),
    }
}

/// No resource is the one that was told.
#[must_use]
pub fn which_resource() -> String {
    "I could not find whom or where it should be with. Shall I take the first free one?".to_owned()
}

/// Asks for what a spoken time lacks, or says why it cannot be taken.
#[must_use]
pub fn ask_back(outcome: &Outcome, context: &DateContext<'_>) -> String {
    match outcome {
        Outcome::Known(known) => format!("Is {} right?", known.readback(context)),
        Outcome::Missing(missing) => ask_missing(missing),
        Outcome::Ambiguous(ambiguous) => {
            let candidates = candidates(&ambiguous.candidates, context);
            if !candidates.is_empty() {
                let candidates: Vec<_> = candidates.iter().map(String::as_str).collect();
                return match candidates.as_slice() {
                    [only] => format!("Do you mean {only}?"),
                    several => format!("Do you mean {}?", joined(several, "or")),
                };
            }
            let question = match ambiguous.question {
                Question::AmPm => "Is that in the morning or in the afternoon?",
                Question::Time => "Which time exactly?",
                Question::Zone => "Is that in our local time?",
                Question::Holiday | Question::Date => "Which date is that?",
                Question::Week
                | Question::Day
                | Question::Month
                | Question::Year
                | Question::Order => "Which day and month is that?",
            };
            question.to_owned()
        }
        Outcome::Refused(refused) => {
            let why = match refused.reason {
                dates::Refusal::Past => return past(),
                dates::Refusal::Impossible => "There is no such date or time.",
                dates::Refusal::Gap => "The clocks change then, so that time does not exist.",
                dates::Refusal::Contradiction => "The parts of that date do not fit together.",
                dates::Refusal::Recurrence => "Only one appointment can be made at a time.",
                dates::Refusal::Unreadable => "I did not understand the date or time.",
            };
            let near = candidates(&refused.candidates, context);
            let near: Vec<_> = near.iter().map(String::as_str).collect();
            match near.as_slice() {
                [] => format!("{why} Which day and time would suit?"),
                near => format!("{why} Would {} suit?", joined(near, "or")),
            }
        }
    }
}

fn ask_missing(missing: &Missing) -> String {
    let lacks = |part: Part| missing.parts.contains(&part);
    match (missing.date, missing.time) {
        (Some(date), _) if lacks(Part::Time) => format!("What time on {}?", day(date)),
        (_, Some(at)) if lacks(Part::Date) || lacks(Part::Day) => {
            format!("Which day at {}?", clock(at))
        }
        _ if lacks(Part::Day) => "Which day exactly?".to_owned(),
        _ if lacks(Part::Date) => "Which day?".to_owned(),
        _ => "What time?".to_owned(),
    }
}

fn candidates(candidates: &[Candidate], context: &DateContext<'_>) -> Vec<String> {
    let word = |candidate: &Candidate| match candidate {
        Candidate::At(at) => moment(at.to_utc(), context),
        Candidate::Date(date) => day(*date),
        Candidate::Time(time) => clock(*time),
    };
    candidates.iter().take(MAX_OFFERS).map(word).collect()
}

/// A time as it is read back: weekday, day, month and time.
#[must_use]
pub fn moment(at: DateTime<Utc>, context: &DateContext<'_>) -> String {
    let starts_at = at.with_timezone(&context.zone);
    Known { starts_at, length_minutes: None }.readback(context)
}

fn day(date: NaiveDate) -> String {
    date.format("%A, %B %-d").to_string()
}

fn clock(time: NaiveTime) -> String {
    use chrono::Timelike;
    let form = if time.minute() == 0 { "%-I %P" } else { "%-I:%M %P" };
    time.format(form).to_string()
}

/// "a, b and c".
fn joined(words: &[&str], last: &str) -> String {
    match words {
        [] => String::new(),
        [only] => (*only).to_owned(),
        [rest @ .., end] => format!("{} {last} {end}", rest.join(", ")),
    }
}

/// An appointment was made, or the same wish has one already.
#[must_use]
pub fn booked(at: DateTime<Utc>, status: AppointmentStatus, context: &DateContext<'_>) -> String {
    let at = moment(at, context);
    match status {
        AppointmentStatus::Pending => {
            format!("The appointment is reserved for {at} and will be confirmed.")
        }
        _ => format!("The appointment is booked for {at}."),
    }
}

/// An appointment was moved.
#[must_use]
pub fn moved(at: DateTime<Utc>, context: &DateContext<'_>) -> String {
    format!("The appointment is moved to {}.", moment(at, context))
}

/// An appointment was cancelled.
#[must_use]
pub fn cancelled(at: DateTime<Utc>, context: &DateContext<'_>) -> String {
    format!("The appointment on {} is cancelled.", moment(at, context))
}

/// The caller has no such appointment.
#[must_use]
pub fn not_found() -> String {
    "I cannot find that appointment. What name and day is it booked under?".to_owned()
}

/// The caller has several appointments.
#[must_use]
pub fn which_appointment() -> String {
    "There is more than one appointment. Which day and time is the one you mean?".to_owned()
}

/// Why a command was refused. A time that is not free has offers, if some are known.
#[must_use]
pub fn refused(refusal: Refusal, offers: &[Offer], context: &DateContext<'_>) -> String {
    let why = match refusal {
        Refusal::SlotTaken | Refusal::DailyLimit | Refusal::HoldNotFound | Refusal::HoldExpired => {
            "That time is not available."
        }
        Refusal::OutsideHours | Refusal::Closed => "We are not open at that time.",
        Refusal::Past => return past(),
        Refusal::TooShortNotice => "That is too soon to book.",
        Refusal::TooFarAhead => "That is too far ahead to book.",
        Refusal::InvalidStart => "I can only book whole minutes.",
        Refusal::InvalidDuration => {
            return "That length is not possible. How long should it be?".to_owned();
        }
        Refusal::UnknownResource | Refusal::UnfitResource => return which_resource(),
        Refusal::NoResource => {
            return "That service cannot be booked at the moment. Shall I take a message?"
                .to_owned();
        }
        Refusal::UnknownService => return which_service(&[]),
        Refusal::AppointmentNotFound | Refusal::ClosureNotFound => return not_found(),
        Refusal::InvalidTransition { .. } | Refusal::NotStarted => {
            return "That appointment can no longer be changed.".to_owned();
        }
        Refusal::Moved => {
            return "That appointment has been changed in the meantime. Which time is it now?"
                .to_owned();
        }
        Refusal::InvalidPeriod | Refusal::AppointmentExists | Refusal::AlreadyBooked(_) => {
            return "That cannot be booked. Which other time would suit?".to_owned();
        }
    };
    let times = spread(offers);
    match times.as_slice() {
        [] => format!("{why} Which other time would suit?"),
        _ => format!("{why} {}", listed(&times, context)),
    }
}

/// The answer to a question for free times. `wanted` is the start that was asked for.
///
/// # Errors
/// The words for a time that is not free, or for a range without free times.
pub fn available(
    offers: &[Offer],
    wanted: Option<DateTime<Utc>>,
    context: &DateContext<'_>,
) -> Result<String, String> {
    if let Some(wanted) = wanted {
        if offers.iter().any(|offer| offer.starts_at == wanted) {
            return Ok(format!("{} is free.", moment(wanted, context)));
        }
        let times = spread(offers);
        return Err(match times.as_slice() {
            [] => "Nothing is free then. Which other day would suit?".to_owned(),
            _ => format!("That time is not available. {}", listed(&times, context)),
        });
    }
    match spread(offers).as_slice() {
        [] => Err("Nothing is free then. Which other day would suit?".to_owned()),
        times => Ok(listed(times, context)),
    }
}

/// At most three of the offers, the first, the middle and the last one.
fn spread(offers: &[Offer]) -> Vec<DateTime<Utc>> {
    let mut starts: Vec<_> = offers.iter().map(|offer| offer.starts_at).collect();
    starts.dedup();
    if starts.len() <= MAX_OFFERS {
        return starts;
    }
    vec![starts[0], starts[starts.len() / 2], starts[starts.len() - 1]]
}

/// "Thursday, December 24 is free at 9 am, 12:30 pm and 4 pm."
fn listed(times: &[DateTime<Utc>], context: &DateContext<'_>) -> String {
    let local: Vec<_> = times.iter().map(|at| at.with_timezone(&context.zone)).collect();
    let first = local.first().map(DateTime::date_naive);
    let is_one_day = local.iter().all(|at| Some(at.date_naive()) == first);
    if let (Some(date), true) = (first, is_one_day) {
        let clocks: Vec<_> = local.iter().map(|at| clock(at.time())).collect();
        let clocks: Vec<_> = clocks.iter().map(String::as_str).collect();
        return format!("{} is free at {}.", day(date), joined(&clocks, "and"));
    }
    let moments: Vec<_> = times.iter().map(|at| moment(*at, context)).collect();
    let moments: Vec<_> = moments.iter().map(String::as_str).collect();
    format!("Free times are {}.", joined(&moments, "and"))
}

/// Nobody is known by the number.
#[must_use]
pub fn new_caller() -> String {
    "This number is new here. May I have your name?".to_owned()
}

/// Several people share the number.
#[must_use]
pub fn shared_number() -> String {
    "Several people use this number. Who is calling?".to_owned()
}

/// One person is known by the number. Without a name that can be told, it is asked for.
#[must_use]
pub fn known_caller(first_name: Option<&str>) -> String {
    match first_name {
        Some(name) => format!("This number belongs to {name}."),
        None => "This number is known here. May I have your name?".to_owned(),
    }
}

/// The person who was named is known by the number.
#[must_use]
pub fn confirmed_caller(appointment: Option<DateTime<Utc>>, context: &DateContext<'_>) -> String {
    match appointment {
        Some(at) => {
            format!("That person is known here and has an appointment on {}.", moment(at, context))
        }
        None => "That person is known here.".to_owned(),
    }
}

/// The call is escalated. Makes no claim about when a person takes it.
#[must_use]
pub fn escalated() -> String {
    "This call is marked for a person to take care of.".to_owned()
}

/// The call cannot be escalated.
#[must_use]
pub fn not_escalated() -> String {
    "This call cannot be passed on to a person here. May I take a message instead?".to_owned()
}
