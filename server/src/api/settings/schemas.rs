//! Schemas of the settings, for the OpenAPI document. `ledger_core::settings` parses the values.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Value of a setting, by its name.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum SettingValue {
    /// `plan`
    Plan(PlanSetting),
    /// `hours`
    Hours(HoursSetting),
    /// `resources`
    Resources(ResourcesSetting),
    /// `services`
    Services(ServicesSetting),
    /// `bookings`
    Bookings(BookingsSetting),
    /// `reminders`
    Reminders(RemindersSetting),
    /// `dispositions`
    Dispositions(DispositionsSetting),
    /// `annotations`
    Annotations(AnnotationsSetting),
    /// `lead_score`
    LeadScore(LeadScoreSetting),
    /// `contacts`
    Contacts(ContactsSetting),
    /// `retention`
    Retention(RetentionSetting),
}

/// The catalogue of dispositions; eight by default. A call keeps a disposition that is taken out later.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DispositionsSetting {
    /// The dispositions, in the order of a list to choose from.
    #[schema(max_items = 200)]
    dispositions: Option<Vec<DispositionSetting>>,
}

/// A disposition.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DispositionSetting {
    /// Id of letters, digits, `-`, `_`, `.` and `:` in lower case; `-` and `_` are not distinguished.
    #[schema(min_length = 1, max_length = 40)]
    id: String,
    /// Name for people.
    #[schema(min_length = 1, max_length = 100)]
    label: String,
    /// Whether a call with it is escalated.
    escalates: Option<bool>,
    /// Whether a call with it is marked as a test.
    is_test: Option<bool>,
}

/// Lists for what is added to calls; both are empty by default.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AnnotationsSetting {
    /// Names of the fields of a context that are stored in the clear, if the value is a boolean, a number of at most
    /// 6 digits or a word. All others are sealed. Names that are about a person are refused.
    #[schema(max_items = 100)]
    clear_context_fields: Option<Vec<String>>,
    /// Categories that a tag may have; any word if the list is empty.
    #[schema(max_items = 100)]
    tag_categories: Option<Vec<String>>,
}

/// Clear fields of contacts; none by default.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ContactsSetting {
    /// Names of the custom fields that are stored in the clear from now on. All others are sealed. Names that are
    /// about a person are refused.
    #[schema(max_items = 100)]
    clear_custom_fields: Option<Vec<String>>,
}

/// Days after which data of a class are due to be erased; null keeps the class. `GET /v1/retention/due` reports them,
/// and nothing is erased yet.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RetentionSetting {
    /// Calls, after their start.
    #[schema(minimum = 1, maximum = 36525)]
    calls_days: Option<u32>,
    /// Links to recordings, after the start of the call.
    #[schema(minimum = 1, maximum = 36525)]
    recordings_days: Option<u32>,
    /// Transcripts, turns and summaries, after the start of the call.
    #[schema(minimum = 1, maximum = 36525)]
    transcripts_days: Option<u32>,
    /// Contacts, after their last call, appointment or change.
    #[schema(minimum = 1, maximum = 36525)]
    contacts_days: Option<u32>,
}

/// Points of the lead score, from -100 to 100 each.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LeadScoreSetting {
    /// The assistant talked to a person.
    #[schema(minimum = -100, maximum = 100)]
    answered: Option<i64>,
    /// The call lasted at least `long_call_seconds`.
    #[schema(minimum = -100, maximum = 100)]
    long_call: Option<i64>,
    /// Threshold of a long call.
    #[schema(minimum = 0, maximum = 86400)]
    long_call_seconds: Option<u32>,
    /// An appointment was booked in the call.
    #[schema(minimum = -100, maximum = 100)]
    booked: Option<i64>,
    /// The assistant called a tool.
    #[schema(minimum = -100, maximum = 100)]
    tool_used: Option<i64>,
    /// The platform judged the call a success.
    #[schema(minimum = -100, maximum = 100)]
    success: Option<i64>,
    /// The call continued with another party.
    #[schema(minimum = -100, maximum = 100)]
    transferred: Option<i64>,
    /// A person scored the call 4 or 5.
    #[schema(minimum = -100, maximum = 100)]
    scored_high: Option<i64>,
    /// A person scored the call 1 or 2.
    #[schema(minimum = -100, maximum = 100)]
    scored_low: Option<i64>,
    /// The contact of the call called before it.
    #[schema(minimum = -100, maximum = 100)]
    repeat_caller: Option<i64>,
    /// Points by disposition.
    dispositions: Option<BTreeMap<String, i64>>,
}

/// Limits of the tenant's plan per billing month; null is unlimited. Usage is compared with them, and nothing
/// is refused.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PlanSetting {
    /// Number of calls.
    #[schema(minimum = 1)]
    calls: Option<i64>,
    /// Minutes of all calls.
    #[schema(minimum = 1)]
    minutes: Option<i64>,
    /// Cost of the calls, in nano-dollars.
    #[schema(minimum = 1)]
    cost_nanos: Option<i64>,
    /// Number of events in the log.
    #[schema(minimum = 1)]
    events: Option<i64>,
}

/// Opening hours in the tenant's time zone.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HoursSetting {
    /// Intervals of the weekdays; null for always open. A day that is not named is closed.
    weekdays: Option<WeekdaysSetting>,
    /// Dates with other hours, each once.
    #[schema(max_items = 400)]
    exceptions: Option<Vec<DateSetting>>,
}

/// Intervals of each weekday.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WeekdaysSetting {
    monday: Option<Vec<OpeningSetting>>,
    tuesday: Option<Vec<OpeningSetting>>,
    wednesday: Option<Vec<OpeningSetting>>,
    thursday: Option<Vec<OpeningSetting>>,
    friday: Option<Vec<OpeningSetting>>,
    saturday: Option<Vec<OpeningSetting>>,
    sunday: Option<Vec<OpeningSetting>>,
}

/// An interval of the clock.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OpeningSetting {
    /// Start, from 00:00 to 23:59.
    #[schema(pattern = "^[0-2][0-9]:[0-5][0-9]$")]
    from: String,
    /// End, up to 24:00. An end before the start is on the next day.
    #[schema(pattern = "^[0-2][0-9]:[0-5][0-9]$")]
    to: String,
}

/// A date with hours of its own.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DateSetting {
    /// The local date.
    date: NaiveDate,
    /// Its intervals; none for closed.
    intervals: Option<Vec<OpeningSetting>>,
}

/// What appointments occupy; one resource `main` by default.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResourcesSetting {
    /// The resources.
    #[schema(min_items = 1, max_items = 100)]
    resources: Option<Vec<ResourceSetting>>,
}

/// A resource.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResourceSetting {
    /// Id of lower-case letters, digits, `-` and `_`. It is stored in the clear: use no name of a person.
    #[schema(pattern = "^[a-z0-9_-]{1,40}$")]
    id: String,
    /// Name for people; stored sealed.
    #[schema(max_length = 100)]
    name: Option<String>,
    /// Maximum number of appointments at the same time; 1 by default.
    #[schema(minimum = 1, maximum = 1000)]
    capacity: Option<u32>,
    /// Opening hours of its own.
    hours: Option<HoursSetting>,
}

/// Types of services; none by default.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ServicesSetting {
    /// The services.
    #[schema(max_items = 200)]
    services: Option<Vec<ServiceSetting>>,
}

/// A type of service.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ServiceSetting {
    /// Id of lower-case letters, digits, `-` and `_`.
    #[schema(pattern = "^[a-z0-9_-]{1,40}$")]
    id: String,
    /// Name for people.
    #[schema(max_length = 100)]
    name: Option<String>,
    /// Words by which a request for the service is recognized.
    #[schema(max_items = 30)]
    keywords: Option<Vec<String>>,
    /// Length of an appointment.
    #[schema(minimum = 1, maximum = 1440)]
    minutes: u32,
    /// Time that is blocked before an appointment.
    #[schema(maximum = 180)]
    buffer_before_minutes: Option<u32>,
    /// Time that is blocked after an appointment.
    #[schema(maximum = 180)]
    buffer_after_minutes: Option<u32>,
    /// Price in hundredths of the currency.
    #[schema(minimum = 0, maximum = 1_000_000_000)]
    price_cents: Option<i64>,
    /// Active code of ISO 4217; with a price only.
    #[schema(pattern = "^[A-Z]{3}$")]
    currency: Option<String>,
    /// Resources that it takes place on, ids of the setting `resources`; none for all.
    #[schema(max_items = 100)]
    resources: Option<Vec<String>>,
}

/// Rules of all bookings.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BookingsSetting {
    /// Least time between the booking and the start; 0 by default.
    #[schema(maximum = 129_600)]
    minimum_notice_minutes: Option<u32>,
    /// Longest time between the booking and the start; 730 by default.
    #[schema(minimum = 1, maximum = 1095)]
    horizon_days: Option<u32>,
    /// Maximum number of appointments of one resource on one local day; null for no limit.
    #[schema(minimum = 1, maximum = 10_000)]
    daily_limit: Option<u32>,
    /// Length of an appointment without a service; 30 by default.
    #[schema(minimum = 1, maximum = 1440)]
    default_minutes: Option<u32>,
    /// Distance of offered starts; 15 by default.
    #[schema(minimum = 5, maximum = 720)]
    step_minutes: Option<u32>,
    /// What a closure must not overlap: `appointment` (the default) or `buffers`.
    closures: Option<ClosureWord>,
    /// Whether a new appointment is pending until it is confirmed.
    requires_confirmation: Option<bool>,
}

/// Reminders of appointments that are made or moved from now on.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RemindersSetting {
    /// Minutes between each reminder and the start, each once; 1440 and 120 by default, none for no
    /// reminders.
    #[schema(max_items = 8)]
    offsets_minutes: Option<Vec<u32>>,
}

/// What a closure must not overlap.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClosureWord {
    /// The appointment.
    Appointment,
    /// The appointment and its buffers.
    Buffers,
}
