//! Functions the assistants call: names and schemas.

use crate::json::{Json, object};

/// A function the clinic offers its assistants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tool {
    LookupCaller,
    CheckAvailability,
    BookAppointment,
    RescheduleAppointment,
    CancelAppointment,
}

impl Tool {
    pub(crate) fn name(self) -> &'static str {
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
    pub(crate) fn change(self) -> Option<&'static str> {
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

    /// Returns the `function` member of the tool's definition.
    pub(crate) fn definition(self) -> Json {
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
