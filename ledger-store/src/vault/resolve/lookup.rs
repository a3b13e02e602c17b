//! The look-up keys of a message, as blind indexes.

use aws_lc_rs::digest::{Context, SHA256};
use ledger_core::identity::{HandleKind, NameIndex, PersonIdentifiers};
use ledger_core::ids::StreamId;

use crate::keyring::EpochKeys;

/// Kind and blind index of a handle.
pub(super) type HandleKey = (HandleKind, [u8; 16]);

/// The blind indexes that identify the subject of one message.
pub(super) struct Lookup {
    pub(super) stream_id: StreamId,
    /// Blind index of the stream, which finds the call's own subject.
    pub(super) stream: [u8; 16],
    /// Handles of the message, strongest first.
    pub(super) handles: Vec<HandleKey>,
    pub(super) name: Option<NameIndex>,
    /// Blind indexes of the words of the name, by which contacts are searched.
    pub(super) words: Vec<[u8; 16]>,
}

/// Maximum number of words of a name that are indexed.
const MAX_WORDS: usize = 12;

/// Returns the blind indexes of the words of a name in normal form.
pub(in crate::vault) fn words_of(name: &str, epoch: &EpochKeys) -> Vec<[u8; 16]> {
    let mut words: Vec<_> = name
        .split_whitespace()
        .take(MAX_WORDS)
        .map(|word| epoch.blind_index("name_word", word))
        .collect();
    words.sort_unstable();
    words.dedup();
    words
}

impl Lookup {
    pub(super) fn of(stream_id: StreamId, given: &PersonIdentifiers, epoch: &EpochKeys) -> Self {
        let handle = |handle: &ledger_core::identity::Handle| {
            let kind = handle.kind();
            (kind, epoch.blind_index(kind.as_str(), handle.value()))
        };
        Self {
            stream_id,
            stream: epoch.blind_index("call", &stream_id.to_string()),
            handles: given.handles.iter().map(handle).collect(),
            name: given.name.as_deref().map(|name| epoch.blind_index("name", name)),
            words: given.name.as_deref().map(|name| words_of(name, epoch)).unwrap_or_default(),
        }
    }

    /// Cache key of the result. A contact's result applies to every call, another only to this
    /// call.
    pub(super) fn cache_key(&self, is_contact: bool) -> [u8; 16] {
        let mut context = Context::new(&SHA256);
        for (kind, index) in &self.handles {
            context.update(&[*kind as u8 + 1]);
            context.update(index);
        }
        context.update(&[0, u8::from(self.name.is_some())]);
        context.update(&self.name.unwrap_or_default());
        if !is_contact {
            context.update(&self.stream);
        }
        let mut key = [0; 16];
        key.copy_from_slice(&context.finish().as_ref()[..16]);
        key
    }
}
