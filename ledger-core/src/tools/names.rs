//! Names of tools and of their arguments, as they occur in public repositories. Names are compared
//! without case, `_`, `-` and blanks.

use serde::{Deserialize, Serialize};

/// A tool that the ledger answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tool {
    /// Makes an appointment.
    Book,
    /// Lists free times.
    Availability,
    /// Cancels an appointment.
    Cancel,
    /// Moves an appointment.
    Reschedule,
    /// Tells whether the caller is known.
    LookUp,
    /// Escalates the call.
    Escalate,
}

/// A field of a tool's arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Field {
    /// Name of the person.
    Name,
    /// Given name of the person.
    FirstName,
    /// Family name of the person.
    LastName,
    /// Phone number of the person.
    Phone,
    /// E-mail address of the person.
    Email,
    /// Date.
    Date,
    /// Time of day.
    Time,
    /// Part of the day that is preferred.
    DayPart,
    /// Date and time, or one of them.
    Start,
    /// End of the appointment.
    End,
    /// Date after a move.
    NewDate,
    /// Time of day after a move.
    NewTime,
    /// Date and time after a move.
    NewStart,
    /// Date before a move.
    OldDate,
    /// Time of day before a move.
    OldTime,
    /// Length.
    Minutes,
    /// Service.
    Service,
    /// Title, which may name the service.
    Title,
    /// Reason of the visit or of the cancellation.
    Reason,
    /// Notes.
    Notes,
    /// Resource.
    Resource,
    /// Id of an appointment.
    Reference,
    /// Time zone of the time.
    Zone,
    /// What a look-up searches for: a number or a name.
    SearchKey,
}

impl Field {
    /// Returns the words for the field in a question to the caller.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Name | Self::FirstName | Self::LastName | Self::SearchKey => "the name",
            Self::Phone => "the phone number",
            Self::Email => "the e-mail address",
            Self::Date | Self::NewDate | Self::OldDate => "the date",
            Self::Time | Self::DayPart | Self::NewTime | Self::OldTime => "the time",
            Self::Start | Self::NewStart | Self::End | Self::Zone => "the date and time",
            Self::Minutes => "the length",
            Self::Service | Self::Title => "the service",
            Self::Reason => "the reason",
            Self::Notes => "the notes",
            Self::Resource => "whom or where it is with",
            Self::Reference => "the appointment",
        }
    }

    /// Returns the field of an argument.
    #[must_use]
    pub fn of(argument: &str) -> Option<Self> {
        let folded = fold(argument);
        FIELDS.iter().find(|(_, names)| names.contains(&folded.as_str())).map(|(field, _)| *field)
    }
}

impl Tool {
    /// All tools, with their stored words.
    pub const ALL: [(&'static str, Self); 6] = [
        ("book", Self::Book),
        ("availability", Self::Availability),
        ("cancel", Self::Cancel),
        ("reschedule", Self::Reschedule),
        ("look_up", Self::LookUp),
        ("escalate", Self::Escalate),
    ];

    /// Returns the tool with this stored word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(word, _)| *word == text).map(|(_, tool)| tool)
    }

    /// Returns the tool with a name.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        let folded = fold(name);
        TOOLS.iter().find(|(_, names)| names.contains(&folded.as_str())).map(|(tool, _)| *tool)
    }
}

/// Returns whether arguments are also looked for in the object with this name.
#[must_use]
pub fn is_container(argument: &str) -> bool {
    CONTAINERS.contains(&fold(argument).as_str())
}

/// The form in which names are compared.
pub(super) fn fold(name: &str) -> String {
    let is_kept = |c: &char| !matches!(c, '_' | '-') && !c.is_whitespace();
    name.chars().filter(is_kept).flat_map(char::to_lowercase).collect()
}

const TOOLS: &[(Tool, &[&str])] = &[
    (
        Tool::Book,
        &[
            "bookappointment",
            "createbooking",
            "createappointment",
            "bookreservation",
            "bookcalendarappointment",
            "scheduleappointment",
            "saveappointmentbooking",
            "bookclinicappointment",
        ],
    ),
    (
        Tool::Availability,
        &[
            "checkavailability",
            "checkcalendaravailability",
            "getavailability",
            "checkavailableslots",
            "findslots",
            "checkcalendar",
        ],
    ),
    (Tool::Cancel, &["cancelappointment", "cancelbooking"]),
    (Tool::Reschedule, &["rescheduleappointment", "reschedulebooking", "reschedulecalendarevent"]),
    (
        Tool::LookUp,
        &[
            "lookupcaller",
            "lookupclient",
            "lookuppatient",
            "lookupcustomer",
            "searchcustomer",
            "getcustomerbyphone",
            "getpatientbyphone",
            "checkclientexists",
        ],
    ),
    (
        Tool::Escalate,
        &[
            "escalate",
            "escalatecall",
            "escalatetohuman",
            "transfertohuman",
            "requesthuman",
            "speaktohuman",
            "humanhandoff",
        ],
    ),
];

const CONTAINERS: &[&str] = &[
    "customer",
    "patient",
    "client",
    "caller",
    "contact",
    "attendee",
    "guest",
    "details",
    "booking",
    "appointment",
];

const FIELDS: &[(Field, &[&str])] = &[
    (
        Field::Name,
        &[
            "name",
            "customername",
            "patientname",
            "callername",
            "clientname",
            "attendeename",
            "fullname",
            "ownername",
            "appointmentname",
        ],
    ),
    (Field::FirstName, &["firstname"]),
    (Field::LastName, &["lastname"]),
    (
        Field::Phone,
        &[
            "phone",
            "customerphone",
            "patientphone",
            "phonenumber",
            "callerphone",
            "clientphone",
            "customerphonenumber",
            "mobileno",
            "callbacknumber",
            "appointmentphone",
        ],
    ),
    (
        Field::Email,
        &["email", "customeremail", "patientemail", "calleremail", "emailid", "appointmentemail"],
    ),
    (
        Field::Date,
        &[
            "date",
            "appointmentdate",
            "preferreddate",
            "preferredday",
            "requesteddate",
            "bookingdate",
            "day",
            "datetext",
        ],
    ),
    (
        Field::Time,
        &[
            "time",
            "appointmenttime",
            "requestedtime",
            "preferredtime",
            "bookingtime",
            "reservationtime",
        ],
    ),
    (Field::DayPart, &["timepreference"]),
    (
        Field::Start,
        &[
            "starttime",
            "start",
            "datetime",
            "startiso",
            "appointmentdatetime",
            "scheduledat",
            "scheduledstarttime",
            "desiredtime",
        ],
    ),
    (Field::End, &["endtime", "end", "endiso"]),
    (Field::NewDate, &["newdate", "preferrednewdate"]),
    (Field::NewTime, &["newtime", "preferrednewtime"]),
    (Field::NewStart, &["newstarttime", "newstart", "newdatetime"]),
    (Field::OldDate, &["originaldate", "olddate"]),
    (Field::OldTime, &["originaltime", "oldtime"]),
    (Field::Minutes, &["durationminutes", "duration", "minutes", "durationm"]),
    (
        Field::Service,
        &[
            "service",
            "servicetype",
            "servicename",
            "type",
            "appointmenttype",
            "treatmenttype",
            "procedure",
            "eventtype",
        ],
    ),
    (Field::Title, &["title"]),
    (Field::Reason, &["reason", "visitreason", "chiefcomplaint", "symptoms", "issuedescription"]),
    (Field::Notes, &["notes", "description", "specialrequests", "message"]),
    (
        Field::Resource,
        &[
            "provider",
            "location",
            "providername",
            "doctorname",
            "dentist",
            "stylistname",
            "technicianname",
            "doctorid",
        ],
    ),
    (
        Field::Reference,
        &["appointmentid", "bookingid", "eventid", "confirmationcode", "confirmationnumber"],
    ),
    (Field::Zone, &["timezone"]),
    (Field::SearchKey, &["searchkey", "query", "nameorphone"]),
];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_name_is_recognized_in_every_spelling() {
        for name in ["bookAppointment", "book_appointment", "Book Appointment", "BOOK-APPOINTMENT"]
        {
            assert_eq!(Tool::of(name), Some(Tool::Book), "{name}");
        }
        assert_eq!(Tool::of("transferCall"), None);
        assert_eq!(Field::of("patient_name"), Some(Field::Name));
        assert_eq!(Field::of("startISO"), Some(Field::Start));
        assert_eq!(Field::of("metadata"), None);
    }

    #[test]
    fn the_tables_list_each_name_once_in_its_folded_form() {
        let tools = TOOLS.iter().flat_map(|(_, names)| names.iter());
        let fields = FIELDS.iter().flat_map(|(_, names)| names.iter());
        for names in [tools.collect::<Vec<_>>(), fields.collect()] {
            let unique: HashSet<_> = names.iter().collect();
            assert_eq!(unique.len(), names.len());
            assert!(names.iter().all(|name| fold(name) == **name), "{names:?}");
        }
    }
}
