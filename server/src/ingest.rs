//! `POST /ingest/{source_id}`: believe, understand, record, answer. The answer comes after the commit.
//!
//! One webhook is one atomic append. Whatever a provider sends again gets the answer it got first.

mod answer;

use std::time::Duration;

use axum::Extension;
use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use ledger_core::envelope::Draft;
use ledger_core::event::{AccessDenied, Event};
use ledger_core::ids::{SourceId, TenantId};
use ledger_core::provider::{Proof, Refused, Reply, Translation, Unproven};
use ledger_store::append::Appended;
use ledger_store::appender::AppendError;
use ledger_store::record::{Origin, RecordError};
use ledger_store::source::Source;
use serde_json::json;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::api::PathId;
use crate::app::{App, RequestId};
use crate::problem::{ApiError, Problem};

pub use answer::NOT_CONFIGURED;

/// A sender that takes longer than this for its body is cut off.
const BODY_PATIENCE: Duration = Duration::from_secs(20);
/// An assistant request is answered within a second whatever the ledger does: the platform hangs up
/// after 7.5 seconds end to end.
const ASSISTANT_PATIENCE: Duration = Duration::from_millis(800);
/// A voice waits: tool calls are answered in time whatever the ledger does.
const TOOL_PATIENCE: Duration = Duration::from_secs(5);

/// The route.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(handler))
}

/// Takes a webhook of a voice platform.
///
/// Informational messages answer `{"status":"recorded","position":n}`, the same body again
/// `{"status":"duplicate","position":n}`, telemetry `{"status":"ignored"}`; tool calls answer in the
/// platform's own shape. A message whose tenant cannot be told answers 202 `quarantined`.
#[utoipa::path(
    post, path = "/ingest/{source_id}", tag = "ingest",
    params(("source_id" = String, Path, description = "The webhook source")),
    request_body(content = String, content_type = "application/json", description = "The platform's message"),
    responses(
        (status = 200, description = "Recorded, known, ignored, or the platform's own answer"),
        (status = 202, description = "Quarantined: the tenant could not be told"),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 408, body = Problem, content_type = "application/problem+json"),
        (status = 413, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    ),
)]
async fn handler(
    State(app): State<App>,
    Extension(RequestId(request_id)): Extension<RequestId>,
    PathId(source_id): PathId,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let unknown = || ApiError::not_found("source-not-found", "webhook source");
    let source_id = source_id.ok_or_else(unknown)?;
    let source = app.store.find_source(SourceId(source_id)).await?.ok_or_else(unknown)?;
    let body = read_body(body, app.max_body).await?;
    believe(&app, &source, request_id, &headers, &body).await?;

    let delivery = Delivery { app: &app, source: &source, request_id };
    let country = app.store.country(source.tenant_id).await.unwrap_or(None);
    let translation = delivery.translate(&body, country.as_deref())?;
    let Some(tenant_id) = delivery.tenant_of(&translation).await? else {
        return delivery.quarantine(&translation).await;
    };
    let translation = if source.tenant_id == tenant_id {
        translation
    } else {
        let country = app.store.country(tenant_id).await?;
        delivery.translate(&body, country.as_deref())?
    };
    delivery.answer(tenant_id, translation).await
}

async fn read_body(body: Body, limit: usize) -> Result<Vec<u8>, ApiError> {
    let read = tokio::time::timeout(BODY_PATIENCE, to_bytes(body, limit)).await.map_err(|_| {
        let detail = "the body did not arrive in time";
        ApiError::new(StatusCode::REQUEST_TIMEOUT, "body-too-slow", detail)
    })?;
    read.map(Vec::from).map_err(|error| {
        use std::error::Error;
        let is_too_large =
            error.source().is_some_and(|source| source.to_string().contains("length limit"));
        if is_too_large {
            let detail = format!("the body is larger than {limit} bytes");
            return ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "body-too-large", detail);
        }
        ApiError::new(StatusCode::BAD_REQUEST, "body-broken", "the body broke off")
    })
}

/// Checks the proof; a wrong one is audited with the source's tenant.
async fn believe(
    app: &App,
    source: &Source,
    request_id: Uuid,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<(), ApiError> {
    let headers: Vec<(String, String)> = headers
        .iter()
        .filter_map(|(name, value)| {
            Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
        })
        .collect();
    let proof = Proof { headers: &headers, body, now_unix: app.store.clock().now().timestamp() };
    let Err(unproven) = source.provider.adapter().verify(&source.secret, &proof) else {
        return Ok(());
    };
    let denied = AccessDenied {
        action: "ingest".into(),
        reason: unproven.code().into(),
        source_id: Some(source.source_id.0),
        key_id: None,
        suppressed: 0,
    };
    if source.tenant_id != TenantId::INSTALLATION {
        app.denials.record(app, source.tenant_id, request_id, denied).await;
    }
    Err(refuse_proof(unproven))
}

fn refuse_proof(unproven: Unproven) -> ApiError {
    let detail = format!("{unproven}; send the secret this source was created with");
    ApiError::new(StatusCode::UNAUTHORIZED, unproven.code(), detail)
}

/// One believed webhook on its way to the log.
struct Delivery<'a> {
    app: &'a App,
    source: &'a Source,
    request_id: Uuid,
}

impl Delivery<'_> {
    fn translate(&self, body: &[u8], country: Option<&str>) -> Result<Translation, ApiError> {
        self.source.provider.adapter().translate(body, country).map_err(|refused| {
            let code = match refused {
                Refused::NotUtf8 { .. } => "body-not-utf8",
                Refused::NotJson { .. } => "body-not-json",
                Refused::TooDeep { .. } => "body-too-deep",
                Refused::WrongShape(_) => "body-wrong-shape",
            };
            self.count("unreadable", "refused");
            ApiError::new(StatusCode::BAD_REQUEST, code, refused.to_string())
        })
    }

    /// Whose message it is: the source's tenant, or the one tenant that claims an id in it.
    async fn tenant_of(&self, translation: &Translation) -> Result<Option<TenantId>, ApiError> {
        if self.source.tenant_id != TenantId::INSTALLATION {
            return Ok(Some(self.source.tenant_id));
        }
        let claims =
            self.app.store.find_routes(self.source.source_id, &translation.routing).await?;
        Ok(match claims.as_slice() {
            [only] => Some(*only),
            _ => None,
        })
    }

    async fn quarantine(&self, translation: &Translation) -> Result<Response, ApiError> {
        let body = translation.drafts.iter().find_map(|draft| draft.sections.raw.as_deref());
        self.app
            .store
            .quarantine(
                self.source.source_id,
                "no-single-route",
                &translation.canonical,
                body.unwrap_or_default(),
            )
            .await?;
        self.count(&translation.kind, "quarantined");
        Ok(answer::json(StatusCode::ACCEPTED, &json!({ "status": "quarantined" })))
    }

    async fn answer(
        &self,
        tenant_id: TenantId,
        mut translation: Translation,
    ) -> Result<Response, ApiError> {
        if translation.is_telemetry && !self.source.record_all {
            self.count(&translation.kind, "ignored");
            return Ok(answer::json(StatusCode::OK, &json!({ "status": "ignored" })));
        }
        answer::fill_tool_results(&mut translation.drafts);
        let recorded = self.record(tenant_id, &translation).await;
        let outcome = match &recorded {
            Ok(appended) if appended.duplicate => "duplicate",
            Ok(_) => "recorded",
            Err(_) => "failed",
        };
        self.count(&translation.kind, outcome);
        match translation.reply {
            Reply::Acknowledge => recorded.map(|appended| answer::acknowledge(&appended)),
            reply => Ok(answer::spoken(&reply, recorded.as_ref().ok())),
        }
    }

    /// Records in the time the sender's voice can wait.
    async fn record(
        &self,
        tenant_id: TenantId,
        translation: &Translation,
    ) -> Result<Appended, ApiError> {
        let origin = Origin {
            tenant_id,
            provider: self.source.provider.as_str(),
            source_id: self.source.source_id,
            request_id: self.request_id,
        };
        let patience = match translation.reply {
            Reply::Assistant => ASSISTANT_PATIENCE,
            Reply::Acknowledge => BODY_PATIENCE,
            _ => TOOL_PATIENCE,
        };
        let recording = self.app.store.record(&origin, &translation.canonical, &translation.drafts);
        match tokio::time::timeout(patience, recording).await {
            Ok(recorded) => recorded.map_err(refuse_record),
            Err(_) => {
                tracing::warn!("ingest.record_timed_out");
                Err(ApiError::unavailable("unavailable", "the ledger cannot answer now; try again"))
            }
        }
    }

    /// Types are open text, so only known ones become labels.
    fn count(&self, kind: &str, outcome: &'static str) {
        let kind = answer::KNOWN_KINDS.iter().find(|known| **known == kind).unwrap_or(&"other");
        metrics::counter!(
            "ledger_webhooks_total",
            "provider" => self.source.provider.as_str(), "kind" => *kind, "outcome" => outcome
        )
        .increment(1);
    }
}

fn refuse_record(error: RecordError) -> ApiError {
    match error {
        RecordError::Append(AppendError::Refused { reason }) if reason == "tenant_not_active" => {
            let detail = "this tenant takes no events any more";
            ApiError::new(StatusCode::FORBIDDEN, "tenant-not-active", detail)
        }
        RecordError::Append(AppendError::Overloaded) => {
            ApiError::unavailable("overloaded", "too much is waiting; try again in a moment")
        }
        RecordError::Append(error) if !error.is_unavailable() => ApiError::internal(&error),
        RecordError::Keyring(error) => {
            tracing::error!(error = %error, "ingest.keyring");
            ApiError::unavailable("keyring-unavailable", "the keys are not available; try again")
        }
        error => {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            tracing::warn!(error = %error, cause, "ingest.unavailable");
            ApiError::unavailable("unavailable", "the ledger cannot answer now; try again")
        }
    }
}

/// The tool calls among drafts.
fn is_tool_call(draft: &Draft) -> bool {
    matches!(draft.event, Event::CallToolCalled(_))
}
