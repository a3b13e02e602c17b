//! Books an appointment for a contact of the tenant, or for a person by name.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use ledger_core::booking::availability::Query;
use ledger_core::booking::slot::Kind;
use ledger_core::booking::{Action, Book, BookingEvent, BookingSettings};
use ledger_core::envelope::StreamKind;
use ledger_core::ids::{AppointmentId, CommandId, StreamId, SubjectId};
use ledger_core::personal::AppointmentDetails;
use ledger_core::section::Sections;
use ledger_store::bookings::AvailabilityError;
use ledger_store::execute::{ExecuteError, Executed};
use ledger_store::{TenantTx, read};
use uuid::Uuid;

use super::commands::{BookingCommands, Changed};
use super::error::{BookingError, InvalidField};
use super::kind::{resource_id, service_id};
use super::person::{NewContact, Person, WantedPerson, contact, facts};
use crate::fault::Fault;

/// Longest notes, in characters.
pub const MAX_NOTES: usize = 4_000;
/// Longest appointment, in minutes.
pub const MAX_MINUTES: i64 = 24 * 60;

/// A booking as it is asked for. Lengths of texts are checked by the entrance.
#[derive(Clone, Default)]
pub struct NewBooking {
    /// The person; either this or `contact_id`.
    pub contact: Option<NewContact>,
    /// A contact of the tenant; the booking is for its survivor if it was merged.
    pub contact_id: Option<SubjectId>,
    /// The contact who books, if another person.
    pub booked_by: Option<SubjectId>,
    /// Id or name of a service; without one the appointment has the default length.
    pub service: Option<String>,
    /// Start, a whole minute.
    pub starts_at: DateTime<Utc>,
    /// Length in minutes, at most [`MAX_MINUTES`]; that of the service by default.
    pub minutes: Option<u32>,
    /// Id of a resource; any that is free by default.
    pub resource: Option<String>,
    /// The call in which it is booked.
    pub call_id: Option<StreamId>,
    /// Notes, at most [`MAX_NOTES`] characters; stored sealed.
    pub notes: Option<String>,
}

/// A booking of which each field is valid, not yet checked against the log.
struct Wanted {
    person: WantedPerson,
    booked_by: Option<SubjectId>,
    starts_at: DateTime<Utc>,
    kind: Kind,
    call_id: Option<StreamId>,
    notes: Option<String>,
}

impl BookingCommands<'_> {
    /// Books an appointment. Of several bookings of the same time one is accepted. The id of the appointment
    /// is derived from the command, if there is one.
    ///
    /// # Errors
    /// [`BookingError`]: `Refused` with `SlotTaken` does not say what occupies the time.
    pub async fn book(&self, booking: NewBooking) -> Result<Changed, BookingError> {
        let settings = self.settings().await?;
        let country = self.store.country(self.tenant_id).await?;
        let mut wanted = Wanted::of(booking, &settings, country.as_deref())?;
        if !self.store.accepts_events(self.tenant_id).await? {
            return Err(Fault::TenantNotActive.into());
        }
        self.check_call(wanted.call_id).await?;
        if let Some(booked_by) = wanted.booked_by {
            let field = "booked_by_contact_id";
            let booked_by = contact(self.store, self.tenant_id, field, booked_by).await?;
            wanted.booked_by = Some(booked_by.subject_id);
        }
        let appointment_id = self.new_id();
        let executed = self.book_wanted(settings, appointment_id, wanted).await?;
        Ok(Changed { appointment_id, position: executed.position })
    }

    /// The id of the new appointment: the same one if the same command runs again.
    fn new_id(&self) -> AppointmentId {
        let derive = |command: CommandId| {
            self.tenant_id.derive(&[b"appointment".as_slice(), command.0.as_bytes()])
        };
        AppointmentId(self.by.command_id.map_or_else(|| self.store.ids().random(), derive))
    }

    /// Resolves the person, and decides and records the booking.
    ///
    /// A time that is not free makes no contact: the booking is decided without a subject. It can then only be
    /// refused, or be found recorded by an earlier run of the same command; accepted, it is misplaced, because
    /// its sections have no key.
    async fn book_wanted(
        &self,
        settings: Arc<BookingSettings>,
        appointment_id: AppointmentId,
        wanted: Wanted,
    ) -> Result<Executed<BookingEvent>, BookingError> {
        if let WantedPerson::Party(party) = &wanted.person
            && !self.is_free(&settings, &wanted).await?
        {
            let sections = Sections { party: Some(party.clone()), ..Sections::default() };
            let nobody = (SubjectId(Uuid::nil()), false);
            let action = Action::Book(wanted.command(appointment_id, nobody, sections));
            match self.decide(Arc::clone(&settings), None, action).await? {
                Err(ExecuteError::Misplaced) => {}
                decided => return decided.map_err(BookingError::from),
            }
        }
        let stream_id = StreamId(appointment_id.0);
        let person = wanted.person.clone().resolve(self.store, self.tenant_id, stream_id).await?;
        let Person { subject, is_known, party } = person;
        let details = wanted.notes.clone().map(|notes| AppointmentDetails {
            notes: Some(notes),
            ..AppointmentDetails::default()
        });
        if subject.sealing_key().is_none() {
            return Err(BookingError::PersonErased);
        }
        let sections = Sections { party, details, ..Sections::default() };
        let contact = (subject.subject_id, is_known);
        let action = Action::Book(wanted.command(appointment_id, contact, sections));
        self.execute(settings, Some(subject), action).await
    }

    /// Whether the time is free, by the function that lists free times.
    async fn is_free(
        &self,
        settings: &BookingSettings,
        wanted: &Wanted,
    ) -> Result<bool, BookingError> {
        let from = wanted.starts_at;
        let Some(until) = from.checked_add_signed(TimeDelta::minutes(1)) else { return Ok(false) };
        let query = Query { kind: wanted.kind.clone(), from, until };
        match self.store.availability(self.tenant_id, settings, &query, 1).await {
            Ok(offers) => Ok(offers.first().is_some_and(|offer| offer.starts_at == from)),
            Err(AvailabilityError::Refused(_)) => Ok(false),
            Err(AvailabilityError::Store(error)) => Err(error.into()),
        }
    }

    /// Checks that the tenant has the call.
    async fn check_call(&self, call_id: Option<StreamId>) -> Result<(), BookingError> {
        let Some(call_id) = call_id else { return Ok(()) };
        let mut tx = TenantTx::begin(self.store.app(), self.tenant_id).await?;
        if read::has_stream(&mut tx, StreamKind::Call, call_id).await? {
            return Ok(());
        }
        Err(InvalidField::new("call_id", "there is no such call").into())
    }
}

impl Wanted {
    fn of(
        booking: NewBooking,
        settings: &BookingSettings,
        country: Option<&str>,
    ) -> Result<Self, BookingError> {
        let service = booking.service.map(|text| service_id(settings, &text)).transpose();
        let resource = booking.resource.map(|text| resource_id(&text)).transpose();
        let kind = Kind {
            service: service.map_err(BookingError::Refused)?,
            resource: resource.map_err(BookingError::Refused)?,
            minutes: booking.minutes,
        };
        Ok(Self {
            person: WantedPerson::of(booking.contact_id, booking.contact, country)?,
            booked_by: booking.booked_by,
            starts_at: booking.starts_at,
            kind,
            call_id: booking.call_id,
            notes: booking.notes,
        })
    }

    /// The command for a contact, which is a known person or not.
    fn command(
        &self,
        appointment_id: AppointmentId,
        (contact_id, is_known_person): (SubjectId, bool),
        sections: Sections,
    ) -> Book {
        Book {
            appointment_id,
            starts_at: self.starts_at,
            kind: self.kind.clone(),
            hold: None,
            contact_id,
            is_known_person,
            booked_by_contact_id: self.booked_by.filter(|booked_by| *booked_by != contact_id),
            call_id: self.call_id,
            party: sections.party.as_ref().map(facts),
            sections,
        }
    }
}
