//! Opens the sealed sections of calls, for callers with scope `personal`, and merges their parties.

use std::collections::BTreeMap;

use ledger_core::call::Call;
use ledger_core::identity::is_placeholder;
use ledger_core::ids::{EventId, Position, SubjectId, TenantId};
use ledger_core::personal::{Annotation, Conversation, Party, ToolIo};
use ledger_store::TenantTx;
use ledger_store::compute::compute;
use ledger_store::read::{self, EventSize, StoredEvent};
use ledger_store::seal::{Opened, Sealed, SectionName, pack, unpack};
use ledger_store::vault::{OpenedSection, SectionColumn, Vault, VaultError};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::app::App;
use crate::problem::ApiError;
use crate::read_budget::BUDGET;

/// The other party of a call, merged from all sections about it.
#[derive(Default)]
pub struct Parties {
    /// First known value of each field, in order of precedence.
    pub merged: Party,
    /// True if every section about the party is erased.
    pub is_erased: bool,
    /// True if every section about the party is of a person whose data the caller may not see now.
    pub is_restricted: bool,
    /// True if a section is damaged or was copied there. Nothing is added from elsewhere then.
    pub is_corrupt: bool,
    /// Subjects of the opened sections, for the audit event.
    pub subjects: Vec<SubjectId>,
}

/// Opens the packed party columns of several calls with one lookup of the keys.
///
/// A section from an event that is not part of the call was copied there, so it is reported as corrupt and
/// ignored.
///
/// # Errors
/// [`VaultError`] if the keys are not available at all.
pub async fn open_parties(
    vault: &Vault,
    tenant_id: TenantId,
    calls: &[(&Call, Option<&[u8]>)],
) -> Result<Vec<Parties>, VaultError> {
    let columns: Vec<(SectionColumn, &[u8])> = calls
        .iter()
        .map(|(_, column)| (SectionColumn::Parties, column.unwrap_or_default()))
        .collect();
    let opened = vault.open(tenant_id, &columns).await?;
    Ok(calls.iter().zip(opened).map(|((call, _), sections)| merge(call, sections)).collect())
}

/// Merges the sections, which are ordered by precedence, into the first known value of each field.
fn merge(call: &Call, sections: Vec<OpenedSection>) -> Parties {
    let mut parties = Parties::default();
    let (mut erased, mut restricted, mut clear) = (0, 0, 0);
    for section in sections {
        if !call.parties().iter().any(|claim| claim.event_id == section.event_id) {
            report_corrupt_section("party");
            parties.is_corrupt = true;
            continue;
        }
        // A section about another person than the call's contact is not included.
        if !call.is_party_visible(section.event_id) {
            continue;
        }
        parties.subjects.push(section.subject_id);
        match section.plain.parse(|plain| serde_json::from_slice::<Party>(plain.as_revealed()).ok())
        {
            Opened::Clear(party) => {
                clear += 1;
                merge_party(&mut parties.merged, party);
            }
            Opened::Erased => erased += 1,
            Opened::Restricted => restricted += 1,
            Opened::Corrupt => {
                report_corrupt_section("party");
                parties.is_corrupt = true;
            }
        }
    }
    parties.is_erased = erased > 0 && clear == 0 && restricted == 0;
    parties.is_restricted = restricted > 0 && clear == 0;
    parties
}

/// Adds the fields of another section to those that are not known yet.
pub(crate) fn merge_party(known: &mut Party, other: Party) {
    let Party { name, phone, email, sip_uri, external_id, extension } = other;
    // An extension is only valid with its own number.
    if known.phone.is_none() {
        known.extension = extension;
    }
    // Placeholder names, such as "unknown", are ignored.
    let name = name.filter(|name| !is_placeholder(name));
    known.name = known.name.take().or(name);
    known.phone = known.phone.take().or(phone);
    known.email = known.email.take().or(email);
    known.sip_uri = known.sip_uri.take().or(sip_uri);
    known.external_id = known.external_id.take().or(external_id);
}

/// The opened sections of an event.
#[derive(Default, Serialize)]
pub struct OpenedEvent {
    /// Identity of the other party.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub party: Option<Party>,
    /// Transcript, summary, turns and recordings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conversation: Option<Conversation>,
    /// Arguments and results of tool calls.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tool_io: Vec<ToolIo>,
    /// Text of a note or an escalation, or fields of the context.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub annotation: Option<Annotation>,
    /// The delivery's body as received, with its numbers unchanged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub raw: Option<Box<RawValue>>,
    /// True if the key of a section is destroyed.
    #[serde(rename = "erased", skip_serializing_if = "std::ops::Not::not")]
    pub is_erased: bool,
    /// True if the processing of the person's data is restricted, and the caller may not see them.
    #[serde(rename = "restricted", skip_serializing_if = "std::ops::Not::not")]
    pub is_restricted: bool,
    /// True if a section failed authentication.
    #[serde(rename = "corrupt", skip_serializing_if = "std::ops::Not::not")]
    pub is_corrupt: bool,
}

/// The opened sections of several events.
#[derive(Default)]
pub struct OpenedEvents {
    /// Opened events by log position.
    pub events: BTreeMap<i64, OpenedEvent>,
    /// Total plaintext in bytes.
    pub bytes: usize,
}

/// Opens the sections of events in order until `budget` bytes of plaintext are open, and skips the remaining
/// events. The first event is always opened.
///
/// # Errors
/// [`VaultError`] if the keys are not available at all.
pub async fn open_events(
    vault: &Vault,
    tenant_id: TenantId,
    events: &[StoredEvent],
    budget: usize,
) -> Result<OpenedEvents, VaultError> {
    let all: Vec<_> = events.iter().flat_map(columns).collect();
    let mut prepared = vault.prepare(tenant_id, &all).await?;
    let mut opened = OpenedEvents::default();
    for event in events {
        if opened.bytes >= budget {
            metrics::counter!("ledger_sections_left_out_total").increment(1);
            break;
        }
        let sections = vault.open_prepared(&mut prepared, &columns(event)).await?;
        let sections: Vec<_> = sections.into_iter().flatten().collect();
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

fn columns(event: &StoredEvent) -> [(SectionColumn, &[u8]); 2] {
    let id = EventId(event.event_id);
    [
        (SectionColumn::Sections(id), event.sections.as_deref().unwrap_or_default()),
        (SectionColumn::Bulk(id), event.bulk.as_deref().unwrap_or_default()),
    ]
}

/// Reads the events at these positions with their large sections, up to the budget of sealed bytes.
///
/// # Errors
/// 503 if the database does not answer.
pub async fn read_within_budget(
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
    for EventSize { position, bytes, .. } in read::event_sizes(&mut tx, positions).await? {
        if bytes > left && !light.is_empty() {
            break;
        }
        left = left.saturating_sub(bytes);
        light.push(position);
    }
    Ok(read::at_positions(&mut tx, &light).await?)
}

/// Removes the raw body from the large sections of an event. Malformed sections are kept, so that opening
/// them reports the corruption.
pub fn remove_raw_body(event: &mut StoredEvent) {
    let Some(sections) = event.bulk.as_deref().and_then(|bulk| unpack(bulk).ok()) else { return };
    let is_body = |bytes: &[u8]| Sealed::parse(bytes).is_ok_and(|it| it.name == SectionName::Raw);
    let others = sections.into_iter().filter(|bytes| !is_body(bytes));
    event.bulk = pack(&others.map(<[u8]>::to_vec).collect::<Vec<_>>());
}

/// Positions of the events with the conversation and tool data of a call, as far as the fold refers to them.
#[must_use]
pub fn section_positions(call: &Call) -> Vec<i64> {
    let conversation = call.conversation().into_values();
    let tools = call.tool_calls();
    let done = tools.iter().flat_map(|tool| tool.io.iter().map(|io| io.position));
    let turns = turn_positions(call).into_iter();
    let mut positions: Vec<i64> = conversation
        .chain(done)
        .chain(turns)
        .chain(call.recordings())
        .map(|Position(position)| position)
        .collect();
    positions.sort_unstable();
    positions.dedup();
    positions
}

/// Positions of the events with the turns: the end-of-call report, or before it the event of each turn.
#[must_use]
pub fn turn_positions(call: &Call) -> Vec<Position> {
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
            Opened::Restricted => {
                self.is_restricted = true;
                return;
            }
            Opened::Corrupt => {
                self.is_corrupt = true;
                report_corrupt_section(section.name.as_str());
                return;
            }
        };
        let is_read = match section.name {
            SectionName::Party => parse(&plain, &mut self.party),
            SectionName::Conversation => parse(&plain, &mut self.conversation),
            SectionName::ToolIo => parse(&plain, &mut self.tool_io),
            SectionName::Raw => parse(&plain, &mut self.raw),
            SectionName::Annotation => parse(&plain, &mut self.annotation),
            // No event of a call has another one.
            _ => false,
        };
        if !is_read {
            self.is_corrupt = true;
            report_corrupt_section(section.name.as_str());
        }
    }
}

/// Parses a section into `place`. Returns false if the text does not have the form it was sealed with.
fn parse<T: DeserializeOwned>(plain: &[u8], place: &mut T) -> bool {
    serde_json::from_slice(plain).map(|value| *place = value).is_ok()
}

pub(crate) fn report_corrupt_section(section: &'static str) {
    metrics::counter!("ledger_corrupt_sections_total", "section" => section).increment(1);
    tracing::error!(section, "seal.corrupt");
}
