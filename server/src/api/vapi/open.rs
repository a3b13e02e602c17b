//! Calls for whoever asked: opened for those who may see people, each look at a person recorded.

use std::collections::{BTreeMap, BTreeSet};

use ledger_core::ids::{Position, SubjectId, TenantId};
use ledger_core::provider::vapi::retold::{Retold, retell};
use ledger_store::TenantTx;
use ledger_store::read::{self, StoredEvent};
use ledger_store::seal::{Sealed, SectionName, pack, unpack};
use projections::calls::dialect::Row;
use uuid::Uuid;

use super::said::Said;
use super::view::VapiCall;
use crate::api::calls::personal::{OpenedEvent, Parties, open_events, open_parties, said_at};
use crate::app::App;
use crate::auth::{Caller, Scope};
use crate::problem::ApiError;

/// How many calls' events are read at a time: their bodies as they came are among them.
const AT_ONCE: usize = 100;
/// How many bytes of sealed bodies are opened at a time. Compressed, they are a tenth or less of what
/// they open to.
const SEALED_AT_ONCE: usize = 64 << 10;

/// The sections of some calls' events, by position, and whose they are.
#[derive(Default)]
struct Opened {
    events: BTreeMap<i64, OpenedEvent>,
    retold: BTreeMap<i64, Retold>,
    subjects: Vec<SubjectId>,
}

/// Calls as the caller may see them.
///
/// # Errors
/// 503 when the database does not answer, the keys cannot be had, or the look cannot be recorded.
pub(super) async fn show(
    app: &App,
    caller: &Caller,
    action: &'static str,
    resource: Option<Uuid>,
    rows: &[Row],
) -> Result<Vec<VapiCall>, ApiError> {
    let tenant_id = caller.tenant_id();
    let sealed: Vec<_> = rows.iter().map(|row| (&row.call, row.party.as_deref())).collect();
    let parties = open_parties(app.store.vault(), tenant_id, &sealed).await?;
    let mut opened = None;
    if caller.has(Scope::Personal) {
        opened = Some(open(app, tenant_id, rows).await?);
    }
    if let Some(opened) = opened.as_ref().filter(|_| !rows.is_empty()) {
        let subjects = seen(&parties, opened);
        caller.audit_personal_read(app, action, resource, rows.len(), subjects).await?;
    }
    let view = |(row, parties): (&Row, &Parties)| {
        let said = |opened: &'_ Opened| {
            VapiCall::of(
                tenant_id,
                row,
                parties,
                Some(Said { call: &row.call, opened: &opened.events, retold: &opened.retold }),
            )
        };
        opened.as_ref().map_or_else(|| VapiCall::of(tenant_id, row, parties, None), said)
    };
    Ok(rows.iter().zip(&parties).map(view).collect())
}

/// Everybody who is shown.
fn seen(parties: &[Parties], opened: &Opened) -> Vec<SubjectId> {
    let on_the_line = parties.iter().flat_map(|parties| parties.subjects.iter().copied());
    let mut subjects: Vec<_> = on_the_line.chain(opened.subjects.iter().copied()).collect();
    subjects.sort_unstable();
    subjects.dedup();
    subjects
}

/// Opens what was said and done in calls. Of bodies as they came only those of reports are opened, and
/// what they tell is kept of them; the others stay sealed.
async fn open(app: &App, tenant_id: TenantId, rows: &[Row]) -> Result<Opened, ApiError> {
    let mut opened = Opened::default();
    for rows in rows.chunks(AT_ONCE) {
        let reports: BTreeSet<i64> =
            rows.iter().flat_map(|row| row.call.reports()).map(|Position(at)| at).collect();
        let said = rows.iter().flat_map(|row| said_at(&row.call));
        let positions: BTreeSet<i64> = said.chain(reports.iter().copied()).collect();
        let positions: Vec<i64> = positions.into_iter().collect();
        if positions.is_empty() {
            continue;
        }
        let mut tx = TenantTx::begin(app.store.app(), tenant_id).await?;
        let mut events = read::at_positions(&mut tx, &positions).await?;
        drop(tx);
        events.iter_mut().filter(|event| !reports.contains(&event.position)).for_each(leave_body);
        opened.subjects.extend(events.iter().filter_map(StoredEvent::subject));
        for events in by_size(&events) {
            opened.take(open_events(app.store.vault(), tenant_id, events).await?);
        }
    }
    Ok(opened)
}

impl Opened {
    /// Keeps what events say, and of a body what it tells in Vapi's words.
    fn take(&mut self, events: BTreeMap<i64, OpenedEvent>) {
        for (position, mut event) in events {
            let body = event.raw.take();
            let told = body.and_then(|body| retell(body.get().as_bytes()));
            self.retold.extend(told.map(|told| (position, told)));
            self.events.insert(position, event);
        }
    }
}

/// Events in groups that are opened together.
fn by_size(events: &[StoredEvent]) -> Vec<&[StoredEvent]> {
    let mut groups = Vec::new();
    let (mut from, mut bytes) = (0, 0);
    for (nth, event) in events.iter().enumerate() {
        bytes += event.bulk.as_ref().map_or(0, Vec::len);
        if bytes > SEALED_AT_ONCE && nth > from {
            groups.push(&events[from..nth]);
            (from, bytes) = (nth, event.bulk.as_ref().map_or(0, Vec::len));
        }
    }
    groups.push(&events[from..]);
    groups
}

/// Takes the body as it came out of an event's large sections. What cannot be taken apart stays,
/// for whoever opens it to raise the alarm.
fn leave_body(event: &mut StoredEvent) {
    let Some(sections) = event.bulk.as_deref().and_then(|bulk| unpack(bulk).ok()) else { return };
    let is_body = |bytes: &[u8]| Sealed::parse(bytes).is_ok_and(|it| it.name == SectionName::Raw);
    let others = sections.into_iter().filter(|bytes| !is_body(bytes));
    event.bulk = pack(&others.map(<[u8]>::to_vec).collect::<Vec<_>>());
}
