//! Writes the new rows of the batches of many tenants in one statement.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand;
use ledger_core::clock::Clock;
use ledger_core::ids::{SubjectId, TenantId};
use sqlx::PgConnection;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::super::keys::{KeyState, wrap_aad};
use super::super::{VaultError, database};
use super::new_rows::NewRows;
use super::tenant_batch::{CreatedKeys, TenantBatch, sql_index};
use crate::keyring::EpochKeys;
use crate::root_key;
use crate::seal::KeyBytes;

/// A tenant's batch with the rows that it adds.
pub(super) type Addition<'a> = (&'a TenantBatch, &'a NewRows);

/// Writes the rows and returns the keys created for each tenant. Returns `None` when another process
/// wrote one of the rows first; the transaction must then be rolled back.
pub(super) async fn write(
    additions: &[Addition<'_>],
    conn: &mut PgConnection,
    clock: &dyn Clock,
) -> Result<Option<Vec<CreatedKeys>>, VaultError> {
    let keys: Vec<Vec<NewKey>> = additions.iter().map(NewKey::all_of).collect();
    let planned = additions.iter().map(|(_, new_rows)| new_rows.len()).sum::<usize>();
    // A contact without handles adds no row that another process may have written first.
    let has_rows = planned > 0 || keys.iter().any(|keys| !keys.is_empty());
    if has_rows && insert(additions, &keys, conn, clock).await.map_err(database)? != planned {
        return Ok(None);
    }
    let usable = |key: NewKey| (key.subject, Arc::new(KeyState::Usable(key.key)));
    Ok(Some(keys.into_iter().map(|keys| keys.into_iter().map(usable).collect()).collect()))
}

/// Returns the number of new handles, holdings, names and own subjects.
async fn insert(
    additions: &[Addition<'_>],
    keys: &[Vec<NewKey>],
    conn: &mut PgConnection,
    clock: &dyn Clock,
) -> sqlx::Result<usize> {
    let tenants: Vec<Uuid> = additions.iter().map(|(batch, _)| batch.tenant_id.0).collect();
    let epochs: Vec<i32> = additions.iter().map(|(batch, _)| batch.epoch.epoch()).collect();
    let rows = Columns::of(additions, keys);
    let added = sqlx::query_scalar!(
        r#"
        select vault.add_persons($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15,
                                  $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28) as "added!"
        "#,
        &tenants,
        &epochs,
        clock.now_micros(),
        &rows.handle_tenant,
        &rows.handle_id,
        &rows.kind as _,
        &rows.blind_index,
        &rows.contact_tenant,
        &rows.contact_id,
        &rows.contact_name as _,
        &rows.duplicate_of as _,
        &rows.holding_tenant,
        &rows.held_handle,
        &rows.holder,
        &rows.held_name,
        &rows.named_tenant,
        &rows.named_contact,
        &rows.first_name,
        &rows.call_tenant,
        &rows.call_index,
        &rows.call_subject,
        &rows.key_tenant,
        &rows.key_subject,
        &rows.wrapped,
        &rows.fingerprint,
        &rows.word_tenant,
        &rows.word_contact,
        &rows.word,
    )
    .fetch_one(conn)
    .await?;
    Ok(usize::try_from(added).expect("a count"))
}

/// The rows as parallel arrays, for one statement. A holding without a name has an empty one.
#[derive(Default)]
struct Columns {
    handle_tenant: Vec<i32>,
    handle_id: Vec<Uuid>,
    kind: Vec<&'static str>,
    blind_index: Vec<Vec<u8>>,
    contact_tenant: Vec<i32>,
    contact_id: Vec<Uuid>,
    contact_name: Vec<Option<Vec<u8>>>,
    duplicate_of: Vec<Option<Uuid>>,
    holding_tenant: Vec<i32>,
    held_handle: Vec<Uuid>,
    holder: Vec<Uuid>,
    held_name: Vec<Vec<u8>>,
    named_tenant: Vec<i32>,
    named_contact: Vec<Uuid>,
    first_name: Vec<Vec<u8>>,
    call_tenant: Vec<i32>,
    call_index: Vec<Vec<u8>>,
    call_subject: Vec<Uuid>,
    key_tenant: Vec<i32>,
    key_subject: Vec<Uuid>,
    wrapped: Vec<Vec<u8>>,
    fingerprint: Vec<Vec<u8>>,
    word_tenant: Vec<i32>,
    word_contact: Vec<Uuid>,
    word: Vec<Vec<u8>>,
}

impl Columns {
    fn of(additions: &[Addition<'_>], keys: &[Vec<NewKey>]) -> Self {
        let mut columns = Self::default();
        for (nth, ((_, new_rows), keys)) in additions.iter().zip(keys).enumerate() {
            columns.push(sql_index(nth), new_rows, keys);
        }
        columns
    }

    fn push(&mut self, tenant: i32, new_rows: &NewRows, keys: &[NewKey]) {
        for ((kind, index), handle) in &new_rows.handles {
            self.handle_tenant.push(tenant);
            self.handle_id.push(handle.0);
            self.kind.push(kind.as_str());
            self.blind_index.push(index.to_vec());
        }
        for (contact, other) in &new_rows.contacts {
            self.contact_tenant.push(tenant);
            self.contact_id.push(contact.0);
            self.contact_name.push(new_rows.name_of(*contact).map(|name| name.to_vec()));
            self.duplicate_of.push(other.map(|other| other.0));
        }
        for (handle, contact, name) in &new_rows.holdings {
            self.holding_tenant.push(tenant);
            self.held_handle.push(handle.0);
            self.holder.push(contact.0);
            self.held_name.push(name.map(|name| name.to_vec()).unwrap_or_default());
        }
        for (contact, name) in &new_rows.names {
            self.named_tenant.push(tenant);
            self.named_contact.push(contact.0);
            self.first_name.push(name.to_vec());
        }
        for (contact, word) in &new_rows.words {
            self.word_tenant.push(tenant);
            self.word_contact.push(contact.0);
            self.word.push(word.to_vec());
        }
        for (stream, subject) in &new_rows.own {
            self.call_tenant.push(tenant);
            self.call_index.push(stream.to_vec());
            self.call_subject.push(subject.0);
        }
        for key in keys {
            self.key_tenant.push(tenant);
            self.key_subject.push(key.subject.0);
            self.wrapped.push(key.wrapped.clone());
            self.fingerprint.push(key.fingerprint.clone());
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
    fn all_of((batch, new_rows): &Addition<'_>) -> Vec<Self> {
        let new = new_rows.contacts.keys().chain(new_rows.own.values());
        new.map(|subject| Self::make(batch.tenant_id, *subject, batch.epoch.live())).collect()
    }

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
