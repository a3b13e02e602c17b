//! Opening what is sealed about a call, for those who may see it.

use std::collections::BTreeMap;

use ledger_core::call::Call;
use ledger_core::identity::is_placeholder;
use ledger_core::ids::{EventId, Position, SubjectId, TenantId};
use ledger_core::personal::{Conversation, Party, ToolIo};
use ledger_store::TenantTx;
use ledger_store::compute::compute;
use ledger_store::read::{self, StoredEvent, Weight};
use ledger_store::seal::{Opened, Sealed, SectionName, pack, unpack};
use ledger_store::vault::{OpenedSection, Shelf, Vault, VaultError};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::app::App;
use crate::problem::ApiError;
use crate::reading::BUDGET;

/// Who was on the line, from all sections that say so.
#[derive(Default)]
pub struct Parties {
    /// Best value of each field.
    pub merged: Party,
    /// Every section that said something is erased.
    pub is_erased: bool,
    /// Whose sections were opened.
    pub subjects: Vec<SubjectId>,
}

/// Opens the packed parties of some calls with one look at the keys. A section that none of its
/// call's events was sealed with was moved there, and says nothing.
///
/// # Errors
/// [`VaultError`] when keys cannot be had at all.
pub async fn open_parties(
    vault: &Vault,
    tenant_id: TenantId,
    calls: &[(&Call, Option<&[u8]>)],
) -> Result<Vec<Parties>, VaultError> {
    let columns: Vec<(Shelf, &[u8])> =
        calls.iter().map(|(_, column)| (Shelf::Parties, column.unwrap_or_default())).collect();
    let opened = vault.open(tenant_id, &columns).await?;
    Ok(calls.iter().zip(opened).map(|((call, _), sections)| merge(call, sections)).collect())
}

/// The best value of each field; the sections come best first.
fn merge(call: &Call, sections: Vec<OpenedSection>) -> Parties {
    let mut parties = Parties::default();
    let mut erased = 0;
    let mut clear = 0;
    for section in sections {
        if !call.parties().iter().any(|claim| claim.event_id == section.event_id) {
            alarm("party");
            continue;
        }
        // What is told about somebody else than the person of the call is not shown with it.
        if !call.shows(section.event_id) {
            continue;
        }
        parties.subjects.push(section.subject_id);
        match section.plain.parse(|plain| serde_json::from_slice::<Party>(plain.as_revealed()).ok())
        {
            Opened::Clear(party) => {
                clear += 1;
                fill(&mut parties.merged, party);
            }
            Opened::Erased => erased += 1,
            Opened::Corrupt => alarm("party"),
        }
    }
    parties.is_erased = erased > 0 && clear == 0;
    parties
}

fn fill(known: &mut Party, told: Party) {
    let Party { name, phone, email, sip_uri, external_id, extension } = told;
    // An extension belongs to its number.
    if known.phone.is_none() {
        known.extension = extension;
    }
    // A placeholder is no name.
    let name = name.filter(|name| !is_placeholder(name));
    known.name = known.name.take().or(name);
    known.phone = known.phone.take().or(phone);
    known.email = known.email.take().or(email);
    known.sip_uri = known.sip_uri.take().or(sip_uri);
    known.external_id = known.external_id.take().or(external_id);
}

/// One event's sections, opened.
#[derive(Default, Serialize)]
pub struct OpenedEvent {
    /// Who was on the line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub party: Option<Party>,
    /// What was said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conversation: Option<Conversation>,
    /// What tools were given and gave back.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tool_io: Vec<ToolIo>,
    /// The body as it came, its numbers as they were written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub raw: Option<Box<RawValue>>,
    /// A section's key is destroyed.
    #[serde(rename = "erased", skip_serializing_if = "std::ops::Not::not")]
    pub is_erased: bool,
    /// A section was tampered with.
    #[serde(rename = "corrupt", skip_serializing_if = "std::ops::Not::not")]
    pub is_corrupt: bool,
}

/// Some events' sections, opened.
#[derive(Default)]
pub struct OpenedEvents {
    /// By position.
    pub events: BTreeMap<i64, OpenedEvent>,
    /// Bytes of plaintext in them.
    pub bytes: usize,
}

/// Opens the sections of some events in their order, until so many bytes of plaintext are open: the
/// events after that are not opened. The first is, whatever it holds.
///
/// # Errors
/// [`VaultError`] when keys cannot be had at all.
pub async fn open_events(
    vault: &Vault,
    tenant_id: TenantId,
    events: &[StoredEvent],
    budget: usize,
) -> Result<OpenedEvents, VaultError> {
    let all: Vec<_> = events.iter().flat_map(columns).collect();
    vault.prepare(tenant_id, &all).await?;
    let mut opened = OpenedEvents::default();
    for event in events {
        if opened.bytes >= budget {
            metrics::counter!("ledger_sections_left_out_total").increment(1);
            break;
        }
        let sections: Vec<_> =
            vault.open(tenant_id, &columns(event)).await?.into_iter().flatten().collect();
        let bytes = sections.iter().map(OpenedSection::len).sum();
        let view = || {
            let mut view = OpenedEvent::default();
            for section in sections {
                view.take(section);
            }
            view
        };
        opened.events.insert(event.position, compute(bytes, view).await);
        opened.bytes += bytes;
    }
    Ok(opened)
}

fn columns(event: &StoredEvent) -> [(Shelf, &[u8]); 2] {
    let id = EventId(event.event_id);
    [
        (Shelf::Sections(id), event.sections.as_deref().unwrap_or_default()),
        (Shelf::Bulk(id), event.bulk.as_deref().unwrap_or_default()),
    ]
}

/// The events at these positions with their large sections, as many of them as are within the budget
/// before they are opened.
///
/// # Errors
/// 503 when the database does not answer.
pub async fn within_budget(
    app: &App,
    tenant_id: TenantId,
    positions: &[i64],
) -> Result<Vec<StoredEvent>, ApiError> {
    if positions.is_empty() {
        return Ok(Vec::new());
    }
    let mut tx = TenantTx::begin(app.store.app(), tenant_id).await?;
    let mut left = BUDGET;
    let mut light: Vec<i64> = Vec::new();
    for Weight { position, bytes, .. } in read::weights(&mut tx, positions).await? {
        if bytes > left && !light.is_empty() {
            break;
        }
        left = left.saturating_sub(bytes);
        light.push(position);
    }
    Ok(read::at_positions(&mut tx, &light).await?)
}

/// Takes the body as it came out of an event's large sections. What cannot be taken apart stays,
/// for whoever opens it to raise the alarm.
pub fn leave_body(event: &mut StoredEvent) {
    let Some(sections) = event.bulk.as_deref().and_then(|bulk| unpack(bulk).ok()) else { return };
    let is_body = |bytes: &[u8]| Sealed::parse(bytes).is_ok_and(|it| it.name == SectionName::Raw);
    let others = sections.into_iter().filter(|bytes| !is_body(bytes));
    event.bulk = pack(&others.map(<[u8]>::to_vec).collect::<Vec<_>>());
}

/// In which events what was said and done in a call lies, as far as the fold points to them.
#[must_use]
pub fn said_at(call: &Call) -> Vec<i64> {
    let said = call.conversation().into_values();
    let tools = call.tool_calls();
    let done = tools.iter().flat_map(|tool| tool.io.iter().map(|io| io.position));
    let turns = turns_of(call).into_iter();
    let mut positions: Vec<i64> =
        said.chain(done).chain(turns).map(|Position(position)| position).collect();
    positions.sort_unstable();
    positions.dedup();
    positions
}

/// Where the turns of the conversation lie: in the report, or until there is one each in its own event.
#[must_use]
pub fn turns_of(call: &Call) -> Vec<Position> {
    match call.conversation().get("messages") {
        Some(report) => vec![*report],
        None => call.turns(),
    }
}

impl OpenedEvent {
    fn take(&mut self, section: OpenedSection) {
        let plain = match section.plain {
            Opened::Clear(plain) => plain.reveal(),
            Opened::Erased => {
                self.is_erased = true;
                return;
            }
            Opened::Corrupt => {
                self.is_corrupt = true;
                alarm(section.name.as_str());
                return;
            }
        };
        let is_read = match section.name {
            SectionName::Party => parse(&plain, &mut self.party),
            SectionName::Conversation => parse(&plain, &mut self.conversation),
            SectionName::ToolIo => parse(&plain, &mut self.tool_io),
            SectionName::Raw => parse(&plain, &mut self.raw),
        };
        if !is_read {
            self.is_corrupt = true;
            alarm(section.name.as_str());
        }
    }
}

/// Reads a section's text into its place; whether it is what we once wrote there.
fn parse<T: DeserializeOwned>(plain: &[u8], place: &mut T) -> bool {
    serde_json::from_slice(plain).map(|value| *place = value).is_ok()
}

fn alarm(section: &'static str) {
    metrics::counter!("ledger_corrupt_sections_total", "section" => section).increment(1);
    tracing::error!(section, "seal.corrupt");
}
