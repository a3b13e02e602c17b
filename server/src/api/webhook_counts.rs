//! Webhook counts by outcome, as the API reports them.

use std::collections::BTreeMap;

use chrono::{DateTime, Timelike, Utc};
use ledger_core::ids::SourceId;
use ledger_store::webhook_counts::{Hours, Outcome, SourceCount, UNAUTHENTICATED};
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::params::Params;
use crate::problem::ApiError;

/// Number of webhooks by outcome. `received` is the sum of the other fields: each webhook to a known source
/// is counted once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, ToSchema)]
pub struct WebhookCounts {
    /// All webhooks to the source.
    received: i64,
    /// Appended to the log.
    recorded: i64,
    /// Already in the log: sent again, and answered as the first time.
    duplicate: i64,
    /// Streaming telemetry that the end-of-call report repeats: acknowledged, not stored.
    ignored: i64,
    /// Refused for a reason on the sender's side: invalid signature, unrecognized body, too large, inactive
    /// tenant.
    refused: i64,
    /// Quarantined because the tenant could not be determined. A repeated message is counted each time and
    /// stored once.
    quarantined: i64,
    /// Failed on this side, or disconnected before the answer. Such a message may be in the log; sent again,
    /// it then counts as a duplicate.
    failed: i64,
}

/// Webhook counts of one message type.
#[derive(Debug, Serialize, ToSchema)]
pub struct TypeCounts {
    /// The platform's message type if known, otherwise `other`. Without a readable type: `unauthenticated` (not
    /// authenticated), `incomplete` (authenticated, body incomplete), `unparsable` (authenticated, body
    /// unparsable).
    r#type: String,
    /// Counts by outcome.
    #[serde(flatten)]
    webhook_counts: WebhookCounts,
}

impl WebhookCounts {
    fn add(&mut self, outcome: Outcome, count: i64) {
        self.received += count;
        *match outcome {
            Outcome::Recorded => &mut self.recorded,
            Outcome::Duplicate => &mut self.duplicate,
            Outcome::Ignored => &mut self.ignored,
            Outcome::Refused => &mut self.refused,
            Outcome::Quarantined => &mut self.quarantined,
            Outcome::Failed => &mut self.failed,
        } += count;
    }
}

/// Stored webhook counts, added up.
#[derive(Debug, Default)]
pub(super) struct CountSummary {
    pub(super) webhook_counts: WebhookCounts,
    /// Counts without those that an unauthenticated sender can cause.
    authenticated: WebhookCounts,
    by_type: BTreeMap<String, WebhookCounts>,
    /// Time of the last webhook from an authenticated sender.
    pub(super) last_authenticated_at: Option<DateTime<Utc>>,
}

impl CountSummary {
    pub(super) fn add(&mut self, source_count: &SourceCount) {
        let SourceCount { kind, outcome, count, last_at, .. } = source_count;
        self.webhook_counts.add(*outcome, *count);
        self.by_type.entry(kind.clone()).or_default().add(*outcome, *count);
        if kind != UNAUTHENTICATED {
            self.authenticated.add(*outcome, *count);
            self.last_authenticated_at = self.last_authenticated_at.max(Some(*last_at));
        }
    }

    /// Failed webhooks from authenticated senders.
    pub(super) fn authenticated_failed(&self) -> i64 {
        self.authenticated.failed
    }

    /// The sums by source.
    pub(super) fn by_source(source_counts: &[SourceCount]) -> BTreeMap<SourceId, Self> {
        let mut sums: BTreeMap<SourceId, Self> = BTreeMap::new();
        for source_count in source_counts {
            sums.entry(source_count.source_id).or_default().add(source_count);
        }
        sums
    }

    /// The counts by message type, ordered by name.
    pub(super) fn types(&self) -> Vec<TypeCounts> {
        let webhook_counts = self.by_type.iter();
        webhook_counts
            .map(|(kind, webhook_counts)| TypeCounts {
                r#type: kind.clone(),
                webhook_counts: *webhook_counts,
            })
            .collect()
    }

    /// Share of authenticated webhooks that are in the log or intentionally not stored, 0 to 1; `None`
    /// without any. An unauthenticated sender cannot change the rate.
    #[expect(clippy::cast_precision_loss, reason = "a share needs no digits beyond 2^53")]
    pub(super) fn success_rate(&self) -> Option<f64> {
        let WebhookCounts { received, recorded, duplicate, ignored, .. } = self.authenticated;
        (received > 0).then(|| (recorded + duplicate + ignored) as f64 / received as f64)
    }
}

/// Parses `from` and `to`, each a full hour in UTC: webhooks are counted by the hour.
pub(super) fn hours(params: &mut Params) -> Result<Hours, ApiError> {
    let hours = Hours { from: hour(params, "from")?, to: hour(params, "to")? };
    if let Hours { from: Some(from), to: Some(to) } = hours
        && from >= to
    {
        return Err(ApiError::parameter("to", "it is not after from"));
    }
    Ok(hours)
}

fn hour(params: &mut Params, name: &str) -> Result<Option<DateTime<Utc>>, ApiError> {
    let time = params.time(name)?;
    let is_whole =
        |time: DateTime<Utc>| (time.minute(), time.second(), time.nanosecond()) == (0, 0, 0);
    if time.is_some_and(|time| !is_whole(time)) {
        return Err(ApiError::parameter(
            name,
            "webhooks are counted by the hour: give a full one, in UTC",
        ));
    }
    Ok(time)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn an_unauthenticated_webhook_changes_neither_the_rate_nor_the_time() {
        let source_count = |kind: &str, outcome, count, at| SourceCount {
            source_id: SourceId(Uuid::nil()),
            kind: kind.into(),
            outcome,
            count,
            last_at: DateTime::from_timestamp(at, 0).expect("a time"),
        };
        let mut sum = CountSummary::default();
        assert_eq!(sum.success_rate(), None);
        sum.add(&source_count("hang", Outcome::Recorded, 2, 5));
        sum.add(&source_count("hang", Outcome::Duplicate, 1, 6));
        sum.add(&source_count("hang", Outcome::Failed, 1, 4));
        sum.add(&source_count(UNAUTHENTICATED, Outcome::Refused, 1_000, 9));
        assert_eq!(sum.success_rate(), Some(0.75));
        assert_eq!(sum.last_authenticated_at, DateTime::from_timestamp(6, 0));
        assert_eq!(sum.webhook_counts.received, 1_004);
    }
}
