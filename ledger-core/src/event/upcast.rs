//! From what is stored to what this build means. History is never rewritten; it is read anew.
//!
//! Projectors, folds, exports and audits all decode here, so an old event looks the same to all.

use serde_json::Value;
use thiserror::Error;

use super::Event;

/// A stored event this build cannot read. Readers that want its type halt on it: a skipped fact
/// is a wrong ledger. The cure is a newer build.
#[derive(Debug, Error)]
pub enum DecodeError {
    /// The type was never known, or a newer build wrote it.
    #[error("event type {event_type} is not known to this build")]
    UnknownType {
        /// The stored name.
        event_type: String,
    },
    /// The shape is newer than this build, or an upcast step is missing.
    #[error("{event_type} has schema version {version}, this build reads up to {current}")]
    UnknownVersion {
        /// The stored name.
        event_type: String,
        /// The stored version.
        version: i16,
        /// What this build writes.
        current: i16,
    },
    /// The stored facts are not of the shape their version promises.
    #[error("{event_type} version {version} does not have the shape of its version")]
    Malformed {
        /// The stored name.
        event_type: String,
        /// The stored version.
        version: i16,
        /// Where the shape broke. Facts hold no personal data, so this may be logged.
        #[source]
        source: serde_json::Error,
    },
}

/// One step from a retired shape to the next: pure, and it never looks into sealed sections.
pub struct Step {
    /// The type it rewrites.
    pub event_type: &'static str,
    /// The version it reads; it writes the next.
    pub from: i16,
    /// The rewriting.
    pub rewrite: fn(Value) -> Value,
}

/// One line per retired shape, oldest first; added, never edited. The current version of a type
/// is one more than its lines. Nothing has been retired yet.
pub const STEPS: &[Step] = &[];

/// Brings a stored event to the current shape and parses it.
///
/// # Errors
/// [`DecodeError`]; the reader stops and says which position it stopped at.
pub fn decode(event_type: &str, version: i16, facts: &str) -> Result<Event, DecodeError> {
    decode_with(STEPS, event_type, version, facts)
}

fn decode_with(
    steps: &[Step],
    event_type: &str,
    version: i16,
    facts: &str,
) -> Result<Event, DecodeError> {
    let current = Event::TYPES
        .iter()
        .find(|(known, _)| *known == event_type)
        .map(|(_, current)| *current)
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
        upcast_text = climb(steps, event_type, version, current, value).ok_or_else(unknown)?;
        &upcast_text
    };
    Event::parse_current(event_type, facts).ok_or_else(unknown)?.map_err(malformed)
}

/// Applies the steps from `version` up to `current`; `None` when one is missing.
fn climb(
    steps: &[Step],
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

    /// As if `call.transferred` had once been version 0 with a field of another name.
    const RETIRED: &[Step] = &[Step {
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
        let Ok(Event::CallTransferred(facts)) = event else { panic!("{event:?}") };
        assert_eq!(facts.destination_kind.as_deref(), Some("sip"));
    }

    #[test]
    fn an_end_recorded_before_turns_were_measured_tells_nothing_of_them() {
        let stored = r#"{"provider":"vapi","report":true,"duration_ms":5}"#;
        let event = decode("call.ended", 1, stored).expect("its version is current");
        let Event::CallEnded(ended) = &event else { panic!("{event:?}") };
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
        for (event_type, current) in Event::TYPES {
            let steps = STEPS.iter().filter(|step| step.event_type == *event_type).count();
            assert_eq!(usize::try_from(*current).expect("small"), steps + 1, "{event_type}");
        }
    }
}
