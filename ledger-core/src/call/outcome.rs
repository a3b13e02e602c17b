//! Six hundred provider reasons, read as nine outcomes.

use serde::{Deserialize, Serialize};

/// How a call came out, coarsely. The provider's own reason stays beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The assistant brought it to its end.
    Completed,
    /// The person hung up.
    CustomerHungUp,
    /// Nobody answered.
    NoAnswer,
    /// A machine answered.
    Voicemail,
    /// The line was busy.
    Busy,
    /// It went on with somebody else.
    Transferred,
    /// Nobody spoke any more.
    Silence,
    /// Something broke, here or there.
    Failed,
    /// It ended, and we cannot tell how.
    Unknown,
}

/// Reasons with an outcome of their own; the rest is read by its words.
const EXACT: &[(&str, Outcome)] = &[
    ("assistant-ended-call", Outcome::Completed),
    ("assistant-ended-call-after-message-spoken", Outcome::Completed),
    ("assistant-ended-call-with-hangup-task", Outcome::Completed),
    ("assistant-said-end-call-phrase", Outcome::Completed),
    ("exceeded-max-duration", Outcome::Completed),
    ("vonage-completed", Outcome::Completed),
    ("call.in-progress.twilio-completed-call", Outcome::Completed),
    ("call.in-progress.sip-completed-call", Outcome::Completed),
    ("assistant-forwarded-call", Outcome::Transferred),
    ("assistant-request-returned-forwarding-phone-number", Outcome::Transferred),
    ("call.ringing.hook-executed-transfer", Outcome::Transferred),
    ("call.ending.hook-executed-transfer", Outcome::Transferred),
    ("call.ringing.hook-executed-say", Outcome::Completed),
    ("call.ending.hook-executed-say", Outcome::Completed),
    ("customer-ended-call", Outcome::CustomerHungUp),
    ("customer-ended-call-before-warm-transfer", Outcome::CustomerHungUp),
    ("customer-ended-call-after-warm-transfer-attempt", Outcome::CustomerHungUp),
    ("customer-ended-call-during-transfer", Outcome::CustomerHungUp),
    ("call.ringing.sip-inbound-caller-hungup-before-call-connect", Outcome::CustomerHungUp),
    ("hangup", Outcome::CustomerHungUp),
    ("customer-busy", Outcome::Busy),
    ("customer-did-not-answer", Outcome::NoAnswer),
    ("voicemail", Outcome::Voicemail),
    ("silence-timed-out", Outcome::Silence),
    ("customer-did-not-give-microphone-permission", Outcome::Failed),
    ("twilio-reported-customer-misdialed", Outcome::Failed),
    ("assistant-join-timed-out", Outcome::Failed),
    ("worker-shutdown", Outcome::Failed),
];

/// Reasons that tell of the other leg when a call is forwarded: what became of the call itself they do
/// not tell. None of them is a transfer.
const FORWARDING: &str = "call.forwarding.";

/// Other reasons that say that a transfer was begun and did not come about.
const TRANSFER_FAILED: &[&str] = &[
    "error-transfer-failed",
    "error-warm-transfer",
    "before-warm-transfer",
    "after-warm-transfer-attempt",
    "during-transfer",
];

/// Words that tell a failure in reasons nobody has listed yet.
const FAILURE_WORDS: &[&str] =
    &["error", "fail", "fault", "invalid", "rejected", "not-found", "not-valid", "disconnected"];

impl Outcome {
    /// The outcome of a provider's reason. New reasons appear every month: unlisted ones are read
    /// by the words in them, and what cannot be read is `Unknown`, never guessed to be good. Some
    /// reasons end a call that nobody answered as well as one that was talked through: there it counts
    /// whether anybody `answered`.
    #[must_use]
    pub fn of(reason: &str, answered: bool) -> Self {
        let is_forwarding = reason.starts_with(FORWARDING);
        if is_forwarding || reason == "manually-canceled" {
            return match reason {
                _ if answered => Self::Completed,
                _ if is_forwarding && reason.contains("busy") => Self::Busy,
                _ => Self::NoAnswer,
            };
        }
        Self::of_reason(reason)
    }

    /// Whether a reason says that the call did not get to whom it was to be transferred to.
    #[must_use]
    pub fn says_transfer_failed(reason: &str) -> bool {
        reason.starts_with(FORWARDING) || TRANSFER_FAILED.iter().any(|word| reason.contains(word))
    }

    fn of_reason(reason: &str) -> Self {
        if let Some((_, outcome)) = EXACT.iter().find(|(known, _)| *known == reason) {
            return *outcome;
        }
        if FAILURE_WORDS.iter().any(|word| reason.contains(word)) {
            return Self::Failed;
        }
        match reason {
            _ if reason.contains("voicemail") => Self::Voicemail,
            _ if reason.contains("silence") => Self::Silence,
            _ if reason.contains("forward") || reason.contains("transfer") => Self::Transferred,
            _ if reason.starts_with("assistant-request") => Self::Failed,
            _ if reason.contains("phone-call-provider") => Self::Failed,
            _ => Self::Unknown,
        }
    }

    /// The stored and shown name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::CustomerHungUp => "customer_hung_up",
            Self::NoAnswer => "no_answer",
            Self::Voicemail => "voicemail",
            Self::Busy => "busy",
            Self::Transferred => "transferred",
            Self::Silence => "silence",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
        }
    }
}
