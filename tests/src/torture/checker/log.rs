//! Checks the whole log of one tenant: its order, and its contents against the sent webhooks.

use std::collections::HashMap;

use ledger_core::ids::{Position, TenantId};
use ledger_store::read::{StoredEvent, events_after};
use sqlx::PgConnection;
use uuid::Uuid;

use super::super::follower::fingerprint;
use super::super::history::{Acknowledgement, Entry};
use super::super::report::Check;
use super::super::workload::RequiredResult;
use super::{Checker, Entries, Subject};

const PAGE: i64 = 2_000;

/// The log of one tenant, read completely.
pub(super) struct Log {
    pub(super) events: Vec<StoredEvent>,
    /// By digest of the webhook: the number of its events, the first and the last position.
    contents: HashMap<[u8; 32], Stored>,
    /// Events without a webhook that are in no stream of the tenant, of accesses or of a task.
    without_webhook: usize,
    /// Tasks that are no follow-up of a tool call of this tenant.
    foreign_tasks: i64,
}

#[derive(Clone, Copy)]
pub(super) struct Stored {
    events: usize,
    pub(super) first: i64,
    last: i64,
}

/// Reads the complete log in pages.
pub(super) async fn read(conn: &mut PgConnection, tenant_id: TenantId) -> anyhow::Result<Log> {
    let mut events: Vec<StoredEvent> = Vec::new();
    loop {
        let after = Position(events.last().map_or(0, |event| event.position));
        let page = events_after(conn, tenant_id, after, PAGE).await?;
        if page.is_empty() {
            break;
        }
        events.extend(page);
    }
    let foreign_tasks = foreign_tasks(conn, tenant_id).await?;
    let mut log = Log { events, contents: HashMap::new(), without_webhook: 0, foreign_tasks };
    for (position, content) in contents(conn, tenant_id).await? {
        let digest = content.and_then(|text| hex::decode(text).ok()?.try_into().ok());
        let Some(digest) = digest else {
            log.without_webhook += 1;
            continue;
        };
        let stored = log.contents.entry(digest);
        let stored = stored.or_insert(Stored { events: 0, first: position, last: position });
        stored.events += 1;
        stored.last = position;
    }
    Ok(log)
}

/// Returns the number of tasks that the servers did not make for a tool call with an unknown outcome, or made
/// for a call of another tenant.
async fn foreign_tasks(conn: &mut PgConnection, tenant_id: TenantId) -> sqlx::Result<i64> {
    sqlx::query_scalar(
        "select count(*) from ledger.events task
          where task.tenant_id = $1 and task.stream_kind = 'task'
            and (task.facts->>'origin' is distinct from 'tool'
                 or exists (select from ledger.events call
                             where call.tenant_id <> $1
                               and call.stream_id = (task.facts->>'call_id')::uuid))",
    )
    .bind(tenant_id.0)
    .fetch_one(conn)
    .await
}

/// Returns the webhook of each event, except for events of the tenant, of accesses and of tasks.
pub(super) async fn contents(
    conn: &mut PgConnection,
    tenant_id: TenantId,
) -> sqlx::Result<Vec<(i64, Option<String>)>> {
    sqlx::query_as(
        "select position, meta->>'content' from ledger.events
          where tenant_id = $1 and stream_kind not in ('tenant', 'access', 'task') order by position",
    )
    .bind(tenant_id.0)
    .fetch_all(conn)
    .await
}

/// Checks that positions are 1, 2, 3 … and that the versions of each stream are so, in position
/// order.
pub(super) fn check_order(checker: &Checker, tenant: &Subject, log: &Log) {
    let mut versions: HashMap<Uuid, i64> = HashMap::new();
    for (position, event) in (1..).zip(&log.events) {
        if event.position != position {
            checker.findings.add(Check::PositionsNotDense, || {
                format!(
                    "tenant {}: {} stands where {position} is due",
                    tenant.tenant_id, event.position
                )
            });
            return;
        }
        let version = versions.entry(event.stream_id).or_default();
        *version += 1;
        if event.stream_version != *version {
            checker.findings.add(Check::StreamOutOfOrder, || {
                let (found, due) = (event.stream_version, *version);
                format!("tenant {} at {position}: version {found}, {due} is due", tenant.tenant_id)
            });
            return;
        }
    }
}

/// Checks that the events the follower read are a prefix of the log.
pub(super) fn check_followed(checker: &Checker, nth: usize, log: &Log) {
    let seen = checker.follower.seen();
    if seen[nth].len() > log.events.len() {
        checker.findings.add(Check::FollowerChange, || {
            format!("tenant {nth}: {} were seen, {} are there", seen[nth].len(), log.events.len())
        });
    }
    for (event, print) in log.events.iter().zip(&seen[nth]) {
        if fingerprint(event) != *print {
            checker.findings.add(Check::FollowerChange, || {
                format!("tenant {nth}: {} at {} changed", event.event_type, event.position)
            });
        }
    }
}

/// Checks that every webhook is stored as often and where its responses state, and that nothing
/// else is.
pub(super) fn check_contents(checker: &Checker, nth: usize, log: &Log, entries: &Entries) {
    let add =
        |check, detail: String| checker.findings.add(check, || format!("tenant {nth}: {detail}"));
    if log.without_webhook > 0 {
        add(Check::Leaked, format!("{} events came with no webhook", log.without_webhook));
    }
    if log.foreign_tasks > 0 {
        add(Check::Leaked, format!("{} tasks follow up no tool call of it", log.foreign_tasks));
    }
    for (digest, stored) in &log.contents {
        if !entries.contains_key(&(Some(nth), *digest)) {
            let others = checker.sending.history.digests_of_others(nth);
            let whose = if others.contains(digest) { "somebody else" } else { "nobody" };
            add(Check::Leaked, format!("what stands at {} was sent to {whose}", stored.first));
        }
    }
    let ours = entries.iter().filter(|((tenant, _), _)| *tenant == Some(nth));
    for ((_, digest), entry) in ours {
        if let Some((check, detail)) = violation(entry, log.contents.get(digest)) {
            add(check, detail);
        }
    }
}

/// Returns the violation in what is stored of one webhook, if there is one.
fn violation(entry: &Entry, stored: Option<&Stored>) -> Option<(Check, String)> {
    let found = stored.map_or(0, |stored| stored.events);
    if entry.required != RequiredResult::Stored {
        let detail = format!("{found} events of what was not to be stored");
        return (found > 0).then_some((Check::StoredThoughRefused, detail));
    }
    if found > entry.events {
        return Some((Check::Doubled, format!("{found} events of {} are there", entry.events)));
    }
    let Some(answer) = entry.answer else {
        let is_torn = entry.is_one_append && found != 0 && found != entry.events;
        return is_torn.then(|| (Check::Torn, format!("{found} events of {}", entry.events)));
    };
    let Acknowledgement::Stored { first, last } = answer else {
        return Some((Check::Lost, format!("it was answered {answer:?}")));
    };
    let Some(stored) = stored.filter(|stored| stored.events == entry.events) else {
        let detail = format!("{found} of {} events, answered with {last}", entry.events);
        return Some((Check::Lost, detail));
    };
    let is_there = stored.last == last && first.is_none_or(|first| stored.first == first);
    let detail = || format!("it was answered with {last} and stands at {}", stored.last);
    (!is_there).then(|| (Check::WrongPosition, detail()))
}

impl Log {
    /// Returns the position of the first event of a webhook.
    pub(super) fn first_position(&self, digest: &[u8; 32]) -> Option<i64> {
        self.contents.get(digest).map(|stored| stored.first)
    }
}

/// Checks that each unassignable webhook is in quarantine once, and that the quarantine has no
/// other entries.
pub(super) async fn check_quarantine(
    checker: &Checker,
    conn: &mut PgConnection,
    entries: &Entries,
) -> anyhow::Result<()> {
    let waiting: Vec<(Vec<u8>, i64)> =
        sqlx::query_as("select digest, count(*) from ledger.quarantine group by digest")
            .fetch_all(conn)
            .await?;
    let waiting: HashMap<[u8; 32], i64> = waiting
        .into_iter()
        .filter_map(|(digest, count)| Some((digest.try_into().ok()?, count)))
        .collect();
    for digest in waiting.keys().filter(|digest| !entries.contains_key(&(None, **digest))) {
        let name = hex::encode(&digest[..4]);
        checker.findings.add(Check::Leaked, || format!("{name} in quarantine was not sent there"));
    }
    for ((_, digest), entry) in entries.iter().filter(|((tenant, _), _)| tenant.is_none()) {
        let count = waiting.get(digest).copied().unwrap_or(0);
        if count > 1 {
            checker.findings.add(Check::Doubled, || format!("{count} times in quarantine"));
        } else if count == 0 && entry.answer.is_some() {
            checker.findings.add(Check::Lost, || "answered as quarantined, and not there".into());
        }
    }
    Ok(())
}
