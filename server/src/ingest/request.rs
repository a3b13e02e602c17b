//! Admission of a webhook: finds the source, reserves memory for the body and authenticates the
//! sender. Does not interpret the message.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::OriginalUri;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::Response;
use chrono::{DateTime, Utc};
use ledger_app::fault::Fault;
use ledger_app::intake::{DeliveryError, WebhookDelivery};
use ledger_core::event::AccessDenied;
use ledger_core::ids::{SourceId, TenantId};
use ledger_core::provider::{Provider, Reply, TranslateError, VerificationError, WebhookRequest};
use ledger_store::compute::compute;
use ledger_store::source::Source;
use ledger_store::stage::{self, Stage};
use tokio::time::timeout;
use uuid::Uuid;

use super::admission::{BodyPermit, SMALL_BODY, Sender};
use super::counts::OutcomeRecorder;
use super::response::{self, SourceReply, Told};
use crate::app::App;
use crate::connections;
use crate::http::body;
use crate::problem::ApiError;

/// Timeout of the source lookup; a caller may be waiting on the line.
const SOURCE_TIMEOUT: Duration = Duration::from_secs(2);
/// Timeout of a body in the reserve, which holds small bodies only.
const RESERVED_TIMEOUT: Duration = Duration::from_secs(3);

/// Replaces a header value that is not visible ASCII; it matches no secret, signature or time.
const NO_TEXT: &str = "\u{fffd}";

/// A request of which only the head was read.
pub(super) struct IngestRequest<'a> {
    app: &'a App,
    request_id: Uuid,
    /// The connection of the request, which leaves the share of its address after verification.
    connection: Option<Arc<connections::Place>>,
    headers: &'a HeaderMap,
    /// The headers as text, for verification. A value that is not text still counts as a header,
    /// but never verifies.
    texts: Vec<(String, String)>,
    method: &'a Method,
    /// The URL as the sender has it.
    url: String,
}

impl<'a> IngestRequest<'a> {
    pub(super) fn new(
        app: &'a App,
        request_id: Uuid,
        connection: Option<Arc<connections::Place>>,
        parts: &'a Parts,
    ) -> Self {
        let headers = &parts.headers;
        let text = |(name, value): (&axum::http::HeaderName, &axum::http::HeaderValue)| {
            (name.as_str().to_owned(), value.to_str().unwrap_or(NO_TEXT).to_owned())
        };
        let texts = headers.iter().map(text).collect();
        let is_of_proxy = connection.as_ref().is_some_and(|connection| connection.is_of_proxy());
        // As received: the path may have lost a slash since.
        let target = parts.extensions.get().map_or(&parts.uri, |OriginalUri(target)| target);
        let url = app.public_url.of(target, headers, is_of_proxy);
        Self { app, request_id, connection, headers, texts, method: &parts.method, url }
    }

    /// Looks up the source, with a timeout.
    ///
    /// # Errors
    /// 503 if the lookup failed or timed out; the caller then continues with
    /// [`IngestRequest::fallback_response`].
    pub(super) async fn find_source(
        &self,
        source_id: SourceId,
    ) -> Result<Option<Source>, ApiError> {
        match timeout(SOURCE_TIMEOUT, self.app.store.find_source(source_id)).await {
            Ok(found) => Ok(found?),
            Err(_) => {
                tracing::warn!("ingest.source_timed_out");
                Err(Fault::Unavailable.into())
            }
        }
    }

    /// Reads the body within limits, authenticates the sender and processes the message.
    ///
    /// # Errors
    /// Every rejection of a webhook, as documented for the route.
    pub(super) async fn handle(&self, source: &Source, body: Body) -> Result<Response, ApiError> {
        let mut recorder = self.app.counts.start(source, self.app.store.clock().now());
        let answered = self.authenticate_and_read(source, body, &mut recorder).await;
        if let Err(refused) = &answered {
            recorder.set_rejected(refused);
        }
        answered
    }

    async fn authenticate_and_read(
        &self,
        source: &Source,
        body: Body,
        recorder: &mut OutcomeRecorder<'_>,
    ) -> Result<Response, ApiError> {
        // A secret in a header is verified before the body is read, a signature only with the body.
        // A request that no body can authenticate takes no memory budget and no time.
        let is_authenticated = match self.verify_sender(source, None).await {
            Ok(()) => true,
            Err(VerificationError::BodyRequired) => false,
            Err(unproven) => {
                body::discard(body, &self.app.limits).await;
                recorder.set_unauthenticated(unproven.code());
                return Err(self.refuse_proof(source, unproven).await);
            }
        };
        if is_authenticated {
            recorder.set_authenticated();
            self.prove_connection();
        }
        let sender = Sender { tenant_id: source.tenant_id, source_id: source.source_id };
        let (permit, body) = self.read(body, sender, is_authenticated).await?;
        if !is_authenticated && let Err(unproven) = self.verify_sender(source, Some(&body)).await {
            recorder.set_unauthenticated(unproven.code());
            return Err(self.refuse_proof(source, unproven).await);
        }
        self.prove_connection();
        recorder.set_read();
        let body = self.decode(source, body).map_err(untranslatable)?;
        let delivery = WebhookDelivery {
            store: &self.app.store,
            source,
            request_id: self.request_id,
            received_at: self.app.store.clock().now_micros(),
            follow_ups: Some(&self.app.follow_ups),
        };
        let understood =
            delivery.translate(&body, source.country.as_deref()).await.map_err(|refused| {
                if self.is_encoded() { encoded() } else { untranslatable(refused) }
            })?;
        let (translation, _) = &understood;
        recorder.set_kind(&translation.kind);
        // No caller waits for this reply, so the message waits for the budget.
        let _permit = if translation.reply == Reply::Acknowledge {
            let max_wait = self.app.limits.body_budget_timeout;
            permit.leave_reserve(max_wait).await.ok_or(Fault::Overloaded)?
        } else {
            permit
        };
        let body = delivery.needs_body(translation).then_some(body);
        let reply = translation.reply.clone();
        let delivered = delivery.deliver(body, understood).await;
        response::answer(source, &reply, delivered, recorder)
    }

    /// Decodes the message to JSON. A body that is JSON already is not copied.
    fn decode(&self, source: &Source, body: Vec<u8>) -> Result<Vec<u8>, TranslateError> {
        let request = self.webhook(Some(&body), self.app.store.clock().now());
        match source.provider.adapter().decode(&request)? {
            Cow::Borrowed(same) if same.len() == body.len() => Ok(body),
            other => Ok(other.into_owned()),
        }
    }

    /// Fallback when the source cannot be looked up: tool calls are answered "nothing was done".
    /// This reveals nothing, so it needs no authentication.
    ///
    /// # Errors
    /// `failed`, if the message needs no response for a waiting caller, or the body cannot be read.
    pub(super) async fn fallback_response(
        &self,
        source_id: SourceId,
        body: Body,
        failed: ApiError,
    ) -> Result<Response, ApiError> {
        let content_length = body::announced_length(self.headers).unwrap_or(SMALL_BODY);
        let sender = Sender { tenant_id: TenantId::INSTALLATION, source_id };
        let read = match self
            .app
            .body_budgets
            .of(false)
            .try_acquire(sender, Some(content_length), SMALL_BODY)
            .await
        {
            Some(permit) if content_length <= SMALL_BODY => {
                body::read_body(body, permit.max_body, RESERVED_TIMEOUT).await
            }
            _ => {
                body::discard(body, &self.app.limits).await;
                return Err(failed);
            }
        };
        let body = read?;
        let adapters = Provider::ALL.iter().map(|provider| provider.adapter());
        let mut replies = adapters
            .filter_map(|adapter| Some((adapter, adapter.translate(&body, None).ok()?.reply)));
        let find = || replies.find(|(_, reply)| *reply != Reply::Acknowledge);
        match compute(body.len(), find).await {
            Some((adapter, reply)) => {
                let told = (Told::Failed(&[]), [].as_slice());
                Ok(response::provider_response(adapter, &reply, SourceReply::default(), told))
            }
            None => Err(failed),
        }
    }

    /// Reads the body. Returns it with its memory permit, which is held while the message is
    /// processed.
    async fn read(
        &self,
        body: Body,
        sender: Sender,
        is_authenticated: bool,
    ) -> Result<(BodyPermit, Vec<u8>), ApiError> {
        let limits = &self.app.limits;
        let content_length = body::announced_length(self.headers);
        let acquired = match content_length {
            Some(bytes) if bytes > limits.max_body => Err(body::too_large(limits.max_body)),
            _ => {
                let permit = self
                    .app
                    .body_budgets
                    .of(is_authenticated)
                    .try_acquire(sender, content_length, limits.max_body)
                    .await;
                permit.ok_or_else(|| Fault::Overloaded.into())
            }
        };
        let permit = match acquired {
            Ok(permit) => permit,
            Err(refused) => {
                body::discard(body, limits).await;
                return Err(refused);
            }
        };
        let max_wait = if permit.is_reserved() { RESERVED_TIMEOUT } else { limits.body_timeout };
        match body::read_body(body, permit.max_body, max_wait).await {
            Ok(body) => Ok((permit, body)),
            // The body is within the general limit and only exceeds the reserve's, so the sender
            // should retry.
            Err(refused)
                if permit.is_reserved() && refused.status == StatusCode::PAYLOAD_TOO_LARGE =>
            {
                Err(Fault::Overloaded.into())
            }
            Err(refused) => Err(refused),
        }
    }

    /// Exempts the connection from the share of its address.
    fn prove_connection(&self) {
        if let Some(connection) = &self.connection {
            connection.prove();
        }
    }

    /// Returns whether a header declares the body as compressed. Some proxies decompress the body
    /// and keep the header, so this is checked only if a body cannot be parsed.
    fn is_encoded(&self) -> bool {
        let encodings = self.headers.get_all(header::CONTENT_ENCODING).iter();
        encodings.into_iter().any(|encoding| encoding != "identity")
    }

    /// Returns the request for the adapter.
    fn webhook<'b>(&'b self, body: Option<&'b [u8]>, now: DateTime<Utc>) -> WebhookRequest<'b> {
        WebhookRequest {
            method: self.method.as_str(),
            url: &self.url,
            headers: &self.texts,
            body,
            now_unix: now.timestamp(),
        }
    }

    /// Verifies the sender's secret against the headers and, if read, the body.
    async fn verify_sender(
        &self,
        source: &Source,
        body: Option<&[u8]>,
    ) -> Result<(), VerificationError> {
        let now = self.app.store.clock().now();
        let proof = self.webhook(body, now);
        let verify_sender = |secret: &str| match &source.signature {
            Some(scheme) => scheme.verify(secret, &proof),
            None => source.provider.adapter().verify(secret, &proof),
        };
        let verify_all = || {
            let mut verified = Err(VerificationError::Missing);
            // During a rotation there are two secrets. A missing signature is missing for both.
            for secret in source.secrets(now) {
                verified = verify_sender(secret);
                if verified != Err(VerificationError::Invalid) {
                    break;
                }
            }
            verified
        };
        let verify = || stage::run(Stage::Verify, verify_all);
        compute(body.map_or(0, <[u8]>::len), verify).await
    }

    /// Returns the 401 response and records an access event for the source's tenant.
    async fn refuse_proof(&self, source: &Source, unproven: VerificationError) -> ApiError {
        let denied = AccessDenied {
            action: "ingest".into(),
            reason: unproven.code().into(),
            source_id: Some(source.source_id.0),
            key_id: None,
            suppressed: 0,
        };
        let Self { app, request_id, .. } = self;
        app.denials.record(&app.store, source.tenant_id, *request_id, denied).await;
        let detail = format!("{unproven}; send the secret this source was created with");
        ApiError::new(StatusCode::UNAUTHORIZED, unproven.code(), detail)
    }
}

/// The answer to a body that is no message of the provider.
fn untranslatable(refused: TranslateError) -> ApiError {
    DeliveryError::from(refused).into()
}

/// Returns the 415 response. Compressed bodies are not accepted: a few bytes can expand to any
/// size, and no voice platform compresses.
fn encoded() -> ApiError {
    let detail = "the body is compressed (content-encoding), and no compression is taken here";
    ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported-content-encoding", detail)
}
