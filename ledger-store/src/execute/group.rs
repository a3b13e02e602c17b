//! A group of commands of one tenant: loaded together, decided one after another, and appended
//! together, with an outcome for each.
//!
//! The first commands of a stream are decided without a lock, and their versions are checked by the
//! append. After a conflict, which another process caused, the group is decided under the lock of
//! the tenant's log: then nothing comes between, and all waiting commands are decided at once.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ledger_core::ids::{CommandId, TenantId};
use tokio::time::timeout;

use super::chain::Inner;
use super::history::History;
use super::load;
use super::lock::lock_log;
use super::schedules::Schedules;
use super::turn::{Decision, Member, Outcome, Step};
use crate::append::{AppendError, AppendOutcome, AppendRejection, AppendRequest, Appended, append};
use crate::appender::{is_data_error, is_lock_timeout, timed_out};
use crate::error::StoreError;
use crate::stage::{self, Stage};
use crate::tenant_tx::TenantTx;

/// Longest time for which a group waits for the lock of the log.
const LOCK_TIMEOUT: Duration = Duration::from_secs(2);
/// Timeout of loading and of appending a group, so that a database that stopped responding does not
/// stop the chain.
const DATABASE_TIMEOUT: Duration = Duration::from_secs(8);
/// Number of times that a command may name further streams in one group.
const MAX_FURTHER: usize = 4;

/// A command of the group with what it decided; `None` if it took no part.
type Decided = (Member, Option<Step>);

pub(super) struct Group<'a> {
    inner: &'a Inner,
    tenant_id: TenantId,
    /// The commands that are to be decided again, in their order.
    pub(super) again: Vec<Member>,
    /// Whether the database did not answer.
    pub(super) is_failing: bool,
}

impl<'a> Group<'a> {
    pub(super) fn new(inner: &'a Inner, tenant_id: TenantId) -> Self {
        Self { inner, tenant_id, again: Vec::new(), is_failing: false }
    }

    /// Decides and appends the commands.
    pub(super) async fn run(&mut self, members: Vec<Member>) {
        let contended = &self.inner.contended;
        let is_contended = members
            .iter()
            .any(|member| member.had_conflict || contended.has(self.tenant_id, member));
        if is_contended {
            self.run_locked(members).await;
        } else {
            self.run_unlocked(members).await;
        }
    }

    /// Decides on one state of the log, and appends with its versions.
    async fn run_unlocked(&mut self, members: Vec<Member>) {
        let mut tx = match TenantTx::begin_snapshot(&self.inner.commands, self.tenant_id).await {
            Ok(tx) => tx,
            Err(error) => return self.unread(members, error.into()),
        };
        let Some(decided) = self.decide(&mut tx, members).await else { return };
        drop(tx);
        if needs_check(&decided) {
            self.append_checked(decided).await;
        } else {
            self.append_grouped(decided).await;
        }
    }

    /// Decides and appends under the lock of the tenant's log.
    async fn run_locked(&mut self, members: Vec<Member>) {
        let mut tx = match self.lock().await {
            Ok(tx) => tx,
            Err(error) => return self.unlocked(members, error),
        };
        let Some(decided) = self.decide(&mut tx, members).await else { return };
        self.append_and_commit(tx, decided).await;
    }

    /// Loads the streams and lets each command decide on what the ones before it have decided.
    /// Returns `None` if the streams could not be read.
    async fn decide(&mut self, tx: &mut TenantTx, members: Vec<Member>) -> Option<Vec<Decided>> {
        let mut decided = Vec::with_capacity(members.len());
        let mut members = members.into_iter();
        let schedules = &self.inner.schedules;
        let deciding = async {
            let all = members.as_slice();
            let streams: Vec<_> = all.iter().flat_map(|member| member.streams.clone()).collect();
            let commands: Vec<CommandId> = all.iter().map(|member| member.command_id).collect();
            let history = History::load(tx, schedules, &streams, &commands).await?;
            let history = Arc::new(Mutex::new(history));
            for mut member in members.by_ref() {
                let step = turn(tx, schedules, &history, &mut member).await;
                let (step, error) =
                    step.map_or_else(|error| (None, Some(error)), |step| (step, None));
                decided.push((member, step));
                if let Some(error) = error {
                    return Err(error);
                }
            }
            Ok::<_, StoreError>(())
        };
        let done = timeout(DATABASE_TIMEOUT, deciding).await;
        let error = match done.unwrap_or_else(|_| Err(timed_out().into())) {
            Ok(()) => return Some(decided),
            Err(error) => error,
        };
        let members = decided.into_iter().map(|(member, _)| member).chain(members).collect();
        self.unread(members, error);
        None
    }

    /// Appends with the group commit of all tenants.
    async fn append_grouped(&mut self, decided: Vec<Decided>) {
        // All are queued before the first answer, in the order of the decisions.
        let queued: Vec<_> = decided
            .into_iter()
            .map(|(member, step)| match step {
                Some(Step::Append(Decision { request, .. })) => {
                    (member, Some(Some(self.inner.appender.enqueue(request))))
                }
                Some(Step::Nothing) => (member, Some(None)),
                _ => (member, None),
            })
            .collect();
        // Whether a decision was not recorded that later ones may depend on. The versions of later
        // appends are checked by the log; what appends nothing is decided again.
        let mut is_broken = false;
        for (member, answer) in queued {
            match answer {
                None => {}
                Some(None) if is_broken => self.again(member, None),
                Some(None) => member.tell(Outcome::Confirmed),
                Some(Some(queued)) => {
                    let answer = match queued {
                        Ok(answer) => stage::drive(Stage::Append, answer).await,
                        Err(error) => Err(error),
                    };
                    is_broken |= !self.settle(member, answer);
                }
            }
        }
    }

    /// Appends under the lock of the log, after a check of the streams that get no event.
    async fn append_checked(&mut self, decided: Vec<Decided>) {
        let checked = async {
            let mut tx = self.lock().await?;
            let unwritten: Vec<_> =
                requests(&decided).flat_map(|one| one.unwritten.clone()).collect();
            let ids: Vec<_> = unwritten.iter().map(|(stream_id, _)| *stream_id).collect();
            let actual = load::versions(&mut tx, &ids).await?;
            let is_current = unwritten.iter().all(|(stream_id, expected)| {
                actual.get(stream_id).copied().unwrap_or_default() == *expected
            });
            Ok::<_, sqlx::Error>((tx, is_current))
        };
        match checked.await {
            Ok((tx, true)) => self.append_and_commit(tx, decided).await,
            Ok((_, false)) => self.conflicted(decided.into_iter().map(|(member, _)| member)),
            Err(error) => {
                self.unlocked(decided.into_iter().map(|(member, _)| member).collect(), error);
            }
        }
    }

    /// Appends in a transaction that holds the lock of the log, and commits it if everything is
    /// appended.
    async fn append_and_commit(&mut self, mut tx: TenantTx, decided: Vec<Decided>) {
        let requests: Vec<&AppendRequest> = requests(&decided).map(|one| &one.request).collect();
        let appended = if requests.is_empty() {
            Ok(Ok(Vec::new()))
        } else {
            let append = append(tx.conn(), &requests);
            timeout(DATABASE_TIMEOUT, append)
                .await
                .unwrap_or_else(|_| Err(timed_out()))
                .map(appended)
        };
        let positions = match appended {
            Ok(Ok(positions)) => positions,
            Ok(Err(outcomes)) => return self.not_appended(decided, outcomes),
            Err(error) if is_data_error(&error) => return self.data_error(decided),
            Err(error) => return self.unknown(decided, error),
        };
        if !positions.is_empty() {
            let committed = timeout(DATABASE_TIMEOUT, tx.commit()).await;
            if let Err(error) = committed.unwrap_or_else(|_| Err(timed_out())) {
                return self.unknown(decided, error);
            }
            self.inner.notifier.notify([self.tenant_id]);
        }
        let mut positions = positions.into_iter();
        for (member, step) in decided {
            match step {
                Some(Step::Append(_)) => {
                    let appended = positions.next().expect("a position of each request");
                    member.tell(Outcome::Appended(appended));
                }
                Some(Step::Nothing) => member.tell(Outcome::Confirmed),
                _ => {}
            }
        }
    }

    async fn lock(&self) -> sqlx::Result<TenantTx> {
        let locked = async {
            let mut tx = TenantTx::begin(&self.inner.apart, self.tenant_id).await?;
            lock_log(&mut tx).await?;
            Ok::<_, sqlx::Error>(tx)
        };
        timeout(LOCK_TIMEOUT, locked).await.unwrap_or_else(|_| Err(timed_out()))
    }

    /// Tells a command the answer of its append. Returns whether its decision is recorded.
    fn settle(&mut self, mut member: Member, answer: Result<Appended, AppendError>) -> bool {
        match answer {
            Ok(appended) if !appended.duplicate => {
                member.tell(Outcome::Appended(appended));
                return true;
            }
            Ok(_)
            | Err(
                AppendError::Conflict { .. } | AppendError::Rejected(AppendRejection::PartlyKnown),
            ) => {
                self.inner.contended.mark(self.tenant_id, &member);
                member.had_conflict = true;
                self.again(member, None);
            }
            Err(error @ AppendError::Unavailable(_)) => {
                self.is_failing = true;
                self.again(member, Some(error));
            }
            Err(error) => member.tell(Outcome::Refused(error)),
        }
        false
    }

    /// A transaction with the lock of the log was rolled back: commands that the log refused are told
    /// so, and the others are decided again without them.
    fn not_appended(&mut self, decided: Vec<Decided>, outcomes: Vec<AppendOutcome>) {
        let mut outcomes = outcomes.into_iter();
        for (member, step) in decided {
            let outcome = match step {
                Some(Step::Append(_)) => outcomes.next(),
                Some(Step::Nothing) => None,
                _ => continue,
            };
            match outcome {
                Some(AppendOutcome::Rejected(why)) if why != AppendRejection::PartlyKnown => {
                    member.tell(Outcome::Refused(AppendError::Rejected(why)));
                }
                _ => self.conflicted([member]),
            }
        }
    }

    /// One of the requests has a value that the database refuses. Alone, each is told.
    fn data_error(&mut self, decided: Vec<Decided>) {
        if let [(member, Some(Step::Append(_)))] = decided.as_slice() {
            let refused = AppendError::Rejected(AppendRejection::Data);
            return member.tell(Outcome::Refused(refused));
        }
        self.alone(decided.into_iter().map(|(member, _)| member));
    }

    /// The events may be in the log or not.
    fn unknown(&mut self, decided: Vec<Decided>, error: sqlx::Error) {
        self.is_failing = true;
        let error = Arc::new(error);
        for (member, step) in decided {
            let is_appended = matches!(step, Some(Step::Append(_)));
            let error = AppendError::Unavailable(Some(Arc::clone(&error)));
            self.again(member, is_appended.then_some(error));
        }
    }

    /// The lock of the log was not available: nothing was recorded.
    fn unlocked(&mut self, members: Vec<Member>, error: sqlx::Error) {
        if !is_lock_timeout(&error) {
            return self.unread(members, error.into());
        }
        self.is_failing = true;
        self.conflicted(members);
    }

    /// The streams could not be read: nothing was recorded. A stream that cannot be decoded is not to
    /// fail the other commands, so each is decided alone.
    fn unread(&mut self, members: Vec<Member>, error: StoreError) {
        let error = match error {
            StoreError::Database(error) => Arc::new(error),
            error => match members.as_slice() {
                [member] => return member.tell(Outcome::Unread(error)),
                _ => return self.alone(members),
            },
        };
        self.is_failing = true;
        for member in members {
            let shared = std::io::Error::other(Arc::clone(&error));
            member.tell(Outcome::Unread(sqlx::Error::Io(shared).into()));
        }
    }

    fn conflicted(&mut self, members: impl IntoIterator<Item = Member>) {
        for mut member in members {
            self.inner.contended.mark(self.tenant_id, &member);
            member.had_conflict = true;
            self.again(member, None);
        }
    }

    fn alone(&mut self, members: impl IntoIterator<Item = Member>) {
        for mut member in members {
            member.is_alone = true;
            self.again(member, None);
        }
    }

    fn again(&mut self, member: Member, error: Option<AppendError>) {
        member.tell(Outcome::Again(error));
        self.again.push(member);
    }
}

/// Lets a command decide, and loads the further streams that it names.
async fn turn(
    tx: &mut TenantTx,
    schedules: &Schedules,
    history: &Arc<Mutex<History>>,
    member: &mut Member,
) -> Result<Option<Step>, StoreError> {
    let mut step = member.decide(history).await;
    for _ in 0..MAX_FURTHER {
        let Some(Step::Further(streams)) = step else { break };
        let mut loaded = std::mem::take(&mut *lock(history));
        let further = loaded.load_further(tx, schedules, &streams).await;
        *lock(history) = loaded;
        further?;
        member.streams = streams;
        step = member.decide(history).await;
    }
    if let Some(Step::Append(decision)) = &mut step {
        let mut history = lock(history);
        for (stream_id, event) in decision.events.drain(..) {
            history.push(stream_id, event);
        }
    }
    Ok(step)
}

fn lock(history: &Mutex<History>) -> std::sync::MutexGuard<'_, History> {
    history.lock().unwrap_or_else(PoisonError::into_inner)
}

fn requests(decided: &[Decided]) -> impl Iterator<Item = &Decision> {
    decided.iter().filter_map(|(_, step)| match step {
        Some(Step::Append(decision)) => Some(decision),
        _ => None,
    })
}

/// Whether the versions of the appended streams are not enough: a decision depends on a stream that
/// it does not write, or appends no version and follows decisions that are not appended yet.
fn needs_check(decided: &[Decided]) -> bool {
    let mut has_decided = false;
    requests(decided).any(|one| {
        let needs_check = !one.unwritten.is_empty() || (!one.is_versioned && has_decided);
        has_decided |= one.is_versioned;
        needs_check
    })
}

/// The positions if everything was appended now, and all outcomes otherwise.
fn appended(outcomes: Vec<AppendOutcome>) -> Result<Vec<Appended>, Vec<AppendOutcome>> {
    let position = |outcome: &AppendOutcome| match outcome {
        AppendOutcome::Appended(appended) if !appended.duplicate => Some(*appended),
        _ => None,
    };
    outcomes.iter().map(position).collect::<Option<_>>().ok_or(outcomes)
}
