//! The newest keys of subjects.

use std::collections::HashMap;
use std::sync::Arc;

use ledger_core::ids::SubjectId;

use crate::vault::keys::KeyState;
use crate::vault::{Subject, VaultError};

/// The newest key of each subject, with its generation.
pub(super) type NewestKeys = HashMap<SubjectId, (u32, Arc<KeyState>)>;

/// Whether nothing new may be sealed for a subject.
pub(super) fn is_fenced(latest: &NewestKeys, subject: SubjectId) -> bool {
    let state = latest.get(&subject).map(|(_, state)| state.as_ref());
    matches!(state, Some(KeyState::Gone | KeyState::Restricted(_)))
}

/// Returns a subject with its key.
pub(crate) fn subject(
    subject_id: SubjectId,
    generation: u32,
    state: &Arc<KeyState>,
) -> Result<Subject, VaultError> {
    let key = match state.as_ref() {
        KeyState::Usable(key) => Some(Arc::clone(key)),
        KeyState::Restricted(_) | KeyState::Gone => None,
        KeyState::Corrupt => return Err(VaultError::Corrupt { subject_id }),
    };
    Ok(Subject { subject_id, generation, key })
}
