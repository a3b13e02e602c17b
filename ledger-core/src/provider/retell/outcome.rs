//! Outcomes of Retell's disconnection reasons.

use crate::outcome::Outcome;

/// Classifies a reason. A reason that Retell adds later is `Unknown`, unless its name states an
/// error.
pub(super) fn of_reason(reason: &str, answered: bool) -> Outcome {
    match reason {
        "agent_hangup" | "max_duration_reached" | "ivr_reached" => Outcome::Completed,
        "manual_stopped" if answered => Outcome::Completed,
        "user_hangup" => Outcome::CustomerHungUp,
        "dial_no_answer" | "user_declined" | "manual_stopped" => Outcome::NoAnswer,
        "dial_busy" => Outcome::Busy,
        "voicemail_reached" => Outcome::Voicemail,
        "inactivity" => Outcome::Silence,
        "call_transfer" | "transfer_bridged" | "call_take_over" => Outcome::Transferred,
        "dial_failed"
        | "invalid_destination"
        | "telephony_provider_permission_denied"
        | "telephony_provider_unavailable"
        | "sip_routing_error"
        | "marked_as_spam"
        | "scam_detected"
        | "concurrency_limit_reached"
        | "no_concurrency_fallback"
        | "no_valid_payment"
        | "registered_call_timeout" => Outcome::Failed,
        _ if reason.contains("error") => Outcome::Failed,
        _ => Outcome::Unknown,
    }
}
