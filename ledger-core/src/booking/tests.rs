//! Tests of the decisions. The numbers in brackets are those of the acceptance cases in the issue on
//! bookings.

mod closures_and_holds;
mod daylight;
mod laws;
mod rules;
mod transitions;
mod wishes;

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use serde_json::{Value, json};
use uuid::Uuid;

use super::command::{Change, Hold};
use super::settings::BookingSettings;
use super::slot::Kind;
use super::{Action, Book, BookingCommand, BookingEvent, BookingState, Bookings, Interval};
use super::{Refusal, Reschedule, ResourceId, ServiceId, availability};
use crate::aggregate::{Aggregate, Stream};
use crate::event::{AppointmentEvent, ScheduleEvent, SlotFacts};
use crate::ids::{AppointmentId, ClosureId, HoldId, StreamId, SubjectId, TenantId};
use crate::section::Sections;
use crate::settings::{BookingSetting, Setting, SettingName};

const TENANT: TenantId = TenantId(Uuid::from_u128(1));

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap_or_else(|_| panic!("{text} is no time"))
}

/// A time on Monday, 2 March 2026, in UTC.
fn monday(clock: &str) -> DateTime<Utc> {
    at(&format!("2026-03-02T{clock}:00Z"))
}

fn resource(id: &str) -> ResourceId {
    ResourceId::parse(id).expect("an id")
}

fn service(id: &str) -> ServiceId {
    ServiceId::parse(id).expect("an id")
}

/// Settings in UTC, with the given values of the settings.
fn settings(values: &[(&str, Value)]) -> BookingSettings {
    settings_in(Tz::UTC, values)
}

fn settings_in(zone: Tz, values: &[(&str, Value)]) -> BookingSettings {
    let mut all = BookingSettings::defaults(zone);
    for (name, value) in values {
        let name = SettingName::parse(name).expect("a name");
        let fields = serde_json::from_value(value.clone()).expect("an object");
        match Setting::parse(name, fields).expect("a value") {
            Setting::Booking(BookingSetting::Hours(hours)) => all.hours = hours,
            Setting::Booking(BookingSetting::Resources(resources)) => all.resources = resources,
            Setting::Booking(BookingSetting::Services(services)) => all.services = services,
            Setting::Booking(BookingSetting::Rules(rules)) => all.rules = rules,
            Setting::Booking(BookingSetting::Reminders(reminders)) => all.reminders = reminders,
            Setting::Plan(_) | Setting::Call(_) => panic!("no setting of bookings"),
        }
        all.version += 1;
    }
    all
}

/// Hours of one interval on every day.
fn every_day(from: &str, to: &str) -> Value {
    let day = json!([{ "from": from, "to": to }]);
    json!({ "weekdays": {
        "monday": day, "tuesday": day, "wednesday": day, "thursday": day, "friday": day,
        "saturday": day, "sunday": day,
    }})
}

/// A log of events by stream, and a clock: executes commands as the command path does.
struct Diary {
    settings: Arc<BookingSettings>,
    now: DateTime<Utc>,
    log: Vec<(StreamId, BookingEvent)>,
    made: u128,
}

impl Diary {
    fn new(settings: BookingSettings) -> Self {
        let now = at("2026-03-01T00:00:00Z");
        Self { settings: Arc::new(settings), now, log: Vec::new(), made: 0 }
    }

    fn set(&mut self, settings: BookingSettings) {
        self.settings = Arc::new(settings);
    }

    fn state(&self, streams: &[Stream]) -> BookingState {
        let mut state = BookingState::default();
        for (stream_id, event) in &self.log {
            if streams.iter().any(|stream| stream.stream_id == *stream_id) {
                Bookings::evolve(&mut state, event);
            }
        }
        state
    }

    fn command(&self, action: Action) -> BookingCommand {
        BookingCommand { settings: Arc::clone(&self.settings), now: self.now, action }
    }

    /// Loads, decides and appends. Only the streams of the command are loaded.
    fn execute(&mut self, action: Action) -> Result<Vec<BookingEvent>, Refusal> {
        let command = self.command(action);
        let mut streams = Bookings::streams(TENANT, &command);
        let state = self.state(&streams);
        streams.extend(Bookings::further_streams(TENANT, &state, &command));
        let state = self.state(&streams);
        let decided = Bookings::decide(&state, &command)?;
        let mut events = Vec::new();
        for decided in decided {
            self.log.push((streams[decided.stream].stream_id, decided.event.clone()));
            events.push(decided.event);
        }
        Ok(events)
    }

    /// A fresh number for an id.
    fn fresh(&mut self) -> u128 {
        self.made += 1;
        self.made
    }

    fn new_booking(&mut self, starts_at: DateTime<Utc>) -> Book {
        let number = self.fresh();
        Book {
            appointment_id: AppointmentId(Uuid::from_u128(number)),
            starts_at,
            kind: Kind::default(),
            hold: None,
            contact_id: SubjectId(Uuid::from_u128(1000 + number)),
            is_known_person: true,
            booked_by_contact_id: None,
            call_id: None,
            party: None,
            sections: Sections::default(),
        }
    }

    /// Books half an hour on any resource for a new person.
    fn book(&mut self, starts_at: DateTime<Utc>) -> Result<AppointmentId, Refusal> {
        self.book_kind(starts_at, Kind::default())
    }

    fn book_kind(
        &mut self,
        starts_at: DateTime<Utc>,
        kind: Kind,
    ) -> Result<AppointmentId, Refusal> {
        let book = Book { kind, ..self.new_booking(starts_at) };
        let id = book.appointment_id;
        self.execute(Action::Book(book)).map(|_| id)
    }

    fn book_minutes(&mut self, starts_at: DateTime<Utc>, minutes: u32) -> Result<(), Refusal> {
        let kind = Kind { minutes: Some(minutes), ..Kind::default() };
        self.book_kind(starts_at, kind).map(|_| ())
    }

    fn book_on(&mut self, on: &str, starts_at: DateTime<Utc>) -> Result<AppointmentId, Refusal> {
        let kind = Kind { resource: Some(resource(on)), ..Kind::default() };
        self.book_kind(starts_at, kind)
    }

    fn reschedule(&mut self, id: AppointmentId, to: DateTime<Utc>) -> Result<usize, Refusal> {
        self.execute(Action::Reschedule(moving(id, to))).map(|events| events.len())
    }

    fn cancel(&mut self, id: AppointmentId) -> Result<usize, Refusal> {
        self.execute(Action::Cancel(change(id))).map(|events| events.len())
    }

    fn slot(&self, id: AppointmentId) -> SlotFacts {
        let stream = Stream::new(StreamId(id.0), crate::envelope::StreamKind::Appointment);
        self.state(&[stream]).appointment.expect("it is booked").slot
    }

    /// Starts that are offered for any resource.
    fn offered(&self, from: DateTime<Utc>, until: DateTime<Utc>) -> Vec<String> {
        let query = availability::Query { kind: Kind::default(), from, until };
        self.offers(&query).into_iter().map(|offer| clock(offer.starts_at)).collect()
    }

    fn offers(&self, query: &availability::Query) -> Vec<availability::Offer> {
        let streams = availability::streams(TENANT, &self.settings, query).expect("a query");
        let state = self.state(&streams);
        let limit = availability::MAX_OFFERS;
        availability::offers(&self.settings, &state.schedule, self.now, query, limit)
            .expect("a query")
    }
}

fn clock(at: DateTime<Utc>) -> String {
    at.format("%H:%M").to_string()
}

fn change(appointment_id: AppointmentId) -> Change {
    Change { appointment_id, call_id: None, sections: Sections::default() }
}

fn moving(appointment_id: AppointmentId, starts_at: DateTime<Utc>) -> Reschedule {
    Reschedule {
        appointment_id,
        from: None,
        starts_at,
        minutes: None,
        resource: None,
        call_id: None,
    }
}

fn hold(hold_id: HoldId, starts_at: DateTime<Utc>, until: DateTime<Utc>) -> Action {
    let kind = Kind { resource: Some(resource("main")), ..Kind::default() };
    Action::Hold(Hold { hold_id, starts_at, kind, until })
}

fn minutes(minutes: i64) -> TimeDelta {
    TimeDelta::minutes(minutes)
}
