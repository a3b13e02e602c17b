//! Annotations of a call: notes, tags, disposition, score, test mark, escalations, context and
//! campaign.
//!
//! Each value is a register; the event with the greatest position wins, so the fold does not depend
//! on the order in which events are applied. The id of a removed note is not used again.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::Call;
use crate::annotation::words::{
    Campaign, ClearFields, EscalationReason, EscalationSource, NoteKind, Visibility, Word,
};
use crate::envelope::Recorded;
use crate::event::{CallCampaignSet, CallEscalated, CallEvent, CampaignField};
use crate::ids::{NoteId, Position};

/// A register of values by their positions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Latest<T> {
    #[serde(rename = "v")]
    value: T,
    #[serde(rename = "p")]
    position: Position,
}

impl<T: Ord> Latest<T> {
    /// Sets a value unless a later one is known.
    fn set(slot: &mut Option<Self>, value: T, position: Position) {
        let is_later = slot.as_ref().is_none_or(|known| {
            position > known.position || (position == known.position && value > known.value)
        });
        if is_later {
            *slot = Some(Self { value, position });
        }
    }
}

fn value<T>(slot: Option<&Latest<T>>) -> Option<&T> {
    slot.map(|latest| &latest.value)
}

/// The annotations of a call.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Annotations {
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    notes: BTreeMap<NoteId, NoteState>,
    /// Every tag that was ever set, with its current state.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    tags: BTreeMap<Word, Latest<TagState>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    disposition: Option<Latest<Option<Word>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    score: Option<Latest<Option<u8>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    test_mark: Option<Latest<bool>>,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    escalations: BTreeSet<Escalation>,
    #[serde(skip_serializing_if = "Option::is_none")]
    context: Option<Latest<Context>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    campaign: Option<Latest<Option<Campaign>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attempt: Option<Latest<Option<u32>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    call_type: Option<Latest<Option<Word>>>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct TagState {
    on: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    category: Option<Word>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
struct NoteState {
    #[serde(skip_serializing_if = "Option::is_none")]
    added: Option<Latest<DateTime<Utc>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    edited: Option<Latest<DateTime<Utc>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<Latest<NoteKind>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    visibility: Option<Latest<Visibility>>,
    /// Position of the event with the text.
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<Position>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    removed: bool,
}

/// A note. Its text is in the section `annotation` of the event at `text`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Note {
    /// Id of the note.
    pub note_id: NoteId,
    /// Kind of the note.
    pub kind: NoteKind,
    /// Readers that it is meant for.
    pub visibility: Visibility,
    /// Position of the event that added it. The actor of this event is the author.
    pub added: Position,
    /// Time at which it was added.
    pub added_at: DateTime<Utc>,
    /// Time of the last change; `None` if it was not changed.
    pub edited_at: Option<DateTime<Utc>>,
    /// Position of the event with the current text.
    pub text: Position,
}

/// A tag of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tag<'c> {
    /// The tag.
    pub tag: &'c str,
    /// Its category.
    pub category: Option<&'c str>,
}

/// An escalation, ordered by the position of its event.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Escalation {
    /// Position of the event. The actor of this event escalated the call.
    pub position: Position,
    /// Time of the escalation.
    pub at: DateTime<Utc>,
    /// The reason.
    pub reason: EscalationReason,
    /// Origin.
    pub source: EscalationSource,
    /// The disposition that escalates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disposition: Option<Word>,
    /// Whether the event has the reason as a text, in the section `annotation`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub has_text: bool,
}

/// The context of a call.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Context {
    /// The fields in the clear.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub clear: ClearFields,
    /// Position of the event with the other fields; `None` if there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed: Option<Position>,
    /// Time at which it was set.
    pub at: DateTime<Utc>,
}

impl Annotations {
    /// Whether nothing was ever added.
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Applies an event of a person or a tool. Returns false for any other event, which is about the
    /// call itself.
    pub(super) fn apply(&mut self, recorded: &Recorded<&CallEvent>) -> bool {
        let (position, at) = (recorded.position, recorded.occurred_at);
        match recorded.event {
            CallEvent::NoteAdded(note) => {
                let known = self.notes.entry(note.note_id).or_default();
                Latest::set(&mut known.added, at, position);
                known.change(Some(note.kind), Some(note.visibility), true, position);
            }
            CallEvent::NoteEdited(note) => {
                let known = self.notes.entry(note.note_id).or_default();
                Latest::set(&mut known.edited, at, position);
                known.change(note.kind, note.visibility, note.has_text, position);
            }
            CallEvent::NoteRemoved(note) => {
                self.notes.entry(note.note_id).or_default().removed = true;
            }
            CallEvent::Tagged(tagged) => {
                let state = TagState { on: true, category: tagged.category.clone() };
                self.set_tag(&tagged.tag, state, position);
            }
            CallEvent::Untagged(tagged) => {
                self.set_tag(&tagged.tag, TagState { on: false, category: None }, position);
            }
            CallEvent::Dispositioned(set) => {
                Latest::set(&mut self.disposition, set.disposition.clone(), position);
            }
            CallEvent::Scored(scored) => Latest::set(&mut self.score, scored.score, position),
            CallEvent::TestMarked(marked) => {
                Latest::set(&mut self.test_mark, marked.is_test, position);
            }
            CallEvent::Escalated(escalated) => {
                self.escalations.insert(Escalation::of(escalated, position, at));
            }
            CallEvent::ContextSet(set) => {
                let sealed = (set.sealed > 0).then_some(position);
                let context = Context { clear: set.clear.clone(), sealed, at };
                Latest::set(&mut self.context, context, position);
            }
            CallEvent::CampaignSet(set) => self.set_campaign(set, position),
            CallEvent::Started(_)
            | CallEvent::StatusChanged(_)
            | CallEvent::ToolCalled(_)
            | CallEvent::Transferred(_)
            | CallEvent::RecordingAvailable(_)
            | CallEvent::Ended(_)
            | CallEvent::MessageReceived(_) => return false,
        }
        true
    }

    fn set_tag(&mut self, tag: &Word, state: TagState, position: Position) {
        let mut slot = self.tags.remove(tag);
        Latest::set(&mut slot, state, position);
        self.tags.extend(slot.map(|latest| (tag.clone(), latest)));
    }

    fn set_campaign(&mut self, set: &CallCampaignSet, position: Position) {
        for field in &set.set {
            match field {
                CampaignField::Campaign => {
                    Latest::set(&mut self.campaign, set.call.campaign.clone(), position);
                }
                CampaignField::Attempt => {
                    Latest::set(&mut self.attempt, set.call.attempt, position);
                }
                CampaignField::CallType => {
                    Latest::set(&mut self.call_type, set.call.call_type.clone(), position);
                }
            }
        }
    }
}

impl NoteState {
    fn change(
        &mut self,
        kind: Option<NoteKind>,
        visibility: Option<Visibility>,
        has_text: bool,
        position: Position,
    ) {
        if let Some(kind) = kind {
            Latest::set(&mut self.kind, kind, position);
        }
        if let Some(visibility) = visibility {
            Latest::set(&mut self.visibility, visibility, position);
        }
        if has_text {
            self.text = self.text.max(Some(position));
        }
    }

    /// The note, if it was added and not removed.
    fn note(&self, note_id: NoteId) -> Option<Note> {
        let added = self.added.as_ref().filter(|_| !self.removed)?;
        Some(Note {
            note_id,
            kind: value(self.kind.as_ref()).copied().unwrap_or_default(),
            visibility: value(self.visibility.as_ref()).copied().unwrap_or_default(),
            added: added.position,
            added_at: added.value,
            edited_at: value(self.edited.as_ref()).copied(),
            text: self.text.unwrap_or(added.position),
        })
    }
}

impl Escalation {
    fn of(escalated: &CallEscalated, position: Position, at: DateTime<Utc>) -> Self {
        Self {
            position,
            at,
            reason: escalated.reason,
            source: escalated.source,
            disposition: escalated.disposition.clone(),
            has_text: escalated.has_text,
        }
    }
}

impl Call {
    /// Returns the notes that were not removed, in the order in which they were added.
    #[must_use]
    pub fn notes(&self) -> Vec<Note> {
        let notes = self.annotations.notes.iter();
        let mut notes: Vec<_> = notes.filter_map(|(id, state)| state.note(*id)).collect();
        notes.sort_by_key(|note| (note.added, note.note_id));
        notes
    }

    /// Returns the tags, sorted.
    #[must_use]
    pub fn tags(&self) -> Vec<&str> {
        self.categorised_tags().into_iter().map(|tag| tag.tag).collect()
    }

    /// Returns the tags with their categories, sorted by tag.
    #[must_use]
    pub fn categorised_tags(&self) -> Vec<Tag<'_>> {
        let on = self.annotations.tags.iter().filter(|(_, latest)| latest.value.on);
        on.map(|(tag, latest)| Tag {
            tag: tag.as_str(),
            category: latest.value.category.as_ref().map(Word::as_str),
        })
        .collect()
    }

    /// Returns the id of the disposition in the tenant's catalogue.
    #[must_use]
    pub fn disposition(&self) -> Option<&str> {
        value(self.annotations.disposition.as_ref())?.as_ref().map(Word::as_str)
    }

    /// Returns the score that a person gave, from 1 to 5.
    #[must_use]
    pub fn score(&self) -> Option<u8> {
        value(self.annotations.score.as_ref()).copied().flatten()
    }

    /// Returns true if the call is a test: by the last mark of a person, else if the platform's
    /// customer marked it.
    #[must_use]
    pub fn is_test(&self) -> bool {
        value(self.annotations.test_mark.as_ref()).copied().unwrap_or(self.is_test)
    }

    /// Returns whether the call was ever escalated.
    #[must_use]
    pub fn escalated(&self) -> bool {
        !self.annotations.escalations.is_empty()
    }

    /// Returns the escalations in the order of the log.
    #[must_use]
    pub fn escalations(&self) -> impl ExactSizeIterator<Item = &Escalation> {
        self.annotations.escalations.iter()
    }

    /// Returns the context.
    #[must_use]
    pub fn context(&self) -> Option<&Context> {
        value(self.annotations.context.as_ref())
    }

    /// Returns the campaign: the one that was set, else the one that the platform reported.
    #[must_use]
    pub fn campaign(&self) -> Option<&str> {
        let reported = || self.campaign.as_ref().map(|reported| &reported.value);
        let set = value(self.annotations.campaign.as_ref());
        set.map_or_else(reported, Option::as_ref).map(Campaign::as_str)
    }

    /// Returns the number of the attempt to reach the person: the one that was set, else the one that
    /// the platform reported.
    #[must_use]
    pub fn attempt(&self) -> Option<u32> {
        let reported = || self.attempt.as_ref().map(|reported| reported.value);
        value(self.annotations.attempt.as_ref()).copied().unwrap_or_else(reported)
    }

    /// Returns the type of the call: the one that was set, else the one that the platform reported.
    #[must_use]
    pub fn call_type(&self) -> Option<&str> {
        let reported = || self.call_type.as_ref().map(|reported| &reported.value);
        let set = value(self.annotations.call_type.as_ref());
        set.map_or_else(reported, Option::as_ref).map(Word::as_str)
    }

    /// Returns the positions of the events with a text of a note, of an escalation or of the context
    /// that is in use, in no particular order.
    #[must_use]
    pub fn annotation_texts(&self) -> Vec<Position> {
        let notes = self.notes().into_iter().map(|note| note.text);
        let escalations = self.escalations().filter(|one| one.has_text).map(|one| one.position);
        let context = self.context().and_then(|context| context.sealed);
        notes.chain(escalations).chain(context).collect()
    }
}
