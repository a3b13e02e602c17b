//! The chain of each tenant: its commands in this process are decided one after another, in groups.
//!
//! A group has the commands that wait when the one before it has ended. There is no timer, so a lone
//! command is not delayed. Commands of one tenant do not gain from deciding at the same time,
//! because its log is written in one order anyway.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ledger_core::ids::TenantId;
use sqlx::PgPool;
use tokio::time::sleep;

use super::contended::Contended;
use super::group::Group;
use super::schedules::Schedules;
use super::turn::Member;
use crate::appender::Appender;
use crate::notifier::Notifiers;

/// Maximum number of commands of one group. It bounds the time for which a group holds the lock of
/// the tenant's log.
const MAX_MEMBERS: usize = 64;
/// Number of distinct streams at which a group takes no further command.
const MAX_STREAMS: usize = 512;
/// Pauses before a group is decided again after an error of the database.
const PAUSES: [Duration; 2] = [Duration::from_millis(1), Duration::from_millis(20)];

/// The chains of all tenants. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Chains(Arc<Inner>);

pub(super) struct Inner {
    pub(super) commands: PgPool,
    pub(super) apart: PgPool,
    pub(super) appender: Appender,
    pub(super) notifier: Notifiers,
    pub(super) contended: Contended,
    pub(super) schedules: Schedules,
    /// The commands that wait for the next group of their tenant. A tenant without a chain has no
    /// entry.
    waiting: Mutex<HashMap<TenantId, VecDeque<Member>>>,
}

impl Chains {
    pub(crate) fn new(
        (commands, apart): (&PgPool, &PgPool),
        appender: &Appender,
        notifier: &Notifiers,
    ) -> Self {
        Self(Arc::new(Inner {
            commands: commands.clone(),
            apart: apart.clone(),
            appender: appender.clone(),
            notifier: notifier.clone(),
            contended: Contended::new(),
            schedules: Schedules::new(),
            waiting: Mutex::default(),
        }))
    }

    /// Queues a command, and starts the tenant's chain if it has none.
    pub(super) fn enter(&self, tenant_id: TenantId, member: Member) {
        let mut waiting = self.0.waiting();
        if let Some(queue) = waiting.get_mut(&tenant_id) {
            queue.push_back(member);
            return;
        }
        waiting.insert(tenant_id, VecDeque::from([member]));
        let chain = Chain { inner: Arc::clone(&self.0), tenant_id, has_ended: false };
        tokio::spawn(chain.run());
    }
}

impl Inner {
    fn waiting(&self) -> MutexGuard<'_, HashMap<TenantId, VecDeque<Member>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Chain {
    inner: Arc<Inner>,
    tenant_id: TenantId,
    /// Whether the tenant has no entry of this chain any more.
    has_ended: bool,
}

impl Chain {
    /// Runs groups until no command waits.
    async fn run(mut self) {
        let mut again = Vec::new();
        let mut pause = PAUSES[0];
        while let Some(members) = self.next(again) {
            metrics::histogram!("ledger_command_group_commands").record(as_f64(members.len()));
            let mut group = Group::new(&self.inner, self.tenant_id);
            group.run(members).await;
            again = group.again;
            if group.is_failing {
                sleep(pause).await;
                pause = (pause * 2).min(PAUSES[1]);
            } else {
                pause = PAUSES[0];
            }
        }
    }

    /// The next group: first the commands that are to be decided again, in their order. A command
    /// that runs twice is once in a group, so that the second run finds the events of the first.
    fn next(&mut self, again: Vec<Member>) -> Option<Vec<Member>> {
        let mut waiting = self.inner.waiting();
        let queue = waiting.get_mut(&self.tenant_id)?;
        for member in again.into_iter().rev() {
            queue.push_front(member);
        }
        queue.retain(|member| !member.is_gone());
        let (mut group, mut twins) = (Vec::<Member>::new(), Vec::new());
        let mut streams = HashSet::new();
        while group.len() < MAX_MEMBERS && streams.len() < MAX_STREAMS {
            let may_join = |next: &mut Member| group.is_empty() || !next.is_alone;
            let Some(member) = queue.pop_front_if(may_join) else { break };
            if group.iter().any(|known| known.command_id == member.command_id) {
                twins.push(member);
                continue;
            }
            streams.extend(member.streams.iter().map(|stream| stream.stream_id));
            group.push(member);
            if group[0].is_alone {
                break;
            }
        }
        for twin in twins.into_iter().rev() {
            queue.push_front(twin);
        }
        if group.is_empty() {
            waiting.remove(&self.tenant_id);
            drop(waiting);
            self.has_ended = true;
            return None;
        }
        Some(group)
    }
}

impl Drop for Chain {
    fn drop(&mut self) {
        if !self.has_ended {
            // After a panic: the commands see that their places are gone, and enter again.
            self.inner.waiting().remove(&self.tenant_id);
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a group holds at most 64 commands")]
fn as_f64(len: usize) -> f64 {
    len as f64
}
