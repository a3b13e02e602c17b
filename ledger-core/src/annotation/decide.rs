//! The decisions on what people and tools add to a call, over the stream of the call.

use std::collections::{BTreeMap, BTreeSet};

use super::command::{Action, AnnotateCall, NewValue};
use super::refusal::Refusal;
use super::settings::CallSettings;
use super::words::{
    Campaign, ClearFields, EscalationReason, EscalationSource, NoteKind, Visibility, Word,
};
use crate::aggregate::{Aggregate, Decided, Stream};
use crate::envelope::StreamKind;
use crate::event::{
    CallCampaignSet, CallContextSet, CallDispositioned, CallEscalated, CallEvent, CallFacts,
    CallNoteAdded, CallNoteEdited, CallNoteRemoved, CallScored, CallTagged, CallTestMarked,
    CallUntagged, CampaignField,
};
use crate::ids::{NoteId, TenantId};
use crate::personal::{Annotation, Personal};
use crate::section::Sections;

/// Maximum number of notes that a call ever has, with those that were removed.
pub const MAX_NOTES: usize = 200;
/// Maximum number of tags on a call.
pub const MAX_TAGS: usize = 50;
/// Maximum number of tags that a call ever has, with those that were taken off.
const MAX_TAGS_EVER: usize = 200;
/// Maximum number of escalations of a call.
pub const MAX_ESCALATIONS: usize = 100;

/// State of a call that decisions on its annotations depend on, folded from the call's stream.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AnnotatedCall {
    exists: bool,
    provider: String,
    provider_call_id: Option<String>,
    notes: BTreeMap<NoteId, KeptNote>,
    tags: BTreeMap<Word, Option<Word>>,
    tags_ever: BTreeSet<Word>,
    disposition: Option<Word>,
    score: Option<u8>,
    test_mark: Option<bool>,
    escalations: usize,
    context: Option<(ClearFields, u32)>,
    campaign: Option<NewValue<Campaign>>,
    attempt: Option<NewValue<u32>>,
    call_type: Option<NewValue<Word>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct KeptNote {
    kind: NoteKind,
    visibility: Visibility,
    is_removed: bool,
}

/// The aggregate of the annotations of a call.
#[derive(Debug, Clone, Copy)]
pub struct Annotating;

type Decision = Result<Vec<Decided<CallEvent>>, Refusal>;

impl Aggregate for Annotating {
    type State = AnnotatedCall;
    type Command = AnnotateCall;
    type Event = CallEvent;
    type Rejection = Refusal;

    fn streams(_: TenantId, command: &AnnotateCall) -> Vec<Stream> {
        vec![Stream::new(command.call_id, StreamKind::Call)]
    }

    /// Decides on an action. An action that changes nothing records nothing: the same tag, a tag that
    /// is not on the call, the same disposition, score or mark, and a note that was removed before.
    fn decide(state: &AnnotatedCall, command: &AnnotateCall) -> Decision {
        if !state.exists {
            return Err(Refusal::CallNotFound);
        }
        match &command.action {
            Action::AddNote { note_id, kind, visibility, text } => {
                state.add_note(*note_id, (*kind, *visibility), text)
            }
            Action::EditNote { note_id, kind, visibility, text } => {
                state.edit_note(*note_id, *kind, *visibility, text.as_ref())
            }
            Action::RemoveNote { note_id } => state.remove_note(*note_id),
            Action::Tag { tag, category } => state.tag(&command.settings, tag, category.as_ref()),
            Action::Untag { tag } => Ok(state.untag(tag)),
            Action::Dispose { disposition } => {
                state.dispose(&command.settings, disposition.as_ref())
            }
            Action::Score { score } => state.set_score(*score),
            Action::MarkTest { is_test } => Ok(state.mark_test(*is_test).into_iter().collect()),
            Action::Escalate { reason, text, source } => {
                let sections = text_section(text.as_ref());
                state.escalate(*reason, *source, None, sections).map(|one| vec![one])
            }
            Action::SetContext { fields } => Ok(state.set_context(&command.settings, fields)),
            Action::SetCampaign { campaign, attempt, call_type } => {
                Ok(state.set_campaign(campaign.clone(), *attempt, call_type.clone()))
            }
        }
    }

    fn evolve(state: &mut AnnotatedCall, event: &CallEvent) {
        state.apply(event);
    }
}

impl AnnotatedCall {
    fn apply(&mut self, event: &CallEvent) {
        if !self.exists {
            self.exists = true;
            self.provider.clone_from(&event.call().provider);
            self.provider_call_id.clone_from(&event.call().provider_call_id);
        }
        match event {
            CallEvent::NoteAdded(CallNoteAdded { note_id, kind, visibility, .. }) => {
                let note = KeptNote { kind: *kind, visibility: *visibility, is_removed: false };
                self.notes.insert(*note_id, note);
            }
            CallEvent::NoteEdited(edited) => {
                if let Some(note) = self.notes.get_mut(&edited.note_id) {
                    note.kind = edited.kind.unwrap_or(note.kind);
                    note.visibility = edited.visibility.unwrap_or(note.visibility);
                }
            }
            CallEvent::NoteRemoved(removed) => {
                if let Some(note) = self.notes.get_mut(&removed.note_id) {
                    note.is_removed = true;
                }
            }
            CallEvent::Tagged(tagged) => {
                self.tags_ever.insert(tagged.tag.clone());
                self.tags.insert(tagged.tag.clone(), tagged.category.clone());
            }
            CallEvent::Untagged(untagged) => {
                self.tags.remove(&untagged.tag);
            }
            CallEvent::Dispositioned(set) => self.disposition.clone_from(&set.disposition),
            CallEvent::Scored(scored) => self.score = scored.score,
            CallEvent::TestMarked(marked) => self.test_mark = Some(marked.is_test),
            CallEvent::Escalated(_) => self.escalations += 1,
            CallEvent::ContextSet(set) => self.context = Some((set.clear.clone(), set.sealed)),
            CallEvent::CampaignSet(set) => self.apply_campaign(set),
            // Messages of the provider; only that the call exists matters.
            _ => {}
        }
    }

    fn apply_campaign(&mut self, set: &CallCampaignSet) {
        for field in &set.set {
            match field {
                CampaignField::Campaign => {
                    self.campaign = Some(NewValue(set.call.campaign.clone()));
                }
                CampaignField::Attempt => self.attempt = Some(NewValue(set.call.attempt)),
                CampaignField::CallType => {
                    self.call_type = Some(NewValue(set.call.call_type.clone()));
                }
            }
        }
    }

    /// The facts that name the call in its events.
    fn call(&self) -> CallFacts {
        CallFacts {
            provider: self.provider.clone(),
            provider_call_id: self.provider_call_id.clone(),
            ..CallFacts::default()
        }
    }

    fn add_note(
        &self,
        note_id: NoteId,
        (kind, visibility): (NoteKind, Visibility),
        text: &Personal<String>,
    ) -> Decision {
        if self.notes.len() >= MAX_NOTES {
            return Err(Refusal::TooMany);
        }
        let note = CallNoteAdded { call: self.call(), note_id, kind, visibility };
        Ok(vec![sealed(CallEvent::NoteAdded(note), text_section(Some(text)))])
    }

    fn edit_note(
        &self,
        note_id: NoteId,
        kind: Option<NoteKind>,
        visibility: Option<Visibility>,
        text: Option<&Personal<String>>,
    ) -> Decision {
        let note = self.notes.get(&note_id).filter(|note| !note.is_removed);
        let note = note.ok_or(Refusal::NoteNotFound)?;
        let kind = kind.filter(|kind| *kind != note.kind);
        let visibility = visibility.filter(|visibility| *visibility != note.visibility);
        if kind.is_none() && visibility.is_none() && text.is_none() {
            return Ok(Vec::new());
        }
        let has_text = text.is_some();
        let edited = CallNoteEdited { call: self.call(), note_id, kind, visibility, has_text };
        Ok(vec![sealed(CallEvent::NoteEdited(edited), text_section(text))])
    }

    fn remove_note(&self, note_id: NoteId) -> Decision {
        let note = self.notes.get(&note_id).ok_or(Refusal::NoteNotFound)?;
        if note.is_removed {
            return Ok(Vec::new());
        }
        let removed = CallNoteRemoved { call: self.call(), note_id };
        Ok(vec![Decided::first(CallEvent::NoteRemoved(removed))])
    }

    fn tag(&self, settings: &CallSettings, tag: &Word, category: Option<&Word>) -> Decision {
        if category.is_some_and(|category| !settings.annotations.has_category(category)) {
            return Err(Refusal::UnknownCategory);
        }
        let known = self.tags.get(tag);
        if known.is_some_and(|known| known.as_ref() == category) {
            return Ok(Vec::new());
        }
        let is_new = !self.tags_ever.contains(tag);
        if known.is_none()
            && (self.tags.len() >= MAX_TAGS || is_new && self.tags_ever.len() >= MAX_TAGS_EVER)
        {
            return Err(Refusal::TooMany);
        }
        let tagged =
            CallTagged { call: self.call(), tag: tag.clone(), category: category.cloned() };
        Ok(vec![Decided::first(CallEvent::Tagged(tagged))])
    }

    fn untag(&self, tag: &Word) -> Vec<Decided<CallEvent>> {
        if !self.tags.contains_key(tag) {
            return Vec::new();
        }
        let untagged = CallUntagged { call: self.call(), tag: tag.clone() };
        vec![Decided::first(CallEvent::Untagged(untagged))]
    }

    /// A disposition of the catalogue also escalates the call, or marks it as a test, if its entry
    /// says so. Taking it away undoes neither.
    fn dispose(&self, settings: &CallSettings, disposition: Option<&Word>) -> Decision {
        let entry =
            disposition.map(|id| settings.dispositions.find(id).ok_or(Refusal::UnknownDisposition));
        let entry = entry.transpose()?;
        if entry.map(|entry| &entry.id) == self.disposition.as_ref() {
            return Ok(Vec::new());
        }
        let disposition = entry.map(|entry| entry.id.clone());
        let set = CallDispositioned { call: self.call(), disposition: disposition.clone() };
        let mut events = vec![Decided::first(CallEvent::Dispositioned(set))];
        if entry.is_some_and(|entry| entry.escalates) {
            let (reason, source) = (EscalationReason::Disposition, EscalationSource::Disposition);
            // The disposition is set all the same when the call has too many escalations.
            events.extend(self.escalate(reason, source, disposition, Sections::default()).ok());
        }
        if entry.is_some_and(|entry| entry.is_test) {
            events.extend(self.mark_test(true));
        }
        Ok(events)
    }

    fn set_score(&self, score: Option<u8>) -> Decision {
        if score.is_some_and(|score| !(1..=5).contains(&score)) {
            return Err(Refusal::InvalidScore);
        }
        if score == self.score {
            return Ok(Vec::new());
        }
        let scored = CallScored { call: self.call(), score };
        Ok(vec![Decided::first(CallEvent::Scored(scored))])
    }

    fn mark_test(&self, is_test: bool) -> Option<Decided<CallEvent>> {
        let marked = CallTestMarked { call: self.call(), is_test };
        (self.test_mark != Some(is_test)).then(|| Decided::first(CallEvent::TestMarked(marked)))
    }

    fn escalate(
        &self,
        reason: EscalationReason,
        source: EscalationSource,
        disposition: Option<Word>,
        sections: Sections,
    ) -> Result<Decided<CallEvent>, Refusal> {
        if self.escalations >= MAX_ESCALATIONS {
            return Err(Refusal::TooMany);
        }
        let has_text = !sections.is_empty();
        let call = self.call();
        let escalated = CallEscalated { call, reason, source, disposition, has_text };
        Ok(sealed(CallEvent::Escalated(escalated), sections))
    }

    fn set_context(
        &self,
        settings: &CallSettings,
        fields: &Personal<BTreeMap<String, serde_json::Value>>,
    ) -> Vec<Decided<CallEvent>> {
        let (clear, rest) = settings.split_context(fields.as_revealed().clone());
        let sealed_fields = u32::try_from(rest.len()).unwrap_or(u32::MAX);
        // Sealed fields cannot be compared with those that are known.
        let known = self.context.clone().unwrap_or_default();
        if sealed_fields == 0 && known == (clear.clone(), 0) {
            return Vec::new();
        }
        let set = CallContextSet { call: self.call(), clear, sealed: sealed_fields };
        let annotation = Annotation { text: None, context: rest };
        let annotation = (sealed_fields > 0).then_some(annotation);
        let sections = Sections { annotation, ..Sections::default() };
        vec![sealed(CallEvent::ContextSet(set), sections)]
    }

    fn set_campaign(
        &self,
        campaign: Option<NewValue<Campaign>>,
        attempt: Option<NewValue<u32>>,
        call_type: Option<NewValue<Word>>,
    ) -> Vec<Decided<CallEvent>> {
        let campaign = campaign.filter(|value| self.campaign.as_ref() != Some(value));
        let attempt = attempt.filter(|value| self.attempt.as_ref() != Some(value));
        let call_type = call_type.filter(|value| self.call_type.as_ref() != Some(value));
        let set: Vec<_> = [
            campaign.as_ref().map(|_| CampaignField::Campaign),
            attempt.as_ref().map(|_| CampaignField::Attempt),
            call_type.as_ref().map(|_| CampaignField::CallType),
        ]
        .into_iter()
        .flatten()
        .collect();
        if set.is_empty() {
            return Vec::new();
        }
        let call = CallFacts {
            campaign: campaign.and_then(|new| new.0),
            attempt: attempt.and_then(|new| new.0),
            call_type: call_type.and_then(|new| new.0),
            ..self.call()
        };
        vec![Decided::first(CallEvent::CampaignSet(CallCampaignSet { call, set }))]
    }
}

fn sealed(event: CallEvent, sections: Sections) -> Decided<CallEvent> {
    Decided { stream: 0, event, sections }
}

fn text_section(text: Option<&Personal<String>>) -> Sections {
    let annotation = text
        .map(|text| Annotation { text: Some(text.as_revealed().clone()), ..Annotation::default() });
    Sections { annotation, ..Sections::default() }
}

#[cfg(test)]
mod laws;
#[cfg(test)]
mod tests;
