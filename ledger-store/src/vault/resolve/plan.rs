//! What a batch of messages makes new in the vault: names that find a subject, keys, links.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand;
use ledger_core::clock::Clock;
use ledger_core::ids::{Ids, SubjectId};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::super::keys::wrap_place;
use super::super::{VaultError, database};
use super::{Handle, Handles, Latest, is_fenced, read};
use crate::keyring::EpochKeys;
use crate::root_key;
use crate::tenant_tx::TenantTx;

/// What must be written before the batch can be answered.
#[derive(Default)]
pub(super) struct Plan {
    /// Sorted, so that two processes never wait for each other.
    pub(super) handles: BTreeMap<Handle, SubjectId>,
    /// The subjects that are new; only they get a key.
    new: BTreeSet<SubjectId>,
}

impl Plan {
    pub(super) fn make(
        handles: &[Handles],
        found: &HashMap<Handle, SubjectId>,
        latest: &Latest,
        ids: &dyn Ids,
    ) -> Self {
        let mut plan = Self::default();
        for handles in handles {
            let known = |plan: &Self, handle: &Handle| {
                found.get(handle).or_else(|| plan.handles.get(handle)).copied()
            };
            let person = handles.person.iter().find_map(|handle| known(&plan, handle));
            let stream = known(&plan, &handles.stream);
            // A call that was nobody's keeps its own subject when a person appears; they are linked.
            let subject = match (person, stream) {
                (Some(person), _) => person,
                // A new name in the call of somebody fenced is not looked for, and gets no key.
                (None, Some(stream)) if is_fenced(latest, stream) => continue,
                (None, Some(stream)) if handles.person.is_empty() => stream,
                (None, _) => {
                    let new = SubjectId(ids.random());
                    plan.new.insert(new);
                    new
                }
            };
            for handle in handles.all() {
                if known(&plan, handle).is_none() {
                    plan.handles.insert(*handle, subject);
                }
            }
        }
        plan
    }

    /// Writes it. Where another process was faster, its subject is taken instead of ours.
    pub(super) async fn write(
        &self,
        tx: &mut TenantTx,
        epoch: &EpochKeys,
        clock: &dyn Clock,
        found: &mut HashMap<Handle, SubjectId>,
    ) -> Result<(), VaultError> {
        let tenant_id = tx.tenant_id();
        let now = clock.now_micros();
        let kinds: Vec<&str> = self.handles.keys().map(|(kind, _)| *kind).collect();
        let indexes: Vec<Vec<u8>> = self.handles.keys().map(|(_, index)| index.to_vec()).collect();
        let subjects: Vec<Uuid> = self.handles.values().map(|subject| subject.0).collect();
        let inserted = sqlx::query!(
            "insert into vault.lookups (tenant_id, kind, blind_index, subject_id, epoch, created_at)
             select $1, kind, blind_index, subject_id, $5, $6
               from unnest($2::text[], $3::bytea[], $4::uuid[]) as n (kind, blind_index, subject_id)
                 on conflict do nothing",
            tenant_id.0,
            &kinds as _,
            &indexes,
            &subjects,
            epoch.epoch,
            now,
        )
        .execute(tx.conn())
        .await
        .map_err(database)?;
        if inserted.rows_affected() == self.handles.len() as u64 {
            found.extend(&self.handles);
        } else {
            let wanted: Vec<Handle> = self.handles.keys().copied().collect();
            found.extend(read(tx, &wanted).await?);
        }
        let used: BTreeSet<SubjectId> = found.values().copied().collect();
        let new: Vec<Uuid> = self.new.intersection(&used).map(|subject| subject.0).collect();
        insert_keys(tx, epoch, clock, &new).await
    }
}

/// The subjects that one message shows to be the same person: a call's own and the person it turned
/// out to be, or two that were found by different identifiers until now. Told by what was found at
/// last: another process may have been faster to name the person.
pub(super) fn links(
    handles: &[Handles],
    found: &HashMap<Handle, SubjectId>,
) -> BTreeSet<(SubjectId, SubjectId)> {
    let of_one = |handles: &Handles| {
        let subject = handles.subject(found);
        let all: Vec<SubjectId> =
            handles.all().filter_map(|handle| found.get(handle)).copied().collect();
        all.into_iter().filter(move |other| *other != subject).map(move |other| (other, subject))
    };
    handles.iter().flat_map(of_one).collect()
}

pub(super) async fn write_links(
    tx: &mut TenantTx,
    clock: &dyn Clock,
    links: &BTreeSet<(SubjectId, SubjectId)>,
) -> Result<(), VaultError> {
    if links.is_empty() {
        return Ok(());
    }
    let tenant_id = tx.tenant_id();
    let from: Vec<Uuid> = links.iter().map(|(from, _)| from.0).collect();
    let to: Vec<Uuid> = links.iter().map(|(_, to)| to.0).collect();
    sqlx::query!(
        "insert into vault.links (tenant_id, subject_id, linked_to, created_at)
             select $1, subject_id, linked_to, $4
               from unnest($2::uuid[], $3::uuid[]) as n (subject_id, linked_to)
                 on conflict do nothing",
        tenant_id.0,
        &from,
        &to,
        clock.now_micros(),
    )
    .execute(tx.conn())
    .await
    .map_err(database)?;
    Ok(())
}

/// First keys for subjects that have none. One that has any key, even a destroyed one, gets no
/// other here: a fence stays a fence.
async fn insert_keys(
    tx: &mut TenantTx,
    epoch: &EpochKeys,
    clock: &dyn Clock,
    subjects: &[Uuid],
) -> Result<(), VaultError> {
    let tenant_id = tx.tenant_id();
    let mut wrapped = Vec::with_capacity(subjects.len());
    let mut fingerprints = Vec::with_capacity(subjects.len());
    for subject in subjects {
        let mut key = Zeroizing::new([0; 32]);
        rand::fill(key.as_mut_slice()).expect("the operating system gives randomness");
        let place = wrap_place(tenant_id, SubjectId(*subject), 1, epoch.epoch);
        wrapped.push(root_key::wrap(epoch.wrapping(), &place, &key));
        let named = Zeroizing::new([b"cl/fpr/1".as_slice(), key.as_slice()].concat());
        fingerprints.push(digest(&SHA256, &named).as_ref().to_vec());
    }
    sqlx::query!(
        "insert into vault.subject_keys
           (tenant_id, subject_id, generation, epoch, wrapped, fingerprint, created_at)
         select $1, n.subject_id, 1, $5, n.wrapped, n.fingerprint, $6
           from unnest($2::uuid[], $3::bytea[], $4::bytea[]) as n (subject_id, wrapped, fingerprint)
          where not exists (select from vault.subject_keys k
                             where k.tenant_id = $1 and k.subject_id = n.subject_id)
             on conflict do nothing",
        tenant_id.0,
        subjects,
        &wrapped,
        &fingerprints,
        epoch.epoch,
        clock.now_micros(),
    )
    .execute(tx.conn())
    .await
    .map_err(database)?;
    Ok(())
}
