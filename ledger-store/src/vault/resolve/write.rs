//! Writes the new rows of a batch in one statement.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand;
use ledger_core::clock::Clock;
use ledger_core::ids::{SubjectId, TenantId};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::super::keys::{KeyState, wrap_place};
use super::super::{VaultError, database};
use super::plan::Plan;
use crate::keyring::EpochKeys;
use crate::root_key;
use crate::seal::KeyBytes;
use crate::tenant_tx::TenantTx;

/// Writes the rows and returns the keys created. Returns `None` when another process wrote one of the
/// rows first; the transaction must then be rolled back.
pub(super) async fn write(
    plan: &Plan,
    tx: &mut TenantTx,
    epoch: &EpochKeys,
    clock: &dyn Clock,
) -> Result<Option<Vec<(SubjectId, Arc<KeyState>)>>, VaultError> {
    let new = plan.contacts.keys().chain(plan.own.values());
    let keys: Vec<NewKey> =
        new.map(|subject| NewKey::make(tx.tenant_id(), *subject, epoch)).collect();
    let planned = plan.handles.len() + plan.holdings.len() + plan.names.len() + plan.own.len();
    if insert(plan, tx, epoch, clock, &keys).await.map_err(database)? != planned {
        return Ok(None);
    }
    let usable = |key: NewKey| (key.subject, Arc::new(KeyState::Usable(key.key)));
    Ok(Some(keys.into_iter().map(usable).collect()))
}

/// Returns the number of new handles, holdings, names and own subjects.
async fn insert(
    plan: &Plan,
    tx: &mut TenantTx,
    epoch: &EpochKeys,
    clock: &dyn Clock,
    keys: &[NewKey],
) -> sqlx::Result<usize> {
    let tenant_id = tx.tenant_id();
    let kinds: Vec<&str> = plan.handles.keys().map(|(kind, _)| kind.as_str()).collect();
    let indexes: Vec<Vec<u8>> = plan.handles.keys().map(|(_, index)| index.to_vec()).collect();
    let handles: Vec<Uuid> = plan.handles.values().map(|handle| handle.0).collect();
    let contacts: Vec<Uuid> = plan.contacts.keys().map(|contact| contact.0).collect();
    let own_names: Vec<Option<Vec<u8>>> =
        plan.contacts.keys().map(|one| plan.name_of(*one).map(|name| name.to_vec())).collect();
    let duplicates: Vec<Option<Uuid>> =
        plan.contacts.values().map(|other| other.map(|other| other.0)).collect();
    let held: Vec<Uuid> = plan.holdings.iter().map(|(handle, ..)| handle.0).collect();
    let holders: Vec<Uuid> = plan.holdings.iter().map(|(_, contact, _)| contact.0).collect();
    let with_names: Vec<Vec<u8>> = plan
        .holdings
        .iter()
        .map(|(.., name)| name.map(|name| name.to_vec()).unwrap_or_default())
        .collect();
    let takers: Vec<Uuid> = plan.names.keys().map(|contact| contact.0).collect();
    let first_names: Vec<Vec<u8>> = plan.names.values().map(|name| name.to_vec()).collect();
    let streams: Vec<Vec<u8>> = plan.own.keys().map(|stream| stream.to_vec()).collect();
    let of_calls: Vec<Uuid> = plan.own.values().map(|subject| subject.0).collect();
    let keyed: Vec<Uuid> = keys.iter().map(|key| key.subject.0).collect();
    let wrapped: Vec<Vec<u8>> = keys.iter().map(|key| key.wrapped.clone()).collect();
    let fingerprints: Vec<Vec<u8>> = keys.iter().map(|key| key.fingerprint.clone()).collect();
    let written = sqlx::query_scalar!(
        r#"
        with handles as (
          insert into vault.handles (tenant_id, handle_id, kind, blind_index, epoch, created_at)
          select $1, handle_id, kind, blind_index, $2, $3
            from unnest($4::uuid[], $5::text[], $6::bytea[]) as n (handle_id, kind, blind_index)
              on conflict do nothing
          returning 1
        ), contacts as (
          insert into vault.contacts
            (tenant_id, contact_id, name_index, possible_duplicate_of, created_at)
          select $1, contact_id, name_index, possible_duplicate_of, $3
            from unnest($7::uuid[], $8::bytea[], $9::uuid[])
              as n (contact_id, name_index, possible_duplicate_of)
        ), holdings as (
          insert into vault.contact_handles (tenant_id, handle_id, contact_id, name_index, since)
          select $1, handle_id, contact_id, name_index, $3
            from unnest($10::uuid[], $11::uuid[], $12::bytea[])
              as n (handle_id, contact_id, name_index)
              on conflict do nothing
          returning 1
        ), names as (
          update vault.contacts c set name_index = n.name_index
            from unnest($13::uuid[], $14::bytea[]) as n (contact_id, name_index)
           where c.tenant_id = $1 and c.contact_id = n.contact_id and c.name_index is null
          returning 1
        ), own as (
          insert into vault.call_subjects (tenant_id, blind_index, subject_id, epoch, created_at)
          select $1, blind_index, subject_id, $2, $3
            from unnest($15::bytea[], $16::uuid[]) as n (blind_index, subject_id)
              on conflict do nothing
          returning 1
        ), keys as (
          insert into vault.subject_keys
            (tenant_id, subject_id, generation, epoch, wrapped, fingerprint, created_at)
          select $1, subject_id, 1, $2, wrapped, fingerprint, $3
            from unnest($17::uuid[], $18::bytea[], $19::bytea[])
              as n (subject_id, wrapped, fingerprint)
        )
        select (select count(*) from handles) + (select count(*) from holdings)
             + (select count(*) from names) + (select count(*) from own) as "written!"
        "#,
        tenant_id.0,
        epoch.epoch,
        clock.now_micros(),
        &handles,
        &kinds as _,
        &indexes,
        &contacts,
        &own_names as _,
        &duplicates as _,
        &held,
        &holders,
        &with_names,
        &takers,
        &first_names,
        &streams,
        &of_calls,
        &keyed,
        &wrapped,
        &fingerprints,
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(usize::try_from(written).expect("a count"))
}

/// The first key of a new subject.
struct NewKey {
    subject: SubjectId,
    key: Arc<KeyBytes>,
    wrapped: Vec<u8>,
    fingerprint: Vec<u8>,
}

impl NewKey {
    fn make(tenant_id: TenantId, subject: SubjectId, epoch: &EpochKeys) -> Self {
        let mut key = Zeroizing::new([0; 32]);
        rand::fill(key.as_mut_slice()).expect("the operating system gives randomness");
        let place = wrap_place(tenant_id, subject, 1, epoch.epoch);
        let wrapped = root_key::wrap(epoch.wrapping(), &place, &key);
        let named = Zeroizing::new([b"cl/fpr/1".as_slice(), key.as_slice()].concat());
        let fingerprint = digest(&SHA256, &named).as_ref().to_vec();
        Self { subject, key: Arc::new(key), wrapped, fingerprint }
    }
}
