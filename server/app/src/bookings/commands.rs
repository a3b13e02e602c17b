//! Commands on the bookings of a tenant.

use std::sync::Arc;

use ledger_core::booking::command::Change;
use ledger_core::booking::{
    Action, BookingCommand, BookingEvent, BookingSettings, Bookings, Refusal, Reschedule,
};
use ledger_core::ids::{AppointmentId, Position, TenantId};
use ledger_core::section::Sections;
use ledger_store::Store;
use ledger_store::admin_events::Attribution;
use ledger_store::execute::{CommandContext, ExecuteError, Executed};
use ledger_store::vault::Subject;

use super::admission::{Busy, CommandAdmission};
use super::error::BookingError;

/// The commands of one actor on the bookings of a tenant.
#[derive(Clone, Copy)]
pub struct BookingCommands<'a> {
    /// The log and the vault.
    pub store: &'a Store,
    /// The tenants' shares of commands.
    pub admission: &'a CommandAdmission,
    /// The tenant.
    pub tenant_id: TenantId,
    /// The actor. With a command id, a repetition records nothing and has the same result.
    pub by: Attribution,
}

/// An appointment that was booked or changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Changed {
    /// Id of the appointment.
    pub appointment_id: AppointmentId,
    /// Position of the last event; `None` if nothing changed.
    pub position: Option<Position>,
}

impl BookingCommands<'_> {
    /// Changes the status of an appointment, such as `Action::Confirm`.
    ///
    /// # Errors
    /// [`BookingError`]; `Refused` with `InvalidTransition` if the status does not permit it.
    pub async fn change(
        &self,
        appointment_id: AppointmentId,
        action: fn(Change) -> Action,
    ) -> Result<Changed, BookingError> {
        let change = Change { appointment_id, call_id: None, sections: Sections::default() };
        self.change_by(appointment_id, action(change)).await
    }

    /// Moves an appointment. One that cannot be moved keeps its time.
    ///
    /// # Errors
    /// [`BookingError`].
    pub async fn reschedule(&self, reschedule: Reschedule) -> Result<Changed, BookingError> {
        self.change_by(reschedule.appointment_id, Action::Reschedule(reschedule)).await
    }

    async fn change_by(
        &self,
        appointment_id: AppointmentId,
        action: Action,
    ) -> Result<Changed, BookingError> {
        let settings = self.settings().await?;
        let executed = self.execute(settings, None, action).await?;
        Ok(Changed { appointment_id, position: executed.position })
    }

    /// The settings that a decision depends on.
    pub(super) async fn settings(&self) -> Result<Arc<BookingSettings>, BookingError> {
        let settings = self.store.booking_settings(self.tenant_id).await?;
        settings.ok_or(BookingError::TenantNotFound)
    }

    /// Decides a command and records it.
    pub(super) async fn execute(
        &self,
        settings: Arc<BookingSettings>,
        subject: Option<Subject>,
        action: Action,
    ) -> Result<Executed<BookingEvent>, BookingError> {
        self.decide(settings, subject, action).await?.map_err(BookingError::from)
    }

    /// Decides a command and records it, within the tenant's share of commands. The inner error is that of
    /// the command.
    pub(super) async fn decide(
        &self,
        settings: Arc<BookingSettings>,
        subject: Option<Subject>,
        action: Action,
    ) -> Result<Result<Executed<BookingEvent>, ExecuteError<Refusal>>, Busy> {
        let context =
            CommandContext { tenant_id: self.tenant_id, by: self.by, content: None, subject };
        let _permit = self.admission.enter(self.tenant_id)?;
        let command = BookingCommand { settings, now: self.store.clock().now(), action };
        Ok(self.store.execute::<Bookings>(&context, &command).await)
    }
}
