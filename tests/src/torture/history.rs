//! The record of what was sent and of the responses: the obligations of the ledger for each
//! webhook.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use super::report::{Check, Findings};
use super::workload::Webhook;

/// Number of acknowledged webhooks kept to be sent again.
const RECENT: usize = 400;

/// The identity of a webhook in the log: its tenant (none if unassignable) and the digest of its
/// content under that tenant's key.
pub(super) type Name = (Option<usize>, [u8; 32]);

/// The result of sending a webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The webhook is in the log, or was handled as telemetry or quarantine.
    Done(Acknowledgement),
    /// The webhook was refused, and nothing of it may be stored.
    Refused(u16),
    /// No response, or one that leaves open whether the webhook is stored; with the reason.
    Unknown(&'static str),
}

/// What a successful response states.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Acknowledgement {
    /// Stored: the first position, if the response has it, and the last.
    Stored { first: Option<i64>, last: i64 },
    /// Ignored as telemetry.
    Ignored,
    /// Quarantined, because its tenant could not be determined.
    Quarantined,
}

/// The expectation and the responses of one webhook.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// Number of events the webhook becomes.
    pub(super) events: usize,
    /// Whether all events are one append.
    pub(super) is_one_append: bool,
    /// The required final result.
    pub(super) required: super::workload::RequiredResult,
    /// SHA-256 of the body in the form that must be stored.
    pub(super) kept: Option<[u8; 32]>,
    /// The first definite response.
    pub(super) answer: Option<Acknowledgement>,
}

/// Counters of requests and results.
#[derive(Debug, Clone, Default)]
pub(super) struct Counts {
    pub(super) requests: u64,
    pub(super) acknowledged: u64,
    pub(super) refused: u64,
    /// By the reason that the result is unknown.
    pub(super) unknown: BTreeMap<&'static str, u64>,
}

#[derive(Default)]
struct Inner {
    entries: HashMap<Name, Entry>,
    /// Webhooks with an unknown result that will be sent again.
    retries: VecDeque<Arc<Webhook>>,
    /// Acknowledged webhooks that may be sent again.
    recent: VecDeque<Arc<Webhook>>,
    counts: Counts,
}

/// All webhooks sent in a run.
pub(super) struct History {
    inner: Mutex<Inner>,
    findings: Arc<Findings>,
}

impl History {
    pub(super) fn new(findings: &Arc<Findings>) -> Self {
        Self { inner: Mutex::default(), findings: Arc::clone(findings) }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("nothing panics while holding it")
    }

    /// Records that a webhook is about to be sent.
    pub(super) fn invoke(&self, webhook: &Webhook) {
        let mut inner = self.inner();
        inner.counts.requests += 1;
        inner.entries.entry(webhook.name).or_insert_with(|| Entry {
            events: webhook.events,
            is_one_append: webhook.is_one_append,
            required: webhook.required,
            kept: webhook.kept,
            answer: None,
        });
    }

    /// Records a result. A response that contradicts an earlier one is a finding.
    pub(super) fn complete(&self, webhook: &Arc<Webhook>, outcome: &Outcome, again: bool) {
        let mut inner = self.inner();
        let inner = &mut *inner;
        let entry = inner.entries.get_mut(&webhook.name).expect("it was invoked");
        match outcome {
            Outcome::Done(answer) => {
                inner.counts.acknowledged += 1;
                if !webhook.required.is_met_by(*answer) {
                    self.findings
                        .add(Check::WrongAnswer, || format!("{}: {answer:?}", webhook.kind));
                }
                let first = *entry.answer.get_or_insert(*answer);
                if first != *answer {
                    self.findings.add(Check::AnswerChanged, || {
                        format!("{}: first {first:?}, then {answer:?}", webhook.kind)
                    });
                }
                inner.recent.push_back(Arc::clone(webhook));
                if inner.recent.len() > RECENT {
                    inner.recent.pop_front();
                }
            }
            Outcome::Refused(status) => {
                inner.counts.refused += 1;
                if !webhook.required.allows_refusal(*status) {
                    self.findings.add(Check::WrongAnswer, || {
                        format!("{} was answered {status}", webhook.kind)
                    });
                }
            }
            Outcome::Unknown(why) => {
                *inner.counts.unknown.entry(why).or_default() += 1;
                if *why == "500" {
                    self.findings.add(Check::InternalError, || webhook.kind.to_owned());
                }
                if again {
                    inner.retries.push_back(Arc::clone(webhook));
                }
            }
        }
    }

    /// Removes and returns the oldest webhook with an unknown result that must be sent again.
    pub(super) fn next_retry(&self) -> Option<Arc<Webhook>> {
        self.inner().retries.pop_front()
    }

    /// Returns a random one of the recently acknowledged webhooks.
    pub(super) fn any_recent(&self, dice: &mut fastrand::Rng) -> Option<Arc<Webhook>> {
        let inner = self.inner();
        (!inner.recent.is_empty())
            .then(|| Arc::clone(&inner.recent[dice.usize(..inner.recent.len())]))
    }

    /// Returns a copy of everything recorded so far.
    pub(super) fn entries(&self) -> HashMap<Name, Entry> {
        self.inner().entries.clone()
    }

    /// Returns the digests of the webhooks that were sent to tenants other than `tenant`.
    pub(super) fn digests_of_others(&self, tenant: usize) -> HashSet<[u8; 32]> {
        let inner = self.inner();
        inner
            .entries
            .keys()
            .filter(|(whose, _)| *whose != Some(tenant))
            .map(|name| name.1)
            .collect()
    }

    pub(super) fn counts(&self) -> Counts {
        self.inner().counts.clone()
    }
}
