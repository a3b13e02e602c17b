//! Every webhook to a known source is counted exactly once, by outcome. The metric
//! `ledger_webhooks_total` and the stored figures of the sources both derive from it.
//!
//! The counts are aggregated in memory and added to the database about once a second in one
//! statement, and once more after the last request at shutdown. A failed batch is retried with the
//! same batch id, so it is added once. A killed process loses at most about a second of counts.
//!
//! Memory is bounded: sources are known ones, message types and reasons are from closed lists, and
//! an unauthenticated sender can neither choose among them nor cause a statement.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use chrono::{DateTime, Utc};
use ledger_app::intake::{IngestOutcome, NO_SINGLE_ROUTE};
use ledger_core::ids::{SourceId, TenantId};
use ledger_store::source::Source;
use ledger_store::webhook_counts::{BatchId, CountDelta, Outcome, UNAUTHENTICATED};
use ledger_store::{Store, StoreError};
use tokio::sync::watch;
use tokio::time::timeout;
use uuid::Uuid;

use crate::http::times::hour_of;
use crate::problem::ApiError;

/// Interval between two writes of the counts.
const INTERVAL: Duration = Duration::from_secs(1);
/// Timeout of one write; the batch is then retried.
const TIMEOUT: Duration = Duration::from_secs(3);
/// Maximum number of distinct keys waiting while the database fails. Beyond it, counts are merged
/// without their type and hour; the totals stay exact.
const MAX_WAITING: usize = 20_000;

/// Kind of a message with an unlisted type.
const OTHER: &str = "other";
/// Kind when the sender is authenticated but the body was not read completely.
const INCOMPLETE: &str = "incomplete";
/// Kind when the sender is authenticated but the body is no valid message.
const UNPARSABLE: &str = "unparsable";
/// Reason when the client disconnected before the response.
const DISCONNECTED: &str = "client-disconnected";

/// The counts of this process that are not stored yet.
pub struct OutcomeCounter {
    writer_id: Uuid,
    waiting: Mutex<BTreeMap<CountKey, CountEntry>>,
    sending: tokio::sync::Mutex<PendingBatch>,
}

/// The key of a count. The hour is first, so that keys are sorted by age.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct CountKey {
    hour: DateTime<Utc>,
    tenant_id: TenantId,
    source_id: SourceId,
    kind: &'static str,
    outcome: Outcome,
    reason: &'static str,
}

#[derive(Debug, Clone, Copy)]
struct CountEntry {
    count: i64,
    last_at: DateTime<Utc>,
}

/// A batch being written. It stays unchanged until the write is confirmed, so a retry is
/// idempotent.
#[derive(Default)]
struct PendingBatch {
    number: i64,
    counts: Vec<CountDelta>,
}

impl OutcomeCounter {
    /// Creates an empty counter. `writer_id` identifies this process in batch ids.
    #[must_use]
    pub fn new(writer_id: Uuid) -> Self {
        Self { writer_id, waiting: Mutex::default(), sending: tokio::sync::Mutex::default() }
    }

    /// Starts counting a webhook to a source. The returned guard counts it when dropped, however
    /// the request ends.
    pub(super) fn start<'a>(
        &'a self,
        source: &'a Source,
        at: DateTime<Utc>,
    ) -> OutcomeRecorder<'a> {
        OutcomeRecorder {
            counts: self,
            source,
            at,
            kind: UNAUTHENTICATED,
            outcome: Outcome::Refused,
            reason: DISCONNECTED,
        }
    }

    /// Writes the counts about once a second until stopped, then once more. Stop it only after the
    /// last request has ended.
    pub async fn run_flush_loop(&self, store: &Store, mut stop: watch::Receiver<bool>) {
        while timeout(INTERVAL, stop.wait_for(|stop| *stop)).await.is_err() {
            if let Err(error) = self.flush(store).await {
                tracing::warn!(error = %error, "webhook_counts.add_failed");
            }
        }
        if let Err(error) = self.flush(store).await {
            let webhooks = self.left().await;
            tracing::error!(error = %error, webhooks, "webhook_counts.lost");
        }
    }

    /// Writes all counts so far, so that a later read includes every webhook this process has
    /// answered. Cancel-safe.
    ///
    /// # Errors
    /// Fails if the database does not store the batch; it is then kept for a retry.
    pub async fn flush(&self, store: &Store) -> Result<(), StoreError> {
        let mut sending = self.sending.lock().await;
        self.send(store, &mut sending).await?;
        sending.counts = self.take();
        if !sending.counts.is_empty() {
            sending.number += 1;
        }
        self.send(store, &mut sending).await
    }

    async fn send(&self, store: &Store, batch: &mut PendingBatch) -> Result<(), StoreError> {
        if batch.counts.is_empty() {
            return Ok(());
        }
        let id = BatchId { writer_id: self.writer_id, batch: batch.number };
        let added = timeout(TIMEOUT, store.add_counts(id, &batch.counts)).await;
        added
            .unwrap_or_else(|_| Err(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into()).into()))?;
        batch.counts.clear();
        Ok(())
    }

    fn take(&self) -> Vec<CountDelta> {
        let mut waiting = self.waiting.lock().expect("nothing panics while holding it");
        let count = |(key, seen): (CountKey, CountEntry)| CountDelta {
            tenant_id: key.tenant_id,
            hour: key.hour,
            source_id: key.source_id,
            kind: key.kind,
            outcome: key.outcome,
            reason: key.reason,
            count: seen.count,
            last_at: seen.last_at,
        };
        std::mem::take(&mut *waiting).into_iter().map(count).collect()
    }

    /// Returns the number of webhooks counted but not confirmed as stored.
    async fn left(&self) -> i64 {
        let sending = self.sending.lock().await;
        let waiting = self.waiting.lock().expect("nothing panics while holding it");
        let unsure: i64 = sending.counts.iter().map(|count| count.count).sum();
        unsure + waiting.values().map(|seen| seen.count).sum::<i64>()
    }

    fn add(&self, key: CountKey, at: DateTime<Utc>) {
        let mut waiting = self.waiting.lock().expect("nothing panics while holding it");
        let is_full = waiting.len() >= MAX_WAITING && !waiting.contains_key(&key);
        let oldest = waiting.first_key_value().map(|(oldest, _)| oldest.hour);
        let key = match oldest {
            Some(hour) if is_full => CountKey { hour, kind: OTHER, ..key },
            _ => key,
        };
        let seen = waiting.entry(key).or_insert(CountEntry { count: 0, last_at: at });
        seen.count += 1;
        seen.last_at = seen.last_at.max(at);
    }
}

/// Drop guard that counts one webhook with the outcome known so far.
pub(super) struct OutcomeRecorder<'a> {
    counts: &'a OutcomeCounter,
    source: &'a Source,
    at: DateTime<Utc>,
    kind: &'static str,
    outcome: Outcome,
    reason: &'static str,
}

impl OutcomeRecorder<'_> {
    /// Records that the sender is authenticated. From here on, an unfinished request counts as a
    /// failure of this server.
    pub(super) fn set_authenticated(&mut self) {
        self.kind = INCOMPLETE;
        self.outcome = Outcome::Failed;
    }

    /// Records that authentication failed, with the reason.
    pub(super) fn set_unauthenticated(&mut self, reason: &'static str) {
        self.kind = UNAUTHENTICATED;
        self.outcome = Outcome::Refused;
        self.reason = reason;
    }

    /// Records that the whole body was read and authenticated.
    pub(super) fn set_read(&mut self) {
        self.kind = UNPARSABLE;
        self.outcome = Outcome::Failed;
    }

    /// Records the message type. Types are open text, so only listed ones are counted separately.
    pub(super) fn set_kind(&mut self, kind: &str) {
        let kinds = self.source.provider.adapter().kinds();
        let known = kinds.iter().copied().find(|known| *known == kind);
        self.kind = known.unwrap_or(OTHER);
    }

    /// Records the outcome of processing the message.
    pub(super) fn set_outcome(&mut self, taken: &Result<IngestOutcome, ApiError>) {
        match taken {
            Ok(taken) => {
                self.outcome = taken.outcome();
                self.reason = match taken {
                    IngestOutcome::Quarantined => NO_SINGLE_ROUTE,
                    IngestOutcome::Recorded(_) | IngestOutcome::Ignored => "",
                };
            }
            Err(refused) => self.set_rejected(refused),
        }
    }

    /// Records a rejection: client errors count as refused, all others as failed.
    pub(super) fn set_rejected(&mut self, refused: &ApiError) {
        let is_theirs = refused.status.is_client_error();
        self.outcome = if is_theirs { Outcome::Refused } else { Outcome::Failed };
        self.reason = refused.code;
    }
}

impl Drop for OutcomeRecorder<'_> {
    fn drop(&mut self) {
        let Self { counts, source, at, kind, outcome, reason } = *self;
        metrics::counter!(
            "ledger_webhooks_total",
            "provider" => source.provider.as_str(), "kind" => kind, "outcome" => outcome.as_str()
        )
        .increment(1);
        let hour = hour_of(at);
        let (tenant_id, source_id) = (source.tenant_id, source.source_id);
        counts.add(CountKey { hour, tenant_id, source_id, kind, outcome, reason }, at);
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use ledger_core::provider::Provider;

    use super::*;

    fn source(nth: u128) -> Source {
        Source {
            source_id: SourceId(Uuid::from_u128(nth)),
            tenant_id: TenantId::INSTALLATION,
            provider: Provider::Vapi,
            secret: zeroize::Zeroizing::default(),
            old_secret: None,
            signature: None,
            record_all: false,
            assistant_id: None,
            tools: ledger_core::tools::ToolSettings::default(),
            country: None,
        }
    }

    fn counted(counts: &OutcomeCounter) -> Vec<(&'static str, Outcome, &'static str, i64)> {
        let taken = counts.take().into_iter();
        taken.map(|one| (one.kind, one.outcome, one.reason, one.count)).collect()
    }

    #[test]
    fn an_unfinished_webhook_is_counted_with_what_was_known_of_it() {
        let (counts, source) = (OutcomeCounter::new(Uuid::nil()), source(1));
        let recorder = || counts.start(&source, DateTime::UNIX_EPOCH);
        drop(recorder());
        recorder().set_authenticated();
        let mut read = recorder();
        read.set_read();
        read.set_kind("hang");
        drop(read);
        let mut forged = recorder();
        forged.set_kind("unauthenticated");
        drop(forged);
        assert_eq!(
            counted(&counts),
            [
                ("hang", Outcome::Failed, DISCONNECTED, 1),
                ("incomplete", Outcome::Failed, DISCONNECTED, 1),
                ("other", Outcome::Refused, DISCONNECTED, 1),
                ("unauthenticated", Outcome::Refused, DISCONNECTED, 1),
            ]
        );
        assert!(counted(&counts).is_empty(), "nothing is counted twice");
    }

    #[test]
    fn while_nothing_can_be_added_memory_is_bounded_and_no_number_is_lost() {
        let counts = OutcomeCounter::new(Uuid::nil());
        let sources = [source(1), source(2)];
        for hour in 0..MAX_WAITING {
            let at = DateTime::UNIX_EPOCH + TimeDelta::hours(i64::try_from(hour).expect("small"));
            for source in &sources {
                counts.start(source, at).set_outcome(&Ok(IngestOutcome::Ignored));
            }
        }
        let waiting = counts.take();
        assert!(waiting.len() <= MAX_WAITING + sources.len(), "{}", waiting.len());
        let sum: i64 = waiting.iter().map(|count| count.count).sum();
        assert_eq!(usize::try_from(sum).expect("a count"), sources.len() * MAX_WAITING);
    }
}
