//! Sizes of batches, which tests vary.

/// Sizes of the engine's batches. Results do not depend on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Batches {
    /// Number of events of a tenant read and applied at once.
    pub read: usize,
    /// Approximate number of events applied per transaction; a cycle commits at this size, so that
    /// its results become visible and its memory is released.
    pub fold: usize,
    /// Maximum lag, over all logs together, at which a version gets its indexes.
    pub close: i64,
}

impl Default for Batches {
    fn default() -> Self {
        Self { read: 8_000, fold: 8_000, close: 5_000 }
    }
}
