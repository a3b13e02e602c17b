//! The golden corpus: one stored sample of every event type and version ever written. A stored
//! event stays readable in all later builds.
//!
//! A sample is added for each new type or version, with the facts as this build stores them, and is
//! never changed or removed.

use std::collections::BTreeSet;
use std::fs;

use ledger_core::event::Event;
use ledger_core::event::upcast::{STEPS, decode};
use ledger_tests::fixtures;

/// Returns event type, schema version and facts of each sample.
fn samples() -> Vec<(String, i16, String)> {
    let dir = fixtures::dir().join("golden");
    let entries = fs::read_dir(&dir).expect("a golden corpus");
    let mut samples: Vec<_> = entries
        .map(|entry| {
            let name = entry.expect("an entry").file_name().into_string().expect("a text");
            let stem = name.strip_suffix(".json").unwrap_or_else(|| panic!("{name} is no sample"));
            let (event_type, version) =
                stem.rsplit_once(".v").unwrap_or_else(|| panic!("{name} names no version"));
            let facts = fs::read_to_string(dir.join(&name)).expect("a sample");
            // A suffix after a hyphen separates several samples of one version.
            let version = version.split('-').next().unwrap_or_default();
            (event_type.to_owned(), version.parse().expect("a version"), facts)
        })
        .collect();
    samples.sort();
    samples
}

#[test]
fn every_event_type_and_version_has_a_sample_and_no_other_exists() {
    let found: BTreeSet<(String, i16)> =
        samples().into_iter().map(|(event_type, version, _)| (event_type, version)).collect();
    let written: BTreeSet<(String, i16)> = Event::types()
        .flat_map(|(event_type, current)| {
            let oldest = 1;
            (oldest..=current).map(move |version| (event_type.to_owned(), version))
        })
        .collect();
    assert_eq!(found, written, "samples are added, never removed");
    for step in STEPS {
        assert!(found.contains(&(step.event_type.to_owned(), step.from)));
    }
}

#[test]
fn every_sample_is_read() {
    for (event_type, version, facts) in samples() {
        let event = decode(&event_type, version, &facts)
            .unwrap_or_else(|error| panic!("{event_type} version {version}: {error}"));
        assert_eq!(event.event_type(), event_type);
        // Decoding the current form again gives the same event.
        let again = decode(event.event_type(), event.schema_version(), &event.to_facts());
        assert_eq!(again.expect("what this build writes"), event);
    }
}

#[test]
fn this_build_encodes_events_exactly_as_the_samples() {
    for (event_type, version, facts) in samples() {
        let event = decode(&event_type, version, &facts).expect("a sample");
        if event.schema_version() == version {
            assert_eq!(event.to_facts(), facts, "{event_type}: is this a new version?");
        }
    }
}
