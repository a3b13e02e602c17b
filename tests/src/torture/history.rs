//! What was sent, and what came back: for each webhook the answers that bind the ledger, and nothing it says of itself.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use super::report::{Check, Findings};
use super::workload::Webhook;

/// How many acknowledged webhooks are kept at hand to be sent again.
const RECENT: usize = 400;

/// What names a webhook in the log: whose it is (none when nobody's) and the digest of its content under their key.
pub(super) type Name = (Option<usize>, [u8; 32]);

/// What a sender heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It is in the log, or was done with as telemetry or quarantine.
    Done(Answer),
    /// It was refused, and nothing of it may be kept.
    Refused(u16),
    /// No answer, or one that leaves it open.
    Unknown(&'static str),
}

/// What an answer promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// It stands there: the first position when it is told, and the last.
    Stored { first: Option<i64>, last: i64 },
    /// Telemetry.
    Ignored,
    /// Whose it is cannot be told.
    Quarantined,
}

/// What is known of one webhook.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// How many events it is.
    pub(super) events: usize,
    /// What its sender is to hear in the end.
    pub(super) wish: super::workload::Wish,
    /// SHA-256 of the body as it is to be kept.
    pub(super) kept: Option<[u8; 32]>,
    /// The first answer that promised something.
    pub(super) answer: Option<Answer>,
}

/// How often what happened.
#[derive(Debug, Clone, Default)]
pub(super) struct Counts {
    pub(super) requests: u64,
    pub(super) acknowledged: u64,
    pub(super) refused: u64,
    /// By what was heard instead of an answer.
    pub(super) unknown: BTreeMap<&'static str, u64>,
}

#[derive(Default)]
struct Inner {
    entries: HashMap<Name, Entry>,
    /// Unknown ones to be sent again.
    retries: VecDeque<Arc<Webhook>>,
    /// Acknowledged ones that may be sent again.
    recent: VecDeque<Arc<Webhook>>,
    counts: Counts,
}

/// Everything that was sent.
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

    /// A webhook is about to be sent.
    pub(super) fn invoke(&self, webhook: &Webhook) {
        let mut inner = self.inner();
        inner.counts.requests += 1;
        inner.entries.entry(webhook.name).or_insert_with(|| Entry {
            events: webhook.events,
            wish: webhook.wish,
            kept: webhook.kept,
            answer: None,
        });
    }

    /// What came back. An answer that contradicts an earlier one is a finding.
    pub(super) fn complete(&self, webhook: &Arc<Webhook>, outcome: &Outcome, again: bool) {
        let mut inner = self.inner();
        let inner = &mut *inner;
        let entry = inner.entries.get_mut(&webhook.name).expect("it was invoked");
        match outcome {
            Outcome::Done(answer) => {
                inner.counts.acknowledged += 1;
                if !webhook.wish.is_met_by(*answer) {
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
                if !webhook.wish.allows_refusal(*status) {
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

    /// An unknown one, to be tried again; the oldest first.
    pub(super) fn next_retry(&self) -> Option<Arc<Webhook>> {
        self.inner().retries.pop_front()
    }

    /// One that was answered not long ago.
    pub(super) fn any_recent(&self, dice: &mut fastrand::Rng) -> Option<Arc<Webhook>> {
        let inner = self.inner();
        (!inner.recent.is_empty())
            .then(|| Arc::clone(&inner.recent[dice.usize(..inner.recent.len())]))
    }

    /// Everything known so far.
    pub(super) fn entries(&self) -> HashMap<Name, Entry> {
        self.inner().entries.clone()
    }

    /// The names of what was sent to others than `tenant`, by digest.
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
