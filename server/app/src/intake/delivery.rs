//! One authenticated webhook, from translation to append.

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use chrono::{DateTime, Utc};
use ledger_core::envelope::{Draft, Sections};
use ledger_core::ids::TenantId;
use ledger_core::provider::{Reply, TranslateError, Translation};
use ledger_store::Store;
use ledger_store::append::Appended;
use ledger_store::compute::compute;
use ledger_store::quarantine::ContentDigest;
use ledger_store::record::{DeliveryContext, FirstAnswer};
use ledger_store::source::Source;
use ledger_store::stage::{self, Stage};
use uuid::Uuid;

use super::error::DeliveryError;
use super::follow_ups::FollowUps;
use super::outcome::{IngestOutcome, NO_SINGLE_ROUTE};
use super::tool_results::{NOT_CONFIGURED, fill_tool_results, is_tool_call};
use super::tools::ToolAnswers;
use crate::fault::Fault;

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

/// One authenticated webhook, from translation to append.
pub struct WebhookDelivery<'a> {
    /// The log and the vault.
    pub store: &'a Store,
    /// The source of the webhook.
    pub source: &'a Source,
    /// Id of the request, recorded with the events.
    pub request_id: Uuid,
    /// Time of receipt, by which routes are chosen; a replay has that of the first receipt.
    pub received_at: DateTime<Utc>,
    /// Where tool calls with an unknown outcome wait; `None` for a replay, which no caller waits for.
    pub follow_ups: Option<&'a FollowUps>,
}

/// A webhook after the commit, or after it was refused.
pub struct Delivered {
    /// What became of the message.
    pub outcome: Result<IngestOutcome, DeliveryError>,
    /// Answers to its tool calls, also to those of a message that was refused.
    pub answers: ToolAnswers,
}

impl WebhookDelivery<'_> {
    /// Translates a body, and computes the digest that identifies its content. The canonical text
    /// is as long as the body and has no other use, so it is freed here.
    ///
    /// # Errors
    /// [`TranslateError`] if the body is no message of the provider.
    pub async fn translate(
        &self,
        body: &[u8],
        country: Option<&str>,
    ) -> Result<(Translation, ContentDigest), TranslateError> {
        let adapter = self.source.provider.adapter();
        let translate = || {
            let mut translation = adapter.translate(body, country)?;
            let content = name_content(&std::mem::take(&mut translation.canonical));
            Ok((translation, content))
        };
        compute(body.len(), || stage::run(Stage::Translate, translate)).await
    }

    /// Returns the source's tenant or, for a shared source, the only tenant with a route for an id
    /// in the message that was valid when it was received. Returns `None` if there is no such tenant or more than one.
    pub(super) async fn tenant_of(
        &self,
        translation: &Translation,
    ) -> Result<Option<TenantId>, DeliveryError> {
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

    /// Records the message, within the timeout of its kind of reply.
    pub async fn deliver(
        &self,
        body: Option<Vec<u8>>,
        (translation, content): (Translation, ContentDigest),
    ) -> Delivered {
        let max_wait = match translation.reply {
            Reply::Assistant => ASSISTANT_TIMEOUT,
            Reply::Acknowledge => ACKNOWLEDGE_TIMEOUT,
            _ => TOOL_TIMEOUT,
        };
        let mut answers = ToolAnswers::default();
        let take = self.take(body, translation, content, &mut answers);
        let taken = tokio::time::timeout(max_wait, take).await;
        let outcome = taken.unwrap_or_else(|_| {
            tracing::warn!("ingest.timed_out");
            Err(Fault::Unavailable.into())
        });
        Delivered { outcome, answers }
    }

    /// Returns whether a body is translated again when its tenant is known, because national
    /// numbers depend on the tenant's country.
    #[must_use]
    pub fn needs_body(&self, translation: &Translation) -> bool {
        self.source.tenant_id == TenantId::INSTALLATION && translation.needs_region
    }

    async fn take(
        &self,
        body: Option<Vec<u8>>,
        mut translation: Translation,
        content: ContentDigest,
        answers: &mut ToolAnswers,
    ) -> Result<IngestOutcome, DeliveryError> {
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
        if self.has_known_tool(&translation.drafts) {
            let drafts = translation.drafts;
            // Boxed, because most messages call no tool and would carry its size.
            let recorded =
                Box::pin(self.answer_tools(tenant_id, &content, drafts, &mut answers.replies));
            return recorded.await.map(IngestOutcome::Recorded);
        }
        let tool_calls = tool_calls_of(&translation.drafts);
        let recorded = self.record(tenant_id, &content, translation.drafts).await;
        if let Err(refused) = &recorded
            && refused.leaves_answers()
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
    ) -> Result<(Translation, ContentDigest), DeliveryError> {
        let country = self.store.country(tenant_id).await?;
        Ok(self.translate(body, country.as_deref()).await?)
    }

    pub(super) async fn record(
        &self,
        tenant_id: TenantId,
        content: &ContentDigest,
        drafts: Vec<Draft>,
    ) -> Result<Appended, DeliveryError> {
        let origin = self.origin(tenant_id);
        Ok(self.store.record(&origin, content, drafts).await?)
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
    ) -> Result<IngestOutcome, DeliveryError> {
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
