//! The look-up keys of a message, as blind indexes.

use aws_lc_rs::digest::{Context, SHA256};
use ledger_core::identity::{HandleKind, NameIndex, PersonIdentifiers};
use ledger_core::ids::StreamId;

use crate::vault::epochs::{Indexes, TenantKeys};

/// Kind and blind index of a handle.
pub(super) type HandleKey = (HandleKind, [u8; 16]);

/// The blind indexes that identify the subject of one message, in the live epoch.
pub(super) struct Lookup {
    pub(super) stream_id: StreamId,
    /// Blind index of the stream, which finds the call's own subject.
    pub(super) stream: [u8; 16],
    /// Handles of the message, strongest first.
    pub(super) handles: Vec<HandleKey>,
    pub(super) name: Option<NameIndex>,
    /// Blind indexes of the words of the name, by which contacts are searched.
    pub(super) words: Vec<[u8; 16]>,
    /// The same in the draining epoch.
    pub(super) old: OldIndexes,
    pub(super) cache_keys: CacheKeys,
}

/// Blind indexes of the draining epoch. Without one they are those of the live epoch.
#[derive(Default)]
pub(super) struct OldIndexes {
    pub(super) stream: [u8; 16],
    pub(super) handles: Vec<[u8; 16]>,
    pub(super) name: Option<NameIndex>,
}

/// Maximum number of words of a name that are indexed.
const MAX_WORDS: usize = 12;

/// Returns the blind indexes of the words of a name in normal form.
pub(in crate::vault) fn words_of(name: &str, epoch: &TenantKeys) -> Vec<Indexes> {
    let mut words: Vec<_> = name
        .split_whitespace()
        .take(MAX_WORDS)
        .map(|word| epoch.indexes("name_word", word))
        .collect();
    words.sort_unstable_by_key(|word| word.current);
    words.dedup();
    words
}

impl Lookup {
    pub(super) fn of(stream_id: StreamId, given: &PersonIdentifiers, epoch: &TenantKeys) -> Self {
        let handles = given.handles.iter();
        let handles: Vec<(HandleKind, Indexes)> = handles
            .map(|handle| {
                let kind = handle.kind();
                (kind, epoch.indexes(kind.as_str(), handle.value()))
            })
            .collect();
        let stream = epoch.indexes("call", &stream_id.to_string());
        let name = given.name.as_deref().map(|name| epoch.indexes("name", name));
        let words = given.name.as_deref().map(|name| words_of(name, epoch)).unwrap_or_default();
        Self {
            stream_id,
            stream: stream.current,
            handles: handles.iter().map(|(kind, index)| (*kind, index.current)).collect(),
            name: name.map(|name| name.current),
            words: words.iter().map(|word| word.current).collect(),
            old: OldIndexes {
                stream: stream.old,
                handles: handles.iter().map(|(_, index)| index.old).collect(),
                name: name.map(|name| name.old),
            },
            cache_keys: CacheKeys::of(stream_id, given, epoch),
        }
    }
}

/// Keys of the result of a message in the cache of resolved persons, the same in all epochs.
#[derive(Clone, Copy, Default)]
pub(super) struct CacheKeys {
    /// A contact's result applies to every call.
    pub(super) contact: [u8; 16],
    /// Another result applies only to this call.
    pub(super) own: [u8; 16],
}

impl CacheKeys {
    pub(super) fn of(stream_id: StreamId, given: &PersonIdentifiers, epoch: &TenantKeys) -> Self {
        let mut context = Context::new(&SHA256);
        for handle in &given.handles {
            let kind = handle.kind();
            context.update(&[kind as u8 + 1]);
            context.update(&epoch.value_digest(kind.as_str(), handle.value()));
        }
        context.update(&[0, u8::from(given.name.is_some())]);
        let name = given.name.as_deref().map(|name| epoch.value_digest("name", name));
        context.update(&name.unwrap_or_default());
        let first = |context: Context| {
            let mut key = [0; 16];
            key.copy_from_slice(&context.finish().as_ref()[..16]);
            key
        };
        let contact = first(context.clone());
        context.update(stream_id.0.as_bytes());
        Self { contact, own: first(context) }
    }

    pub(super) fn of_result(&self, is_contact: bool) -> [u8; 16] {
        if is_contact { self.contact } else { self.own }
    }
}
