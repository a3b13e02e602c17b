//! Model of one generated call. The messages a platform sends about it are derived elsewhere.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use crate::bill::Bill;
use crate::context::CallContext;
use crate::dialogue::Dialogue;
use crate::scripts::Topic;
use crate::seeded_clinic::{PhoneLine, Role, SeededClinic};

/// Origin of the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Channel {
    Inbound,
    Outbound,
    Web,
}

/// Reason for the end of the call, if it has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    CustomerHungUp,
    AssistantHungUp,
    Forwarded,
    Silence,
    Voicemail,
    NoAnswer,
    Busy,
    /// Ended by an error, with the platform's code.
    Fault(&'static str),
    /// Never answered by the assistant, with the platform's code.
    NeverStarted(&'static str),
    StillTalking,
}

impl Ending {
    /// Returns the platform's `endedReason`, or `None` if the call is in progress.
    pub(crate) fn reason(self) -> Option<&'static str> {
        match self {
            Self::CustomerHungUp => Some("customer-ended-call"),
            Self::AssistantHungUp => Some("assistant-ended-call"),
            Self::Forwarded => Some("assistant-forwarded-call"),
            Self::Silence => Some("silence-timed-out"),
            Self::Voicemail => Some("voicemail"),
            Self::NoAnswer => Some("customer-did-not-answer"),
            Self::Busy => Some("customer-busy"),
            Self::Fault(code) | Self::NeverStarted(code) => Some(code),
            Self::StillTalking => None,
        }
    }

    /// Returns whether the conversation, if any, was completed.
    pub(crate) fn is_complete(self) -> bool {
        matches!(
            self,
            Self::CustomerHungUp | Self::AssistantHungUp | Self::Forwarded | Self::Voicemail
        )
    }

    /// Returns whether a person or a machine answered.
    pub(crate) fn is_answered(self) -> bool {
        !matches!(self, Self::NoAnswer | Self::Busy | Self::NeverStarted(_))
    }

    /// Returns whether the call is charged; the platform does not charge its own faults.
    pub(crate) fn is_charged(self) -> bool {
        match self {
            Self::Fault(code) => !code.contains("vapifault"),
            ending => ending.is_answered(),
        }
    }
}

/// The other party, with the data the platform has.
#[derive(Debug)]
pub(crate) struct Customer {
    /// E.164, or a word when the number is withheld.
    pub(crate) number: String,
    pub(crate) name: Option<String>,
    pub(crate) email: Option<String>,
}

/// Times of the stages of a call.
#[expect(clippy::struct_field_names, reason = "a moment is named `_at` wherever it appears")]
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times {
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) answered_at: Option<DateTime<Utc>>,
    pub(crate) ended_at: Option<DateTime<Utc>>,
}

impl Times {
    /// Returns the connected time in milliseconds.
    pub(crate) fn talk_ms(self) -> i64 {
        match (self.answered_at, self.ended_at) {
            (Some(from), Some(to)) => (to - from).num_milliseconds(),
            _ => 0,
        }
    }

    /// Returns the time from which offsets within the conversation are counted.
    pub(crate) fn answered_or_created(self) -> DateTime<Utc> {
        self.answered_at.unwrap_or(self.created_at)
    }
}

/// An end-of-call report that will be sent.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) at: DateTime<Utc>,
    pub(crate) bill: Bill,
}

/// One generated call.
#[derive(Debug)]
pub(crate) struct Scenario {
    pub(crate) id: Uuid,
    pub(crate) route: Channel,
    pub(crate) role: Role,
    pub(crate) topic: &'static Topic,
    pub(crate) ending: Ending,
    /// Whether messages have the platform's format of 2024, with costs and times inside the call.
    pub(crate) older: bool,
    pub(crate) times: Times,
    pub(crate) customer: Option<Customer>,
    pub(crate) context: CallContext,
    pub(crate) dialogue: Dialogue,
    /// Summary of the analysis; empty if there was no conversation.
    pub(crate) summary: String,
    pub(crate) report: Option<Report>,
    /// A later report that replaces the first.
    pub(crate) correction: Option<Report>,
    /// The carrier's id of the call.
    pub(crate) carrier_call_id: String,
    /// Whether tool arguments arrive as JSON in a string rather than as an object.
    pub(crate) arguments_as_text: bool,
}

impl Scenario {
    /// Converts milliseconds within the conversation to a time.
    pub(crate) fn at(&self, ms: i64) -> DateTime<Utc> {
        self.times.answered_or_created() + TimeDelta::milliseconds(ms)
    }

    /// Returns the clinic's phone line of the call; `None` for web calls.
    pub(crate) fn line<'a>(&self, seeded_clinic: &'a SeededClinic) -> Option<&'a PhoneLine> {
        match self.route {
            Channel::Inbound => Some(&seeded_clinic.main_line),
            Channel::Outbound => Some(&seeded_clinic.reminder_line),
            Channel::Web => None,
        }
    }

    /// Returns the total of the latest report, in nano-dollars.
    pub(crate) fn cost_nanos(&self) -> i64 {
        let last = self.correction.as_ref().or(self.report.as_ref());
        last.map_or(0, |report| report.bill.total_nanos())
    }

    /// Returns the change of an appointment, if any.
    pub(crate) fn change(&self) -> Option<&'static str> {
        let by_tool = self.dialogue.tool_uses().filter_map(|each| each.tool.change()).last();
        by_tool.or_else(|| self.topic.settles.filter(|_| self.ending.is_complete()))
    }
}
