//! Result of an authenticated webhook, as it is counted and answered.

use ledger_store::append::Appended;
use ledger_store::webhook_counts::Outcome;

/// Quarantine reason: no tenant has a route for an id in the message, or several have.
pub const NO_SINGLE_ROUTE: &str = "no-single-route";

/// Result of an authenticated webhook.
#[derive(Debug, Clone, Copy)]
pub enum IngestOutcome {
    /// Appended to the log, now or by an earlier delivery.
    Recorded(Appended),
    /// Telemetry that the end-of-call report repeats; not stored.
    Ignored,
    /// Quarantined, because no unique tenant was found.
    Quarantined,
}

impl IngestOutcome {
    /// Returns the outcome under which the webhook is counted.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::Recorded(appended) if appended.duplicate => Outcome::Duplicate,
            Self::Recorded(_) => Outcome::Recorded,
            Self::Ignored => Outcome::Ignored,
            Self::Quarantined => Outcome::Quarantined,
        }
    }

    /// Returns the outcome as the `status` of the response.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        self.outcome().as_str()
    }
}
