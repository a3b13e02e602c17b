//! The events of an export: each with its facts, without the ids of other persons, and with the
//! opened sections of this person.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use ledger_core::ids::{EventId, TenantId};
use ledger_store::Store;
use ledger_store::compute::compute;
use ledger_store::read::StoredEvent;
use ledger_store::seal::{Opened, Sealed, pack, unpack};
use ledger_store::vault::SectionColumn;
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::about::About;
use super::error::AccessExportError;

/// Names of facts with the id of a person, or with a list of them.
const PERSON_IDS: [&str; 9] = [
    "subject_id",
    "contact_id",
    "booked_by_contact_id",
    "into",
    "with",
    "possible_duplicate_of",
    "candidates",
    "holders",
    "parts",
];
/// Facts of a message about the person that it names.
const OF_PERSON: [&str; 2] = ["person", "party"];

/// An opened section.
pub(super) struct OpenSection {
    /// Name of the section.
    pub(super) name: &'static str,
    /// The plaintext.
    pub(super) plain: Vec<u8>,
}

/// The sections of an event.
#[derive(Default)]
pub(super) struct OpenEvent {
    /// Sections of this person.
    pub(super) sections: Vec<OpenSection>,
    /// Names of sections of this person whose key is destroyed.
    pub(super) erased: Vec<&'static str>,
    /// Names of sections that are damaged.
    pub(super) damaged: Vec<&'static str>,
    /// Names of sections that are not known to be about this person. They are not opened.
    pub(super) withheld: Vec<&'static str>,
}

/// A line of `events.ndjson`.
#[derive(Serialize)]
struct Line<'a> {
    position: i64,
    event_id: Uuid,
    stream_id: Uuid,
    stream_kind: &'a str,
    stream_version: i64,
    r#type: &'a str,
    schema_version: i16,
    occurred_at: DateTime<Utc>,
    recorded_at: DateTime<Utc>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject_id: Option<Uuid>,
    facts: Value,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    personal: BTreeMap<&'static str, Box<RawValue>>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    erased: &'a [&'static str],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    damaged: &'a [&'static str],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    withheld: &'a [&'static str],
}

/// Opens the sections of an event that are this person's. Other sections are not given to the vault.
pub(super) async fn open(
    store: &Store,
    tenant_id: TenantId,
    about: &About,
    event: &StoredEvent,
) -> Result<OpenEvent, AccessExportError> {
    let mut opened = OpenEvent::default();
    let id = EventId(event.event_id);
    let mut mine: Vec<(SectionColumn, Vec<u8>)> = Vec::new();
    let columns = [
        (SectionColumn::Sections(id), event.sections.as_deref()),
        (SectionColumn::Bulk(id), event.bulk.as_deref()),
    ];
    for (place, column) in columns {
        let Some(column) = column else { continue };
        let Ok(sections) = unpack(column) else {
            opened.damaged.push("sections");
            continue;
        };
        let mut kept = Vec::new();
        for bytes in sections {
            match Sealed::parse(bytes) {
                Ok(sealed) if about.is_person(sealed.subject_id.0) => kept.push(bytes.to_vec()),
                Ok(sealed) => opened.withheld.push(sealed.name.as_str()),
                Err(_) => opened.damaged.push("sections"),
            }
        }
        mine.extend(pack(&kept).map(|packed| (place, packed)));
    }
    let columns: Vec<(SectionColumn, &[u8])> =
        mine.iter().map(|(place, packed)| (*place, packed.as_slice())).collect();
    // The right of access includes restricted data.
    let vault = store.vault().with_restricted();
    for section in vault.open(tenant_id, &columns).await?.into_iter().flatten() {
        let name = section.name.as_str();
        match section.plain {
            Opened::Clear(plain) => {
                opened.sections.push(OpenSection { name, plain: plain.reveal() });
            }
            Opened::Erased | Opened::Restricted => opened.erased.push(name),
            Opened::Corrupt => opened.damaged.push(name),
        }
    }
    Ok(opened)
}

/// Writes the line of an event.
pub(super) async fn line(
    about: &About,
    event: &StoredEvent,
    opened: &OpenEvent,
) -> serde_json::Result<Vec<u8>> {
    let bytes = opened.sections.iter().map(|section| section.plain.len()).sum::<usize>();
    compute(bytes + event.facts.len(), || {
        let subject_id = event.subject().map(|subject| subject.0);
        let mine =
            event.subjects.iter().flatten().copied().find(|subject| about.is_person(*subject));
        let mut facts: Value = serde_json::from_str(&event.facts)?;
        if subject_id.is_some_and(|subject| !about.is_person(subject))
            && mine.is_none()
            && let Some(facts) = facts.as_object_mut()
        {
            for name in OF_PERSON {
                facts.remove(name);
            }
        }
        remove_others(about, &mut facts);
        let sections = opened.sections.iter();
        let personal: BTreeMap<_, _> = sections
            .map(|section| Ok((section.name, as_json(&section.plain)?)))
            .collect::<serde_json::Result<_>>()?;
        let line = Line {
            position: event.position,
            event_id: event.event_id,
            stream_id: event.stream_id,
            stream_kind: &event.stream_kind,
            stream_version: event.stream_version,
            r#type: &event.event_type,
            schema_version: event.schema_version,
            occurred_at: event.occurred_at,
            recorded_at: event.recorded_at,
            subject_id: mine,
            facts,
            personal,
            erased: &opened.erased,
            damaged: &opened.damaged,
            withheld: &opened.withheld,
        };
        let mut text = serde_json::to_vec(&line)?;
        text.push(b'\n');
        Ok(text)
    })
    .await
}

/// The section as it was sealed, with its numbers unchanged; a text if it is no JSON, such as a body.
/// A line break between values becomes a blank: a line has one event.
fn as_json(plain: &[u8]) -> serde_json::Result<Box<RawValue>> {
    match serde_json::from_slice::<Box<RawValue>>(plain) {
        Ok(value) if !value.get().contains(['\n', '\r']) => Ok(value),
        Ok(value) => RawValue::from_string(value.get().replace(['\n', '\r'], " ")),
        Err(_) => RawValue::from_string(serde_json::to_string(&String::from_utf8_lossy(plain))?),
    }
}

/// Removes the ids of other persons.
fn remove_others(about: &About, facts: &mut Value) {
    let is_other = |value: &Value| {
        let id = value.as_str().and_then(|text| Uuid::try_parse(text).ok());
        id.is_some_and(|id| !about.is_person(id))
    };
    match facts {
        Value::Object(fields) => {
            for name in PERSON_IDS {
                match fields.get_mut(name) {
                    Some(Value::Array(ids)) => ids.retain(|id| !is_other(id)),
                    Some(value) if is_other(value) => drop(fields.remove(name)),
                    _ => {}
                }
            }
            fields.values_mut().for_each(|value| remove_others(about, value));
        }
        Value::Array(values) => values.iter_mut().for_each(|value| remove_others(about, value)),
        _ => {}
    }
}
