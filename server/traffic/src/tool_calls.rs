//! Arguments and results of the functions the assistants call.

use crate::context::CallContext;
use crate::json::{Json, object};
use crate::tools::Tool;

impl Tool {
    /// Returns the arguments. Dates and times are the clinic's local ones.
    pub(crate) fn arguments(self, context: &CallContext) -> Json {
        match self {
            Self::LookupCaller => object! { "name" => context.name.as_str() }
                .with_some("phone", context.phone.as_deref()),
            Self::CheckAvailability => object! {
                "service" => context.service.code,
                "date" => context.slot.date.as_str(),
                "staff" => context.staff,
            },
            Self::BookAppointment => object! {
                "patientName" => context.name.as_str(),
                "service" => context.service.code,
                "date" => context.slot.date.as_str(),
                "time" => context.slot.clock.as_str(),
                "staff" => context.staff,
            }
            .with_some("phone", context.phone.as_deref()),
            Self::RescheduleAppointment => object! {
                "appointmentId" => context.appointment.as_str(),
                "newDate" => context.slot.date.as_str(),
                "newTime" => context.slot.clock.as_str(),
            },
            Self::CancelAppointment => object! {
                "appointmentId" => context.appointment.as_str(),
                "reason" => context.excuse,
            },
        }
    }

    /// Returns the result of the clinic's system, in one line.
    pub(crate) fn result(self, context: &CallContext) -> String {
        match self {
            Self::LookupCaller => format!("Found {}, last visit on record.", context.name),
            Self::CheckAvailability => {
                format!(
                    "Free on {}: {} with {}.",
                    context.slot.date, context.slot.clock, context.staff
                )
            }
            Self::BookAppointment => format!("Booked, reference {}.", context.appointment),
            Self::RescheduleAppointment => {
                format!(
                    "Moved {} to {} {}.",
                    context.appointment, context.slot.date, context.slot.clock
                )
            }
            Self::CancelAppointment => format!("Cancelled {}.", context.appointment),
        }
    }
}
