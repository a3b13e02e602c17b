//! The tools that cancel and move an appointment. Without its id they need the only open appointment
//! of the person at the time that was told.

use ledger_core::aggregate::Decided;
use ledger_core::booking::command::Change;
use ledger_core::booking::slot::Kind;
use ledger_core::booking::{
    Action, BookingCommand, BookingEvent, BookingState, Refusal, Reschedule,
};
use ledger_core::ids::SubjectId;
use ledger_core::personal::AppointmentDetails;
use ledger_core::section::Sections;
use ledger_core::tools::{ChangeWish, words};

use super::book::near;
use super::find::Found;
use super::person::Known;
use super::telling::Said;
use super::{Asked, ToolAnswered, ToolError};
use crate::Store;

impl Store {
    pub(super) async fn change(
        &self,
        asked: &Asked<'_>,
        wish: ChangeWish,
    ) -> Result<ToolAnswered, ToolError> {
        let contact_id = match self.known_person(asked, &wish.person).await? {
            Known::One(contact_id) => contact_id,
            Known::Unnamed => return self.tell(asked, Said::only(Err(words::which_name()))).await,
            Known::Nobody => return self.tell(asked, Said::only(Err(words::not_found()))).await,
        };
        let found = match self.find_one(asked, contact_id, &wish).await? {
            Ok(found) => found,
            Err(question) => return self.tell(asked, Said::only(Err(question))).await,
        };
        let caller = &asked.delivery.resolved.subject;
        // A reason of another person than the caller stays in the sealed arguments of the call.
        let details = (caller.subject_id == contact_id
            && wish.details != AppointmentDetails::default())
        .then_some(wish.details);
        let Found { appointment_id, appointment } = found;
        let call_id = asked.call_id();
        let action = match wish.starts_at {
            None => Action::Cancel(Change {
                appointment_id,
                call_id,
                sections: Sections { details, ..Sections::default() },
            }),
            Some(starts_at) => Action::Reschedule(Reschedule {
                appointment_id,
                from: Some(appointment.slot.starts_at),
                starts_at,
                minutes: wish.minutes,
                resource: None,
                call_id,
            }),
        };
        let command = BookingCommand { settings: asked.settings.clone(), now: asked.now, action };
        let (starts_at, minutes) = (wish.starts_at, wish.minutes);
        let say = |state: &BookingState, decision: Result<&[Decided<BookingEvent>], &Refusal>| {
            let dates = &asked.dates();
            match (decision, starts_at) {
                (Ok(_), Some(starts_at)) => Said::only(Ok(words::moved(starts_at, dates))),
                (Ok(_), None) => {
                    Said::only(Ok(words::cancelled(appointment.slot.starts_at, dates)))
                }
                (Err(refusal), starts_at) => {
                    let kind = Kind {
                        service: appointment.service.clone(),
                        resource: Some(appointment.slot.resource.clone()),
                        minutes,
                    };
                    let near = starts_at.filter(|_| *refusal == Refusal::SlotTaken).and_then(
                        |starts_at| near(&asked.settings, state, asked.now, &kind, starts_at),
                    );
                    let near = near.unwrap_or_default();
                    let reply = Err(words::refused(*refusal, &near, dates));
                    Said { reply, offered: !near.is_empty() }
                }
            }
        };
        self.execute_tool(asked, Some(caller.clone()), &command, &say).await
    }

    /// The appointment that is meant, or the question for the caller.
    async fn find_one(
        &self,
        asked: &Asked<'_>,
        contact_id: SubjectId,
        wish: &ChangeWish,
    ) -> Result<Result<Found, String>, ToolError> {
        if let Some(appointment_id) = wish.appointment_id {
            let tenant_id = asked.delivery.origin.tenant_id;
            let appointment = self.appointment(tenant_id, appointment_id).await?;
            let appointment = appointment.filter(|one| one.contact_id == contact_id);
            let found = appointment.map(|appointment| Found { appointment_id, appointment });
            return Ok(found.ok_or_else(words::not_found));
        }
        let mut found = self.appointments_of(asked, contact_id, wish.when).await?;
        Ok(match (found.pop(), found.is_empty()) {
            (Some(only), true) => Ok(only),
            (Some(_), false) => Err(words::which_appointment()),
            (None, _) => Err(words::not_found()),
        })
    }
}
