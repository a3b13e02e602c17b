//! Calls for whoever asked: opened for those who may see people, each look at a person recorded.

use std::collections::BTreeMap;

use ledger_core::ids::{SubjectId, TenantId};
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

/// The sections of some calls' events, by position, and whose they are.
#[derive(Default)]
struct Opened {
    events: BTreeMap<i64, OpenedEvent>,
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
        let said = |opened| Said { call: &row.call, opened };
        let opened = opened.as_ref().map(|opened| &opened.events);
        VapiCall::of(tenant_id, row, parties, opened.map(said))
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

/// Opens what was said and done in calls. Bodies as they came stay sealed: nothing here shows them.
async fn open(app: &App, tenant_id: TenantId, rows: &[Row]) -> Result<Opened, ApiError> {
    let mut opened = Opened::default();
    for rows in rows.chunks(AT_ONCE) {
        let positions: Vec<i64> = rows.iter().flat_map(|row| said_at(&row.call)).collect();
        if positions.is_empty() {
            continue;
        }
        let mut tx = TenantTx::begin(app.store.app(), tenant_id).await?;
        let mut events = read::at_positions(&mut tx, &positions).await?;
        drop(tx);
        events.iter_mut().for_each(leave_body);
        opened.subjects.extend(events.iter().filter_map(StoredEvent::subject));
        opened.events.extend(open_events(app.store.vault(), tenant_id, &events).await?);
    }
    Ok(opened)
}

/// Takes the body as it came out of an event's large sections. What cannot be taken apart stays,
/// for whoever opens it to raise the alarm.
fn leave_body(event: &mut StoredEvent) {
    let Some(sections) = event.bulk.as_deref().and_then(|bulk| unpack(bulk).ok()) else { return };
    let is_body = |bytes: &[u8]| Sealed::parse(bytes).is_ok_and(|it| it.name == SectionName::Raw);
    let others = sections.into_iter().filter(|bytes| !is_body(bytes));
    event.bulk = pack(&others.map(<[u8]>::to_vec).collect::<Vec<_>>());
}
