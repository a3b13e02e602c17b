//! Outcomes of Vapi's ended reasons: about six hundred reasons are reduced to nine outcomes.

use crate::outcome::Outcome;

/// Reasons with an explicit outcome. All other reasons are classified by the words in them.
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

/// Prefix of reasons about the other leg of a forwarded call. They do not describe the result of
/// the call itself, and none of them is a transfer.
const FORWARDING: &str = "call.forwarding.";

/// Parts of other reasons for a transfer that was started and failed.
const TRANSFER_FAILED: &[&str] = &[
    "error-transfer-failed",
    "error-warm-transfer",
    "before-warm-transfer",
    "after-warm-transfer-attempt",
    "during-transfer",
];

/// Words that indicate a failure in unlisted reasons.
const FAILURE_WORDS: &[&str] =
    &["error", "fail", "fault", "invalid", "rejected", "not-found", "not-valid", "disconnected"];

/// Classifies a reason.
///
/// New reasons appear every month: unlisted ones are classified by the words in them, and the rest
/// is `Unknown`, never assumed to be good. Some reasons end an unanswered call as well as a
/// completed one; for these, `answered` decides.
pub(super) fn of_reason(reason: &str, answered: bool) -> Outcome {
    let is_forwarding = reason.starts_with(FORWARDING);
    if is_forwarding || reason == "manually-canceled" {
        return match reason {
            _ if answered => Outcome::Completed,
            _ if is_forwarding && reason.contains("busy") => Outcome::Busy,
            _ => Outcome::NoAnswer,
        };
    }
    if let Some((_, outcome)) = EXACT.iter().find(|(known, _)| *known == reason) {
        return *outcome;
    }
    if FAILURE_WORDS.iter().any(|word| reason.contains(word)) {
        return Outcome::Failed;
    }
    match reason {
        _ if reason.contains("voicemail") => Outcome::Voicemail,
        _ if reason.contains("silence") => Outcome::Silence,
        _ if reason.contains("forward") || reason.contains("transfer") => Outcome::Transferred,
        _ if reason.starts_with("assistant-request") => Outcome::Failed,
        _ if reason.contains("phone-call-provider") => Outcome::Failed,
        _ => Outcome::Unknown,
    }
}

/// Returns true if the reason means that a transfer did not reach its destination.
pub(super) fn is_failed_transfer(reason: &str) -> bool {
    reason.starts_with(FORWARDING) || TRANSFER_FAILED.iter().any(|word| reason.contains(word))
}
