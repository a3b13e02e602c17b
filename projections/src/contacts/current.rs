//! A contact at the end of the log, for the answer to a change: the rows of the read model with the
//! events of the contact that it has not read yet. Figures are those of the read models.

use std::collections::BTreeMap;

use ledger_core::ids::Position;
use ledger_store::read::stream_between;
use ledger_store::{StoreError, TenantTx};
use uuid::Uuid;

use super::list::{ListedContact, join};
use super::row::Contact;
use super::write::StoredContact;
use crate::positions::position;
use crate::projector::{LogEvent, ProjectError};

/// Returns a contact with its parts, among them `part` if it was merged into the contact; `None` if
/// no event names it.
///
/// # Errors
/// [`StoreError::Database`]; [`StoreError::Corrupt`] when a row or event is not what this code wrote.
pub async fn current(
    tx: &mut TenantTx,
    contact_id: Uuid,
    part: Option<Uuid>,
) -> Result<Option<ListedContact>, StoreError> {
    let reached = position(tx, "contacts").await?;
    let named: Vec<Uuid> = std::iter::once(contact_id).chain(part).collect();
    let tenant_id = tx.tenant_id();
    let stored = sqlx::query_as!(
        StoredContact,
        r#"
        select c.tenant_id as "tenant_id!", c.contact_id as "contact_id!", c.merged_into,
               c.first_seen_at as "first_seen_at!", c.segment, c.priority, c.tags as "tags!",
               c.claims as "claims!", c.sections, c.position as "position!",
               c.updated_at as "updated_at!"
          from read.contacts c
         where c.tenant_id = $1 and (c.contact_id = any ($2) or c.merged_into = any ($2))
        "#,
        tenant_id.0,
        &named,
    )
    .fetch_all(tx.conn())
    .await?;
    let mut rows: BTreeMap<Uuid, Option<Contact>> =
        named.into_iter().map(|contact_id| (contact_id, None)).collect();
    for row in stored {
        rows.insert(row.contact_id, Some(row.open()?));
    }
    for (contact_id, row) in &mut rows {
        apply_unread(tx, *contact_id, reached, row).await?;
    }
    let contact = rows.remove(&contact_id).flatten();
    let is_part = |row: &Contact| row.merged_into == Some(contact_id);
    let parts = rows.into_values().flatten().filter(is_part).collect();
    let Some(contact) = contact else { return Ok(None) };
    Ok(join(tx, vec![contact], parts).await?.pop())
}

/// Applies the events of a contact that follow a position.
async fn apply_unread(
    tx: &mut TenantTx,
    contact_id: Uuid,
    reached: Position,
    row: &mut Option<Contact>,
) -> Result<(), StoreError> {
    let tenant_id = tx.tenant_id();
    let (from, to) = (Position(reached.0 + 1), Position(i64::MAX));
    let events = stream_between(tx.conn(), tenant_id, contact_id, from, to).await?;
    for event in events {
        let at = event.recorded_at;
        Contact::evolve(row, contact_id, &LogEvent::new(event, at)).map_err(store)?;
    }
    Ok(())
}

fn store(error: ProjectError) -> StoreError {
    match error {
        ProjectError::Database(error) => error.into(),
        ProjectError::Poison(_) => StoreError::Corrupt { table: "ledger.events", column: "facts" },
    }
}
