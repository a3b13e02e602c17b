//! One authenticated webhook: translated, recorded, and answered after the commit.

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use axum::response::Response;
use chrono::{DateTime, Utc};
use ledger_core::envelope::{Draft, Sections};
use ledger_core::ids::TenantId;
use ledger_core::provider::{Reply, TranslateError, Translation};
use ledger_store::Store;
use ledger_store::append::{AppendError, AppendRejection, Appended};
use ledger_store::compute::compute;
use ledger_store::quarantine::ContentDigest;
use ledger_store::record::{DeliveryContext, FirstAnswer, RecordError};
use ledger_store::source::Source;
use ledger_store::stage::{self, Stage};
use ledger_store::vault::VaultError;
use uuid::Uuid;

use super::counts::OutcomeRecorder;
use super::follow_ups::FollowUps;
use super::outcome::{IngestOutcome, NO_SINGLE_ROUTE};
use super::refusal::{overloaded, translate_error, unavailable};
use super::response::{self, NOT_CONFIGURED, Told, fill_tool_results, is_tool_call};
use super::tools::{self, ToolAnswers};
use crate::problem::{ApiError, keys_unavailable};

/// Timeout of informational messages; platforms wait about this long for an acknowledgement.
const ACKNOWLEDGE_TIMEOUT: Duration = Duration::from_secs(20);
/// Timeout of assistant requests. The platform hangs up after 7.5 seconds end to end, so the
/// response is sent within a second even if the ledger fails.
const ASSISTANT_TIMEOUT: Duration = Duration::from_millis(800);
/// Timeout of tool calls: the caller is waiting on the line, so the response is sent in time even
/// if the ledger fails.
const TOOL_TIMEOUT: Duration = Duration::from_secs(5);
/// Timeout of the look-up of first answers for tool calls that are not recorded; part of
/// [`TOOL_TIMEOUT`].
const FIRST_ANSWER_PATIENCE: Duration = Duration::from_secs(1);
/// Codes of refusals after which the log can still be read for first answers.
const LEAVES_ANSWERS: [&str; 2] = ["tenant-not-active", "overloaded"];

/// One authenticated webhook, from translation to append.
pub(super) struct WebhookDelivery<'a> {
    pub(super) store: &'a Store,
    pub(super) source: &'a Source,
    pub(super) request_id: Uuid,
    /// Time of receipt, by which routes are chosen; a replay has that of the first receipt.
    pub(super) received_at: DateTime<Utc>,
    /// Where tool calls with an unknown outcome wait; `None` for a replay, which no caller waits for.
    pub(super) follow_ups: Option<&'a FollowUps>,
}

impl WebhookDelivery<'_> {
    /// Translates a body, and computes the digest that identifies its content. The canonical text
    /// is as long as the body and has no other use, so it is freed here.
    pub(super) async fn translate(
        &self,
        body: &[u8],
        country: Option<&str>,
    ) -> Result<(Translation, ContentDigest), ApiError> {
        let adapter = self.source.provider.adapter();
        let translate = || {
            let mut translation = adapter.translate(body, country)?;
            let content = name_content(&std::mem::take(&mut translation.canonical));
            Ok::<_, TranslateError>((translation, content))
        };
        let translated = compute(body.len(), || stage::run(Stage::Translate, translate)).await;
        translated.map_err(|refused| translate_error(&refused))
    }

    /// Returns the source's tenant or, for a shared source, the only tenant with a route for an id
    /// in the message that was valid when it was received. Returns `None` if there is no such tenant or more than one.
    pub(super) async fn tenant_of(
        &self,
        translation: &Translation,
    ) -> Result<Option<TenantId>, ApiError> {
        if self.source.tenant_id != TenantId::INSTALLATION {
            return Ok(Some(self.source.tenant_id));
        }
        let routes =
            self.store.find_routes(self.source.source_id, &translation.routing, self.received_at);
        Ok(match routes.await?.as_slice() {
            [only] => Some(*only),
            _ => None,
        })
    }

    /// Records the message and returns the response, within the timeout of its kind. Messages of
    /// kinds for which the platform ignores other status codes are always answered with 200.
    pub(super) async fn answer(
        &self,
        body: Option<Vec<u8>>,
        (translation, content): (Translation, ContentDigest),
        recorder: &mut OutcomeRecorder<'_>,
    ) -> Result<Response, ApiError> {
        let reply = translation.reply.clone();
        let max_wait = match reply {
            Reply::Assistant => ASSISTANT_TIMEOUT,
            Reply::Acknowledge => ACKNOWLEDGE_TIMEOUT,
            _ => TOOL_TIMEOUT,
        };
        let mut answers = ToolAnswers::default();
        let take = self.take(body, translation, content, &mut answers);
        let taken = tokio::time::timeout(max_wait, take).await;
        let taken = taken.unwrap_or_else(|_| {
            tracing::warn!("ingest.timed_out");
            Err(unavailable())
        });
        recorder.set_outcome(&taken);
        if reply == Reply::Acknowledge {
            return taken.map(|taken| response::acknowledge(&taken));
        }
        let outcome = match &taken {
            Ok(IngestOutcome::Recorded(appended)) => Told::Recorded(*appended),
            // A quarantined message gives the assistant no result either.
            Ok(IngestOutcome::Ignored | IngestOutcome::Quarantined) | Err(_) => {
                Told::Failed(&answers.first)
            }
        };
        let adapter = self.source.provider.adapter();
        let assistant_id = self.source.assistant_id.as_deref();
        let told = (outcome, answers.replies.as_slice());
        Ok(response::provider_response(adapter, &reply, assistant_id, told))
    }

    /// Returns whether a body is translated again when its tenant is known, because national
    /// numbers depend on the tenant's country.
    pub(super) fn needs_body(&self, translation: &Translation) -> bool {
        self.source.tenant_id == TenantId::INSTALLATION && translation.needs_region
    }

    async fn take(
        &self,
        body: Option<Vec<u8>>,
        mut translation: Translation,
        content: ContentDigest,
        answers: &mut ToolAnswers,
    ) -> Result<IngestOutcome, ApiError> {
        if translation.is_telemetry && !self.source.record_all {
            return Ok(IngestOutcome::Ignored);
        }
        let Some(tenant_id) = self.tenant_of(&translation).await? else {
            return self.quarantine(&translation, &content).await;
        };
        if let Some(body) = body {
            (translation, _) = self.translate_for(tenant_id, &body).await?;
        }
        fill_tool_results(&mut translation.drafts, NOT_CONFIGURED);
        if tools::has_known_tool(&translation.drafts) {
            let drafts = translation.drafts;
            // Boxed, because most messages call no tool and would carry its size.
            let recorded =
                Box::pin(self.answer_tools(tenant_id, &content, drafts, &mut answers.replies));
            return recorded.await.map(IngestOutcome::Recorded);
        }
        let tool_calls = tool_calls_of(&translation.drafts);
        let recorded = self.record(tenant_id, &content, translation.drafts).await;
        if let Err(refused) = &recorded
            && LEAVES_ANSWERS.contains(&refused.code)
            && !tool_calls.is_empty()
        {
            answers.first = self.first_answers(tenant_id, &tool_calls).await;
        }
        recorded.map(IngestOutcome::Recorded)
    }

    /// Returns the first answers in the log for tool calls that are not recorded now; empty if the
    /// look-up fails or times out.
    async fn first_answers(&self, tenant_id: TenantId, drafts: &[Draft]) -> Vec<FirstAnswer> {
        let origin = self.origin(tenant_id);
        let asked = self.store.first_answers(&origin, drafts);
        match tokio::time::timeout(FIRST_ANSWER_PATIENCE, asked).await {
            Ok(Ok(answers)) => answers,
            Ok(Err(error)) => {
                tracing::warn!(error = %error, "ingest.first_answers_unknown");
                Vec::new()
            }
            Err(_) => {
                tracing::warn!("ingest.first_answers_timed_out");
                Vec::new()
            }
        }
    }

    /// Translates the body with the tenant's country, which national phone numbers need.
    pub(super) async fn translate_for(
        &self,
        tenant_id: TenantId,
        body: &[u8],
    ) -> Result<(Translation, ContentDigest), ApiError> {
        let country = self.store.country(tenant_id).await?;
        self.translate(body, country.as_deref()).await
    }

    pub(super) async fn record(
        &self,
        tenant_id: TenantId,
        content: &ContentDigest,
        drafts: Vec<Draft>,
    ) -> Result<Appended, ApiError> {
        let origin = self.origin(tenant_id);
        self.store.record(&origin, content, drafts).await.map_err(refuse_record)
    }

    pub(super) fn origin(&self, tenant_id: TenantId) -> DeliveryContext {
        DeliveryContext {
            tenant_id,
            provider: self.source.provider.as_str(),
            source_id: self.source.source_id,
            request_id: self.request_id,
        }
    }

    async fn quarantine(
        &self,
        translation: &Translation,
        content: &ContentDigest,
    ) -> Result<IngestOutcome, ApiError> {
        let body = translation.drafts.iter().find_map(|draft| draft.sections.raw.as_deref());
        let source_id = self.source.source_id;
        self.store
            .quarantine(
                source_id,
                NO_SINGLE_ROUTE,
                content,
                body.unwrap_or_default(),
                self.received_at,
            )
            .await?;
        Ok(IngestOutcome::Quarantined)
    }
}

/// Computes the digest that identifies the content of a message as it was sent. The quarantine
/// stores the digest without the provider secrets of the body, so that a replayed message is
/// recognized when the platform sends it again.
fn name_content(canonical: &[u8]) -> ContentDigest {
    digest(&SHA256, canonical).as_ref().try_into().expect("SHA-256 is 32 bytes")
}

pub(super) fn refuse_record(error: RecordError) -> ApiError {
    match error {
        RecordError::Append(AppendError::Rejected(AppendRejection::TenantNotActive)) => {
            ApiError::tenant_not_active()
        }
        RecordError::Append(AppendError::Overloaded)
        | RecordError::Vault(VaultError::Overloaded) => overloaded(),
        RecordError::Append(error) if !error.is_unavailable() => ApiError::internal(&error),
        // An operator can restore the key from a backup. Until then 503 makes the sender keep the
        // message.
        RecordError::Vault(error @ VaultError::Corrupt { .. }) => {
            tracing::error!(error = %error, "ingest.key_corrupt");
            ApiError::unavailable("key-corrupt", "this person's key is damaged; try again later")
        }
        RecordError::Keyring(error) => keys_unavailable(&error),
        RecordError::Vault(VaultError::Keyring(error)) => keys_unavailable(&error),
        error => {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            tracing::warn!(error = %error, cause, "ingest.unavailable");
            unavailable()
        }
    }
}

/// Copies the tool calls with their arguments, without the body and the conversation.
fn tool_calls_of(drafts: &[Draft]) -> Vec<Draft> {
    let copy = |draft: &Draft| Draft {
        correlation: draft.correlation.clone(),
        dedupe: draft.dedupe.clone(),
        occurred_at: draft.occurred_at,
        event: draft.event.clone(),
        sections: Sections { tool_io: draft.sections.tool_io.clone(), ..Sections::default() },
    };
    drafts.iter().filter(|draft| is_tool_call(draft)).map(copy).collect()
}
