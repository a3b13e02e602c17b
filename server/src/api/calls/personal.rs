//! Opening what is sealed about a call, for those who may see it.

use std::collections::BTreeMap;

use ledger_core::call::Call;
use ledger_core::ids::{EventId, Position, SubjectId, TenantId};
use ledger_core::personal::{Conversation, Party, ToolIo};
use ledger_store::read::StoredEvent;
use ledger_store::seal::{Opened, SectionName};
use ledger_store::vault::{OpenedSection, Shelf, Vault, VaultError};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

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

/// Opens all sections of some events, by position.
///
/// # Errors
/// [`VaultError`] when keys cannot be had at all.
pub async fn open_events(
    vault: &Vault,
    tenant_id: TenantId,
    events: &[StoredEvent],
) -> Result<BTreeMap<i64, OpenedEvent>, VaultError> {
    let columns: Vec<(Shelf, &[u8])> = events
        .iter()
        .flat_map(|event| {
            let id = EventId(event.event_id);
            [
                (Shelf::Sections(id), event.sections.as_deref().unwrap_or_default()),
                (Shelf::Bulk(id), event.bulk.as_deref().unwrap_or_default()),
            ]
        })
        .collect();
    let mut opened = vault.open(tenant_id, &columns).await?.into_iter();
    let mut by_position = BTreeMap::new();
    for event in events {
        let mut view = OpenedEvent::default();
        for section in opened.by_ref().take(2).flatten() {
            view.take(section);
        }
        by_position.insert(event.position, view);
    }
    Ok(by_position)
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
            SectionName::Party => read(&plain, &mut self.party),
            SectionName::Conversation => read(&plain, &mut self.conversation),
            SectionName::ToolIo => read(&plain, &mut self.tool_io),
            SectionName::Raw => read(&plain, &mut self.raw),
        };
        if !is_read {
            self.is_corrupt = true;
            alarm(section.name.as_str());
        }
    }
}

/// Reads a section's text into its place; whether it is what we once wrote there.
fn read<T: DeserializeOwned>(plain: &[u8], place: &mut T) -> bool {
    serde_json::from_slice(plain).map(|value| *place = value).is_ok()
}

fn alarm(section: &'static str) {
    metrics::counter!("ledger_corrupt_sections_total", "section" => section).increment(1);
    tracing::error!(section, "seal.corrupt");
}
