//! Exact sums over calls: for any ranges, in any time zone, narrowed by any filter, grouped by any
//! dimensions.
//!
//! A [`Question`] is answered from the sums that are kept for months, days and hours of the tenant's
//! own zone, as far as a range consists of them ([`cover()`]), and from the calls themselves for the
//! edges that are left. What the kept sums cannot tell apart, such as calls of one telephone number,
//! is summed from the calls alone. Either way each call counts once in its bucket.

mod ask;
mod clock;
mod cover;
mod people;
mod plan;
mod range;
mod seen;
mod sums;
pub mod usage;

use chrono_tz::Tz;
use uuid::Uuid;

pub use ask::{MAX_ROWS, ask};
pub use cover::{Segment, cover};
pub use people::contacts;
pub use range::{Interval, MAX_BUCKETS, MAX_YEARS, Range, Slice, Span, month, slices};
pub use seen::{STALE_AFTER, extent, live_calls, prepare, zone_of};
pub use sums::{Cost, Extremes, Sums, ratio};

/// What is to be summed.
#[derive(Debug, Clone)]
pub struct Question {
    /// Each is summed by itself; they may overlap.
    pub buckets: Vec<Span>,
    /// Only these calls.
    pub filter: Filter,
    /// Apart by these; none: all together.
    pub group_by: Vec<Dimension>,
    /// The clock of [`Dimension::Hour`] and [`Dimension::Weekday`].
    pub clock: Tz,
    /// Whether [`Sums::durations`] is wanted.
    pub percentiles: bool,
    /// Whether [`Sums::extremes`] is wanted. They cannot be kept as sums, so every call is read.
    pub extremes: bool,
}

impl Question {
    /// Sums of one span, all together.
    #[must_use]
    pub fn of(span: Span, filter: Filter) -> Self {
        Self {
            buckets: vec![span],
            filter,
            group_by: Vec::new(),
            clock: Tz::UTC,
            percentiles: false,
            extremes: false,
        }
    }

    /// The same, apart by some dimensions.
    #[must_use]
    pub fn by(mut self, group_by: impl Into<Vec<Dimension>>) -> Self {
        self.group_by = group_by.into();
        self
    }
}

/// Which calls count. Absent filters narrow nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// The platform's own id.
    pub provider_call_id: Option<String>,
    /// `inbound`, `outbound` or `web`.
    pub direction: Option<String>,
    /// `queued`, `ringing`, `in_progress`, `forwarding` or `ended`.
    pub status: Option<String>,
    /// Our coarse outcome.
    pub outcome: Option<String>,
    /// The provider's reason, exactly.
    pub ended_reason: Option<String>,
    /// The assistant.
    pub agent_id: Option<String>,
    /// Our number, by the platform's id.
    pub phone_number_id: Option<String>,
    /// Called this tool.
    pub tool: Option<String>,
    /// Cost at least this many nanos of whichever currency.
    pub min_cost_nanos: Option<i64>,
    /// With this contact.
    pub contact_id: Option<Uuid>,
    /// From a number: its handle, and the contacts that have it, by whom calls are found that were
    /// recorded before handles had ids. An empty list finds nothing.
    pub phone: Option<Vec<Uuid>>,
    /// With an e-mail address: the same.
    pub email: Option<Vec<Uuid>>,
    /// Marked as a test, or not; `None` counts both.
    pub is_test: Option<bool>,
}

/// What sums can be kept apart by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dimension {
    /// The assistant.
    AgentId,
    /// `inbound`, `outbound` or `web`.
    Direction,
    /// Our coarse outcome; not known while a call has not ended.
    Outcome,
    /// The provider's reason.
    EndedReason,
    /// A tool. A call counts under each it used, and nowhere when it used none.
    Tool,
    /// The coarse class of its duration, of [`CLASSES`](crate::histogram::CLASSES).
    DurationClass,
    /// `true` or `false`.
    IsTest,
    /// Where it stands.
    Status,
    /// `true` or `false`: the provider's evaluation.
    Success,
    /// Our number, by the platform's id.
    PhoneNumberId,
    /// Its start on the clock of the question: `0` to `23`.
    Hour,
    /// The same: `1`, Monday, to `7`.
    Weekday,
}

impl Dimension {
    /// All of them.
    pub const ALL: [Self; 12] = [
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
        Self::Hour,
        Self::Weekday,
    ];

    /// Its name in the statement.
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
            Self::Hour => "hour",
            Self::Weekday => "weekday",
        }
    }

    /// Whether it is read off a clock.
    #[must_use]
    pub const fn is_of_clock(self) -> bool {
        matches!(self, Self::Hour | Self::Weekday)
    }
}

/// The sums of one bucket and group. Groups without calls are not told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The place of its span in [`Question::buckets`].
    pub bucket: usize,
    /// As many as [`Question::group_by`], in its order; `None`: not known of these calls.
    pub keys: Vec<Option<String>>,
    /// The sums.
    pub sums: Sums,
}
