//! Outcomes of Twilio's final call statuses.

use crate::outcome::Outcome;

/// Classifies a final status. `completed` states that the call was answered and is over, and not
/// which side ended it.
pub(super) fn of_reason(reason: &str) -> Outcome {
    match reason {
        "completed" => Outcome::Completed,
        "busy" => Outcome::Busy,
        "no-answer" | "canceled" => Outcome::NoAnswer,
        "failed" => Outcome::Failed,
        _ => Outcome::Unknown,
    }
}
