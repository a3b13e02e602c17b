//! Cache of unwrapped subject keys, current epochs and resolved subjects, for a minute at most, and
//! for a few seconds while the fences cannot be read.

use std::sync::Arc;

use ledger_core::ids::{SubjectId, TenantId};
use moka::sync::Cache;
use sqlx::PgConnection;
use tokio::time::Instant;
use uuid::Uuid;

use super::epochs::TenantKeys;
use super::fence_watch::{FenceWatch, MAX_USE};
use super::resolved_persons::ResolvedPersons;
use super::{VaultError, database};
use crate::gate::Gate;
use crate::keyring::Keyring;
use crate::root_key;
use crate::seal::KeyBytes;
use crate::tenant_tx::TenantTx;

/// Unwrapped keys by tenant, subject and generation.
pub(super) type SubjectKeys = Cache<(TenantId, SubjectId, u32), Arc<KeyState>>;

/// The caches of the vault. Cheap to clone.
#[derive(Clone)]
pub(super) struct Keys {
    pub(super) subjects: SubjectKeys,
    /// Subjects that messages were resolved to.
    pub(super) found: ResolvedPersons,
    pub(super) epochs: Cache<TenantId, Arc<TenantKeys>>,
    /// Whether keys may be used at all.
    pub(super) gate: Gate,
    /// Whether cached keys may be used.
    pub(super) fences: Arc<FenceWatch>,
}

impl Keys {
    /// Returns a cached key, unless it is fenced, or the fences were not read recently.
    pub(super) fn cached(
        &self,
        tenant_id: TenantId,
        subject_id: SubjectId,
        generation: u32,
    ) -> Option<Arc<KeyState>> {
        let is_current = self.gate.is_open()
            && self.fences.is_current()
            && !self.fences.is_fenced(tenant_id, subject_id, generation);
        is_current.then(|| self.subjects.get(&(tenant_id, subject_id, generation))).flatten()
    }
}

impl Keys {
    /// Caches the first key of a new subject after its commit, unless it was made so long ago that it
    /// may be fenced by now.
    pub(super) fn keep_new(
        &self,
        begun: Instant,
        (tenant_id, subject_id): (TenantId, SubjectId),
        key: &Arc<KeyState>,
    ) {
        if begun.elapsed() < MAX_USE {
            self.subjects.insert((tenant_id, subject_id, 1), Arc::clone(key));
        }
    }
}

/// Removes a subject's keys up to a generation from the cache.
pub(super) fn forget(keys: &SubjectKeys, tenant_id: TenantId, subject_id: SubjectId, newest: u32) {
    for generation in 1..=newest {
        keys.invalidate(&(tenant_id, subject_id, generation));
    }
}

/// The state of one generation of a subject's key.
pub(super) enum KeyState {
    Usable(Arc<KeyBytes>),
    /// The key opens sections and seals no new ones.
    Restricted(Arc<KeyBytes>),
    Gone,
    /// The wrapped key does not open under its epoch key, because it was altered or moved.
    Corrupt,
}

/// A stored key, with the check value of its epoch.
struct KeyRow {
    tenant_id: Uuid,
    subject_id: Uuid,
    generation: i32,
    state: String,
    epoch: i32,
    wrapped: Option<Vec<u8>>,
    check_value: Option<Vec<u8>>,
}

/// Reads every generation of these subjects' keys into the cache, and passes each to `each`.
pub(super) async fn load_keys(
    keys: &Keys,
    keyring: &Keyring,
    tx: &mut TenantTx,
    subjects: &[Uuid],
    mut each: impl FnMut((SubjectId, u32), Arc<KeyState>),
) -> Result<(), VaultError> {
    let begun = Instant::now();
    let rows = sqlx::query_as!(
        KeyRow,
        r#"
        select k.tenant_id, k.subject_id, k.generation, k.state, k.epoch, k.wrapped,
               e.check_value as "check_value?"
          from vault.subject_keys k
          left join vault.epochs e on e.tenant_id = k.tenant_id and e.epoch = k.epoch
         where k.tenant_id = $1 and k.subject_id = any ($2)
         order by k.subject_id, k.generation
        "#,
        tx.tenant_id().0,
        subjects,
    )
    .fetch_all(tx.conn())
    .await
    .map_err(database)?;
    unwrap_keys(keys, keyring, (rows, begun), |_, key, state| each(key, state)).await
}

/// Reads the keys of subjects of many tenants like [`load_keys`].
pub(super) async fn load_keys_of_many(
    keys: &Keys,
    keyring: &Keyring,
    conn: &mut PgConnection,
    subjects: &[(TenantId, SubjectId)],
    each: impl FnMut(TenantId, (SubjectId, u32), Arc<KeyState>),
) -> Result<(), VaultError> {
    let begun = Instant::now();
    let tenants: Vec<Uuid> = subjects.iter().map(|(tenant_id, _)| tenant_id.0).collect();
    let subjects: Vec<Uuid> = subjects.iter().map(|(_, subject_id)| subject_id.0).collect();
    let rows = sqlx::query_as!(
        KeyRow,
        r#"
        select tenant_id as "tenant_id!", subject_id as "subject_id!", generation as "generation!",
               state as "state!", epoch as "epoch!", wrapped, check_value
          from vault.find_keys($1, $2)
        "#,
        &tenants,
        &subjects,
    )
    .fetch_all(conn)
    .await
    .map_err(database)?;
    unwrap_keys(keys, keyring, (rows, begun), each).await
}

async fn unwrap_keys(
    keys: &Keys,
    keyring: &Keyring,
    (rows, begun): (Vec<KeyRow>, Instant),
    mut each: impl FnMut(TenantId, (SubjectId, u32), Arc<KeyState>),
) -> Result<(), VaultError> {
    keys.gate.require().await?;
    for row in rows {
        let (tenant_id, subject_id) = (TenantId(row.tenant_id), SubjectId(row.subject_id));
        let generation = row.generation.cast_unsigned();
        let state = match (row.state.as_str(), row.wrapped, row.check_value) {
            // Epochs are never deleted, so an unknown epoch means that the row was altered.
            ("active" | "restricted", Some(_), None) => KeyState::Corrupt,
            (state @ ("active" | "restricted"), Some(wrapped), Some(check_value)) => {
                let epoch = keyring
                    .checked_epoch(tenant_id, row.epoch, &check_value)
                    .await
                    .map_err(|error| VaultError::Keyring(Arc::new(error)))?;
                let aad = wrap_aad(tenant_id, subject_id, row.generation, row.epoch);
                match root_key::unwrap(epoch.wrapping(), &aad, &wrapped).map(Arc::new) {
                    Some(key) if state == "active" => KeyState::Usable(key),
                    Some(key) => KeyState::Restricted(key),
                    None => KeyState::Corrupt,
                }
            }
            _ => KeyState::Gone,
        };
        let state = Arc::new(state);
        // Corrupt keys are not cached, so a repaired row takes effect at once. A key that was read
        // too long ago may be fenced by now.
        if !matches!(*state, KeyState::Corrupt) && begun.elapsed() < MAX_USE {
            keys.subjects.insert((tenant_id, subject_id, generation), Arc::clone(&state));
        }
        each(tenant_id, (subject_id, generation), state);
    }
    Ok(())
}

/// The associated data of a wrapped subject key.
pub(crate) fn wrap_aad(
    tenant_id: TenantId,
    subject_id: SubjectId,
    generation: i32,
    epoch: i32,
) -> Vec<u8> {
    [
        b"CLW1".as_slice(),
        tenant_id.0.as_bytes(),
        subject_id.0.as_bytes(),
        &generation.to_be_bytes(),
        &epoch.to_be_bytes(),
    ]
    .concat()
}
