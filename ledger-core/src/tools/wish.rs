//! From the arguments of a tool call to what is wanted.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use serde_json::Value;
use uuid::Uuid;

use super::arguments::Arguments;
use super::escalation::{EscalationWish, escalation};
use super::names::{Field, Tool};
use super::times::Range;
use super::{times, words};
use crate::booking::settings::resources::Resource;
use crate::booking::settings::services::Service;
use crate::booking::slot::Kind;
use crate::booking::{BookingSettings, ResourceId, ServiceId};
use crate::dates::DateContext;
use crate::event::{PartyFacts, Presence};
use crate::identity::{Handle, normal_name, read_number};
use crate::ids::AppointmentId;
use crate::personal::{AppointmentDetails, Party, Personal};
use crate::phone::Phone;

/// Maximum number of services in a question.
const MAX_SERVICES: usize = 5;

/// What arguments are read against.
#[derive(Debug, Clone, Copy)]
pub struct ToolContext<'a> {
    /// The instant of the call, the tenant's zone, country and hours.
    pub dates: DateContext<'a>,
    /// The tenant's settings, with the names of resources if there are several.
    pub settings: &'a BookingSettings,
}

/// The person in the arguments of a tool call. `Debug` prints no values.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Named {
    party: Personal<Party>,
}

impl Named {
    /// The person as personal data of an appointment, with the kinds of values.
    #[must_use]
    pub fn party(&self) -> (&Party, PartyFacts) {
        let party = self.party.as_revealed();
        let facts = PartyFacts {
            phone: party.phone.is_some().then_some(Presence::Valid),
            email: party.email.is_some().then_some(Presence::Valid),
            name: party.name.is_some(),
            extension: party.extension.is_some(),
            ..PartyFacts::default()
        };
        (party, facts)
    }

    /// Whether a name was told.
    #[must_use]
    pub const fn has_name(&self) -> bool {
        self.party.as_revealed().name.is_some()
    }

    /// The handle of the number that was told.
    #[must_use]
    pub fn phone(&self) -> Option<Handle> {
        let party = self.party.as_revealed();
        Some(Handle::phone(party.phone.as_deref()?, party.extension.as_deref()))
    }

    /// The handle of the e-mail address that was told.
    #[must_use]
    pub fn email(&self) -> Option<Handle> {
        Handle::email(self.party.as_revealed().email.as_deref()?)
    }
}

/// A wanted appointment.
#[derive(Debug, Clone)]
pub struct AppointmentWish {
    /// Its start.
    pub starts_at: DateTime<Utc>,
    /// Service, resource and length.
    pub kind: Kind,
    /// The person that it is for.
    pub person: Named,
    /// What was said about it.
    pub details: AppointmentDetails,
}

/// A question for free times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchWish {
    /// Service, resource and length.
    pub kind: Kind,
    /// Earliest start.
    pub from: DateTime<Utc>,
    /// End of the starts.
    pub until: DateTime<Utc>,
    /// The start that was asked for.
    pub wanted: Option<DateTime<Utc>>,
}

/// The time of an existing appointment, as far as it was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// It was not told.
    Any,
    /// The local date.
    Day(NaiveDate),
    /// The start.
    At(DateTime<Utc>),
}

/// A wanted change of an appointment.
#[derive(Debug, Clone)]
pub struct ChangeWish {
    /// The appointment, if its id was told.
    pub appointment_id: Option<AppointmentId>,
    /// Its time, as far as it was told.
    pub when: When,
    /// The person that it is for.
    pub person: Named,
    /// The new start; `None` for a cancellation.
    pub starts_at: Option<DateTime<Utc>>,
    /// The new length, if it was told.
    pub minutes: Option<u32>,
    /// The reason.
    pub details: AppointmentDetails,
}

/// What is wanted.
#[derive(Debug, Clone)]
pub enum Wish {
    /// An appointment.
    Book(Box<AppointmentWish>),
    /// Free times.
    Search(SearchWish),
    /// The end of an appointment.
    Cancel(Box<ChangeWish>),
    /// Another time for an appointment.
    Reschedule(Box<ChangeWish>),
    /// Whether the caller is known.
    LookUp(Named),
    /// A person for the call.
    Escalate(EscalationWish),
}

/// Reads what a tool call wants.
///
/// # Errors
/// The question for the caller, if something is missing, ambiguous or impossible.
pub fn wish(
    tool: Tool,
    arguments: Option<&Value>,
    context: &ToolContext<'_>,
) -> Result<Wish, String> {
    let contradiction = |fault: super::arguments::Contradiction| words::contradiction(fault.0);
    let arguments = &Arguments::read(arguments).map_err(contradiction)?;
    match tool {
        Tool::Book => book(arguments, context).map(Box::new).map(Wish::Book),
        Tool::Availability => {
            let Range { from, until, wanted } = times::range(arguments, context)?;
            let (kind, _) = kind(arguments, context, wanted)?;
            Ok(Wish::Search(SearchWish { kind, from, until, wanted }))
        }
        Tool::Cancel => {
            let old = [times::OLD, times::WANTED];
            change(arguments, context, &old, None).map(Box::new).map(Wish::Cancel)
        }
        Tool::Reschedule => reschedule(arguments, context).map(Box::new).map(Wish::Reschedule),
        Tool::LookUp => look_up(arguments, context).map(Wish::LookUp),
        Tool::Escalate => Ok(Wish::Escalate(escalation(arguments))),
    }
}

fn book(arguments: &Arguments, context: &ToolContext<'_>) -> Result<AppointmentWish, String> {
    let known = times::require(arguments, times::WANTED, context)?;
    let starts_at = known.starts_at.to_utc();
    let (mut kind, other) = kind(arguments, context, Some(starts_at))?;
    kind.minutes = kind.minutes.or(known.length_minutes);
    let person = person(arguments, context)?;
    let text = |field| arguments.get(field).map(str::to_owned);
    let details = AppointmentDetails {
        notes: text(Field::Notes),
        reason: text(Field::Reason),
        other: other.into_iter().chain(arguments.other().clone()).collect(),
    };
    Ok(AppointmentWish { starts_at, kind, person, details })
}

/// A move: the new time is in the fields for it, or in those of an appointment.
fn reschedule(arguments: &Arguments, context: &ToolContext<'_>) -> Result<ChangeWish, String> {
    let new = [Field::NewStart, Field::NewDate, Field::NewTime];
    let has_new = new.iter().any(|field| arguments.get(*field).is_some());
    let (new, old): (_, &[_]) = if has_new {
        (times::NEW, &[times::OLD, times::WANTED])
    } else {
        (times::WANTED, &[times::OLD])
    };
    let known = times::require(arguments, new, context)?;
    let mut wish = change(arguments, context, old, Some(known.starts_at.to_utc()))?;
    wish.minutes = minutes(arguments, context, wish.starts_at)?.or(known.length_minutes);
    Ok(wish)
}

fn change(
    arguments: &Arguments,
    context: &ToolContext<'_>,
    old: &[times::Fields],
    starts_at: Option<DateTime<Utc>>,
) -> Result<ChangeWish, String> {
    let mut when = When::Any;
    for fields in old {
        if when == When::Any {
            when = times::when(arguments, *fields, context)?;
        }
    }
    let reference = arguments.get(Field::Reference).and_then(|text| Uuid::parse_str(text).ok());
    let reason = arguments.get(Field::Reason).map(str::to_owned);
    Ok(ChangeWish {
        appointment_id: reference.map(AppointmentId),
        when,
        person: person(arguments, context)?,
        starts_at,
        minutes: None,
        details: AppointmentDetails { reason, ..AppointmentDetails::default() },
    })
}

fn look_up(arguments: &Arguments, context: &ToolContext<'_>) -> Result<Named, String> {
    let mut named = person(arguments, context)?;
    if let Some(key) = arguments.get(Field::SearchKey) {
        let mut party = named.party.reveal();
        match read_number(key, context.dates.country) {
            Some(Phone { e164, extension }) => {
                (party.phone, party.extension) = (Some(e164), extension);
            }
            None if normal_name(key).is_some() => party.name = Some(key.to_owned()),
            None => {}
        }
        named.party = Personal::new(party);
    }
    Ok(named)
}

fn person(arguments: &Arguments, context: &ToolContext<'_>) -> Result<Named, String> {
    let joined = || {
        let names = [Field::FirstName, Field::LastName].into_iter();
        let names: Vec<_> = names.filter_map(|field| arguments.get(field)).collect();
        (!names.is_empty()).then(|| names.join(" "))
    };
    let name = arguments.get(Field::Name).map(str::to_owned).or_else(joined);
    let mut party =
        Party { name: name.filter(|name| normal_name(name).is_some()), ..Party::default() };
    if let Some(number) = arguments.get(Field::Phone) {
        let phone = read_number(number, context.dates.country);
        let Phone { e164, extension } = phone.ok_or_else(|| words::unreadable(Field::Phone))?;
        (party.phone, party.extension) = (Some(e164), extension);
    }
    if let Some(email) = arguments.get(Field::Email) {
        Handle::email(email).ok_or_else(|| words::unreadable(Field::Email))?;
        party.email = Some(email.to_owned());
    }
    Ok(Named { party: Personal::new(party) })
}

/// Reads service, resource and length, with the values that name none of the tenant's.
fn kind(
    arguments: &Arguments,
    context: &ToolContext<'_>,
    starts_at: Option<DateTime<Utc>>,
) -> Result<(Kind, BTreeMap<String, Value>), String> {
    let mut other = BTreeMap::new();
    let services = context.settings.services.as_slice();
    let mut keep = |name: &str, field| {
        let text = arguments.get(field).map(Value::from);
        other.extend(text.map(|text| (name.to_owned(), text)));
    };
    let service = match arguments.get(Field::Service) {
        Some(_) if services.is_empty() => {
            keep("service", Field::Service);
            None
        }
        Some(told) => Some(service_named(services, told).ok_or_else(|| ask_service(services))?),
        None => {
            let texts = [Field::Title, Field::Reason].into_iter();
            texts.filter_map(|field| arguments.get(field)).find_map(|told| by_word(services, told))
        }
    };
    let resources = context.settings.resources.as_slice();
    let resource = match arguments.get(Field::Resource) {
        Some(told) => {
            let found = resource_named(resources, told);
            if found.is_none() && resources.len() > 1 {
                return Err(words::which_resource());
            }
            if found.is_none() {
                keep("with", Field::Resource);
            }
            found
        }
        None => None,
    };
    let minutes = minutes(arguments, context, starts_at)?;
    Ok((Kind { service, resource, minutes }, other))
}

fn ask_service(services: &[Service]) -> String {
    let names = services.iter().filter_map(|service| service.name.as_deref());
    words::which_service(&names.take(MAX_SERVICES).collect::<Vec<_>>())
}

/// The service with this id or name, or the only one with a keyword in the text.
fn service_named(services: &[Service], told: &str) -> Option<ServiceId> {
    let wanted = words_of(told);
    let is_named = |service: &&Service| {
        let names = [Some(service.id.as_str()), service.name.as_deref()];
        names.into_iter().flatten().any(|name| words_of(name) == wanted)
    };
    let named = services.iter().find(is_named).map(|service| service.id.clone());
    named.or_else(|| by_word(services, told))
}

fn by_word(services: &[Service], told: &str) -> Option<ServiceId> {
    let told = words_of(told);
    let is_in = |word: &str| {
        let word = words_of(word);
        !word.is_empty() && told.windows(word.len()).any(|part| part == word)
    };
    let has_word = |service: &&Service| {
        let names = service.keywords.iter().map(String::as_str).chain(service.name.as_deref());
        names.into_iter().any(is_in)
    };
    let mut found = services.iter().filter(has_word);
    let first = found.next()?;
    found.next().is_none().then(|| first.id.clone())
}

fn resource_named(resources: &[Resource], told: &str) -> Option<ResourceId> {
    let wanted = normal_name(told);
    let is_named = |resource: &&Resource| {
        let name = resource.name.as_ref().and_then(|name| normal_name(name.as_revealed()));
        resource.id.as_str() == told.to_lowercase() || (name.is_some() && name == wanted)
    };
    resources.iter().find(is_named).map(|resource| resource.id.clone())
}

fn words_of(text: &str) -> Vec<String> {
    let lower = text.to_lowercase();
    let words = lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_owned).collect()
}

/// Reads the length: a number of minutes or hours, or the end of the appointment.
fn minutes(
    arguments: &Arguments,
    context: &ToolContext<'_>,
    starts_at: Option<DateTime<Utc>>,
) -> Result<Option<u32>, String> {
    if let Some(told) = arguments.get(Field::Minutes) {
        let length = length(told).ok_or_else(|| words::unreadable(Field::Minutes));
        return length.map(Some);
    }
    let (Some(end), Some(start)) = (arguments.get(Field::End), starts_at) else { return Ok(None) };
    let unreadable = || words::unreadable(Field::Minutes);
    let end = crate::dates::read_phrase(end, &context.dates).starts_at();
    // An end that is only a time of the clock is on the day of the start.
    let end = end.filter(|end| *end > start).ok_or_else(unreadable)?;
    u32::try_from((end - start).num_minutes()).map(Some).map_err(|_| unreadable())
}

fn length(told: &str) -> Option<u32> {
    let told = told.to_lowercase();
    let digits = told.find(|c: char| !c.is_ascii_digit()).unwrap_or(told.len());
    let (number, unit) = told.split_at(digits);
    let number: u32 = number.parse().ok()?;
    let minutes = match unit.trim() {
        "" | "m" | "min" | "mins" | "minute" | "minutes" => number,
        "h" | "hour" | "hours" => number.checked_mul(60)?,
        _ => return None,
    };
    (1..=24 * 60).contains(&minutes).then_some(minutes)
}
