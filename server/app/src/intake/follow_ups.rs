//! Follow-up tasks for tool calls whose outcome could not be confirmed to the caller.
//!
//! The database may not be reachable when the outcome is unknown, so such tool calls wait in memory, at
//! most [`CAPACITY`] of them, until the log answers. A tool call that turns out to be recorded gets no
//! task. What is still waiting when the process is killed is lost; what does not fit, or is left at
//! shutdown, is counted and logged.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use ledger_core::ids::TenantId;
use ledger_store::Store;
use ledger_store::tool_calls::{FollowedUp, ToolError, UnconfirmedTool};
use tokio::sync::watch;
use tokio::time::timeout;

/// Maximum number of tool calls that wait.
const CAPACITY: usize = 1_000;
/// Interval between two looks at the queue.
const INTERVAL: Duration = Duration::from_millis(500);
/// Time until a failed attempt is repeated.
const RETRY: Duration = Duration::from_secs(5);
/// Time limit of an attempt.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Time limit of all attempts at shutdown.
const FINAL_TIMEOUT: Duration = Duration::from_secs(2);

/// The tool calls of this server whose outcome is not known.
pub struct FollowUps {
    /// Time until a tool call is looked up: no append of it is under way any more.
    delay: Duration,
    waiting: Mutex<VecDeque<Waiting>>,
}

/// A tool call, and the earliest time of the next attempt.
struct Waiting {
    call: UnconfirmedTool,
    next: Instant,
}

/// A tool call under way. Dropped without [`Watched::confirm`], its outcome is unknown: also when the
/// request is abandoned.
pub(super) struct Watched<'f> {
    follow_ups: &'f FollowUps,
    call: Option<UnconfirmedTool>,
}

impl Watched<'_> {
    /// The outcome is known: nothing is to be followed up.
    pub(super) fn confirm(mut self) {
        self.call = None;
    }
}

impl Drop for Watched<'_> {
    fn drop(&mut self) {
        if let Some(call) = self.call.take() {
            self.follow_ups.add(call, Instant::now());
        }
    }
}

impl FollowUps {
    /// Creates an empty queue, whose tool calls are looked up after `delay`.
    #[must_use]
    pub fn new(delay: Duration) -> Self {
        Self { delay, waiting: Mutex::default() }
    }

    /// Watches a tool call that is about to be answered.
    pub(super) fn watch(&self, call: UnconfirmedTool) -> Watched<'_> {
        Watched { follow_ups: self, call: Some(call) }
    }

    fn add(&self, call: UnconfirmedTool, now: Instant) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.iter().any(|known| known.call.is_same(&call)) {
            return; // The platform repeated it.
        }
        if waiting.len() >= CAPACITY {
            drop(waiting);
            count_dropped("overflow", call.tenant_id(), 1);
            return;
        }
        waiting.push_back(Waiting { call, next: now + self.delay });
    }

    /// Takes the first tool call whose time has come.
    fn take(&self, now: Instant, all: bool) -> Option<UnconfirmedTool> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let due = waiting.iter().position(|one| all || one.next <= now)?;
        waiting.remove(due).map(|one| one.call)
    }

    fn put_back(&self, call: UnconfirmedTool, now: Instant) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.push_back(Waiting { call, next: now + RETRY });
    }

    /// Follows up tool calls until the process stops, and then what is left, once.
    pub async fn run(&self, store: &Store, mut stop: watch::Receiver<bool>) {
        while timeout(INTERVAL, stop.wait_for(|stop| *stop)).await.is_err() {
            self.follow_up_due(store, false).await;
        }
        // At shutdown a tool call may be looked up early: a task too many is better than none.
        let _ = timeout(FINAL_TIMEOUT, self.follow_up_due(store, true)).await;
        while let Some(call) = self.take(Instant::now(), true) {
            count_dropped("shutdown", call.tenant_id(), 1);
        }
    }

    /// Follows up the tool calls whose time has come. Stops at the first that fails, because the others
    /// would wait for the same database.
    async fn follow_up_due(&self, store: &Store, all: bool) {
        while let Some(call) = self.take(Instant::now(), all) {
            let held = Held { follow_ups: self, call: Some(call) };
            let Some(call) = held.call.as_ref() else { return };
            let result = match timeout(TIMEOUT, store.follow_up(call)).await {
                Ok(Ok(FollowedUp::Recorded)) => "recorded",
                Ok(Ok(FollowedUp::Task)) => "task",
                Ok(Err(error)) if error.is_tenant_not_active() => "refused",
                Ok(Err(error @ ToolError::Misplaced)) => {
                    tracing::error!(error = %error, "follow_up.refused");
                    "refused"
                }
                Ok(Err(error)) => {
                    tracing::warn!(error = %error, "follow_up.failed");
                    return;
                }
                Err(_) => {
                    tracing::warn!("follow_up.timed_out");
                    return;
                }
            };
            held.done();
            metrics::counter!("ledger_follow_ups_total", "outcome" => result).increment(1);
            tracing::info!(result, "follow_up.done");
        }
    }
}

/// A tool call that is put back unless it is done.
struct Held<'f> {
    follow_ups: &'f FollowUps,
    call: Option<UnconfirmedTool>,
}

impl Held<'_> {
    fn done(mut self) {
        self.call = None;
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        if let Some(call) = self.call.take() {
            self.follow_ups.put_back(call, Instant::now());
        }
    }
}

fn count_dropped(reason: &'static str, tenant_id: TenantId, dropped: u64) {
    metrics::counter!("ledger_follow_ups_total", "outcome" => reason).increment(dropped);
    tracing::error!(reason, %tenant_id, "follow_up.dropped");
}

#[cfg(test)]
mod tests {
    use ledger_core::envelope::{Correlation, Dedupe, Draft};
    use ledger_core::event::{CallEnded, CallEvent};
    use ledger_core::ids::SourceId;
    use ledger_core::section::Sections;
    use ledger_core::tools::Tool;
    use ledger_store::record::DeliveryContext;
    use ledger_store::tool_calls::ToolCall;
    use uuid::Uuid;

    use super::*;

    fn unconfirmed(ordinal: u16) -> UnconfirmedTool {
        let origin = DeliveryContext {
            tenant_id: TenantId(Uuid::from_u128(1)),
            provider: "vapi",
            source_id: SourceId(Uuid::from_u128(2)),
            request_id: Uuid::from_u128(3),
        };
        let draft = Draft {
            correlation: Correlation::None,
            dedupe: Dedupe::Content(0),
            occurred_at: None,
            event: CallEvent::Ended(CallEnded::default()),
            sections: Sections::default(),
        };
        let canonical = [7; 32];
        let call =
            ToolCall { origin: &origin, canonical: &canonical, tool: Tool::Book, draft, ordinal };
        UnconfirmedTool::of(&call, canonical, chrono::DateTime::UNIX_EPOCH)
    }

    fn len(follow_ups: &FollowUps) -> usize {
        follow_ups.waiting.lock().expect("nothing panics while holding it").len()
    }

    #[test]
    fn a_tool_call_waits_once_until_its_time_and_the_queue_is_bounded() {
        let (follow_ups, now) = (FollowUps::new(Duration::from_secs(30)), Instant::now());
        for ordinal in 0..1_100 {
            follow_ups.add(unconfirmed(ordinal), now);
            follow_ups.add(unconfirmed(ordinal), now);
        }
        assert_eq!(len(&follow_ups), CAPACITY);
        assert!(follow_ups.take(now + Duration::from_secs(29), false).is_none());
        let first = follow_ups.take(now + Duration::from_secs(30), false).expect("it is due");
        assert!(first.is_same(&unconfirmed(0)));
        follow_ups.put_back(first, now);
        assert!(follow_ups.take(now + RETRY, false).expect("it is due").is_same(&unconfirmed(0)));
    }

    #[test]
    fn a_tool_call_is_followed_up_unless_its_outcome_is_known() {
        let follow_ups = FollowUps::new(Duration::ZERO);
        follow_ups.watch(unconfirmed(0)).confirm();
        assert_eq!(len(&follow_ups), 0);
        drop(follow_ups.watch(unconfirmed(0)));
        assert_eq!(len(&follow_ups), 1);
    }
}
