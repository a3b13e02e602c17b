//! The message types of Vapi.

/// Message types counted separately; also the values of the metric label `kind`.
pub(super) const KINDS: &[&str] = &[
    "assistant-request",
    "assistant.speechStarted",
    "assistant.started",
    "call-object",
    "call.artifact.upload",
    "call.delete.failed",
    "call.deleted",
    "chat.created",
    "chat.deleted",
    "conversation-update",
    "end-of-call-report",
    "function-call",
    "handoff-destination-request",
    "hang",
    "knowledge-base-request",
    "language-change-detected",
    "model-output",
    "phone-call-control",
    "session.created",
    "session.deleted",
    "session.updated",
    "speech-update",
    "status-update",
    "tool-calls",
    "transcript",
    "transfer-destination-request",
    "transfer-update",
    "untyped",
    "user-interrupted",
    "voice-input",
    "voice-request",
];

/// Returns true for a single spoken turn. Old configurations append a parameter to the type.
pub(super) fn is_turn(kind: &str) -> bool {
    kind.starts_with("transcript")
}
