//! Commands that add something to a call.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::settings::CallSettings;
use super::words::{Campaign, EscalationReason, EscalationSource, NoteKind, Visibility, Word};
use crate::ids::{NoteId, StreamId};
use crate::personal::Personal;

/// A command on a call, with the settings that its decision depends on.
#[derive(Debug, Clone)]
pub struct AnnotateCall {
    /// The call.
    pub call_id: StreamId,
    /// The tenant's settings.
    pub settings: Arc<CallSettings>,
    /// The requested action.
    pub action: Action,
}

/// The new value of a field; `None` takes the value away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewValue<T>(pub Option<T>);

/// The action that a command requests.
#[derive(Debug, Clone)]
pub enum Action {
    /// Add a note.
    AddNote {
        /// Id of the new note.
        note_id: NoteId,
        /// Its kind.
        kind: NoteKind,
        /// Readers that it is meant for.
        visibility: Visibility,
        /// Its text.
        text: Personal<String>,
    },
    /// Change a note. Absent fields stay.
    EditNote {
        /// The note.
        note_id: NoteId,
        /// The new kind.
        kind: Option<NoteKind>,
        /// The new readers.
        visibility: Option<Visibility>,
        /// The new text.
        text: Option<Personal<String>>,
    },
    /// Remove a note.
    RemoveNote {
        /// The note.
        note_id: NoteId,
    },
    /// Put a tag on the call, or change its category.
    Tag {
        /// The tag.
        tag: Word,
        /// Its category.
        category: Option<Word>,
    },
    /// Take a tag off the call.
    Untag {
        /// The tag.
        tag: Word,
    },
    /// Set the disposition, or take it away.
    Dispose {
        /// An id of the tenant's catalogue.
        disposition: Option<Word>,
    },
    /// Set the score, or take it away.
    Score {
        /// From 1 to 5.
        score: Option<u8>,
    },
    /// Mark the call as a test, or as none.
    MarkTest {
        /// Whether it is a test.
        is_test: bool,
    },
    /// Escalate the call.
    Escalate {
        /// The reason.
        reason: EscalationReason,
        /// The reason as a text.
        text: Option<Personal<String>>,
        /// Origin of the escalation.
        source: EscalationSource,
    },
    /// Replace the context.
    SetContext {
        /// All fields of the new context.
        fields: Personal<BTreeMap<String, Value>>,
    },
    /// Set campaign, attempt or type of the call. Absent fields stay.
    SetCampaign {
        /// The campaign.
        campaign: Option<NewValue<Campaign>>,
        /// The number of the attempt.
        attempt: Option<NewValue<u32>>,
        /// The type of the call.
        call_type: Option<NewValue<Word>>,
    },
}

impl Action {
    /// Whether the events of the action have texts to seal.
    #[must_use]
    pub fn has_text(&self, settings: &CallSettings) -> bool {
        match self {
            Self::AddNote { .. } => true,
            Self::EditNote { text, .. } | Self::Escalate { text, .. } => text.is_some(),
            Self::SetContext { fields } => {
                !settings.split_context(fields.as_revealed().clone()).1.is_empty()
            }
            _ => false,
        }
    }
}
