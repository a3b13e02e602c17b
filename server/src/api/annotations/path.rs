//! Paths with the id of a call and the name of something on it.

use std::convert::Infallible;

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use ledger_core::ids::{NoteId, StreamId};
use uuid::Uuid;

use super::refused::not_found;
use crate::problem::ApiError;

/// The id of a call, and the text behind it. A path that cannot be read names no call.
#[derive(Debug)]
pub struct CallPath {
    call_id: Option<Uuid>,
    name: String,
}

impl CallPath {
    /// Returns the id of the call.
    ///
    /// # Errors
    /// 404 `call-not-found` if it is no id.
    pub(super) fn call_id(&self) -> Result<StreamId, ApiError> {
        self.call_id.map(StreamId).ok_or_else(not_found)
    }

    /// Returns the text behind the id as the id of a note.
    ///
    /// # Errors
    /// 404 `note-not-found` if it is no id.
    pub(super) fn note_id(&self) -> Result<NoteId, ApiError> {
        let note_id = Uuid::try_parse(&self.name).map(NoteId);
        note_id.map_err(|_| ApiError::not_found("note-not-found", "note"))
    }

    /// Returns the text behind the id.
    pub(super) fn name(&self) -> &str {
        &self.name
    }
}

impl<S: Send + Sync> FromRequestParts<S> for CallPath {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        let texts = Path::<(String, String)>::from_request_parts(parts, state).await;
        let (call_id, name) = texts.map_or_else(|_| Default::default(), |Path(texts)| texts);
        Ok(Self { call_id: Uuid::try_parse(&call_id).ok(), name })
    }
}
