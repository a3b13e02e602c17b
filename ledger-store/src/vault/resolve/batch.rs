//! Determines the subjects of the messages of tenants in a transaction.

use std::collections::HashMap;

use ledger_core::ids::{SubjectId, TenantId};
use sqlx::PgConnection;
use tokio::time::Instant;

use super::super::keys::load_keys_of_many;
use super::super::resolved_persons::{ChangeCount, ResolvedPerson, notify_contacts};
use super::super::{VaultError, database};
use super::lookup::Lookup;
use super::new_rows::NewRows;
use super::newest::{NewestKeys, is_fenced, subject};
use super::tenant_batch::{CreatedKeys, TenantBatch};
use super::{Worker, read, write};
use crate::vault::Resolved;

/// The subjects of the messages of a tenant, valid after the commit.
pub(super) struct Decision {
    people: Vec<ResolvedPerson>,
    latest: NewestKeys,
    created: CreatedKeys,
    /// Changes of contacts that were known before the rows were read.
    decided_at: ChangeCount,
    /// Time before the rows were written.
    begun: Instant,
    shares_handle: bool,
}

impl Worker {
    /// Determines the subjects of all messages and writes the new rows. An entry is `None` if another
    /// transaction has the tenant's lock.
    ///
    /// Returns `None` after a conflict with another process; the transaction must be rolled back.
    pub(super) async fn decide(
        &self,
        conn: &mut PgConnection,
        batches: &[TenantBatch],
    ) -> Result<Option<Vec<Option<Decision>>>, VaultError> {
        let (decided_at, begun) = (self.keys.found.changes(), Instant::now());
        let known = read::known(conn, batches).await?;
        let mut free: Vec<(&TenantBatch, NewRows)> = batches
            .iter()
            .zip(known)
            .filter_map(|(batch, known)| Some((batch, NewRows::new(known?))))
            .collect();
        let mut latest = self.newest_keys(conn, &free).await?;
        let mut people: Vec<Vec<ResolvedPerson>> = Vec::with_capacity(free.len());
        for (batch, new_rows) in &mut free {
            let latest = latest.entry(batch.tenant_id).or_default();
            let lookups = batch.lookups.iter();
            people.push(lookups.map(|one| new_rows.decide(one, latest, &*self.ids)).collect());
        }
        let additions: Vec<write::Addition> =
            free.iter().map(|(batch, new_rows)| (*batch, new_rows)).collect();
        let Some(created) = write::write(&additions, conn, &*self.clock).await? else {
            return Ok(None);
        };
        let sharing = free.iter().filter(|(_, new_rows)| new_rows.shares_handle);
        let sharing: Vec<TenantId> = sharing.map(|(batch, _)| batch.tenant_id).collect();
        if !sharing.is_empty() {
            notify_contacts(conn, &sharing).await.map_err(database)?;
        }
        let tenants = free.iter().map(|(batch, _)| batch.tenant_id);
        let mut decided: HashMap<TenantId, Decision> = tenants
            .zip(people.into_iter().zip(created))
            .map(|(tenant_id, (people, created))| {
                let latest = latest.remove(&tenant_id).unwrap_or_default();
                let shares_handle = sharing.contains(&tenant_id);
                let decision =
                    Decision { people, latest, created, decided_at, begun, shares_handle };
                (tenant_id, decision)
            })
            .collect();
        Ok(Some(batches.iter().map(|batch| decided.remove(&batch.tenant_id)).collect()))
    }

    /// Loads the newest keys of the existing subjects.
    pub(super) async fn newest_keys(
        &self,
        conn: &mut PgConnection,
        batches: &[(&TenantBatch, NewRows)],
    ) -> Result<HashMap<TenantId, NewestKeys>, VaultError> {
        let subjects: Vec<(TenantId, SubjectId)> = batches
            .iter()
            .flat_map(|(batch, new_rows)| {
                new_rows.subjects().into_iter().map(|subject| (batch.tenant_id, subject))
            })
            .collect();
        let mut latest: HashMap<TenantId, NewestKeys> = HashMap::new();
        if subjects.is_empty() {
            return Ok(latest);
        }
        load_keys_of_many(&self.keys, &self.keyring, conn, &subjects, |tenant_id, key, state| {
            latest.entry(tenant_id).or_default().insert(key.0, (key.1, state));
        })
        .await?;
        Ok(latest)
    }

    /// Adds the committed subjects to the caches and returns a result for each message. A corrupt
    /// key fails only the messages of its subject.
    pub(super) fn finish(
        &self,
        batch: &TenantBatch,
        decision: Decision,
    ) -> Vec<Result<Resolved, VaultError>> {
        let Decision { people, mut latest, created, decided_at, begun, shares_handle } = decision;
        let tenant_id = batch.tenant_id;
        if shares_handle {
            self.keys.found.forget(tenant_id);
        }
        for (subject_id, key) in created {
            self.keys.keep_new(begun, (tenant_id, subject_id), &key);
            latest.insert(subject_id, (1, key));
        }
        let resolve = |lookup: &Lookup, person: ResolvedPerson| {
            let subject_id = person.subject_id;
            // A missing row is not a new person: a row is kept as fence and has been removed by
            // another program.
            let (generation, state) =
                latest.get(&subject_id).ok_or(VaultError::Corrupt { subject_id })?;
            let subject = subject(subject_id, *generation, state)?;
            if !is_fenced(&latest, subject_id) {
                let key = lookup.cache_keys.of_result(person.facts.contact);
                self.keys.found.insert(decided_at, (tenant_id, key), &person);
            }
            Ok(Resolved { subject, person: person.facts })
        };
        let people = batch.lookups.iter().zip(people);
        people.map(|(lookup, person)| resolve(lookup, person)).collect()
    }
}
