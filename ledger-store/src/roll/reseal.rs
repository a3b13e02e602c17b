//! Seals the secrets of the old epoch under the new one: those of sources, and answers to commands.

use ledger_core::ids::{CommandId, SourceId};

use super::{BATCH, Roll, RollError};
use crate::command_answers;
use crate::source::secret_aad;

/// A secret after the attempt to move it.
enum Moved {
    /// It is of the new epoch, or absent.
    Done,
    /// The secret, sealed under the new epoch.
    Sealed(Vec<u8>),
    /// It opens under neither epoch.
    Unreadable,
}

impl Roll<'_> {
    /// Seals all secrets under the new epoch. One that does not open under the old one either is left: it
    /// cannot be used already.
    pub(super) async fn reseal(&self) -> Result<(), RollError> {
        self.reseal_sources().await?;
        self.reseal_answers().await
    }

    fn moved(&self, aad: &[u8], sealed: Option<&[u8]>) -> Moved {
        let Some(sealed) = sealed else { return Moved::Done };
        if self.new.open_secret(aad, sealed).is_some() {
            return Moved::Done;
        }
        match self.old.open_secret(aad, sealed) {
            Some(secret) => Moved::Sealed(self.new.seal_secret(aad, &secret)),
            None => Moved::Unreadable,
        }
    }

    async fn reseal_sources(&self) -> Result<(), RollError> {
        let rows = sqlx::query!(
            "select source_id, secret_sealed, old_secret_sealed from ledger.sources
              where tenant_id = $1",
            self.tenant_id.0,
        )
        .fetch_all(&self.store.owner)
        .await?;
        for row in rows {
            let aad = secret_aad(self.tenant_id, SourceId(row.source_id));
            let current = self.moved(&aad, Some(&row.secret_sealed));
            let old = self.moved(&aad, row.old_secret_sealed.as_deref());
            if matches!(current, Moved::Unreadable) || matches!(old, Moved::Unreadable) {
                tracing::error!(tenant_id = %self.tenant_id, source_id = %row.source_id, "epoch.secret_corrupt");
            }
            let (current, old) = (sealed(current), sealed(old));
            if current.is_none() && old.is_none() {
                continue;
            }
            sqlx::query!(
                "update ledger.sources
                    set secret_sealed = coalesce($3, secret_sealed),
                        old_secret_sealed = coalesce($4, old_secret_sealed)
                  where tenant_id = $1 and source_id = $2 and secret_sealed = $5
                    and old_secret_sealed is not distinct from $6",
                self.tenant_id.0,
                row.source_id,
                current,
                old,
                row.secret_sealed,
                row.old_secret_sealed,
            )
            .execute(&self.store.owner)
            .await?;
        }
        Ok(())
    }

    /// Answers are kept for a day; those that a request stores meanwhile are of the new epoch.
    async fn reseal_answers(&self) -> Result<(), RollError> {
        let mut last = Vec::new();
        loop {
            let rows = sqlx::query!(
                "select key_digest, command_id, seed_sealed, answer_sealed from ledger.command_answers
                  where tenant_id = $1 and key_digest > $2
                  order by key_digest
                  limit $3",
                self.tenant_id.0,
                last,
                BATCH,
            )
            .fetch_all(&self.store.owner)
            .await?;
            let Some(end) = rows.last() else { return Ok(()) };
            last.clone_from(&end.key_digest);
            for row in rows {
                let aad =
                    |part| command_answers::aad(part, self.tenant_id, CommandId(row.command_id));
                let seed = sealed(self.moved(&aad(b"seed"), Some(&row.seed_sealed)));
                let answer = sealed(self.moved(&aad(b"answer"), row.answer_sealed.as_deref()));
                if seed.is_none() && answer.is_none() {
                    continue;
                }
                sqlx::query!(
                    "update ledger.command_answers
                        set seed_sealed = coalesce($3, seed_sealed),
                            answer_sealed = coalesce($4, answer_sealed)
                      where tenant_id = $1 and key_digest = $2 and command_id = $5
                        and ($4::bytea is null or answer_sealed is not distinct from $6)",
                    self.tenant_id.0,
                    row.key_digest,
                    seed,
                    answer,
                    row.command_id,
                    row.answer_sealed,
                )
                .execute(&self.store.owner)
                .await?;
            }
        }
    }
}

fn sealed(moved: Moved) -> Option<Vec<u8>> {
    match moved {
        Moved::Sealed(sealed) => Some(sealed),
        Moved::Done | Moved::Unreadable => None,
    }
}
