//! The tool that makes an appointment.

use chrono::{DateTime, NaiveTime, Utc};
use ledger_core::aggregate::Decided;
use ledger_core::booking::availability::{Offer, Query, offers};
use ledger_core::booking::slot::{Kind, Shape};
use ledger_core::booking::{
    Action, Book, BookingCommand, BookingEvent, BookingSettings, BookingState, Refusal, local,
};
use ledger_core::event::{AppointmentEvent, AppointmentStatus, PartyFacts};
use ledger_core::ids::AppointmentId;
use ledger_core::personal::{AppointmentDetails, Party};
use ledger_core::section::Sections;
use ledger_core::tools::{AppointmentWish, Named, words};

use super::telling::Said;
use super::{Asked, ToolAnswered, ToolError};
use crate::Store;

/// Maximum number of offers that are computed for a time that is not free.
const MAX_NEAR: usize = 60;

impl Store {
    pub(super) async fn book(
        &self,
        asked: &Asked<'_>,
        wish: AppointmentWish,
    ) -> Result<ToolAnswered, ToolError> {
        let Some(person) = self.person_to_book(asked, &wish.person).await? else {
            return self.tell(asked, Said::only(Err(words::which_name()))).await;
        };
        let tenant_id = asked.delivery.origin.tenant_id;
        let caller = &asked.delivery.resolved;
        let (contact_id, caller_id) = (person.subject.subject_id, caller.subject.subject_id);
        let is_other = caller.person.contact && caller_id != contact_id;
        let (party, facts) = party_of(asked, &wish.person);
        let is_fenced = person.subject.sealing_key().is_none();
        let id = tenant_id.derive(&[b"appointment", asked.command_id.0.as_bytes()]);
        let book = Book {
            appointment_id: AppointmentId(id),
            starts_at: wish.starts_at,
            kind: wish.kind.clone(),
            hold: None,
            contact_id,
            is_known_person: person.person.contact,
            booked_by_contact_id: is_other.then_some(caller_id),
            call_id: asked.call_id(),
            party: (!is_fenced).then_some(facts),
            sections: Sections {
                party: Some(party),
                details: (wish.details != AppointmentDetails::default()).then_some(wish.details),
                ..Sections::default()
            },
        };
        let command = BookingCommand {
            settings: asked.settings.clone(),
            now: asked.now,
            action: Action::Book(book),
        };
        let say = |state: &BookingState, decision: Result<&[Decided<BookingEvent>], &Refusal>| {
            said(asked, state, decision, &wish.kind, wish.starts_at)
        };
        self.execute_tool(asked, Some(person.subject), &command, &say).await
    }
}

/// The personal data of the appointment: what was told, and the number of the call otherwise.
fn party_of(asked: &Asked<'_>, named: &Named) -> (Party, PartyFacts) {
    let (told, told_facts) = named.party();
    let (caller, caller_facts) = asked.caller();
    let (mut party, mut facts) = (told.clone(), told_facts);
    if party.phone.is_none() {
        party.phone = caller.phone;
        party.extension = caller.extension;
        (facts.phone, facts.extension) = (caller_facts.phone, caller_facts.extension);
    }
    if party.name.is_none() && caller_facts.name {
        party.name = caller.name;
        facts.name = true;
    }
    (party, facts)
}

/// What is said about the decision on a booking.
fn said(
    asked: &Asked<'_>,
    state: &BookingState,
    decision: Result<&[Decided<BookingEvent>], &Refusal>,
    kind: &Kind,
    starts_at: DateTime<Utc>,
) -> Said {
    let dates = &asked.dates();
    let refusal = match decision {
        Ok(decided) => {
            let booked = decided.iter().find_map(|decided| match &decided.event {
                BookingEvent::Appointment(AppointmentEvent::Booked(booked)) => Some(booked),
                _ => None,
            });
            let status = booked.map_or(AppointmentStatus::Confirmed, |booked| booked.status);
            return Said { reply: Ok(words::booked(starts_at, status, dates)), offered: true };
        }
        // The same wish under another id has its appointment.
        Err(Refusal::AlreadyBooked(_)) => {
            let status = if asked.settings.rules.requires_confirmation {
                AppointmentStatus::Pending
            } else {
                AppointmentStatus::Confirmed
            };
            return Said { reply: Ok(words::booked(starts_at, status, dates)), offered: true };
        }
        Err(refusal) => *refusal,
    };
    let is_about_time = matches!(
        refusal,
        Refusal::SlotTaken | Refusal::OutsideHours | Refusal::Closed | Refusal::TooShortNotice
    );
    let near = if is_about_time {
        near(&asked.settings, state, asked.now, kind, starts_at).unwrap_or_default()
    } else {
        Vec::new()
    };
    Said { reply: Err(words::refused(refusal, &near, dates)), offered: !near.is_empty() }
}

/// Free times of the same local day, as far as the decision loaded the schedule: of the UTC days
/// that the wanted time touches.
pub(super) fn near(
    settings: &BookingSettings,
    state: &BookingState,
    now: DateTime<Utc>,
    kind: &Kind,
    starts_at: DateTime<Utc>,
) -> Option<Vec<Offer>> {
    if settings.rules.daily_limit.is_some() {
        // The limit counts a whole local day, which is not loaded.
        return None;
    }
    let shape = Shape::of(settings, kind).ok()?;
    let blocked = shape.at(starts_at)?.blocked;
    let (first, last) = (blocked.utc_days().next()?, blocked.utc_days().last()?);
    let loaded_from = first.and_time(NaiveTime::MIN).and_utc() + (starts_at - blocked.start());
    let loaded_until =
        last.succ_opt()?.and_time(NaiveTime::MIN).and_utc() - (blocked.end() - starts_at);
    let day = local::day(settings.zone, local::date(settings.zone, starts_at))?;
    let from = loaded_from.max(day.start()).max(now);
    let until = loaded_until.min(day.end());
    let query = Query { kind: kind.clone(), from, until };
    let mut offers = offers(settings, &state.schedule, now, &query, MAX_NEAR).ok()?;
    let is_whole = |at: DateTime<Utc>| at.timestamp() % 300 == 0;
    offers.retain(|offer| is_whole(offer.starts_at));
    Some(offers)
}
