//! Facts of what people and tools add to a call. Texts are in the section `annotation`; the author
//! is the actor in the metadata of the event.

use serde::{Deserialize, Serialize};

use super::CallFacts;
use crate::annotation::words::{
    ClearFields, EscalationReason, EscalationSource, NoteKind, Visibility, Word,
};
use crate::ids::NoteId;

/// Facts of `call.note_added`. The text is sealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallNoteAdded {
    /// Facts common to all call events.
    #[serde(flatten)]
    pub call: CallFacts,
    /// Id of the note.
    pub note_id: NoteId,
    /// Kind of the note.
    pub kind: NoteKind,
    /// Readers that the note is meant for.
    pub visibility: Visibility,
}

/// Facts of `call.note_edited`. Absent fields are unchanged; a new text is sealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallNoteEdited {
    /// Facts common to all call events.
    #[serde(flatten)]
    pub call: CallFacts,
    /// Id of the note.
    pub note_id: NoteId,
    /// The new kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<NoteKind>,
    /// The new readers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub visibility: Option<Visibility>,
    /// True if the event has a new text.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub has_text: bool,
}

/// Facts of `call.note_removed`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallNoteRemoved {
    /// Facts common to all call events.
    #[serde(flatten)]
    pub call: CallFacts,
    /// Id of the note; it is not used again.
    pub note_id: NoteId,
}

/// Facts of `call.tagged`: the tag is on the call, with this category.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallTagged {
    /// Facts common to all call events.
    #[serde(flatten)]
    pub call: CallFacts,
    /// The tag.
    pub tag: Word,
    /// Category of the tag; absent for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<Word>,
}

/// Facts of `call.untagged`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallUntagged {
    /// Facts common to all call events.
    #[serde(flatten)]
    pub call: CallFacts,
    /// The tag.
    pub tag: Word,
}

/// Facts of `call.dispositioned`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallDispositioned {
    /// Facts common to all call events.
    #[serde(flatten)]
    pub call: CallFacts,
    /// Id in the tenant's catalogue; absent if the disposition was taken away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disposition: Option<Word>,
}

/// Facts of `call.scored`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallScored {
    /// Facts common to all call events.
    #[serde(flatten)]
    pub call: CallFacts,
    /// From 1 to 5; absent if the score was taken away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<u8>,
}

/// Facts of `call.test_marked`. The mark has precedence over what the platform reports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallTestMarked {
    /// Facts common to all call events.
    #[serde(flatten)]
    pub call: CallFacts,
    /// Whether the call is a test.
    #[serde(rename = "test")]
    pub is_test: bool,
}

/// Facts of `call.escalated`. A reason outside the catalogue is sealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallEscalated {
    /// Facts common to all call events.
    #[serde(flatten)]
    pub call: CallFacts,
    /// The reason.
    pub reason: EscalationReason,
    /// Origin of the escalation.
    pub source: EscalationSource,
    /// The disposition that escalates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disposition: Option<Word>,
    /// True if the event has the reason as a text.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub has_text: bool,
}

/// Facts of `call.context_set`: the whole context, which replaces the one before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallContextSet {
    /// Facts common to all call events.
    #[serde(flatten)]
    pub call: CallFacts,
    /// The fields on the tenant's list of clear ones.
    #[serde(default, skip_serializing_if = "ClearFields::is_empty")]
    pub clear: ClearFields,
    /// Number of the other fields, which are sealed.
    pub sealed: u32,
}

/// A field of `call.campaign_set`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CampaignField {
    /// The campaign.
    Campaign,
    /// The number of the attempt.
    Attempt,
    /// The type of the call.
    CallType,
}

/// Facts of `call.campaign_set`. The new values are those of `call`; an absent value of a set field
/// takes the value away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallCampaignSet {
    /// Facts common to all call events, with the new values.
    #[serde(flatten)]
    pub call: CallFacts,
    /// The fields that were set, each once.
    pub set: Vec<CampaignField>,
}
