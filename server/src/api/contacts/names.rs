//! Names of contacts for calls in which none was told, and their newest values for appointments about which
//! nothing was told.

use std::collections::HashMap;

use ledger_core::ids::TenantId;
use ledger_store::TenantTx;
use projections::contacts::{ListedContact, current, listed_by_id};
use uuid::Uuid;

use super::opened::{OpenedContact, open};
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
    let is_nameless = |parties: &Parties| {
        parties.merged.name.is_none() && !parties.is_erased && !parties.is_corrupt
    };
    let nameless: Vec<(Uuid, &mut Parties)> = calls
        .filter(|(_, parties)| is_nameless(parties))
        .filter_map(|(contact_id, parties)| Some((contact_id?, parties)))
        .collect();
    if nameless.is_empty() {
        return Ok(());
    }
    let ids = nameless.iter().map(|(contact_id, _)| *contact_id).collect();
    let known = opened_by_id(app, tenant_id, ids).await?;
    for (contact_id, parties) in nameless {
        let Some(opened) = known.get(&contact_id) else { continue };
        if is_untold(parties) {
            // A message of an erased person is recorded without sections.
            parties.is_erased = opened.is_erased;
            parties.is_restricted = opened.is_restricted;
        }
        if opened.party.name.is_none() {
            continue;
        }
        parties.merged.name.clone_from(&opened.party.name);
        parties.subjects.extend(&opened.subjects);
    }
    Ok(())
}

/// Adds the newest values of the contact, or of its survivor, to the parties of appointments that have none of
/// their own, as the read model has them.
///
/// # Errors
/// As [`add_names`].
pub(in crate::api) async fn add_parties<'p>(
    app: &App,
    tenant_id: TenantId,
    appointments: impl Iterator<Item = (Uuid, &'p mut Parties)>,
) -> Result<(), ApiError> {
    let untold: Vec<(Uuid, &mut Parties)> =
        appointments.filter(|(_, parties)| is_untold(parties)).collect();
    if untold.is_empty() {
        return Ok(());
    }
    let ids = untold.iter().map(|(contact_id, _)| *contact_id).collect();
    let known = opened_by_id(app, tenant_id, ids).await?;
    for (contact_id, parties) in untold {
        if let Some(opened) = known.get(&contact_id) {
            take(parties, opened);
        }
    }
    Ok(())
}

/// Adds the newest values of the contact, or of its survivor, to the party of one appointment that has none of
/// its own, as the log has them: the read model may be behind a change that was answered before.
///
/// # Errors
/// As [`add_names`].
pub(in crate::api) async fn add_current_party(
    app: &App,
    tenant_id: TenantId,
    contact_id: Uuid,
    parties: &mut Parties,
) -> Result<(), ApiError> {
    if !is_untold(parties) {
        return Ok(());
    }
    let mut tx = TenantTx::begin(app.store.app(), tenant_id).await?;
    let mut listed = current(&mut tx, contact_id, None).await?;
    if let Some(survivor) = listed.as_ref().and_then(|listed| listed.contact.merged_into) {
        listed = current(&mut tx, survivor, Some(contact_id)).await?;
    }
    drop(tx);
    let Some(listed) = listed else { return Ok(()) };
    let opened = open(app.store.vault(), tenant_id, std::slice::from_ref(&listed)).await?;
    if let Some(opened) = opened.first() {
        take(parties, opened);
    }
    Ok(())
}

/// Whether no section about the person was found.
fn is_untold(parties: &Parties) -> bool {
    parties.subjects.is_empty()
}

fn take(parties: &mut Parties, opened: &OpenedContact) {
    parties.merged = opened.party.clone();
    parties.is_erased = opened.is_erased;
    parties.is_restricted = opened.is_restricted;
    parties.subjects.clone_from(&opened.subjects);
}

/// Opens contacts, or their survivors, by the ids that are asked for.
async fn opened_by_id(
    app: &App,
    tenant_id: TenantId,
    mut ids: Vec<Uuid>,
) -> Result<HashMap<Uuid, OpenedContact>, ApiError> {
    ids.sort_unstable();
    ids.dedup();
    let mut tx = TenantTx::begin(app.store.app(), tenant_id).await?;
    let listed: Vec<(Uuid, ListedContact)> = listed_by_id(&mut tx, &ids).await?;
    drop(tx);
    let (ids, contacts): (Vec<Uuid>, Vec<ListedContact>) = listed.into_iter().unzip();
    let opened = open(app.store.vault(), tenant_id, &contacts).await?;
    Ok(ids.into_iter().zip(opened).collect())
}
