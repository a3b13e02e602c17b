//! `POST /ingest/{source_id}`: believe, understand, record, answer. The answer comes after the commit.
//!
//! One webhook is one atomic append. Whatever a provider sends again gets the answer it got first.

mod answer;
mod arrival;
mod body;
mod counts;
mod replay;
mod room;

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use ledger_core::envelope::Draft;
use ledger_core::event::Event;
use ledger_core::ids::{SourceId, TenantId};
use ledger_core::provider::{Refused, Reply, Translation};
use ledger_store::Store;
use ledger_store::append::Appended;
use ledger_store::appender::AppendError;
use ledger_store::compute::compute;
use ledger_store::counts::Outcome;
use ledger_store::quarantine::ContentName;
use ledger_store::record::{Origin, RecordError};
use ledger_store::source::Source;
use ledger_store::stage::{self, Stage};
use ledger_store::vault::VaultError;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::api::PathId;
use crate::app::{App, RequestId};
use crate::connections::Place;
use crate::problem::{ApiError, Problem, without_keys};

use self::arrival::Arrival;
use self::counts::Visit;

pub use answer::NOT_CONFIGURED;
pub(crate) use body::read as read_body;
pub use counts::{Counts, hour_of};
pub use replay::{Claims, Replay, claims, replay};
pub use room::Rooms;

/// A platform waits about this long for an acknowledgement.
const ACKNOWLEDGE_PATIENCE: Duration = Duration::from_secs(20);
/// An assistant request is answered within a second whatever the ledger does: the platform hangs up
/// after 7.5 seconds end to end.
const ASSISTANT_PATIENCE: Duration = Duration::from_millis(800);
/// Why a message waits in quarantine: no tenant claims an id in it, or several do.
const NO_SINGLE_ROUTE: &str = "no-single-route";
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
    post, path = "/ingest/{source_id}", operation_id = "receive_webhook", tag = "ingest",
    params(("source_id" = String, Path, description = "The webhook source")),
    request_body(content = Object, content_type = "application/json", description = "The platform's message"),
    responses(
        (status = 200, body = Object, description = "Recorded, known, ignored, or the platform's own answer"),
        (status = 202, body = Object, description = "Quarantined: the tenant could not be told"),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json", description = "The tenant takes no events any more"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 408, body = Problem, content_type = "application/problem+json"),
        (status = 413, body = Problem, content_type = "application/problem+json"),
        (status = 415, body = Problem, content_type = "application/problem+json", description = "The body is compressed"),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    ),
)]
async fn handler(
    State(app): State<App>,
    Extension(RequestId(request_id)): Extension<RequestId>,
    connection: Option<Extension<Arc<Place>>>,
    PathId(source_id): PathId,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let unknown = || ApiError::not_found("source-not-found", "webhook source");
    let source_id = SourceId(source_id.ok_or_else(unknown)?);
    let connection = connection.map(|Extension(place)| place);
    let arrival = Arrival::new(&app, request_id, connection, &headers);
    match arrival.find_source(source_id).await {
        Ok(Some(source)) => arrival.take(&source, body).await,
        Ok(None) => Err(unknown()),
        Err(failed) => arrival.apologise(source_id, body, failed).await,
    }
}

fn overloaded() -> ApiError {
    ApiError::unavailable("overloaded", "too much is waiting; try again in a moment")
}

fn unavailable() -> ApiError {
    ApiError::unavailable("unavailable", "the ledger cannot answer now; try again")
}

/// What became of a believed webhook.
enum Taken {
    /// It is in the log.
    Recorded(Appended),
    /// Telemetry that the report repeats.
    Ignored,
    /// Whose it is cannot be told.
    Quarantined,
}

impl Taken {
    /// As it is counted.
    fn outcome(&self) -> Outcome {
        match self {
            Self::Recorded(appended) if appended.duplicate => Outcome::Duplicate,
            Self::Recorded(_) => Outcome::Recorded,
            Self::Ignored => Outcome::Ignored,
            Self::Quarantined => Outcome::Quarantined,
        }
    }

    /// The word for answers.
    fn word(&self) -> &'static str {
        self.outcome().as_str()
    }
}

/// One believed webhook on its way to the log.
struct Delivery<'a> {
    store: &'a Store,
    source: &'a Source,
    request_id: Uuid,
}

impl Delivery<'_> {
    /// What a body says, and what names its content. The canonical text is as long as the body and
    /// serves nothing else, so it is dropped here.
    async fn translate(
        &self,
        body: &[u8],
        country: Option<&str>,
    ) -> Result<(Translation, ContentName), ApiError> {
        let adapter = self.source.provider.adapter();
        let translate = || {
            let mut translation = adapter.translate(body, country)?;
            let content = name_content(&std::mem::take(&mut translation.canonical));
            Ok::<_, Refused>((translation, content))
        };
        let translated = compute(body.len(), || stage::run(Stage::Translate, translate)).await;
        translated.map_err(|refused| {
            let code = match refused {
                Refused::NotUtf8 { .. } => "body-not-utf8",
                Refused::NotJson { .. } => "body-not-json",
                Refused::TooDeep { .. } => "body-too-deep",
                Refused::TooMany { .. } => "body-too-many-values",
                Refused::WrongShape(_) => "body-wrong-shape",
            };
            ApiError::new(StatusCode::BAD_REQUEST, code, refused.to_string())
        })
    }

    /// Whose message it is: the source's tenant, or the one tenant that claims an id in it.
    async fn tenant_of(&self, translation: &Translation) -> Result<Option<TenantId>, ApiError> {
        if self.source.tenant_id != TenantId::INSTALLATION {
            return Ok(Some(self.source.tenant_id));
        }
        let claims = self.store.find_routes(self.source.source_id, &translation.routing).await?;
        Ok(match claims.as_slice() {
            [only] => Some(*only),
            _ => None,
        })
    }

    /// Takes the message and answers it: in time, and once the proof is good always 200 to those who
    /// ignore anything else.
    async fn answer(
        &self,
        body: Option<Vec<u8>>,
        (translation, content): (Translation, ContentName),
        visit: &mut Visit<'_>,
    ) -> Result<Response, ApiError> {
        let reply = translation.reply.clone();
        let patience = match reply {
            Reply::Assistant => ASSISTANT_PATIENCE,
            Reply::Acknowledge => ACKNOWLEDGE_PATIENCE,
            _ => TOOL_PATIENCE,
        };
        let take = self.take(body, translation, content);
        let taken = tokio::time::timeout(patience, take).await;
        let taken = taken.unwrap_or_else(|_| {
            tracing::warn!("ingest.timed_out");
            Err(unavailable())
        });
        visit.became(&taken);
        if reply == Reply::Acknowledge {
            return taken.map(|taken| answer::acknowledge(&taken));
        }
        Ok(answer::spoken(&reply, self.source.assistant_id.as_deref(), taken.ok().as_ref()))
    }

    /// Whether a body is read once more when its tenant is known: as that tenant's country means numbers.
    fn needs_body(&self, translation: &Translation) -> bool {
        self.source.tenant_id == TenantId::INSTALLATION && translation.wants_country
    }

    async fn take(
        &self,
        body: Option<Vec<u8>>,
        mut translation: Translation,
        content: ContentName,
    ) -> Result<Taken, ApiError> {
        if translation.is_telemetry && !self.source.record_all {
            return Ok(Taken::Ignored);
        }
        let Some(tenant_id) = self.tenant_of(&translation).await? else {
            return self.quarantine(&translation, &content).await;
        };
        if let Some(body) = body {
            (translation, _) = self.translate_for(tenant_id, &body).await?;
        }
        answer::fill_tool_results(&mut translation.drafts, NOT_CONFIGURED);
        self.record(tenant_id, &content, translation.drafts).await.map(Taken::Recorded)
    }

    /// As a tenant of that country means its national numbers.
    async fn translate_for(
        &self,
        tenant_id: TenantId,
        body: &[u8],
    ) -> Result<(Translation, ContentName), ApiError> {
        let country = self.store.country(tenant_id).await?;
        self.translate(body, country.as_deref()).await
    }

    async fn record(
        &self,
        tenant_id: TenantId,
        content: &ContentName,
        drafts: Vec<Draft>,
    ) -> Result<Appended, ApiError> {
        let origin = Origin {
            tenant_id,
            provider: self.source.provider.as_str(),
            source_id: self.source.source_id,
            request_id: self.request_id,
        };
        self.store.record(&origin, content, drafts).await.map_err(refuse_record)
    }

    async fn quarantine(
        &self,
        translation: &Translation,
        content: &ContentName,
    ) -> Result<Taken, ApiError> {
        let body = translation.drafts.iter().find_map(|draft| draft.sections.raw.as_deref());
        let source_id = self.source.source_id;
        self.store
            .quarantine(source_id, NO_SINGLE_ROUTE, content, body.unwrap_or_default())
            .await?;
        Ok(Taken::Quarantined)
    }
}

/// What names the content of a message as it was sent. The quarantine can keep it without keeping
/// the provider secrets that were in the body, so that a message it gave to a tenant is known again
/// when the platform repeats it.
fn name_content(canonical: &[u8]) -> ContentName {
    digest(&SHA256, canonical).as_ref().try_into().expect("SHA-256 is 32 bytes")
}

fn refuse_record(error: RecordError) -> ApiError {
    match error {
        RecordError::Append(AppendError::Refused { reason }) if reason == "tenant_not_active" => {
            ApiError::tenant_not_active()
        }
        RecordError::Append(AppendError::Overloaded)
        | RecordError::Vault(VaultError::Overloaded) => overloaded(),
        RecordError::Append(error) if !error.is_unavailable() => ApiError::internal(&error),
        // An operator can mend this from a backup; until then the sender keeps what it has.
        RecordError::Vault(error @ VaultError::Corrupt { .. }) => {
            tracing::error!(error = %error, "ingest.key_corrupt");
            ApiError::unavailable("key-corrupt", "this person's key is damaged; try again later")
        }
        RecordError::Keyring(error) => without_keys(&error),
        RecordError::Vault(VaultError::Keyring(error)) => without_keys(&error),
        error => {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            tracing::warn!(error = %error, cause, "ingest.unavailable");
            unavailable()
        }
    }
}

/// The tool calls among drafts.
fn is_tool_call(draft: &Draft) -> bool {
    matches!(draft.event, Event::CallToolCalled(_))
}
