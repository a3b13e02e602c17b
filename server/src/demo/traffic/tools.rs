//! Functions the assistants call: names, schemas, arguments and results.

use super::context::CallContext;
use super::json::{Json, object};

/// A function the clinic offers its assistants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tool {
    LookupCaller,
    CheckAvailability,
    BookAppointment,
    RescheduleAppointment,
    CancelAppointment,
}

impl Tool {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::LookupCaller => "lookupCaller",
            Self::CheckAvailability => "checkAvailability",
            Self::BookAppointment => "bookAppointment",
            Self::RescheduleAppointment => "rescheduleAppointment",
            Self::CancelAppointment => "cancelAppointment",
        }
    }

    fn description(self) -> &'static str {
        match self {
            Self::LookupCaller => "Find the patient record of the caller.",
            Self::CheckAvailability => "List free slots for a service on a day.",
            Self::BookAppointment => "Book a free slot for the caller.",
            Self::RescheduleAppointment => "Move an existing appointment to another slot.",
            Self::CancelAppointment => "Cancel an existing appointment.",
        }
    }

    /// Returns the change of the appointment by this tool.
    pub(super) fn change(self) -> Option<&'static str> {
        match self {
            Self::LookupCaller | Self::CheckAvailability => None,
            Self::BookAppointment => Some("booked"),
            Self::RescheduleAppointment => Some("rescheduled"),
            Self::CancelAppointment => Some("cancelled"),
        }
    }

    fn required(self) -> &'static [&'static str] {
        match self {
            Self::LookupCaller => &["name"],
            Self::CheckAvailability => &["service", "date"],
            Self::BookAppointment => &["patientName", "service", "date", "time"],
            Self::RescheduleAppointment => &["appointmentId", "newDate", "newTime"],
            Self::CancelAppointment => &["appointmentId"],
        }
    }

    /// Returns the arguments. Dates and times are the clinic's local ones.
    pub(super) fn arguments(self, context: &CallContext) -> Json {
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
    pub(super) fn result(self, context: &CallContext) -> String {
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

    /// Returns the `function` member of the tool's definition.
    pub(super) fn definition(self) -> Json {
        let required = self.required().iter().map(|name| Json::from(*name)).collect::<Vec<_>>();
        let properties = Json::Object(
            self.required().iter().map(|name| (*name, object! { "type" => "string" })).collect(),
        );
        object! {
            "name" => self.name(),
            "description" => self.description(),
            "parameters" => object! {
                "type" => "object", "properties" => properties, "required" => required,
            },
        }
    }
}
