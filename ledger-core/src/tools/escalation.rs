//! What a tool call says about an escalation.

use super::arguments::Arguments;
use super::names::Field;
use crate::annotation::words::EscalationReason;
use crate::personal::Personal;

/// A wanted escalation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EscalationWish {
    /// The reason; [`EscalationReason::Other`] without one.
    pub reason: EscalationReason,
    /// What was said about it, if it is more than the reason.
    pub text: Option<Personal<String>>,
}

/// Reads the reason, and what was said beside it.
pub(super) fn escalation(arguments: &Arguments) -> EscalationWish {
    let told = arguments.get(Field::Reason);
    let reason = told.and_then(EscalationReason::parse);
    // A reason in other words is a text, and so are notes.
    let texts = [told.filter(|_| reason.is_none()), arguments.get(Field::Notes)];
    let text = texts.into_iter().flatten().collect::<Vec<_>>().join("\n");
    EscalationWish {
        reason: reason.unwrap_or(EscalationReason::Other),
        text: (!text.is_empty()).then(|| Personal::new(text)),
    }
}
