//! `record.json`: what the export says about the person as a whole. Its form is
//! `record.schema.json`.

mod statements;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use ledger_core::event::{
    AccessEvent, AppointmentEvent, AppointmentStatus, ContactEvent, Event, FieldChanges, SlotFacts,
    SubjectEvent, TaskEvent, TaskStatus,
};
use ledger_core::ids::SubjectId;
use ledger_core::personal::Party;
use ledger_core::retention::RetentionPolicy;
use ledger_store::read::StoredEvent;
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use self::statements::statements;
use super::about::About;
use super::calls::{CallSummary, word};
use super::events::{OpenEvent, OpenSection};

/// Version of the form of the export.
pub const EXPORT_VERSION: u32 = 1;
/// The JSON Schema of `record.json`.
pub const SCHEMA: &str = include_str!("record.schema.json");

/// A value of the person, with the events that state it.
#[derive(Serialize)]
pub(super) struct Stated {
    pub(super) field: &'static str,
    pub(super) value: String,
    first_position: i64,
    last_position: i64,
}

/// An appointment.
#[derive(Serialize)]
pub(super) struct AppointmentRecord {
    pub(super) appointment_id: Uuid,
    /// `customer`, or `booked_for_another_person`.
    pub(super) role: &'static str,
    pub(super) service_type: Option<String>,
    pub(super) resource: String,
    pub(super) scheduled_at: DateTime<Utc>,
    pub(super) ends_at: DateTime<Utc>,
    pub(super) status: &'static str,
    pub(super) call_id: Option<Uuid>,
    pub(super) price_cents: Option<i64>,
    pub(super) currency: Option<String>,
    /// Notes and further values, if they are of the person.
    pub(super) details: Vec<Value>,
}

/// A task about the person.
#[derive(Serialize)]
pub(super) struct TaskRecord {
    task_id: Uuid,
    kind: Option<String>,
    due_at: Option<DateTime<Utc>>,
    status: &'static str,
    text: Option<String>,
}

/// Accesses to data of the person by one key and operation.
#[derive(Serialize)]
pub(super) struct Reader {
    pub(super) key_id: Uuid,
    pub(super) action: String,
    pub(super) reads: u64,
    pub(super) first_at: DateTime<Utc>,
    pub(super) last_at: DateTime<Utc>,
}

/// A change of the rights over the data.
#[derive(Serialize)]
pub(super) struct RightsChange {
    position: i64,
    r#type: String,
    at: DateTime<Utc>,
}

/// The fields of the contact as users of the API set them last.
#[derive(Default, Serialize)]
pub(super) struct ContactFields {
    segment: Option<String>,
    priority: Option<String>,
    tags: BTreeSet<String>,
    custom_fields: Value,
}

/// Numbers of an export.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Events about the person, all of which are in the export.
    pub events: u64,
    /// Opened sections.
    pub sections: u64,
    /// Sections that may be about another person.
    pub withheld_sections: u64,
    /// Sections whose key is destroyed.
    pub erased_sections: u64,
    /// Sections that are damaged.
    pub damaged_sections: u64,
}

/// What is collected from the events in the order of the log.
#[derive(Default)]
pub(super) struct Gathered {
    pub(super) counts: Counts,
    /// Number of events by stream.
    pub(super) by_stream: BTreeMap<Uuid, u64>,
    /// Number of events in streams that are not the person's.
    pub(super) elsewhere: u64,
    by_type: BTreeMap<String, u64>,
    stated: BTreeMap<(&'static str, String), (i64, i64)>,
    contact: ContactFields,
    pub(super) appointments: BTreeMap<Uuid, AppointmentRecord>,
    tasks: BTreeMap<Uuid, TaskRecord>,
    readers: BTreeMap<(Uuid, String), Reader>,
    rights: Vec<RightsChange>,
}

impl Gathered {
    /// Adds an event with its opened sections.
    pub(super) fn add(&mut self, about: &About, stored: &StoredEvent, opened: &OpenEvent) {
        let count = |names: &[&str]| names.len() as u64;
        self.counts.events += 1;
        self.counts.sections += opened.sections.len() as u64;
        self.counts.withheld_sections += count(&opened.withheld);
        self.counts.erased_sections += count(&opened.erased);
        self.counts.damaged_sections += count(&opened.damaged);
        if about.streams.contains_key(&stored.stream_id) {
            *self.by_stream.entry(stored.stream_id).or_default() += 1;
        } else {
            self.elsewhere += 1;
        }
        *self.by_type.entry(stored.event_type.clone()).or_default() += 1;
        for section in &opened.sections {
            self.add_section(stored, section);
        }
        let Ok(recorded) = stored.decode() else { return };
        let at = recorded.occurred_at;
        match &recorded.event {
            Event::Appointment(event) => self.add_appointment(about, stored.stream_id, event),
            Event::Task(event) => self.add_task(stored.stream_id, event),
            Event::Contact(event) => {
                let has_sealed = |one: &OpenSection| one.name == "custom_fields";
                self.add_contact(event, opened.sections.iter().any(has_sealed));
            }
            Event::Access(AccessEvent::PersonalDataRead(read)) => {
                let reader = Reader {
                    key_id: read.key_id,
                    action: read.action.clone(),
                    reads: 0,
                    first_at: at,
                    last_at: at,
                };
                let key = (read.key_id, read.action.clone());
                let reader = self.readers.entry(key).or_insert(reader);
                reader.reads += 1;
                reader.last_at = reader.last_at.max(at);
            }
            Event::Subject(event) => self.add_rights(stored, event, at),
            _ => {}
        }
    }

    fn add_section(&mut self, stored: &StoredEvent, section: &OpenSection) {
        let value = || serde_json::from_slice::<Value>(&section.plain).ok();
        match section.name {
            "party" => {
                let Ok(party) = serde_json::from_slice::<Party>(&section.plain) else { return };
                let Party { name, phone, email, sip_uri, external_id, extension } = party;
                let fields = [
                    ("name", name),
                    ("phone", phone),
                    ("extension", extension),
                    ("email", email),
                    ("sip_uri", sip_uri),
                    ("external_id", external_id),
                ];
                for (field, value) in fields {
                    let Some(value) = value else { continue };
                    let seen = self.stated.entry((field, value));
                    seen.or_insert((stored.position, stored.position)).1 = stored.position;
                }
            }
            "custom_fields" => self.contact.custom_fields = value().unwrap_or_default(),
            "task" => {
                let id = stored.stream_id;
                let task = self.tasks.entry(id).or_insert_with(|| TaskRecord::new(id));
                task.text = value().and_then(|task| task["text"].as_str().map(str::to_owned));
            }
            "details" => {
                let id = stored.stream_id;
                let known = self.appointments.entry(id);
                let record = known.or_insert_with(|| AppointmentRecord::new(id));
                record.details.extend(value());
            }
            _ => {}
        }
    }

    fn add_appointment(&mut self, about: &About, id: Uuid, event: &AppointmentEvent) {
        let record = self.appointments.entry(id).or_insert_with(|| AppointmentRecord::new(id));
        let status = match event {
            AppointmentEvent::Booked(booked) => {
                record.move_to(&booked.slot);
                let SubjectId(contact) = booked.contact_id;
                let is_customer = about.contacts.contains(&contact);
                record.role = if is_customer { "customer" } else { "booked_for_another_person" };
                record.service_type = booked.service.as_ref().and_then(word);
                record.call_id = booked.call_id.map(|call| call.0);
                record.price_cents = booked.price_cents;
                record.currency.clone_from(&booked.currency);
                booked.status
            }
            AppointmentEvent::Rescheduled(moved) => {
                record.move_to(&moved.slot);
                return;
            }
            AppointmentEvent::Confirmed(_) => AppointmentStatus::Confirmed,
            AppointmentEvent::Cancelled(_) => AppointmentStatus::Cancelled,
            AppointmentEvent::Completed(_) => AppointmentStatus::Completed,
            AppointmentEvent::NoShow(_) => AppointmentStatus::NoShow,
        };
        record.status = status.as_str();
    }

    fn add_task(&mut self, id: Uuid, event: &TaskEvent) {
        let task = self.tasks.entry(id).or_insert_with(|| TaskRecord::new(id));
        match event {
            TaskEvent::Created(created) => {
                task.kind = Some(created.kind.as_str().to_owned());
                task.due_at = Some(created.due_at);
            }
            TaskEvent::Done(_) => task.status = TaskStatus::Done.as_str(),
            TaskEvent::Cancelled(_) => task.status = TaskStatus::Cancelled.as_str(),
        }
    }

    fn add_contact(&mut self, event: &ContactEvent, has_sealed: bool) {
        match event {
            ContactEvent::Created(created) => {
                self.contact.tags.extend(created.tags.iter().map(ToString::to_string));
                self.contact.set(&created.fields, has_sealed);
            }
            ContactEvent::Updated(updated) => self.contact.set(&updated.fields, has_sealed),
            ContactEvent::Tagged(tag) => drop(self.contact.tags.insert(tag.tag.to_string())),
            ContactEvent::Untagged(tag) => drop(self.contact.tags.remove(tag.tag.as_str())),
            _ => {}
        }
    }

    fn add_rights(&mut self, stored: &StoredEvent, event: &SubjectEvent, at: DateTime<Utc>) {
        let r#type = event.event_type().to_owned();
        self.rights.push(RightsChange { position: stored.position, r#type, at });
    }

    /// Returns the record.
    pub(super) fn into_record(
        self,
        head: Head,
        calls: Vec<CallSummary>,
        (about, policy): (&About, &RetentionPolicy),
    ) -> Record {
        let stated = self.stated.into_iter().map(|((field, value), (first, last))| Stated {
            field,
            value,
            first_position: first,
            last_position: last,
        });
        Record {
            export_version: EXPORT_VERSION,
            head,
            counts: self.counts,
            events_by_type: self.by_type,
            person: stated.collect(),
            contact: self.contact,
            calls,
            appointments: self.appointments.into_values().collect(),
            tasks: self.tasks.into_values().collect(),
            consents: Vec::new(),
            rights: self.rights,
            read_by: self.readers.into_values().collect(),
            recipients: Vec::new(),
            ambiguous_calls: about.ambiguous_calls,
            statements: statements(policy),
        }
    }
}

impl ContactFields {
    /// Sets the changed fields. Custom fields are replaced as a whole: those in the section are set
    /// already.
    fn set(&mut self, fields: &FieldChanges, has_sealed: bool) {
        use ledger_core::event::ContactField::{CustomFields, Priority, Segment};
        let is_changed = |field| fields.set.contains(&field) || fields.removed.contains(&field);
        if is_changed(Segment) {
            self.segment = fields.segment.as_ref().map(ToString::to_string);
        }
        if is_changed(Priority) {
            self.priority = fields.priority.as_ref().map(ToString::to_string);
        }
        if is_changed(CustomFields) && !has_sealed {
            self.custom_fields = Value::Null;
        }
        for (name, value) in &fields.clear {
            let Ok(value) = serde_json::to_value(value) else { continue };
            if self.custom_fields.is_null() {
                self.custom_fields = Value::Object(serde_json::Map::new());
            }
            if let Some(known) = self.custom_fields.as_object_mut() {
                known.insert(name.to_string(), value);
            }
        }
    }
}

impl AppointmentRecord {
    fn new(appointment_id: Uuid) -> Self {
        Self {
            appointment_id,
            role: "customer",
            service_type: None,
            resource: String::new(),
            scheduled_at: DateTime::UNIX_EPOCH,
            ends_at: DateTime::UNIX_EPOCH,
            status: AppointmentStatus::Pending.as_str(),
            call_id: None,
            price_cents: None,
            currency: None,
            details: Vec::new(),
        }
    }

    fn move_to(&mut self, slot: &SlotFacts) {
        self.resource = word(&slot.resource).unwrap_or_default();
        self.scheduled_at = slot.starts_at;
        self.ends_at = slot.ends_at;
    }
}

impl TaskRecord {
    fn new(task_id: Uuid) -> Self {
        let status = TaskStatus::Open.as_str();
        Self { task_id, kind: None, due_at: None, status, text: None }
    }
}

/// Identification of the export.
#[derive(Serialize)]
pub(super) struct Head {
    pub(super) export_id: Uuid,
    pub(super) tenant_id: Uuid,
    pub(super) subject_id: Uuid,
    pub(super) merged_subjects: Vec<Uuid>,
    pub(super) own_subjects_of_calls: Vec<Uuid>,
    pub(super) made_at: DateTime<Utc>,
    pub(super) last_position: i64,
    pub(super) is_restricted: bool,
    pub(super) sources: Vec<String>,
}

/// The record.
#[derive(Serialize)]
pub(super) struct Record {
    pub(super) export_version: u32,
    #[serde(flatten)]
    pub(super) head: Head,
    pub(super) counts: Counts,
    events_by_type: BTreeMap<String, u64>,
    pub(super) person: Vec<Stated>,
    contact: ContactFields,
    pub(super) calls: Vec<CallSummary>,
    pub(super) appointments: Vec<AppointmentRecord>,
    tasks: Vec<TaskRecord>,
    consents: Vec<Value>,
    rights: Vec<RightsChange>,
    pub(super) read_by: Vec<Reader>,
    recipients: Vec<Value>,
    pub(super) ambiguous_calls: u32,
    pub(super) statements: BTreeMap<&'static str, String>,
}
