//! Reads the known handles, contacts and subjects of the batches of many tenants in one query.

use std::collections::HashMap;

use ledger_core::identity::{Contact, HandleContacts, HandleKind, NameIndex};
use ledger_core::ids::{HandleId, SubjectId};
use sqlx::PgConnection;
use uuid::Uuid;

use super::super::{VaultError, database};
use super::lookup::{HandleKey, Lookup};
use super::tenant_batch::{TenantBatch, sql_index};
use crate::vault::epochs::TenantKeys;

/// Maximum number of contacts considered per handle: first those with the given name, then those
/// without a name, then the oldest. More than one is ambiguous anyway, and the limit keeps the
/// facts small.
pub(super) const MAX_CONTACTS: i64 = 8;

/// An existing handle and its contacts.
pub(super) struct KnownHandle {
    pub(super) handle_id: HandleId,
    /// Contacts with the handle, oldest first.
    pub(super) contacts: Vec<SubjectId>,
}

/// The existing rows that a batch refers to.
#[derive(Default)]
pub(super) struct Known {
    pub(super) handles: HashMap<HandleKey, KnownHandle>,
    pub(super) contacts: HashMap<SubjectId, Contact>,
    /// The contact that each merged contact is a part of.
    pub(super) survivors: HashMap<SubjectId, SubjectId>,
    /// The first contact of each pair of handle and name.
    pub(super) holders: HashMap<(HandleKey, NameIndex), SubjectId>,
    /// The calls' own subjects, by the blind index of the stream.
    pub(super) own: HashMap<[u8; 16], SubjectId>,
    /// The subject of the first event of each call, by the blind index of the stream.
    pub(super) first: HashMap<[u8; 16], SubjectId>,
}

struct FoundRow {
    part: String,
    nth: i64,
    handle_id: Option<Uuid>,
    holder_id: Option<Uuid>,
    contact_id: Option<Uuid>,
    name_index: Option<Vec<u8>>,
    kinds: Option<Vec<String>>,
    own_id: Option<Uuid>,
    first_id: Option<Uuid>,
    merged_into: Option<Uuid>,
    survivor_name: Option<Vec<u8>>,
    name_epoch: Option<i32>,
    survivor_epoch: Option<i32>,
}

/// Locks the vault of each tenant to the end of the transaction, and reads what is known about its
/// messages. Returns an entry per tenant: `None` if another transaction has the lock, or if the epoch of the
/// batch is not live any more.
pub(super) async fn known(
    conn: &mut PgConnection,
    batches: &[TenantBatch],
) -> Result<Vec<Option<Known>>, VaultError> {
    let searched: Vec<Searched> = batches.iter().enumerate().flat_map(Searched::of).collect();
    let calls: Vec<(usize, &Lookup)> = batches
        .iter()
        .enumerate()
        .flat_map(|(tenant, batch)| batch.lookups.iter().map(move |one| (tenant, one)))
        .collect();
    let rows = select(conn, batches, &searched, &calls).await.map_err(database)?;
    let mut all: Vec<Option<Known>> = batches.iter().map(|_| Some(Known::default())).collect();
    for row in rows {
        let nth = usize::try_from(row.nth - 1).expect("ordinality counts from 1");
        match row.part.as_str() {
            "busy" => all[nth] = None,
            "call" => {
                let (tenant, lookup) = calls[nth];
                let Some(known) = &mut all[tenant] else { continue };
                let id = |id: Option<Uuid>| id.map(|id| (lookup.stream, SubjectId(id)));
                known.own.extend(id(row.own_id));
                known.first.extend(id(row.first_id));
            }
            _ => {
                let one = &searched[nth];
                let Some(known) = &mut all[one.tenant] else { continue };
                known.add(one, &batches[one.tenant].epoch, row);
            }
        }
    }
    Ok(all)
}

impl Known {
    /// The contact that a contact stands for: itself, unless it was merged.
    pub(super) fn survivor(&self, contact_id: SubjectId) -> SubjectId {
        self.survivors.get(&contact_id).copied().unwrap_or(contact_id)
    }

    /// Returns the contacts of a handle, oldest first. A survivor stands for its parts, with the name
    /// among theirs that is `name`, if there is one.
    pub(super) fn contacts_of(
        &self,
        handle: &HandleKey,
        name: Option<NameIndex>,
    ) -> HandleContacts {
        let is_named = |contact: &Contact| contact.name.is_some() && contact.name == name;
        let rank = |contact: &Contact| (is_named(contact), contact.name.is_some());
        let contacts = self.handles.get(handle).map(|known| known.contacts.as_slice());
        let mut found: Vec<Contact> = Vec::new();
        for contact_id in contacts.unwrap_or_default() {
            let Some(contact) = self.contacts.get(contact_id) else { continue };
            let contact = Contact { contact_id: self.survivor(*contact_id), ..*contact };
            match found.iter_mut().find(|known| known.contact_id == contact.contact_id) {
                Some(known) => {
                    let strongest = known.strongest.max(contact.strongest);
                    if rank(known) < rank(&contact) {
                        *known = contact;
                    }
                    known.strongest = strongest;
                }
                None => found.push(contact),
            }
        }
        HandleContacts { kind: handle.0, contacts: found }
    }

    /// Adds a handle that was found, with one of its contacts.
    fn add(&mut self, searched: &Searched, epoch: &TenantKeys, row: FoundRow) {
        let (key, name) = (searched.key, searched.name);
        let current = |index: Option<Vec<u8>>, of: Option<i32>| {
            let index = index.and_then(|index| index.try_into().ok())?;
            Some(epoch.current_index(index, of?))
        };
        let Some(handle_id) = row.handle_id else { return };
        let holder = name.zip(row.holder_id);
        self.holders.extend(holder.map(|(name, holder)| ((key, name), SubjectId(holder))));
        let handle = self.handles.entry(key).or_insert_with(|| KnownHandle {
            handle_id: HandleId(handle_id),
            contacts: Vec::new(),
        });
        let Some(contact_id) = row.contact_id.map(SubjectId) else { return };
        if !handle.contacts.contains(&contact_id) {
            handle.contacts.push(contact_id);
        }
        let kinds = row.kinds.unwrap_or_default();
        let strongest = kinds.iter().filter_map(|kind| HandleKind::parse(kind)).max();
        let contact = Contact {
            contact_id,
            name: current(row.name_index, row.name_epoch),
            strongest: strongest.unwrap_or(key.0),
        };
        self.contacts.insert(contact_id, contact);
        if let Some(survivor) = row.merged_into.map(SubjectId) {
            self.survivors.insert(contact_id, survivor);
            let name = current(row.survivor_name, row.survivor_epoch);
            let of_handle = Contact { contact_id: survivor, name, strongest: contact.strongest };
            self.contacts.entry(survivor).or_insert(of_handle);
        }
    }
}

/// A handle of a message, with the name given with it.
struct Searched {
    /// Index of the tenant in the batches.
    tenant: usize,
    key: HandleKey,
    name: Option<NameIndex>,
    /// The indexes in the draining epoch.
    old: [u8; 16],
    old_name: Option<NameIndex>,
}

impl Searched {
    fn of((tenant, batch): (usize, &TenantBatch)) -> impl Iterator<Item = Self> {
        batch.lookups.iter().flat_map(move |one| {
            one.handles.iter().zip(&one.old.handles).map(move |(key, old)| Self {
                tenant,
                key: *key,
                name: one.name,
                old: *old,
                old_name: one.old.name,
            })
        })
    }
}

async fn select(
    conn: &mut PgConnection,
    batches: &[TenantBatch],
    searched: &[Searched],
    calls: &[(usize, &Lookup)],
) -> sqlx::Result<Vec<FoundRow>> {
    let tenants: Vec<Uuid> = batches.iter().map(|batch| batch.tenant_id.0).collect();
    let epochs: Vec<i32> = batches.iter().map(|batch| batch.epoch.epoch()).collect();
    let handle_tenants: Vec<i32> = searched.iter().map(|one| sql_index(one.tenant)).collect();
    let kinds: Vec<&str> = searched.iter().map(|one| one.key.0.as_str()).collect();
    let indexes: Vec<Vec<u8>> = searched.iter().map(|one| one.key.1.to_vec()).collect();
    let old_indexes: Vec<Vec<u8>> = searched.iter().map(|one| one.old.to_vec()).collect();
    let names: Vec<Option<Vec<u8>>> =
        searched.iter().map(|one| one.name.map(|name| name.to_vec())).collect();
    let old_names: Vec<Option<Vec<u8>>> =
        searched.iter().map(|one| one.old_name.map(|name| name.to_vec())).collect();
    let call_tenants: Vec<i32> = calls.iter().map(|(tenant, _)| sql_index(*tenant)).collect();
    let streams: Vec<Vec<u8>> = calls.iter().map(|(_, one)| one.stream.to_vec()).collect();
    let old_streams: Vec<Vec<u8>> = calls.iter().map(|(_, one)| one.old.stream.to_vec()).collect();
    let stream_ids: Vec<Uuid> = calls.iter().map(|(_, one)| one.stream_id.0).collect();
    sqlx::query_as!(
        FoundRow,
        r#"
        select part as "part!", nth as "nth!", handle_id, holder_id, contact_id, name_index,
               kinds as "kinds: Vec<String>", own_id, first_id, merged_into, survivor_name,
               name_epoch, survivor_epoch
          from vault.find_people($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
        "#,
        &tenants,
        &epochs,
        &handle_tenants,
        &kinds as _,
        &indexes,
        &old_indexes,
        &names as _,
        &old_names as _,
        &call_tenants,
        &streams,
        &old_streams,
        &stream_ids,
        MAX_CONTACTS,
    )
    .fetch_all(conn)
    .await
}
