//! Decoding of stored events. Stored history is never rewritten; it is upcast to the current schema
//! version when it is read.
//!
//! Projectors, folds, exports and audits all decode here, so an old event has the same meaning for
//! all.

use serde_json::Value;
use thiserror::Error;

use super::Event;

/// A stored event that this build cannot decode. Readers that need its type stop at it, because a
/// skipped event would make the result wrong. A newer build resolves it.
#[derive(Debug, Error)]
pub enum DecodeError {
    /// The type is unknown; possibly a newer build wrote it.
    #[error("event type {event_type} is not known to this build")]
    UnknownType {
        /// The stored type name.
        event_type: String,
    },
    /// The schema version is newer than this build, or an upcast step is missing.
    #[error("{event_type} has schema version {version}, this build reads up to {current}")]
    UnknownVersion {
        /// The stored type name.
        event_type: String,
        /// The stored schema version.
        version: i16,
        /// The schema version that this build writes.
        current: i16,
    },
    /// The stored facts do not match their schema version.
    #[error("{event_type} version {version} does not have the shape of its version")]
    Malformed {
        /// The stored type name.
        event_type: String,
        /// The stored schema version.
        version: i16,
        /// Place of the mismatch. Facts hold no personal data, so the error may be logged.
        #[source]
        source: serde_json::Error,
    },
}

/// An upcast step from a retired schema version to the next: a pure function of the facts that does
/// not read sealed sections.
pub struct UpcastStep {
    /// Event type that the step rewrites.
    pub event_type: &'static str,
    /// Schema version that the step reads; the output has the next version.
    pub from: i16,
    /// Function from the old facts to the new facts.
    pub rewrite: fn(Value) -> Value,
}

/// Upcast steps, oldest first, one for each retired schema version. Steps are added and never
/// edited. The current version of a type is one more than its number of steps. No version is
/// retired yet.
pub const STEPS: &[UpcastStep] = &[];

/// Decodes a stored event: upcasts the facts to the current version and parses them.
///
/// # Errors
/// Returns [`DecodeError`]; the reader stops and reports its position.
pub fn decode(event_type: &str, version: i16, facts: &str) -> Result<Event, DecodeError> {
    decode_with(STEPS, event_type, version, facts)
}

fn decode_with(
    steps: &[UpcastStep],
    event_type: &str,
    version: i16,
    facts: &str,
) -> Result<Event, DecodeError> {
    let current = Event::types()
        .find(|(known, _)| *known == event_type)
        .map(|(_, current)| current)
        .ok_or_else(|| DecodeError::UnknownType { event_type: event_type.to_owned() })?;
    let malformed =
        |source| DecodeError::Malformed { event_type: event_type.to_owned(), version, source };
    let unknown =
        || DecodeError::UnknownVersion { event_type: event_type.to_owned(), version, current };

    let upcast_text;
    let facts = if version == current {
        facts
    } else {
        let value = serde_json::from_str(facts).map_err(malformed)?;
        upcast_text =
            apply_steps(steps, event_type, version, current, value).ok_or_else(unknown)?;
        &upcast_text
    };
    Event::parse_current(event_type, facts).ok_or_else(unknown)?.map_err(malformed)
}

/// Applies the steps from `version` up to `current`; `None` if a step is missing.
fn apply_steps(
    steps: &[UpcastStep],
    event_type: &str,
    version: i16,
    current: i16,
    mut value: Value,
) -> Option<String> {
    if version > current {
        return None;
    }
    for from in version..current {
        let step = steps.iter().find(|step| step.event_type == event_type && step.from == from)?;
        value = (step.rewrite)(value);
    }
    Some(value.to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::event::CallEvent;

    /// A made-up retired version 0 of `call.transferred`, with another field name.
    const RETIRED: &[UpcastStep] = &[UpcastStep {
        event_type: "call.transferred",
        from: 0,
        rewrite: |mut old| {
            let kind = old["kind"].take();
            json!({ "provider": "vapi", "destination_kind": kind })
        },
    }];

    #[test]
    fn a_retired_shape_reads_as_the_current_one() {
        let event = decode_with(RETIRED, "call.transferred", 0, r#"{"kind":"sip"}"#);
        let Ok(Event::Call(CallEvent::Transferred(facts))) = event else { panic!("{event:?}") };
        assert_eq!(facts.destination_kind.as_deref(), Some("sip"));
    }

    #[test]
    fn an_end_of_a_build_without_turn_metrics_has_none() {
        let stored = r#"{"provider":"vapi","report":true,"duration_ms":5}"#;
        let event = decode("call.ended", 1, stored).expect("its version is current");
        let Event::Call(CallEvent::Ended(ended)) = &event else { panic!("{event:?}") };
        assert_eq!(
            (ended.turn_latency_ms, ended.turns, ended.user_interruptions),
            (None, None, None)
        );
        assert_eq!(event.to_facts(), stored, "what is not told is not written");
    }

    #[test]
    fn an_unknown_type_halts_the_reader_by_name() {
        let error = decode("call.sung", 1, "{}").expect_err("never written");
        assert_eq!(error.to_string(), "event type call.sung is not known to this build");
    }

    #[test]
    fn a_newer_version_halts_the_reader_by_name() {
        let error = decode("call.ended", 99, "{}").expect_err("from the future");
        assert!(matches!(error, DecodeError::UnknownVersion { version: 99, current: 1, .. }));
    }

    #[test]
    fn a_missing_step_is_named_not_guessed() {
        let error = decode_with(&[], "call.ended", 0, "{}").expect_err("no step");
        assert!(matches!(error, DecodeError::UnknownVersion { version: 0, .. }));
    }

    #[test]
    fn each_type_has_exactly_the_steps_its_version_promises() {
        for (event_type, current) in Event::types() {
            let steps = STEPS.iter().filter(|step| step.event_type == event_type).count();
            assert_eq!(usize::try_from(current).expect("small"), steps + 1, "{event_type}");
        }
    }
}
