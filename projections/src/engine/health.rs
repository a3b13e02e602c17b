//! The most recent worker errors of this process, for the health check.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::claim::Lane;

/// Current worker errors by lane. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Health(Arc<Mutex<BTreeMap<Lane, String>>>);

impl Health {
    pub(super) fn failed(&self, lane: Lane, reason: String) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(lane, reason);
    }

    pub(super) fn recovered(&self, lane: Lane) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&lane);
    }

    /// Returns the error of the last live cycle, or `None` if it succeeded.
    #[must_use]
    pub fn last_error(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&Lane::Live).cloned()
    }
}
