//! An analytics query and its result.

use chrono_tz::Tz;
use ledger_core::annotation::spelling::Spellings;
use uuid::Uuid;

use super::range::Span;
use super::sums::Sums;

/// An analytics query.
#[derive(Debug, Clone)]
pub struct AnalyticsQuery {
    /// Spans that are summed separately; may overlap.
    pub buckets: Vec<Span>,
    /// Only calls that match the filter are summed.
    pub filter: AnalyticsFilter,
    /// Dimensions to group by; empty for one total per bucket.
    pub group_by: Vec<Dimension>,
    /// Time zone of [`Dimension::Hour`] and [`Dimension::Weekday`].
    pub clock: Tz,
    /// Whether [`Sums::durations`] is filled.
    pub percentiles: bool,
    /// Whether [`Sums::extremes`] is filled. Rollups hold no extremes, so every call is read.
    pub extremes: bool,
}

impl AnalyticsQuery {
    /// Returns a query for the ungrouped sums of one span.
    #[must_use]
    pub fn of(span: Span, filter: AnalyticsFilter) -> Self {
        Self {
            buckets: vec![span],
            filter,
            group_by: Vec::new(),
            clock: Tz::UTC,
            percentiles: false,
            extremes: false,
        }
    }

    /// Returns the query, grouped by the given dimensions.
    #[must_use]
    pub fn by(mut self, group_by: impl Into<Vec<Dimension>>) -> Self {
        self.group_by = group_by.into();
        self
    }
}

/// Conditions a call must meet to be counted. An absent field does not filter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AnalyticsFilter {
    /// The provider's id of the call.
    pub provider_call_id: Option<String>,
    /// Direction: `inbound`, `outbound` or `web`.
    pub direction: Option<String>,
    /// Status: `queued`, `ringing`, `in_progress`, `forwarding` or `ended`.
    pub status: Option<String>,
    /// Coarse outcome, as derived by this product.
    pub outcome: Option<String>,
    /// The provider's reason for the end, compared exactly.
    pub ended_reason: Option<String>,
    /// The provider's id of the assistant.
    pub agent_id: Option<String>,
    /// The provider's id of the tenant's phone number.
    pub phone_number_id: Option<String>,
    /// Name of a tool the call used.
    pub tool: Option<String>,
    /// Minimum cost in nanos, regardless of currency.
    pub min_cost_nanos: Option<i64>,
    /// Subject id of the contact.
    pub contact_id: Option<Uuid>,
    /// Ids that match a phone number: its handle, and the contacts with that number. The contacts
    /// find calls recorded before handles had ids. An empty list matches no call.
    pub phone: Option<Vec<Uuid>>,
    /// Ids that match an e-mail address, like `phone`. An empty list matches no call.
    pub email: Option<Vec<Uuid>>,
    /// Whether an appointment was booked in the call, whatever became of it; `None` counts both.
    pub has_appointment: Option<bool>,
    /// One of the tags of the call.
    pub tag: Option<String>,
    /// Id of the disposition.
    pub disposition: Option<Spellings>,
    /// Id of the campaign.
    pub campaign: Option<String>,
    /// Number of the attempt to reach the person, from 1.
    pub attempt: Option<i64>,
    /// Type of the call.
    pub call_type: Option<Spellings>,
    /// Whether the call is marked as a test; `None` counts both.
    pub is_test: Option<bool>,
}

/// A property by which sums can be grouped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dimension {
    /// The provider's id of the assistant.
    AgentId,
    /// Direction: `inbound`, `outbound` or `web`.
    Direction,
    /// Coarse outcome; unknown until the call has ended.
    Outcome,
    /// The provider's reason for the end.
    EndedReason,
    /// Name of a tool. A call counts under each tool it used, and not at all if it used none.
    Tool,
    /// Coarse class of the duration, from [`CLASSES`](crate::histogram::CLASSES).
    DurationClass,
    /// Whether the call is a test: `true` or `false`.
    IsTest,
    /// Status of the call, such as `ended`.
    Status,
    /// The provider's evaluation: `true` or `false`.
    Success,
    /// The provider's id of the tenant's phone number.
    PhoneNumberId,
    /// Id of the campaign.
    Campaign,
    /// Type of the call.
    CallType,
    /// Service of the appointment that was booked last in the call.
    ServiceType,
    /// The contact on the line: the survivor for one that was merged.
    Contact,
    /// Hour of the start in the query's time zone: `0` to `23`.
    Hour,
    /// Day of the week of the start in the query's time zone: `1` (Monday) to `7`.
    Weekday,
}

impl Dimension {
    /// All dimensions, in the order of the variants.
    pub const ALL: [Self; 16] = [
        Self::AgentId,
        Self::Direction,
        Self::Outcome,
        Self::EndedReason,
        Self::Tool,
        Self::DurationClass,
        Self::IsTest,
        Self::Status,
        Self::Success,
        Self::PhoneNumberId,
        Self::Campaign,
        Self::CallType,
        Self::ServiceType,
        Self::Contact,
        Self::Hour,
        Self::Weekday,
    ];

    /// Returns the name used in the statement and in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AgentId => "agent_id",
            Self::Direction => "direction",
            Self::Outcome => "outcome",
            Self::EndedReason => "ended_reason",
            Self::Tool => "tool",
            Self::DurationClass => "duration_class",
            Self::IsTest => "is_test",
            Self::Status => "status",
            Self::Success => "success",
            Self::PhoneNumberId => "phone_number_id",
            Self::Campaign => "campaign",
            Self::CallType => "call_type",
            Self::ServiceType => "service_type",
            Self::Contact => "contact",
            Self::Hour => "hour",
            Self::Weekday => "weekday",
        }
    }

    /// Returns whether the value is the hour or the day of the week of the start.
    #[must_use]
    pub const fn is_of_clock(self) -> bool {
        matches!(self, Self::Hour | Self::Weekday)
    }
}

/// The sums of one bucket and group. Groups without calls are omitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnalyticsRow {
    /// Index of the span in [`AnalyticsQuery::buckets`].
    pub bucket: usize,
    /// Values of the [`AnalyticsQuery::group_by`] dimensions, in order; `None` if unknown for these
    /// calls.
    pub keys: Vec<Option<String>>,
    /// Sums over the calls of the group.
    pub sums: Sums,
}
