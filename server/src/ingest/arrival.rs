//! Admission of a webhook: finds the source, reserves memory for the body and authenticates the
//! sender. Does not interpret the message.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use ledger_core::event::AccessDenied;
use ledger_core::ids::{SourceId, TenantId};
use ledger_core::provider::{Proof, Provider, Reply, Unproven};
use ledger_store::compute::compute;
use ledger_store::source::Source;
use ledger_store::stage::{self, Stage};
use tokio::time::timeout;
use uuid::Uuid;

use super::answer::Told;
use super::counts::Visit;
use super::room::{Place, SMALL, Sender};
use super::{Delivery, answer, body, overloaded, unavailable};
use crate::app::App;
use crate::connections;
use crate::problem::ApiError;

/// Timeout of the source lookup; a caller may be waiting on the line.
const SOURCE_PATIENCE: Duration = Duration::from_secs(2);
/// Timeout of a body in the reserve, which holds small bodies only.
const RESERVED_PATIENCE: Duration = Duration::from_secs(3);

/// Stands for the value of a header that is not visible ASCII: no secret, no signature and no time.
const NO_TEXT: &str = "\u{fffd}";

/// A request of which only the head was read.
pub(super) struct Arrival<'a> {
    app: &'a App,
    request_id: Uuid,
    /// On which it came.
    connection: Option<Arc<connections::Place>>,
    headers: &'a HeaderMap,
    /// As text, for proofs. What is no text is counted and proves nothing.
    texts: Vec<(String, String)>,
}

impl<'a> Arrival<'a> {
    pub(super) fn new(
        app: &'a App,
        request_id: Uuid,
        connection: Option<Arc<connections::Place>>,
        headers: &'a HeaderMap,
    ) -> Self {
        let text = |(name, value): (&axum::http::HeaderName, &axum::http::HeaderValue)| {
            (name.as_str().to_owned(), value.to_str().unwrap_or(NO_TEXT).to_owned())
        };
        let texts = headers.iter().map(text).collect();
        Self { app, request_id, connection, headers, texts }
    }

    /// Looks up the source, with a timeout.
    ///
    /// # Errors
    /// 503 if the lookup failed or timed out; the caller then continues with
    /// [`Arrival::apologise`].
    pub(super) async fn find_source(
        &self,
        source_id: SourceId,
    ) -> Result<Option<Source>, ApiError> {
        match timeout(SOURCE_PATIENCE, self.app.store.find_source(source_id)).await {
            Ok(found) => Ok(found?),
            Err(_) => {
                tracing::warn!("ingest.source_timed_out");
                Err(unavailable())
            }
        }
    }

    /// Reads the body within limits, authenticates the sender and processes the message.
    ///
    /// # Errors
    /// Every rejection of a webhook, as documented for the route.
    pub(super) async fn take(&self, source: &Source, body: Body) -> Result<Response, ApiError> {
        let mut visit = self.app.counts.visit(source, self.app.store.clock().now());
        let answered = self.receive(source, body, &mut visit).await;
        if let Err(refused) = &answered {
            visit.was_refused(refused);
        }
        answered
    }

    async fn receive(
        &self,
        source: &Source,
        body: Body,
        visit: &mut Visit<'_>,
    ) -> Result<Response, ApiError> {
        // A secret in a header is verified before the body is read, a signature only with the body.
        // A request that no body can authenticate takes no memory budget and no time.
        let is_proven = match self.judge(source, None).await {
            Ok(()) => true,
            Err(Unproven::Unread) => false,
            Err(unproven) => {
                body::discard(body, &self.app.limits).await;
                visit.is_unproven(unproven.code());
                return Err(self.refuse_proof(source, unproven).await);
            }
        };
        if is_proven {
            visit.is_proven();
            self.prove_connection();
        }
        let sender = Sender { tenant_id: source.tenant_id, source_id: source.source_id };
        let (place, body) = self.read(body, sender, is_proven).await?;
        if !is_proven && let Err(unproven) = self.judge(source, Some(&body)).await {
            visit.is_unproven(unproven.code());
            return Err(self.refuse_proof(source, unproven).await);
        }
        self.prove_connection();
        visit.is_read();
        let delivery = Delivery { store: &self.app.store, source, request_id: self.request_id };
        let understood = delivery
            .translate(&body, source.country.as_deref())
            .await
            .map_err(|refused| if self.is_encoded() { encoded() } else { refused })?;
        let (translation, _) = &understood;
        visit.is_of_kind(&translation.kind);
        if place.is_reserved && translation.reply == Reply::Acknowledge {
            return Err(overloaded());
        }
        let body = delivery.needs_body(translation).then_some(body);
        delivery.answer(body, understood, visit).await
    }

    /// Fallback when the source cannot be looked up: tool calls are answered "nothing was done".
    /// This reveals nothing, so it needs no authentication.
    ///
    /// # Errors
    /// `failed`, if the message needs no response for a waiting caller, or the body cannot be read.
    pub(super) async fn apologise(
        &self,
        source_id: SourceId,
        body: Body,
        failed: ApiError,
    ) -> Result<Response, ApiError> {
        let told = body::told_length(self.headers).unwrap_or(SMALL);
        let sender = Sender { tenant_id: TenantId::INSTALLATION, source_id };
        let read = match self.app.rooms.of(false).admit(sender, Some(told), SMALL).await {
            Some(place) if told <= SMALL => {
                body::read(body, place.max_body, RESERVED_PATIENCE).await
            }
            _ => {
                body::discard(body, &self.app.limits).await;
                return Err(failed);
            }
        };
        let body = read?;
        let adapters = Provider::ALL.iter().map(|provider| provider.adapter());
        let mut replies =
            adapters.filter_map(|adapter| Some(adapter.translate(&body, None).ok()?.reply));
        let find = || replies.find(|reply| *reply != Reply::Acknowledge);
        match compute(body.len(), find).await {
            Some(reply) => Ok(answer::spoken(&reply, None, Told::Failed(&[]))),
            None => Err(failed),
        }
    }

    /// Reads the body. Returns it with its memory permit, which is held while the message is
    /// processed.
    async fn read(
        &self,
        body: Body,
        sender: Sender,
        is_proven: bool,
    ) -> Result<(Place, Vec<u8>), ApiError> {
        let limits = &self.app.limits;
        let told = body::told_length(self.headers);
        let admitted = match told {
            Some(bytes) if bytes > limits.max_body => Err(body::too_large(limits.max_body)),
            _ => {
                let place = self.app.rooms.of(is_proven).admit(sender, told, limits.max_body).await;
                place.ok_or_else(overloaded)
            }
        };
        let place = match admitted {
            Ok(place) => place,
            Err(refused) => {
                body::discard(body, limits).await;
                return Err(refused);
            }
        };
        let patience = if place.is_reserved { RESERVED_PATIENCE } else { limits.body_patience };
        match body::read(body, place.max_body, patience).await {
            Ok(body) => Ok((place, body)),
            // The body is within the general limit and only exceeds the reserve's, so the sender
            // should retry.
            Err(refused)
                if place.is_reserved && refused.status == StatusCode::PAYLOAD_TOO_LARGE =>
            {
                Err(overloaded())
            }
            Err(refused) => Err(refused),
        }
    }

    /// The connection leaves the share of its address.
    fn prove_connection(&self) {
        if let Some(connection) = &self.connection {
            connection.prove();
        }
    }

    /// Whether the body is said to be compressed. Some proxies take it apart and leave the header, so
    /// this is only asked when a body cannot be read.
    fn is_encoded(&self) -> bool {
        let encodings = self.headers.get_all(header::CONTENT_ENCODING).iter();
        encodings.into_iter().any(|encoding| encoding != "identity")
    }

    /// Verifies the sender's secret against the headers and, if read, the body.
    async fn judge(&self, source: &Source, body: Option<&[u8]>) -> Result<(), Unproven> {
        let now = self.app.store.clock().now();
        let proof = Proof { headers: &self.texts, body, now_unix: now.timestamp() };
        let judge = |secret: &str| match &source.signature {
            Some(scheme) => scheme.verify(secret, &proof),
            None => source.provider.adapter().verify(secret, &proof),
        };
        let judge_all = || {
            let mut judged = Err(Unproven::Missing);
            // During a rotation there are two secrets. A missing signature is missing for both.
            for secret in source.secrets(now) {
                judged = judge(secret);
                if judged != Err(Unproven::Wrong) {
                    break;
                }
            }
            judged
        };
        let verify = || stage::run(Stage::Verify, judge_all);
        compute(body.map_or(0, <[u8]>::len), verify).await
    }

    /// Returns the 401 response and records an access event for the source's tenant.
    async fn refuse_proof(&self, source: &Source, unproven: Unproven) -> ApiError {
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

/// Returns the 415 response. Compressed bodies are not accepted: a few bytes can expand to any
/// size, and no voice platform compresses.
fn encoded() -> ApiError {
    let detail = "the body is compressed (content-encoding), and no compression is taken here";
    ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "body-encoded", detail)
}
