//! Reads the known handles, contacts and subjects of a batch in one query.

use std::collections::HashMap;

use ledger_core::identity::{Contact, HandleKind, NameIndex};
use ledger_core::ids::{HandleId, SubjectId};
use uuid::Uuid;

use super::super::{VaultError, database};
use super::lookup::{HandleKey, Lookup};
use crate::tenant_tx::TenantTx;

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
    /// The first contact of each pair of handle and name.
    pub(super) holders: HashMap<(HandleKey, NameIndex), SubjectId>,
    /// The calls' own subjects, by the blind index of the stream.
    pub(super) own: HashMap<[u8; 16], SubjectId>,
    /// The subject of the first event of each call, by the blind index of the stream.
    pub(super) first: HashMap<[u8; 16], SubjectId>,
}

struct MatchRow {
    nth: i64,
    handle_id: Option<Uuid>,
    holder_id: Option<Uuid>,
    contact_id: Option<Uuid>,
    name_index: Option<Vec<u8>>,
    kinds: Option<Vec<String>>,
    own_id: Option<Uuid>,
    first_id: Option<Uuid>,
}

pub(super) async fn known(tx: &mut TenantTx, lookups: &[Lookup]) -> Result<Known, VaultError> {
    let searched: Vec<(HandleKey, Option<NameIndex>)> = lookups
        .iter()
        .flat_map(|one| one.handles.iter().map(|handle| (*handle, one.name)))
        .collect();
    let rows = select(tx, lookups, &searched).await.map_err(database)?;
    let nth = |nth: i64| usize::try_from(nth.abs() - 1).expect("ordinality counts from 1");
    let mut known = Known::default();
    for row in rows {
        let Some(handle_id) = row.handle_id else {
            let stream = lookups[nth(row.nth)].stream;
            known.own.extend(row.own_id.map(|id| (stream, SubjectId(id))));
            known.first.extend(row.first_id.map(|id| (stream, SubjectId(id))));
            continue;
        };
        let (key, name) = searched[nth(row.nth)];
        let holder = name.zip(row.holder_id);
        known.holders.extend(holder.map(|(name, holder)| ((key, name), SubjectId(holder))));
        let handle = known.handles.entry(key).or_insert_with(|| KnownHandle {
            handle_id: HandleId(handle_id),
            contacts: Vec::new(),
        });
        let Some(contact_id) = row.contact_id.map(SubjectId) else { continue };
        if !handle.contacts.contains(&contact_id) {
            handle.contacts.push(contact_id);
        }
        let kinds = row.kinds.unwrap_or_default();
        let strongest = kinds.iter().filter_map(|kind| HandleKind::parse(kind)).max();
        let contact = Contact {
            contact_id,
            name: row.name_index.and_then(|index| index.try_into().ok()),
            strongest: strongest.unwrap_or(key.0),
        };
        known.contacts.insert(contact_id, contact);
    }
    Ok(known)
}

async fn select(
    tx: &mut TenantTx,
    lookups: &[Lookup],
    searched: &[(HandleKey, Option<NameIndex>)],
) -> sqlx::Result<Vec<MatchRow>> {
    let tenant_id = tx.tenant_id();
    let kinds: Vec<&str> = searched.iter().map(|((kind, _), _)| kind.as_str()).collect();
    let indexes: Vec<Vec<u8>> = searched.iter().map(|((_, index), _)| index.to_vec()).collect();
    let names: Vec<Option<Vec<u8>>> =
        searched.iter().map(|(_, name)| name.map(|name| name.to_vec())).collect();
    let streams: Vec<Vec<u8>> = lookups.iter().map(|one| one.stream.to_vec()).collect();
    let stream_ids: Vec<Uuid> = lookups.iter().map(|one| one.stream_id.0).collect();
    // One index look-up per handle and stream: without statistics the planner would scan all rows
    // of the tenant.
    sqlx::query_as!(
        MatchRow,
        r#"
        (select w.nth as "nth!", h.handle_id as "handle_id?", o.contact_id as "holder_id?", c.contact_id as "contact_id?",
                c.name_index as "name_index?", c.kinds as "kinds?: Vec<String>",
                null::uuid as "own_id?", null::uuid as "first_id?"
           from unnest($2::text[], $3::bytea[], $4::bytea[]) with ordinality
             as w (kind, blind_index, name_index, nth)
          cross join lateral (
             select handle_id from vault.handles
              where tenant_id = $1 and kind = w.kind and blind_index = w.blind_index
             offset 0) h
           left join lateral (
             select x.contact_id from vault.contact_handles x
              where x.tenant_id = $1 and x.handle_id = h.handle_id
                and x.name_index = w.name_index and x.name_index <> ''
             offset 0) o on true
           left join lateral (
             select k.contact_id, k.name_index, k.created_at,
                    array(select distinct o.kind
                            from vault.contact_handles x
                            join vault.handles o
                              on o.tenant_id = x.tenant_id and o.handle_id = x.handle_id
                           where x.tenant_id = $1 and x.contact_id = k.contact_id) as kinds
               from vault.contacts k
              where k.tenant_id = $1
                and k.contact_id in (select x.contact_id from vault.contact_handles x
                                      where x.tenant_id = $1 and x.handle_id = h.handle_id
                                        and x.until is null)
              order by (k.name_index = w.name_index) desc nulls last, (k.name_index is null) desc,
                       k.created_at, k.contact_id
              limit $7) c on true
          order by c.created_at, c.contact_id)
        union all
        select -w.nth, null, null, null, null, null, s.subject_id, e.subject_id
          from unnest($5::bytea[], $6::uuid[]) with ordinality as w (blind_index, stream_id, nth)
          left join lateral (
            select subject_id from vault.call_subjects
             where tenant_id = $1 and blind_index = w.blind_index
            offset 0) s on true
          left join lateral (
            select v.subjects[1] as subject_id
              from ledger.events v
             where v.tenant_id = $1 and v.stream_id = w.stream_id and v.subjects[1] is not null
             order by v.stream_version
             limit 1) e on true
        "#,
        tenant_id.0,
        &kinds as _,
        &indexes,
        &names as _,
        &streams,
        &stream_ids,
        MAX_CONTACTS,
    )
    .fetch_all(tx.conn())
    .await
}
