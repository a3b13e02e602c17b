//! Names of contacts, for calls in which none was told.

use std::collections::HashMap;

use ledger_core::ids::TenantId;
use ledger_store::TenantTx;
use projections::contacts::{ListedContact, listed_by_id};
use uuid::Uuid;

use super::opened::open;
use crate::api::calls::personal::Parties;
use crate::app::App;
use crate::problem::ApiError;

/// Adds the name of the contact, or of its survivor, to the parties of calls that have a contact and no name. The
/// subjects of the names are added to those of the parties, for the audit event.
///
/// # Errors
/// 503 if the database or the keys are not available.
pub(in crate::api) async fn add_names<'p>(
    app: &App,
    tenant_id: TenantId,
    calls: impl Iterator<Item = (Option<Uuid>, &'p mut Parties)>,
) -> Result<(), ApiError> {
    let is_nameless = |parties: &Parties| parties.merged.name.is_none() && !parties.is_erased;
    let nameless: Vec<(Uuid, &mut Parties)> = calls
        .filter(|(_, parties)| is_nameless(parties))
        .filter_map(|(contact_id, parties)| Some((contact_id?, parties)))
        .collect();
    if nameless.is_empty() {
        return Ok(());
    }
    let mut ids: Vec<Uuid> = nameless.iter().map(|(contact_id, _)| *contact_id).collect();
    ids.sort_unstable();
    ids.dedup();
    let mut tx = TenantTx::begin(app.store.app(), tenant_id).await?;
    let listed: Vec<(Uuid, ListedContact)> = listed_by_id(&mut tx, &ids).await?;
    drop(tx);
    let (ids, contacts): (Vec<Uuid>, Vec<ListedContact>) = listed.into_iter().unzip();
    let opened = open(app.store.vault(), tenant_id, &contacts).await?;
    let known: HashMap<Uuid, _> = ids.into_iter().zip(opened).collect();
    for (contact_id, parties) in nameless {
        let Some(opened) = known.get(&contact_id).filter(|opened| opened.party.name.is_some())
        else {
            continue;
        };
        parties.merged.name.clone_from(&opened.party.name);
        parties.subjects.extend(&opened.subjects);
    }
    Ok(())
}
