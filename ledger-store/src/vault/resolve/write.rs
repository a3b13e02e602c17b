//! Writes the new rows of a batch in one statement.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand;
use ledger_core::clock::Clock;
use ledger_core::identity::NameIndex;
use ledger_core::ids::{SubjectId, TenantId};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::super::keys::{KeyState, wrap_aad};
use super::super::{VaultError, database};
use super::new_rows::NewRows;
use crate::keyring::EpochKeys;
use crate::root_key;
use crate::seal::KeyBytes;
use crate::tenant_tx::TenantTx;

/// Writes the rows and returns the keys created. Returns `None` when another process wrote one of the
/// rows first; the transaction must then be rolled back.
pub(super) async fn write(
    new_rows: &NewRows,
    tx: &mut TenantTx,
    epoch: &EpochKeys,
    clock: &dyn Clock,
) -> Result<Option<Vec<(SubjectId, Arc<KeyState>)>>, VaultError> {
    let new = new_rows.contacts.keys().chain(new_rows.own.values());
    let keys: Vec<NewKey> =
        new.map(|subject| NewKey::make(tx.tenant_id(), *subject, epoch)).collect();
    let planned = new_rows.handles.len()
        + new_rows.holdings.len()
        + new_rows.names.len()
        + new_rows.own.len();
    if insert(new_rows, tx, epoch, clock, &keys).await.map_err(database)? != planned {
        return Ok(None);
    }
    let usable = |key: NewKey| (key.subject, Arc::new(KeyState::Usable(key.key)));
    Ok(Some(keys.into_iter().map(usable).collect()))
}

/// Returns the number of new handles, holdings, names and own subjects.
async fn insert(
    new_rows: &NewRows,
    tx: &mut TenantTx,
    epoch: &EpochKeys,
    clock: &dyn Clock,
    keys: &[NewKey],
) -> sqlx::Result<usize> {
    let tenant_id = tx.tenant_id();
    let handles = Handles::of(new_rows);
    let contacts = Contacts::of(new_rows);
    let holdings = Holdings::of(new_rows);
    let takers: Vec<Uuid> = new_rows.names.keys().map(|contact| contact.0).collect();
    let first_names: Vec<Vec<u8>> = new_rows.names.values().map(|name| name.to_vec()).collect();
    let streams: Vec<Vec<u8>> = new_rows.own.keys().map(|stream| stream.to_vec()).collect();
    let of_calls: Vec<Uuid> = new_rows.own.values().map(|subject| subject.0).collect();
    let keyed: Vec<Uuid> = keys.iter().map(|key| key.subject.0).collect();
    let wrapped: Vec<Vec<u8>> = keys.iter().map(|key| key.wrapped.clone()).collect();
    let fingerprints: Vec<Vec<u8>> = keys.iter().map(|key| key.fingerprint.clone()).collect();
    let written = sqlx::query_file_scalar!(
        "src/vault/resolve/write.sql",
        tenant_id.0,
        epoch.epoch,
        clock.now_micros(),
        &handles.ids,
        &handles.kinds as _,
        &handles.indexes,
        &contacts.ids,
        &contacts.names as _,
        &contacts.duplicates as _,
        &holdings.handles,
        &holdings.contacts,
        &holdings.names,
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

/// New handles as column arrays, for one insert.
struct Handles {
    ids: Vec<Uuid>,
    kinds: Vec<&'static str>,
    indexes: Vec<Vec<u8>>,
}

impl Handles {
    fn of(new_rows: &NewRows) -> Self {
        Self {
            ids: new_rows.handles.values().map(|handle| handle.0).collect(),
            kinds: new_rows.handles.keys().map(|(kind, _)| kind.as_str()).collect(),
            indexes: new_rows.handles.keys().map(|(_, index)| index.to_vec()).collect(),
        }
    }
}

/// New contacts as column arrays, for one insert.
struct Contacts {
    ids: Vec<Uuid>,
    names: Vec<Option<Vec<u8>>>,
    duplicates: Vec<Option<Uuid>>,
}

impl Contacts {
    fn of(new_rows: &NewRows) -> Self {
        let name = |contact: &SubjectId| new_rows.name_of(*contact).map(|name| name.to_vec());
        Self {
            ids: new_rows.contacts.keys().map(|contact| contact.0).collect(),
            names: new_rows.contacts.keys().map(name).collect(),
            duplicates: new_rows
                .contacts
                .values()
                .map(|other| other.map(|other| other.0))
                .collect(),
        }
    }
}

/// New pairs of handle and contact as column arrays. A pair without a name has an empty one.
struct Holdings {
    handles: Vec<Uuid>,
    contacts: Vec<Uuid>,
    names: Vec<Vec<u8>>,
}

impl Holdings {
    fn of(new_rows: &NewRows) -> Self {
        let name = |name: &Option<NameIndex>| name.map(|name| name.to_vec()).unwrap_or_default();
        Self {
            handles: new_rows.holdings.iter().map(|(handle, ..)| handle.0).collect(),
            contacts: new_rows.holdings.iter().map(|(_, contact, _)| contact.0).collect(),
            names: new_rows.holdings.iter().map(|(.., told)| name(told)).collect(),
        }
    }
}

/// The first key of a subject.
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
        let aad = wrap_aad(tenant_id, subject, 1, epoch.epoch);
        let wrapped = root_key::wrap(epoch.wrapping(), &aad, &key);
        let named = Zeroizing::new([b"cl/fpr/1".as_slice(), key.as_slice()].concat());
        let fingerprint = digest(&SHA256, &named).as_ref().to_vec();
        Self { subject, key: Arc::new(key), wrapped, fingerprint }
    }
}
