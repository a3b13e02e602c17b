//! What the workers of this process last complained of.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::claim::Lane;

/// Failures that last. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Health(Arc<Mutex<BTreeMap<Lane, String>>>);

impl Health {
    pub(super) fn failed(&self, lane: Lane, why: String) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(lane, why);
    }

    pub(super) fn recovered(&self, lane: Lane) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&lane);
    }

    /// Why the last turn of the live lane failed, when it did.
    #[must_use]
    pub fn complaint(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&Lane::Live).cloned()
    }
}
