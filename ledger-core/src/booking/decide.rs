//! Decisions on bookings.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use super::appointment::Appointment;
use super::command::{Action, Book, BookingCommand, BookingEvent, Change, Hold, Reschedule, wish};
use super::interval::Interval;
use super::names::ResourceId;
use super::refusal::Refusal;
use super::schedule::{Occupant, Schedule};
use super::slot::{Occupancy, Shape, Times, check_start, choose, same_wish, slot_facts};
use super::streams::{Key, Keys, moved_shape};
use crate::aggregate::{Aggregate, Decided, Stream};
use crate::event::{
    AppointmentBooked, AppointmentChanged, AppointmentEvent, AppointmentRescheduled,
    AppointmentStatus, HoldConfirmed, HoldReleased, ScheduleClosed, ScheduleEvent, ScheduleOpened,
    SlotFacts, SlotFreed, SlotHeld, SlotTaken, WishFacts,
};
use crate::ids::{AppointmentId, ClosureId, HoldId, TenantId};
use crate::section::Sections;

/// Maximum number of UTC days of one closure.
pub(super) const MAX_CLOSED_DAYS: usize = 32;
/// Longest hold, in minutes.
const MAX_HOLD: i64 = 60;

/// The state that decisions on bookings need.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BookingState {
    /// The appointment of the command, if it exists.
    pub appointment: Option<Appointment>,
    /// The loaded days of resources.
    pub schedule: Schedule,
}

/// The aggregate of bookings: an appointment, and the days of the resources that it touches.
#[derive(Debug, Clone, Copy)]
pub struct Bookings;

impl Aggregate for Bookings {
    type State = BookingState;
    type Command = BookingCommand;
    type Event = BookingEvent;
    type Rejection = Refusal;

    fn streams(tenant_id: TenantId, command: &BookingCommand) -> Vec<Stream> {
        Keys::first(command).into_streams(tenant_id)
    }

    fn further_streams(
        tenant_id: TenantId,
        state: &BookingState,
        command: &BookingCommand,
    ) -> Vec<Stream> {
        let mut all = Keys::all(state, command).into_streams(tenant_id);
        all.split_off(Keys::first(command).into_streams(tenant_id).len())
    }

    fn decide(
        state: &BookingState,
        command: &BookingCommand,
    ) -> Result<Vec<Decided<BookingEvent>>, Refusal> {
        use AppointmentStatus::{Cancelled, Completed, Confirmed, NoShow};
        let mut decision = Decision::new(state, command);
        match &command.action {
            Action::Book(book) => decision.book(book)?,
            Action::Reschedule(change) => decision.reschedule(change)?,
            Action::Confirm(change) => decision.change(change, Confirmed)?,
            Action::Cancel(change) => decision.change(change, Cancelled)?,
            Action::Complete(change) => decision.change(change, Completed)?,
            Action::NoShow(change) => decision.change(change, NoShow)?,
            Action::Hold(hold) => decision.hold(hold)?,
            Action::ReleaseHold { hold_id, resource, .. } => {
                decision.release(*hold_id, resource)?;
            }
            Action::Close { closure_id, resource, period } => {
                decision.close(*closure_id, resource, *period)?;
            }
            Action::Open { closure_id, resource, .. } => decision.open(*closure_id, resource)?,
        }
        Ok(decision.decided)
    }

    fn evolve(state: &mut BookingState, event: &BookingEvent) {
        match event {
            BookingEvent::Appointment(event) => Appointment::evolve(&mut state.appointment, event),
            BookingEvent::Schedule(event) => state.schedule.evolve(event),
        }
    }
}

/// A decision in the making.
struct Decision<'c> {
    state: &'c BookingState,
    command: &'c BookingCommand,
    keys: Keys,
    decided: Vec<Decided<BookingEvent>>,
}

impl<'c> Decision<'c> {
    fn new(state: &'c BookingState, command: &'c BookingCommand) -> Self {
        let keys = Keys::all(state, command);
        Self { state, command, keys, decided: Vec::new() }
    }

    fn now(&self) -> DateTime<Utc> {
        self.command.now
    }

    fn appointment_event(
        &mut self,
        id: AppointmentId,
        event: AppointmentEvent,
        sections: Sections,
    ) {
        let stream = self.keys.index(&Key::Appointment(id));
        self.decided.push(Decided { stream, event: event.into(), sections });
    }

    fn schedule_events(
        &mut self,
        resource: &ResourceId,
        days: impl Iterator<Item = NaiveDate>,
        event: impl Fn(NaiveDate) -> ScheduleEvent,
    ) {
        for day in days {
            let stream = self.keys.index(&Key::Day(resource.clone(), day));
            self.decided.push(Decided::new(stream, event(day).into()));
        }
    }

    fn book(&mut self, book: &Book) -> Result<(), Refusal> {
        if self.state.appointment.is_some() {
            return Err(Refusal::AppointmentExists);
        }
        let settings = &self.command.settings;
        let shape = Shape::of(settings, &book.kind)?;
        let person = (book.contact_id, book.is_known_person);
        let wish = wish(person, book.call_id, book.starts_at, book.kind.service.as_ref());
        if let Some(earlier) = same_wish(&self.state.schedule, &shape.resources, &wish, self.now())
        {
            return Err(Refusal::AlreadyBooked(earlier));
        }
        let slot = match book.hold {
            Some(hold_id) => self.held_slot(book, hold_id)?,
            None => self.free_slot(&shape, book.starts_at, None)?,
        };
        let price = shape.service.and_then(|service| service.price.as_ref());
        let requires_confirmation = settings.rules.requires_confirmation;
        let booked = AppointmentBooked {
            slot: slot.clone(),
            service: book.kind.service.clone(),
            price_cents: price.map(|price| price.cents),
            currency: price.map(|price| price.currency.clone()),
            status: if requires_confirmation {
                AppointmentStatus::Pending
            } else {
                AppointmentStatus::Confirmed
            },
            contact_id: book.contact_id,
            booked_by_contact_id: book.booked_by_contact_id,
            call_id: book.call_id,
            party: book.party,
            settings_version: settings.version,
            reminders: settings.reminders.offsets_minutes.clone(),
        };
        let (id, event) = (book.appointment_id, AppointmentEvent::Booked(booked));
        self.appointment_event(id, event, book.sections.clone());
        match book.hold {
            None => self.take(id, &slot, wish),
            Some(hold_id) => {
                let resource = slot.resource.clone();
                self.schedule_events(&slot.resource, blocked_days(&slot), |day| {
                    let resource = resource.clone();
                    let confirmed =
                        HoldConfirmed { day, resource, hold_id, appointment_id: id, wish };
                    ScheduleEvent::HoldConfirmed(confirmed)
                });
            }
        }
        Ok(())
    }

    /// The slot of a live hold that fits the booking.
    fn held_slot(&self, book: &Book, hold_id: HoldId) -> Result<SlotFacts, Refusal> {
        let resource = book.kind.resource.as_ref().ok_or(Refusal::HoldNotFound)?;
        let entry = self.state.schedule.find(resource, hold_id.0).ok_or(Refusal::HoldNotFound)?;
        let is_hold = matches!(entry.occupant, Occupant::Hold { .. });
        let slot = entry.slot.as_ref().filter(|slot| is_hold && slot.starts_at == book.starts_at);
        let slot = slot.ok_or(Refusal::HoldNotFound)?;
        if !entry.is_live(self.now()) {
            return Err(Refusal::HoldExpired);
        }
        match check_start(&self.command.settings, self.now(), slot.starts_at) {
            // The notice was kept when the slot was held.
            Ok(()) | Err(Refusal::TooShortNotice) => Ok(slot.clone()),
            Err(refusal) => Err(refusal),
        }
    }

    /// The slot at a start on the resource that is chosen for it.
    fn free_slot(
        &self,
        shape: &Shape<'_>,
        start: DateTime<Utc>,
        moved: Option<AppointmentId>,
    ) -> Result<SlotFacts, Refusal> {
        let settings = &self.command.settings;
        check_start(settings, self.now(), start)?;
        let times: Times = shape.at(start).ok_or(Refusal::TooFarAhead)?;
        let range = (self.now(), times.blocked);
        let occupancy =
            |resource| Occupancy::of(settings, resource, &self.state.schedule, range, moved);
        let occupancies: Vec<_> = shape.resources.iter().copied().map(occupancy).collect();
        let chosen = choose(&occupancies, times)?;
        Ok(slot_facts(occupancies[chosen].resource, times))
    }

    fn take(&mut self, appointment_id: AppointmentId, slot: &SlotFacts, wish: WishFacts) {
        self.schedule_events(&slot.resource, blocked_days(slot), |day| {
            ScheduleEvent::SlotTaken(SlotTaken { day, appointment_id, slot: slot.clone(), wish })
        });
    }

    fn free(&mut self, appointment_id: AppointmentId, slot: &SlotFacts) {
        let resource = &slot.resource;
        self.schedule_events(resource, blocked_days(slot), |day| {
            let resource = resource.clone();
            ScheduleEvent::SlotFreed(SlotFreed { day, resource, appointment_id })
        });
    }

    fn appointment(&self) -> Result<&'c Appointment, Refusal> {
        self.state.appointment.as_ref().ok_or(Refusal::AppointmentNotFound)
    }

    fn reschedule(&mut self, change: &Reschedule) -> Result<(), Refusal> {
        let appointment = self.appointment()?;
        let (from, old) = (appointment.status, &appointment.slot);
        if !from.is_open() {
            return Err(Refusal::InvalidTransition { from, to: from });
        }
        let (kind, shape) = moved_shape(&self.command.settings, self.state, change)?;
        let times = shape.at(change.starts_at).ok_or(Refusal::TooFarAhead)?;
        let is_there = slot_facts(shape.resources[0], times) == *old;
        if is_there {
            return Ok(());
        }
        if change.from.is_some_and(|from| from != old.starts_at) {
            return Err(Refusal::Moved);
        }
        let id = change.appointment_id;
        let slot = self.free_slot(&shape, change.starts_at, Some(id))?;
        let rescheduled = AppointmentRescheduled {
            from: old.starts_at,
            slot: slot.clone(),
            call_id: change.call_id,
            settings_version: self.command.settings.version,
            reminders: self.command.settings.reminders.offsets_minutes.clone(),
        };
        let event = AppointmentEvent::Rescheduled(rescheduled);
        self.appointment_event(id, event, Sections::default());
        let is_known = match self.state.schedule.find(&old.resource, id.0) {
            Some(entry) => matches!(
                entry.occupant,
                Occupant::Appointment { wish: WishFacts { is_known: true, .. }, .. }
            ),
            None => false,
        };
        let person = (appointment.contact_id, is_known);
        let wish = wish(person, change.call_id, slot.starts_at, kind.service.as_ref());
        self.free(id, old);
        self.take(id, &slot, wish);
        Ok(())
    }

    fn change(&mut self, change: &Change, to: AppointmentStatus) -> Result<(), Refusal> {
        let appointment = self.appointment()?;
        if !appointment.changes_to(to, self.now())? {
            return Ok(());
        }
        let changed = AppointmentChanged { call_id: change.call_id };
        let event = match to {
            AppointmentStatus::Pending | AppointmentStatus::Confirmed => {
                AppointmentEvent::Confirmed(changed)
            }
            AppointmentStatus::Cancelled => AppointmentEvent::Cancelled(changed),
            AppointmentStatus::Completed => AppointmentEvent::Completed(changed),
            AppointmentStatus::NoShow => AppointmentEvent::NoShow(changed),
        };
        self.appointment_event(change.appointment_id, event, change.sections.clone());
        if to == AppointmentStatus::Cancelled {
            self.free(change.appointment_id, &appointment.slot);
        }
        Ok(())
    }

    fn hold(&mut self, hold: &Hold) -> Result<(), Refusal> {
        let longest = self.now() + TimeDelta::minutes(MAX_HOLD);
        if hold.until <= self.now() || hold.until > longest {
            return Err(Refusal::InvalidPeriod);
        }
        let shape = Shape::of(&self.command.settings, &hold.kind)?;
        let id = hold.hold_id;
        let schedule = &self.state.schedule;
        if shape.resources.iter().any(|one| schedule.find(&one.id, id.0).is_some()) {
            return Ok(());
        }
        let slot = self.free_slot(&shape, hold.starts_at, None)?;
        self.schedule_events(&slot.resource, blocked_days(&slot), |day| {
            let slot = slot.clone();
            ScheduleEvent::SlotHeld(SlotHeld { day, hold_id: id, slot, until: hold.until })
        });
        Ok(())
    }

    fn release(&mut self, hold_id: HoldId, resource: &ResourceId) -> Result<(), Refusal> {
        let entry = self.state.schedule.find(resource, hold_id.0).ok_or(Refusal::HoldNotFound)?;
        if !entry.is_live(self.now()) {
            return Ok(());
        }
        self.schedule_events(resource, entry.blocked.utc_days(), |day| {
            let resource = resource.clone();
            ScheduleEvent::HoldReleased(HoldReleased { day, resource, hold_id })
        });
        Ok(())
    }

    fn close(
        &mut self,
        closure_id: ClosureId,
        resource: &ResourceId,
        period: Interval,
    ) -> Result<(), Refusal> {
        self.command.settings.resource(resource).ok_or(Refusal::UnknownResource)?;
        if period.utc_days().nth(MAX_CLOSED_DAYS).is_some() {
            return Err(Refusal::InvalidPeriod);
        }
        if period.end() <= self.now() {
            return Err(Refusal::Past);
        }
        if self.state.schedule.find(resource, closure_id.0).is_some() {
            return Ok(());
        }
        self.schedule_events(resource, period.utc_days(), |day| {
            ScheduleEvent::Closed(ScheduleClosed {
                day,
                resource: resource.clone(),
                closure_id,
                closed_from: period.start(),
                closed_until: period.end(),
            })
        });
        Ok(())
    }

    fn open(&mut self, closure_id: ClosureId, resource: &ResourceId) -> Result<(), Refusal> {
        let entry = self.state.schedule.find(resource, closure_id.0);
        let entry = entry.ok_or(Refusal::ClosureNotFound)?;
        self.schedule_events(resource, entry.blocked.utc_days(), |day| {
            let resource = resource.clone();
            ScheduleEvent::Opened(ScheduleOpened { day, resource, closure_id })
        });
        Ok(())
    }
}

/// The UTC days that a slot blocks.
fn blocked_days(slot: &SlotFacts) -> impl Iterator<Item = NaiveDate> + use<> {
    let blocked = Interval::new(slot.blocked_from, slot.blocked_until);
    blocked.into_iter().flat_map(Interval::utc_days)
}
