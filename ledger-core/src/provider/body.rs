//! The body of a message as it is stored: without secrets of the provider, and without data that
//! may not be stored. Everything that an adapter translates comes from the tree that is left.

use super::TranslateError;
use super::redact::{LinkNames, redact};
use crate::envelope::Draft;
use crate::event::RemovedData;
use crate::json::Json;
use crate::redact::minimise;

/// A parsed body.
pub(super) struct Body<'b> {
    /// The tree without the removed data.
    pub(super) tree: Json<'b>,
    /// Canonical form with the secrets of the provider, since a body with another secret is another
    /// delivery, and without the data that may not be stored, so that no digest is made of it.
    pub(super) canonical: Vec<u8>,
    /// The text of the section `raw`.
    pub(super) raw: Vec<u8>,
    removed: Vec<RemovedData>,
}

impl<'b> Body<'b> {
    /// Parses a body. `links` are the provider's fields with links to recordings and logs.
    ///
    /// # Errors
    /// [`TranslateError`] if the text is not JSON.
    pub(super) fn read(message: &'b [u8], links: LinkNames) -> Result<Self, TranslateError> {
        let mut tree = Json::parse(message)?;
        let removed = minimise(&mut tree);
        let canonical = tree.to_canonical();
        redact(&mut tree, links);
        let raw = tree.to_compact();
        Ok(Self { tree, canonical, raw, removed })
    }

    /// Takes what was removed, for [`mark`].
    pub(super) fn take_removed(&mut self) -> Vec<RemovedData> {
        std::mem::take(&mut self.removed)
    }
}

/// States in the first event what was removed from the message.
pub(super) fn mark(drafts: &mut [Draft], removed: Vec<RemovedData>) {
    if let Some(first) = drafts.first_mut() {
        first.event.call_mut().removed = removed;
    }
}
