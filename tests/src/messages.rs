//! Small messages of the voice platform, for tests that do not depend on a real payload.

use serde_json::{Value, json};

/// Returns a status update without further fields.
#[must_use]
pub fn status(call: &str, status: &str) -> Value {
    message(call, "status-update", &json!({ "status": status }))
}

/// Returns an end-of-call report with a cost, a reason and a transcript.
#[must_use]
pub fn report(call: &str) -> Value {
    let said = json!({
        "endedReason": "customer-ended-call",
        "startedAt": "2026-11-02T09:00:00.000Z",
        "endedAt": "2026-11-02T09:01:01.250Z",
        "cost": 0.1088,
        "analysis": { "summary": "They asked for a time." },
        "artifact": { "transcript": "AI: Hello.\nUser: A time, please." },
    });
    message(call, "end-of-call-report", &said)
}

/// Returns a message of any type about a call, with the given fields.
#[must_use]
pub fn message(call: &str, kind: &str, fields: &Value) -> Value {
    let mut message = json!({
        "type": kind,
        "timestamp": 1_793_610_061_250_i64,
        "call": { "id": call, "type": "inboundPhoneCall" },
    });
    for (name, value) in fields.as_object().into_iter().flatten() {
        message[name] = value.clone();
    }
    json!({ "message": message })
}

/// Returns the message with the given customer.
#[must_use]
pub fn from(mut body: Value, customer: &Value) -> Value {
    body["message"]["customer"] = customer.clone();
    body
}
