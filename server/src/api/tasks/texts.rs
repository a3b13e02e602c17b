//! Opens the texts of tasks, which are sealed in the events that made them.

use std::collections::HashMap;

use ledger_core::ids::{EventId, SubjectId, TenantId};
use ledger_core::personal::TaskText;
use ledger_store::read::StoredEvent;
use ledger_store::seal::{Opened, SectionName};
use ledger_store::vault::{SectionColumn, Vault, VaultError};

use crate::api::calls::personal::report_corrupt_section;

/// Texts of tasks, with the subjects whose keys opened them.
#[derive(Default)]
pub(super) struct Texts {
    /// The texts by the position of `task.created`. After an erasure there is none.
    pub(super) by_position: HashMap<i64, String>,
    /// The subjects, each once.
    pub(super) subjects: Vec<SubjectId>,
}

/// Opens the texts in these events with one lookup of the keys.
///
/// # Errors
/// [`VaultError`] if the keys are not available at all.
pub(super) async fn open_texts(
    vault: &Vault,
    tenant_id: TenantId,
    events: &[StoredEvent],
) -> Result<Texts, VaultError> {
    let column = |event: &StoredEvent| SectionColumn::Sections(EventId(event.event_id));
    let columns: Vec<(SectionColumn, &[u8])> = events
        .iter()
        .map(|event| (column(event), event.sections.as_deref().unwrap_or_default()))
        .collect();
    let opened = vault.open(tenant_id, &columns).await?;
    let mut texts = Texts::default();
    for (event, sections) in events.iter().zip(opened) {
        for section in sections {
            if section.name != SectionName::Task {
                continue;
            }
            let parse = section
                .plain
                .parse(|plain| serde_json::from_slice::<TaskText>(plain.as_revealed()).ok());
            match parse {
                Opened::Clear(TaskText { text }) => {
                    texts.by_position.insert(event.position, text);
                    texts.subjects.push(section.subject_id);
                }
                Opened::Erased | Opened::Restricted => {}
                Opened::Corrupt => report_corrupt_section("task"),
            }
        }
    }
    texts.subjects.sort_unstable();
    texts.subjects.dedup();
    Ok(texts)
}
