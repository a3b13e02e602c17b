//! The streams of a command, in the order in which its events refer to them.

use chrono::{DateTime, NaiveDate, Utc};

use super::command::{Action, BookingCommand, Reschedule};
use super::decide::BookingState;
use super::interval::Interval;
use super::names::ResourceId;
use super::refusal::Refusal;
use super::schedule::{self, Entry};
use super::settings::BookingSettings;
use super::slot::{Kind, Shape, days};
use crate::aggregate::Stream;
use crate::envelope::StreamKind;
use crate::event::SlotFacts;
use crate::ids::{AppointmentId, StreamId, TenantId};

/// A stream of a decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Key {
    Appointment(AppointmentId),
    Day(ResourceId, NaiveDate),
}

/// The streams of a decision, each once, with the alternative that it belongs to.
#[derive(Debug, Default)]
pub(super) struct Keys(Vec<(Key, u16)>);

impl Keys {
    /// The streams that follow from the command alone.
    pub(super) fn first(command: &BookingCommand) -> Self {
        let mut keys = Self::default();
        match &command.action {
            Action::Book(book) => {
                keys.push(Key::Appointment(book.appointment_id), 0);
                keys.candidates(command, &book.kind, book.starts_at);
            }
            Action::Reschedule(change) => {
                keys.push(Key::Appointment(change.appointment_id), 0);
            }
            Action::Confirm(change)
            | Action::Cancel(change)
            | Action::Complete(change)
            | Action::NoShow(change) => keys.push(Key::Appointment(change.appointment_id), 0),
            Action::Hold(hold) => keys.candidates(command, &hold.kind, hold.starts_at),
            Action::ReleaseHold { resource, starts_at, .. } => {
                keys.push(Key::Day(resource.clone(), starts_at.date_naive()), 0);
            }
            Action::Close { resource, period, .. } => {
                // Longer periods are refused; their first day is enough for that.
                let days = period.utc_days().take(super::decide::MAX_CLOSED_DAYS + 1);
                keys.days(resource, days, 0);
            }
            Action::Open { resource, closed_from, .. } => {
                keys.push(Key::Day(resource.clone(), closed_from.date_naive()), 0);
            }
        }
        keys
    }

    /// The streams that follow from the state of the first ones too.
    pub(super) fn all(state: &BookingState, command: &BookingCommand) -> Self {
        let mut keys = Self::first(command);
        match &command.action {
            Action::Book(book) => {
                let id = book.hold.map(|hold| hold.0);
                let resource = book.kind.resource.as_ref();
                let held =
                    id.zip(resource).and_then(|(id, resource)| state.schedule.find(resource, id));
                keys.entry(resource, held);
            }
            Action::Reschedule(change) => {
                let Some(appointment) = &state.appointment else { return keys };
                keys.slot(&appointment.slot);
                if let Ok((kind, shape)) = moved_shape(&command.settings, state, change) {
                    keys.shape(&command.settings, &shape, change.starts_at, &kind);
                }
            }
            Action::Cancel(_) => {
                if let Some(appointment) = &state.appointment {
                    keys.slot(&appointment.slot);
                }
            }
            Action::ReleaseHold { hold_id, resource, .. } => {
                keys.entry(Some(resource), state.schedule.find(resource, hold_id.0));
            }
            Action::Open { closure_id, resource, .. } => {
                keys.entry(Some(resource), state.schedule.find(resource, closure_id.0));
            }
            Action::Confirm(_)
            | Action::Complete(_)
            | Action::NoShow(_)
            | Action::Hold(_)
            | Action::Close { .. } => {}
        }
        keys
    }

    /// Position of a stream in the list.
    pub(super) fn index(&self, key: &Key) -> usize {
        let place = self.0.iter().position(|(known, _)| known == key);
        // Past the end if it is not listed, which the command path refuses.
        place.unwrap_or(self.0.len())
    }

    pub(super) fn into_streams(self, tenant_id: TenantId) -> Vec<Stream> {
        let stream = |(key, group): (Key, u16)| {
            let stream = match key {
                Key::Appointment(id) => Stream::new(StreamId(id.0), StreamKind::Appointment),
                Key::Day(resource, day) => schedule::stream(tenant_id, &resource, day),
            };
            stream.in_group(group)
        };
        self.0.into_iter().map(stream).collect()
    }

    fn push(&mut self, key: Key, group: u16) {
        if self.0.iter().all(|(known, _)| *known != key) {
            self.0.push((key, group));
        }
    }

    fn days(
        &mut self,
        resource: &ResourceId,
        days: impl IntoIterator<Item = NaiveDate>,
        group: u16,
    ) {
        for day in days {
            self.push(Key::Day(resource.clone(), day), group);
        }
    }

    fn slot(&mut self, slot: &SlotFacts) {
        if let Some(blocked) = Interval::new(slot.blocked_from, slot.blocked_until) {
            self.days(&slot.resource, blocked.utc_days(), 0);
        }
    }

    fn entry(&mut self, resource: Option<&ResourceId>, entry: Option<&Entry>) {
        if let (Some(resource), Some(entry)) = (resource, entry) {
            self.days(resource, entry.blocked.utc_days(), 0);
        }
    }

    fn candidates(&mut self, command: &BookingCommand, kind: &Kind, start: DateTime<Utc>) {
        if let Ok(shape) = Shape::of(&command.settings, kind) {
            self.shape(&command.settings, &shape, start, kind);
        }
    }

    /// The days of each resource in question. Of several, each is an alternative of its own: only the
    /// days of the chosen one must not change before the append.
    fn shape(
        &mut self,
        settings: &BookingSettings,
        shape: &Shape<'_>,
        start: DateTime<Utc>,
        kind: &Kind,
    ) {
        let Some(times) = shape.at(start) else { return };
        for (nth, resource) in (1..).zip(&shape.resources) {
            let group = if kind.resource.is_some() { 0 } else { nth };
            self.days(&resource.id, days(settings, times), group);
        }
    }
}

/// What a moved appointment is to be: its service, with the buffers of the booking if the service no
/// longer exists, and the length and resource that it has or gets.
///
/// # Errors
/// The refusals of [`Shape::of`]; [`Refusal::AppointmentNotFound`].
pub(super) fn moved_shape<'s>(
    settings: &'s BookingSettings,
    state: &BookingState,
    change: &Reschedule,
) -> Result<(Kind, Shape<'s>), Refusal> {
    let appointment = state.appointment.as_ref().ok_or(Refusal::AppointmentNotFound)?;
    let slot = &appointment.slot;
    let length = u32::try_from((slot.ends_at - slot.starts_at).num_minutes()).unwrap_or(u32::MAX);
    let service = appointment.service.as_ref().and_then(|id| settings.service(id));
    let kind = Kind {
        service: service.map(|service| service.id.clone()),
        resource: Some(change.resource.clone().unwrap_or_else(|| slot.resource.clone())),
        minutes: Some(change.minutes.unwrap_or(length)),
    };
    let shape = Shape::of(settings, &kind)?;
    let is_gone = appointment.service.is_some() && service.is_none();
    let shape = if is_gone { shape.with_buffers_of(slot) } else { shape };
    Ok((kind, shape))
}
