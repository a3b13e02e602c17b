//! What a batch of messages makes new in the vault: names that find a subject, keys, links.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand;
use ledger_core::clock::Clock;
use ledger_core::ids::{Ids, SubjectId, TenantId};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::super::keys::{KeyState, wrap_place};
use super::super::{VaultError, database};
use super::{Handle, Handles, Latest, is_fenced, read};
use crate::keyring::EpochKeys;
use crate::root_key;
use crate::seal::KeyBytes;
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

    /// Writes it, and returns the keys it made. Where another process was faster, its subject is
    /// taken instead of ours, and every key is to be read.
    pub(super) async fn write(
        &self,
        tx: &mut TenantTx,
        epoch: &EpochKeys,
        clock: &dyn Clock,
        found: &mut HashMap<Handle, SubjectId>,
    ) -> Result<Latest, VaultError> {
        let keys: Vec<NewKey> =
            self.new.iter().map(|subject| NewKey::make(tx.tenant_id(), *subject, epoch)).collect();
        if self.insert(tx, epoch, clock, &keys).await? == self.handles.len() {
            found.extend(&self.handles);
            let usable = |key: NewKey| (key.subject, (1, Arc::new(KeyState::Usable(key.key))));
            return Ok(keys.into_iter().map(usable).collect());
        }
        let wanted: Vec<Handle> = self.handles.keys().copied().collect();
        found.extend(read(tx, &wanted).await?);
        Ok(Latest::new())
    }

    /// Names and first keys in one statement; returns how many of the names were new. Only a subject
    /// that a name now finds gets a key, and only new ones are among them: a fence stays a fence.
    async fn insert(
        &self,
        tx: &mut TenantTx,
        epoch: &EpochKeys,
        clock: &dyn Clock,
        keys: &[NewKey],
    ) -> Result<usize, VaultError> {
        let tenant_id = tx.tenant_id();
        let kinds: Vec<&str> = self.handles.keys().map(|(kind, _)| *kind).collect();
        let indexes: Vec<Vec<u8>> = self.handles.keys().map(|(_, index)| index.to_vec()).collect();
        let subjects: Vec<Uuid> = self.handles.values().map(|subject| subject.0).collect();
        let new: Vec<Uuid> = keys.iter().map(|key| key.subject.0).collect();
        let wrapped: Vec<Vec<u8>> = keys.iter().map(|key| key.wrapped.clone()).collect();
        let fingerprints: Vec<Vec<u8>> = keys.iter().map(|key| key.fingerprint.clone()).collect();
        let named = sqlx::query_scalar!(
            r#"
            with named as (
              insert into vault.lookups (tenant_id, kind, blind_index, subject_id, epoch, created_at)
              select $1, kind, blind_index, subject_id, $5, $6
                from unnest($2::text[], $3::bytea[], $4::uuid[]) as n (kind, blind_index, subject_id)
                  on conflict do nothing
              returning subject_id
            ), keyed as (
              insert into vault.subject_keys
                (tenant_id, subject_id, generation, epoch, wrapped, fingerprint, created_at)
              select $1, n.subject_id, 1, $5, n.wrapped, n.fingerprint, $6
                from unnest($7::uuid[], $8::bytea[], $9::bytea[]) as n (subject_id, wrapped, fingerprint)
               where n.subject_id in (select subject_id from named)
            )
            select count(*) as "named!" from named
            "#,
            tenant_id.0,
            &kinds as _,
            &indexes,
            &subjects,
            epoch.epoch,
            clock.now_micros(),
            &new,
            &wrapped,
            &fingerprints,
        )
        .fetch_one(tx.conn())
        .await
        .map_err(database)?;
        Ok(usize::try_from(named).expect("a count"))
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
        let place = wrap_place(tenant_id, subject, 1, epoch.epoch);
        let wrapped = root_key::wrap(epoch.wrapping(), &place, &key);
        let named = Zeroizing::new([b"cl/fpr/1".as_slice(), key.as_slice()].concat());
        let fingerprint = digest(&SHA256, &named).as_ref().to_vec();
        Self { subject, key: Arc::new(key), wrapped, fingerprint }
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
