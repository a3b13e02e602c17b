//! `POST` and `GET /ingest/{source_id}`: authenticate, translate, record, respond. The response follows the
//! commit.
//!
//! One webhook is one atomic append; of tool calls that the ledger answers, each is one. A repeated
//! delivery gets the response of the first one.

pub(crate) mod admission;
pub(crate) mod counts;
mod delivery;
pub(crate) mod follow_ups;
mod outcome;
mod refusal;
mod replay;
mod request;
mod response;
mod tools;

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use axum::response::Response;
use ledger_core::ids::SourceId;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use self::request::IngestRequest;
use self::response::{WebhookAnswer, WebhookQuarantined};
use crate::app::{App, RequestId};
use crate::connections::Place;
use crate::http::params::PathId;
use crate::problem::{ApiError, Problem};

pub use admission::BodyBudgets;
pub use counts::OutcomeCounter;
pub use follow_ups::FollowUps;
pub use replay::{Replay, ReplayError, RoutingCandidates, replay, routing_candidates};
pub use response::NOT_CONFIGURED;

/// Returns the ingest route with its OpenAPI description.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(post_handler, get_handler))
}

/// Receive a webhook of a voice platform.
///
/// Informational messages are answered with `{"status":"recorded","position":n}`, a repeated body
/// with `{"status":"duplicate","position":n}`, telemetry with `{"status":"ignored"}`. Tool calls
/// are answered in the platform's own format. A message without a unique tenant is answered with
/// 202 and `quarantined`.
#[utoipa::path(
    post, path = "/ingest/{source_id}", operation_id = "receive_webhook", tag = "ingest",
    params(("source_id" = String, Path, description = "The webhook source")),
    request_body(description = "The platform's message", content(
        (Object = "application/json"),
        (Object = "application/x-www-form-urlencoded"),
    )),
    responses(
        (status = 200, body = WebhookAnswer, description = "Recorded, known, ignored, or the platform's own answer"),
        (status = 202, body = WebhookQuarantined, description = "Quarantined: the tenant could not be told"),
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
async fn post_handler(
    State(app): State<App>,
    Extension(RequestId(request_id)): Extension<RequestId>,
    connection: Connection,
    source_id: PathId,
    request: Request,
) -> Result<Response, ApiError> {
    receive(app, request_id, connection, source_id, request).await
}

/// Receive a webhook in a URL.
///
/// The message is in the query, as some platforms send it if the callback is configured with the
/// method GET. It is answered as a message in a body.
#[utoipa::path(
    get, path = "/ingest/{source_id}", operation_id = "receive_webhook_query", tag = "ingest",
    params(("source_id" = String, Path, description = "The webhook source")),
    responses(
        (status = 200, body = WebhookAnswer, description = "Recorded, known, ignored, or the platform's own answer"),
        (status = 202, body = WebhookQuarantined, description = "Quarantined: the tenant could not be told"),
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
async fn get_handler(
    State(app): State<App>,
    Extension(RequestId(request_id)): Extension<RequestId>,
    connection: Connection,
    source_id: PathId,
    request: Request,
) -> Result<Response, ApiError> {
    // The router passes HEAD to handlers of GET.
    if request.method() != Method::GET {
        let detail = "this route does not take this method";
        return Err(ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", detail));
    }
    receive(app, request_id, connection, source_id, request).await
}

async fn receive(
    app: App,
    request_id: Uuid,
    connection: Connection,
    PathId(source_id): PathId,
    request: Request,
) -> Result<Response, ApiError> {
    let unknown = || ApiError::not_found("source-not-found", "webhook source");
    let source_id = SourceId(source_id.ok_or_else(unknown)?);
    let connection = connection.map(|Extension(place)| place);
    let (parts, body) = request.into_parts();
    let request = IngestRequest::new(&app, request_id, connection, &parts);
    match request.find_source(source_id).await {
        Ok(Some(source)) => request.handle(&source, body).await,
        Ok(None) => Err(unknown()),
        Err(failed) => request.fallback_response(source_id, body, failed).await,
    }
}

/// The connection of a request; absent in tests of the router alone.
type Connection = Option<Extension<Arc<Place>>>;
