//! Answers to requests with an Idempotency-Key, for a day.
//!
//! A request claims its key before it runs and stores its answer afterwards. A request that was
//! interrupted in between, also by the end of the process, runs again under the same command id and
//! with the same seed of secrets, so it records and creates nothing twice and gives the same answer.
//! Neither the key nor the body is stored: only keyed digests of them. Answers are sealed.

use std::time::Duration;

use chrono::TimeDelta;
use ledger_core::ids::{CommandId, KeyId, TenantId};
use zeroize::Zeroizing;

use crate::Store;
use crate::error::StoreError;
use crate::tenant_tx::TenantTx;

/// Time for which an answer is kept.
pub const ANSWER_TTL: TimeDelta = TimeDelta::hours(24);
/// Maximum number of expired rows of the tenant that one claim deletes.
const MAX_DELETED: i64 = 100;

/// A request with an Idempotency-Key.
#[derive(Debug, Clone, Copy)]
pub struct RepeatableRequest<'a> {
    /// The tenant of the API key.
    pub tenant_id: TenantId,
    /// The API key. Another key of the same tenant has Idempotency-Keys of its own.
    pub key_id: KeyId,
    /// The value of the header.
    pub idempotency_key: &'a [u8],
    /// Method, path, query and body, each with its length.
    pub content: &'a [u8],
}

/// The claim of a request that is to run.
#[derive(Clone)]
pub struct Claim {
    tenant_id: TenantId,
    key_digest: [u8; 32],
    /// The command.
    pub command_id: CommandId,
    /// The seed of the secrets that the command creates.
    pub seed: Zeroizing<Vec<u8>>,
}

/// The result of [`Store::claim_command`].
pub enum Claimed {
    /// The request is to run, for the first time or again after an interruption.
    Run(Claim),
    /// The answer of the first run.
    Answered(Zeroizing<Vec<u8>>),
    /// The same request is running, here or on another server.
    Running,
    /// The key was used for another request.
    Reused,
}

impl Store {
    /// Claims the key of a request for `lease`. `seed` is 32 random bytes, used if the key is new.
    ///
    /// # Errors
    /// The database did not answer, or the tenant's keys are not available.
    pub async fn claim_command(
        &self,
        request: &RepeatableRequest<'_>,
        seed: &[u8],
        lease: Duration,
    ) -> Result<Claimed, StoreError> {
        let RepeatableRequest { tenant_id, key_id, idempotency_key, content } = *request;
        let digest_key = self.keyring.digest_key(tenant_id).await?;
        let named = [b"idempotency-key".as_slice(), key_id.0.as_bytes(), idempotency_key].concat();
        let key_digest = digest_key.digest(&named);
        let content = digest_key.digest(&[b"request".as_slice(), content].concat());
        let epoch = self.vault.epoch(tenant_id).await?;
        let command_id = CommandId(self.ids.ordered());
        let now = self.clock.now_micros();
        let lease = TimeDelta::from_std(lease).unwrap_or(TimeDelta::minutes(1));
        let mut tx = TenantTx::begin(&self.app, tenant_id).await?;
        delete_expired(&mut tx, &key_digest, now).await?;
        let claimed = sqlx::query!(
            r#"
            insert into ledger.command_answers as c
                   (tenant_id, key_digest, command_id, content, seed_sealed, claimed_until, created_at, expires_at)
            values ($1, $2, $3, $4, $5, $6, $7, $8)
                on conflict (tenant_id, key_digest) do update
               set claimed_until = excluded.claimed_until
             where c.answer_sealed is null and c.claimed_until <= $7 and c.content = excluded.content
               and c.expires_at > $7
            returning command_id, seed_sealed
            "#,
            tenant_id.0,
            &key_digest,
            command_id.0,
            &content,
            epoch.seal_secret(&aad(b"seed", tenant_id, command_id), seed),
            now + lease,
            now,
            now + ANSWER_TTL,
        )
        .fetch_optional(tx.conn())
        .await?;
        let corrupt = |column| StoreError::Corrupt { table: "ledger.command_answers", column };
        if let Some(row) = claimed {
            tx.commit().await?;
            let command_id = CommandId(row.command_id);
            let seed = epoch.open_secret(&aad(b"seed", tenant_id, command_id), &row.seed_sealed);
            let seed = seed.ok_or_else(|| corrupt("seed_sealed"))?;
            return Ok(Claimed::Run(Claim { tenant_id, key_digest, command_id, seed }));
        }
        let row = sqlx::query!(
            "select command_id, content, answer_sealed from ledger.command_answers
              where tenant_id = $1 and key_digest = $2",
            tenant_id.0,
            &key_digest,
        )
        .fetch_optional(tx.conn())
        .await?;
        tx.commit().await?;
        // Without a row the first request has failed since; the next claim succeeds.
        let Some(row) = row else { return Ok(Claimed::Running) };
        if row.content != content {
            return Ok(Claimed::Reused);
        }
        let Some(sealed) = row.answer_sealed else { return Ok(Claimed::Running) };
        let aad = aad(b"answer", tenant_id, CommandId(row.command_id));
        epoch
            .open_secret(&aad, &sealed)
            .map(Claimed::Answered)
            .ok_or_else(|| corrupt("answer_sealed"))
    }

    /// Stores the answer of a claimed request. The first answer of a command stays.
    ///
    /// # Errors
    /// The database did not answer, or the tenant's keys are not available.
    pub async fn store_answer(&self, claim: &Claim, answer: &[u8]) -> Result<(), StoreError> {
        let Claim { tenant_id, key_digest, command_id, .. } = claim;
        let epoch = self.vault.epoch(*tenant_id).await?;
        let sealed = epoch.seal_secret(&aad(b"answer", *tenant_id, *command_id), answer);
        let mut tx = TenantTx::begin(&self.app, *tenant_id).await?;
        sqlx::query!(
            "update ledger.command_answers set answer_sealed = $4
              where tenant_id = $1 and key_digest = $2 and command_id = $3
                and answer_sealed is null",
            tenant_id.0,
            key_digest,
            command_id.0,
            sealed,
        )
        .execute(tx.conn())
        .await?;
        Ok(tx.commit().await?)
    }

    /// Ends the claim of a request that was refused or failed. A refused request is forgotten: it
    /// changed nothing. After a failure the outcome is unknown: the claim stays, and a repetition
    /// runs the request again at once.
    ///
    /// # Errors
    /// The database did not answer; the claim then ends by its time.
    pub async fn release_claim(&self, claim: &Claim, is_refused: bool) -> Result<(), StoreError> {
        let Claim { tenant_id, key_digest, command_id, .. } = claim;
        let mut tx = TenantTx::begin(&self.app, *tenant_id).await?;
        if is_refused {
            sqlx::query!(
                "delete from ledger.command_answers
                  where tenant_id = $1 and key_digest = $2 and command_id = $3
                    and answer_sealed is null",
                tenant_id.0,
                key_digest,
                command_id.0,
            )
            .execute(tx.conn())
            .await?;
        } else {
            sqlx::query!(
                "update ledger.command_answers set claimed_until = $4
                  where tenant_id = $1 and key_digest = $2 and command_id = $3",
                tenant_id.0,
                key_digest,
                command_id.0,
                self.clock.now_micros(),
            )
            .execute(tx.conn())
            .await?;
        }
        Ok(tx.commit().await?)
    }
}

/// Deletes expired rows of the transaction's tenant, that of the key first.
async fn delete_expired(
    tx: &mut TenantTx,
    key_digest: &[u8; 32],
    now: chrono::DateTime<chrono::Utc>,
) -> sqlx::Result<()> {
    let tenant_id = tx.tenant_id();
    sqlx::query!(
        "delete from ledger.command_answers
          where tenant_id = $1
            and key_digest in (select e.key_digest from ledger.command_answers e
                                where e.tenant_id = $1 and e.expires_at <= $2
                                order by e.key_digest = $4 desc, e.expires_at
                                limit $3 for update skip locked)",
        tenant_id.0,
        now,
        MAX_DELETED,
        key_digest,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

pub(crate) fn aad(part: &[u8], tenant_id: TenantId, command_id: CommandId) -> Vec<u8> {
    [b"command ".as_slice(), part, tenant_id.0.as_bytes(), command_id.0.as_bytes()].concat()
}
