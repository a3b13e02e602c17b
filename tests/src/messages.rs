//! Small messages of the voice platform, for tests that are not about reading real ones.

use serde_json::{Value, json};

/// A bare status of a call.
#[must_use]
pub fn status(call: &str, status: &str) -> Value {
    message(call, "status-update", &json!({ "status": status }))
}

/// The report after a call: a cost, a reason and something that was said.
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

/// Any message about a call, with fields of its own.
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

/// The same message, from somebody.
#[must_use]
pub fn from(mut body: Value, customer: &Value) -> Value {
    body["message"]["customer"] = customer.clone();
    body
}
