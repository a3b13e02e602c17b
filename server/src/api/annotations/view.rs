//! JSON views of what was added to a call.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use ledger_core::annotation::settings::CallSettings;
use ledger_core::annotation::spelling::spelling;
use ledger_core::annotation::words::{EscalationReason, EscalationSource, NoteKind, Visibility};
use ledger_core::call::{Call, Escalation, Note};
use ledger_core::ids::Position;
use ledger_core::lead_score::{self, LeadFacts, LeadRule, lead_score};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::api::calls::personal::OpenedEvent;
use crate::api::words::{
    DerivedLabel, EscalationReasonName, EscalationSourceName, LeadRuleName, NoteKindName,
    NoteVisibility,
};

/// A note on a call.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct NoteView {
    /// Id of the note.
    pub note_id: Uuid,
    /// Kind of the note.
    #[schema(value_type = NoteKindName)]
    pub kind: NoteKind,
    /// Readers that it is meant for.
    #[schema(value_type = NoteVisibility)]
    pub visibility: Visibility,
    /// Its text; null without scope `personal`, if the key of the person is destroyed, and in answers to changes.
    pub text: Option<String>,
    /// Actor that added it, such as `key:<id>`; null in answers to changes.
    pub author: Option<String>,
    /// Time at which it was added.
    pub created_at: DateTime<Utc>,
    /// Time of the last change; null if it was not changed.
    pub edited_at: Option<DateTime<Utc>>,
}

/// A tag with its category.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct TagView {
    /// The tag.
    pub tag: String,
    /// Its category.
    pub category: Option<String>,
}

/// An escalation of a call.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct EscalationView {
    /// The reason.
    #[schema(value_type = EscalationReasonName)]
    pub reason: EscalationReason,
    /// The reason as a text; null without one, without scope `personal`, and in answers to changes.
    pub text: Option<String>,
    /// Origin of the escalation.
    #[schema(value_type = EscalationSourceName)]
    pub source: EscalationSource,
    /// The disposition that escalates.
    pub disposition: Option<String>,
    /// Actor that escalated the call; null in answers to changes.
    pub by: Option<String>,
    /// Time of the escalation.
    pub at: DateTime<Utc>,
}

/// The context of a call.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ContextView {
    /// The fields; without scope `personal` and in answers to changes, those in the clear.
    #[schema(value_type = Object)]
    pub fields: Map<String, Value>,
    /// True if there are fields that are stored sealed.
    pub has_sealed_fields: bool,
    /// Time at which it was set.
    pub set_at: DateTime<Utc>,
}

/// How promising the person on the line is: computed from the facts of the call, and from earlier calls of its
/// contact, when it is read, by the points of the setting `lead_score`. Never recorded.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LeadScoreView {
    /// Sum of the points, at least 0 and at most 100.
    #[schema(minimum = 0, maximum = 100)]
    pub score: i64,
    /// Version of the rules.
    pub version: u32,
    /// Number of changes of the settings of calls, from which the points are; 0 for the defaults.
    pub settings_version: i64,
    /// States that the value is derived.
    #[schema(value_type = DerivedLabel)]
    pub label: &'static str,
    /// The rules that applied.
    pub reasons: Vec<LeadReasonView>,
}

/// A rule that applied.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LeadReasonView {
    /// The rule.
    #[schema(value_type = LeadRuleName)]
    pub rule: LeadRule,
    /// Its points.
    pub points: i64,
}

/// What is on a call after a change. Texts are shown by `GET /v1/calls/{call_id}`.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct AnnotatedCallView {
    /// Id of the call.
    pub call_id: Uuid,
    /// Notes in the order in which they were added, without their texts.
    pub notes: Vec<NoteView>,
    /// Tags, sorted.
    pub tags: Vec<TagView>,
    /// Disposition of the call.
    pub disposition: Option<String>,
    /// Score that a person gave, from 1 to 5.
    pub score: Option<u8>,
    /// True if the call is a test.
    pub is_test: bool,
    /// Escalations in the order of the log, without their texts.
    pub escalations: Vec<EscalationView>,
    /// The context, with its fields in the clear; null if none was set.
    pub context: Option<ContextView>,
    /// Campaign that the call is a part of.
    pub campaign: Option<String>,
    /// Number of the attempt to reach the person.
    pub attempt: Option<u32>,
    /// Type of the call in the tenant's words.
    pub call_type: Option<String>,
    /// Log position of the last event of the call up to the change.
    pub position: i64,
}

/// The opened texts of a call, and the actors of its events, by position.
#[derive(Default, Clone, Copy)]
pub struct Sources<'a> {
    /// Opened events; `None` without scope `personal`.
    pub opened: Option<&'a BTreeMap<i64, OpenedEvent>>,
    /// Actors of the events of notes and escalations.
    pub actors: Option<&'a BTreeMap<i64, String>>,
}

impl Sources<'_> {
    fn text(self, Position(position): Position) -> Option<String> {
        self.opened?.get(&position)?.annotation.as_ref()?.text.clone()
    }

    fn actor(self, Position(position): Position) -> Option<String> {
        self.actors?.get(&position).cloned()
    }
}

/// Positions of the events whose actors are shown: those that added notes or escalated the call.
#[must_use]
pub fn actor_positions(call: &Call) -> Vec<i64> {
    let notes = call.notes().into_iter().map(|note| note.added.0);
    notes.chain(call.escalations().map(|one| one.position.0)).collect()
}

/// Returns the notes of a call.
#[must_use]
pub fn notes(call: &Call, sources: Sources<'_>) -> Vec<NoteView> {
    call.notes().iter().map(|note| NoteView::of(note, sources)).collect()
}

/// Returns the tags of a call.
#[must_use]
pub fn tags(call: &Call) -> Vec<TagView> {
    let view = |tag: ledger_core::call::Tag<'_>| TagView {
        tag: tag.tag.to_owned(),
        category: tag.category.map(str::to_owned),
    };
    call.categorised_tags().into_iter().map(view).collect()
}

/// Returns the escalations of a call.
#[must_use]
pub fn escalations(call: &Call, sources: Sources<'_>) -> Vec<EscalationView> {
    call.escalations().map(|one| EscalationView::of(one, sources)).collect()
}

/// Returns the context of a call.
#[must_use]
pub fn context(call: &Call, sources: Sources<'_>) -> Option<ContextView> {
    let context = call.context()?;
    let mut fields: Map<String, Value> = Map::new();
    let opened = context.sealed.zip(sources.opened);
    if let Some(event) = opened.and_then(|(Position(position), opened)| opened.get(&position)) {
        let sealed = event.annotation.iter().flat_map(|annotation| &annotation.context);
        fields.extend(sealed.map(|(name, value)| (name.clone(), value.clone())));
    }
    for (name, value) in &context.clear {
        let value = serde_json::to_value(value).expect("plain data");
        fields.insert(name.clone(), value);
    }
    let has_sealed_fields = context.sealed.is_some();
    Some(ContextView { fields, has_sealed_fields, set_at: context.at })
}

impl NoteView {
    /// Builds the view of a note.
    #[must_use]
    pub fn of(note: &Note, sources: Sources<'_>) -> Self {
        Self {
            note_id: note.note_id.0,
            kind: note.kind,
            visibility: note.visibility,
            text: sources.text(note.text),
            author: sources.actor(note.added),
            created_at: note.added_at,
            edited_at: note.edited_at,
        }
    }
}

impl EscalationView {
    fn of(escalation: &Escalation, sources: Sources<'_>) -> Self {
        Self {
            reason: escalation.reason,
            text: sources.text(escalation.position).filter(|_| escalation.has_text),
            source: escalation.source,
            disposition: escalation.disposition.as_ref().map(ToString::to_string),
            by: sources.actor(escalation.position),
            at: escalation.at,
        }
    }
}

impl LeadScoreView {
    /// Computes the score of a call, which is none of a test.
    #[must_use]
    pub fn of(facts: &LeadFacts<'_>, settings: &CallSettings) -> Self {
        let lead = lead_score(facts, &settings.lead_score);
        let reason = |reason: lead_score::LeadReason| LeadReasonView {
            rule: reason.rule,
            points: reason.points,
        };
        Self {
            score: lead.score,
            version: lead_score::VERSION,
            settings_version: settings.version,
            label: DerivedLabel::ALL[0],
            reasons: lead.reasons.into_iter().map(reason).collect(),
        }
    }
}

impl AnnotatedCallView {
    /// Builds the view of a call, without texts and actors.
    #[must_use]
    pub fn of(call_id: Uuid, call: &Call) -> Self {
        let sources = Sources::default();
        Self {
            call_id,
            notes: notes(call, sources),
            tags: tags(call),
            disposition: call.disposition().map(str::to_owned),
            score: call.score(),
            is_test: call.is_test(),
            escalations: escalations(call, sources),
            context: context(call, sources),
            campaign: call.campaign().map(str::to_owned),
            attempt: call.attempt(),
            call_type: call.call_type().map(spelling),
            position: call.position.0,
        }
    }
}
