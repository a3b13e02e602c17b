//! Opens the sections of events and read models.

use std::collections::HashMap;
use std::sync::Arc;

use ledger_core::ids::{EventId, SubjectId, TenantId};
use ledger_core::personal::Personal;
use tokio::time::Instant;
use uuid::Uuid;

use super::fence_watch::MAX_USE;
use super::keys::{KeyState, load_keys};
use super::{Vault, VaultError, database};
use crate::compute::compute;
use crate::seal::{self, Opened, Sealed, SectionName};
use crate::tenant_tx::TenantTx;

/// A section of an event, after the attempt to open it.
pub struct OpenedSection {
    /// Name of the section.
    pub name: SectionName,
    /// The subject that the data is about.
    pub subject_id: SubjectId,
    /// The event that the section was sealed for.
    pub event_id: EventId,
    /// The plaintext, or the reason for which there is none.
    pub plain: Opened<Personal<Vec<u8>>>,
}

impl OpenedSection {
    /// Bytes of the plaintext; 0 when the section did not open.
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.plain {
            Opened::Clear(plain) => plain.as_revealed().len(),
            Opened::Erased | Opened::Restricted | Opened::Corrupt => 0,
        }
    }

    /// Whether the plaintext is missing or empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Keys of sections that are opened one after another. They are used for a second, like all keys that were
/// read, and then read again.
pub struct PreparedKeys {
    tenant_id: TenantId,
    wanted: Vec<(SubjectId, u32)>,
    keys: HashMap<(SubjectId, u32), Arc<KeyState>>,
    begun: Instant,
}

/// The column that sections were read from, which limits the sections it may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SectionColumn {
    /// An event's `sections` column: its small sections.
    Sections(EventId),
    /// An event's `bulk` column: its large sections.
    Bulk(EventId),
    /// A read model's copies of parties, of events known to the reader.
    Parties,
    /// A read model's copies of the sections of contacts.
    Contacts,
}

impl SectionColumn {
    /// Whether a section with this header is allowed in the column. Rejects sections moved by
    /// another program.
    fn accepts(self, sealed: &Sealed<'_>) -> bool {
        match self {
            Self::Sections(event_id) => sealed.event_id == event_id && !sealed.name.is_bulk(),
            Self::Bulk(event_id) => sealed.event_id == event_id && sealed.name.is_bulk(),
            Self::Parties => sealed.name == SectionName::Party,
            Self::Contacts => {
                matches!(sealed.name, SectionName::Party | SectionName::CustomFields)
            }
        }
    }
}

impl Vault {
    /// Opens the sections of the given columns, in order. A section sealed for another event or
    /// column is `Corrupt`.
    ///
    /// # Errors
    /// [`VaultError`] when keys cannot be read at all; a section that does not open is part of the
    /// result.
    pub async fn open(
        &self,
        tenant_id: TenantId,
        columns: &[(SectionColumn, &[u8])],
    ) -> Result<Vec<Vec<OpenedSection>>, VaultError> {
        let mut prepared = self.prepare(tenant_id, columns).await?;
        self.open_prepared(&mut prepared, columns).await
    }

    /// Opens columns that were among those of [`Vault::prepare`], as [`Vault::open`]. The keys are read
    /// again at most once a second, however many columns are opened one by one.
    ///
    /// # Errors
    /// As [`Vault::open`].
    pub async fn open_prepared(
        &self,
        prepared: &mut PreparedKeys,
        columns: &[(SectionColumn, &[u8])],
    ) -> Result<Vec<Vec<OpenedSection>>, VaultError> {
        let tenant_id = prepared.tenant_id;
        if prepared.begun.elapsed() >= MAX_USE {
            let wanted = std::mem::take(&mut prepared.wanted);
            *prepared = self.prepared(tenant_id, wanted).await?;
        }
        let mut opened = Vec::with_capacity(columns.len());
        for (section_column, packed) in columns {
            let sections = seal::unpack(packed).unwrap_or_else(|_| vec![&[]]);
            let mut column = Vec::with_capacity(sections.len());
            for bytes in sections {
                column.push(match parse_header(bytes, *section_column) {
                    Some(sealed) => OpenedSection {
                        name: sealed.name,
                        subject_id: sealed.subject_id,
                        event_id: sealed.event_id,
                        plain: self.open_with(&prepared.keys, tenant_id, bytes, &sealed).await,
                    },
                    None => OpenedSection {
                        name: SectionName::Raw,
                        subject_id: SubjectId(Uuid::nil()),
                        event_id: EventId(Uuid::nil()),
                        plain: Opened::Corrupt,
                    },
                });
            }
            opened.push(column);
        }
        if prepared.begun.elapsed() >= MAX_USE {
            self.remove_fenced(tenant_id, &mut opened).await?;
        }
        Ok(opened)
    }

    /// Removes plaintexts of subjects that are fenced by now, after an opening that took long, such
    /// as in a process that was stopped.
    async fn remove_fenced(
        &self,
        tenant_id: TenantId,
        opened: &mut [Vec<OpenedSection>],
    ) -> Result<(), VaultError> {
        let sections = opened.iter().flatten().filter(|section| !section.is_empty());
        let mut subjects: Vec<Uuid> = sections.map(|section| section.subject_id.0).collect();
        subjects.sort_unstable();
        subjects.dedup();
        let mut tx = TenantTx::begin(&self.pool, tenant_id).await.map_err(database)?;
        let fenced = sqlx::query_scalar!(
            "select subject_id from vault.fences where tenant_id = $1 and subject_id = any ($2)",
            tenant_id.0,
            &subjects,
        )
        .fetch_all(tx.conn())
        .await
        .map_err(database)?;
        for section in opened.iter_mut().flatten() {
            if fenced.contains(&section.subject_id.0) {
                section.plain = Opened::Erased;
            }
        }
        Ok(())
    }

    /// Reads the keys for the sections of the given columns, so that opening them one by one needs no
    /// query for each.
    ///
    /// # Errors
    /// As for [`Vault::open`].
    pub async fn prepare(
        &self,
        tenant_id: TenantId,
        columns: &[(SectionColumn, &[u8])],
    ) -> Result<PreparedKeys, VaultError> {
        let sections = columns.iter().flat_map(|(section_column, column)| {
            let sections = seal::unpack(column).unwrap_or_default();
            sections.into_iter().filter_map(|bytes| parse_header(bytes, *section_column))
        });
        let wanted = sections.map(|sealed| (sealed.subject_id, sealed.generation)).collect();
        self.prepared(tenant_id, wanted).await
    }

    async fn prepared(
        &self,
        tenant_id: TenantId,
        mut wanted: Vec<(SubjectId, u32)>,
    ) -> Result<PreparedKeys, VaultError> {
        self.keys.gate.pass().await?;
        wanted.sort_unstable();
        wanted.dedup();
        let begun = Instant::now();
        let keys = self.keys_of(tenant_id, &wanted).await?;
        Ok(PreparedKeys { tenant_id, wanted, keys, begun })
    }

    /// Returns the keys of these generations, from the cache or the database. A generation without
    /// a row is missing from the result.
    async fn keys_of(
        &self,
        tenant_id: TenantId,
        wanted: &[(SubjectId, u32)],
    ) -> Result<HashMap<(SubjectId, u32), Arc<KeyState>>, VaultError> {
        let mut known = HashMap::new();
        let mut missing = Vec::new();
        for &(subject_id, generation) in wanted {
            match self.keys.cached(tenant_id, subject_id, generation) {
                Some(state) => drop(known.insert((subject_id, generation), state)),
                None => missing.push(subject_id.0),
            }
        }
        if !missing.is_empty() {
            let mut tx = TenantTx::begin(&self.pool, tenant_id).await.map_err(database)?;
            load_keys(&self.keys, &self.keyring, &mut tx, &missing, |key, state| {
                known.insert(key, state);
            })
            .await?;
        }
        Ok(known)
    }
}

/// Parses the header of a section; `None` if it is malformed or not allowed in the column.
fn parse_header(bytes: &[u8], section_column: SectionColumn) -> Option<Sealed<'_>> {
    Sealed::parse(bytes).ok().filter(|sealed| section_column.accepts(sealed))
}

impl Vault {
    async fn open_with(
        &self,
        keys: &HashMap<(SubjectId, u32), Arc<KeyState>>,
        tenant_id: TenantId,
        bytes: &[u8],
        sealed: &Sealed<'_>,
    ) -> Opened<Personal<Vec<u8>>> {
        match keys.get(&(sealed.subject_id, sealed.generation)).map(AsRef::as_ref) {
            Some(KeyState::Restricted(_)) if !self.opens_restricted => Opened::Restricted,
            Some(KeyState::Usable(key) | KeyState::Restricted(key)) => {
                // A small section may expand to megabytes, so decompression is a computation of its
                // own.
                let unlocked = compute(bytes.len(), || seal::unlock(key, tenant_id, bytes)).await;
                let Ok(unlocked) = unlocked else { return Opened::Corrupt };
                let plain = compute(unlocked.len(), || unlocked.expand()).await;
                plain.map_or(Opened::Corrupt, |plain| Opened::Clear(Personal::new(plain)))
            }
            Some(KeyState::Gone) => Opened::Erased,
            // A missing row is not an erasure: a row is kept as fence and has been removed by another
            // program.
            Some(KeyState::Corrupt) | None => Opened::Corrupt,
        }
    }
}
