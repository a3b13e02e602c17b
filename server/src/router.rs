//! The route table and the middleware layers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request};
use axum::http::{HeaderName, HeaderValue, Method, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use tower::ServiceExt;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::CorsLayer;
use tracing::field::Empty;
use tracing::{Instrument, Span};
use utoipa_axum::router::OpenApiRouter;
use utoipa_swagger_ui::SwaggerUi;
use uuid::Uuid;

use crate::app::{App, RequestId};
use crate::connections::Unread;
use crate::problem::{self, ApiError};
use crate::{api, contract, headers, idempotency, ingest, ops};

/// Lifetime of a CORS preflight answer in the browser's cache.
const CORS_LIFETIME: Duration = Duration::from_mins(10);
/// Labels used in place of a route pattern: for a path without a route, a CORS preflight request,
/// and a head that cannot be parsed.
const UNMATCHED: &str = "unmatched";
const PREFLIGHT: &str = "preflight";
const UNREAD: &str = "unread";

/// Returns every route, and the OpenAPI document generated from them.
pub fn router_and_openapi() -> (Router<App>, utoipa::openapi::OpenApi) {
    let (routes, document) = OpenApiRouter::with_openapi(contract::declared())
        .merge(ingest::routes())
        .merge(api::routes().into_router())
        .merge(ops::routes())
        .split_for_parts();
    (routes, contract::completed(document))
}

/// Address of probes and metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operations {
    /// On the same address as the API.
    SameAddress,
    /// On a separate address; the API address then serves only `/healthz`.
    SeparateAddress,
}

/// The routes of the API address, with their OpenAPI document.
fn routes_for(operations: Operations) -> (Router<App>, utoipa::openapi::OpenApi) {
    match operations {
        Operations::SameAddress => router_and_openapi(),
        Operations::SeparateAddress => {
            let (routes, document) = OpenApiRouter::with_openapi(contract::declared())
                .merge(ingest::routes())
                .merge(api::routes().into_router())
                .merge(ops::public_routes())
                .split_for_parts();
            (routes, contract::completed(document))
        }
    }
}

/// Builds the service: routes, documentation, and middleware layers. `cors_origins` may call it from a
/// browser.
pub fn router(app: App, operations: Operations, cors_origins: &[HeaderValue]) -> Router {
    let (routes, document) = routes_for(operations);
    let inner: Router = routes
        .merge(SwaggerUi::new("/docs").url("/openapi.json", document))
        .fallback(|| async { ApiError::not_found("route-not-found", "route") })
        .method_not_allowed_fallback(|| async {
            let status = axum::http::StatusCode::METHOD_NOT_ALLOWED;
            ApiError::new(status, "method-not-allowed", "this route does not take this method")
        })
        .layer(from_fn_with_state(app.clone(), idempotency::layer))
        .layer(DefaultBodyLimit::max(app.limits.max_body))
        .layer(CatchPanicLayer::custom(|_: Box<dyn std::any::Any + Send>| {
            ApiError::internal(&"a handler panicked").into_response()
        }))
        .layer(from_fn_with_state(app.clone(), answer))
        .with_state(app.clone());
    let service = Router::new().fallback_service(inner.map_request(trim_trailing_slash));
    let service = if cors_origins.is_empty() { service } else { service.layer(cors(cors_origins)) };
    service.layer(from_fn_with_state(app, request_middleware))
}

/// CORS layer for the configured origins. Their pages may call with an API key and read the listed answer
/// headers; cookies are not involved.
fn cors(origins: &[HeaderValue]) -> CorsLayer {
    let named = HeaderName::from_static;
    CorsLayer::new()
        .allow_origin(origins.to_vec())
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
        .allow_headers([
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            named("idempotency-key"),
            named("last-event-id"),
        ])
        .expose_headers([
            header::RETRY_AFTER,
            header::WWW_AUTHENTICATE,
            named("idempotent-replayed"),
            named("ledger-position"),
            named("x-request-id"),
        ])
        .max_age(CORS_LIFETIME)
}

/// Routes of the separate operations address: probes and metrics.
pub fn operations_router(app: App) -> Router {
    let (routes, _) = OpenApiRouter::new().merge(ops::routes()).split_for_parts();
    routes
        .fallback(|| async { ApiError::not_found("route-not-found", "route") })
        .layer(from_fn_with_state(app.clone(), answer))
        .layer(from_fn_with_state(app.clone(), request_middleware))
        .with_state(app)
}

/// Removes slashes at the end of the path, so that `/v1/calls/` is the route `/v1/calls`. `/docs/` is exempt
/// because the links of its page are relative to the slash.
fn trim_trailing_slash(mut request: Request) -> Request {
    let path = request.uri().path();
    let trimmed = path.trim_end_matches('/');
    if trimmed.len() == path.len() || trimmed.is_empty() || path.starts_with("/docs/") {
        return request;
    }
    let target = match request.uri().query() {
        Some(query) => format!("{trimmed}?{query}"),
        None => trimmed.to_owned(),
    };
    if let Ok(target) = target.parse() {
        *request.uri_mut() = target;
    }
    request
}

/// Routes for connections above the limit: the probes, and a 503 `too-many-connections` with
/// `Retry-After` for every other path.
pub fn overflow_router(app: App, operations: Operations) -> Router {
    let probes = match operations {
        Operations::SameAddress => ops::routes(),
        Operations::SeparateAddress => ops::public_routes(),
    };
    let (probes, _) = OpenApiRouter::new().merge(probes).split_for_parts();
    probes
        .fallback(|| async {
            let detail = "too many connections are open; try again in a moment";
            let refused = ApiError::unavailable("too-many-connections", detail);
            ([(header::CONNECTION, "close")], refused)
        })
        .layer(from_fn_with_state(app.clone(), answer))
        .layer(from_fn_with_state(app.clone(), request_middleware))
        .with_state(app)
}

/// Maps the method to a fixed set of labels. An unknown method becomes `other`, since its name may be as long
/// as the request head.
fn method_label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        Method::CONNECT => "CONNECT",
        Method::TRACE => "TRACE",
        _ => "other",
    }
}

/// Pattern of the route that produced the response.
#[derive(Clone)]
struct Route(String);

/// Runs the route with the shutdown deadline, and completes problem documents.
async fn answer(
    axum::extract::State(app): axum::extract::State<App>,
    request: Request,
    next: Next,
) -> Response {
    // The pattern instead of the path, because a path may contain values that do not belong in a
    // log.
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or_else(|| UNMATCHED.to_owned(), |path| path.as_str().to_owned());
    Span::current().record("route", &route);
    let request_id = request.extensions().get::<RequestId>().map_or(Uuid::nil(), |id| id.0);
    let instance = request.uri().path().to_owned();
    let mut response = tokio::select! {
        biased;
        response = next.run(request) => response,
        refused = app.deadline() => refused.into_response(),
    };
    api::vapi::error::finish(&mut response, &instance);
    problem::finish(&mut response, &instance, &request_id.to_string());
    response.extensions_mut().insert(Route(route));
    response
}

/// Assigns the request id, measures the request, sets the common response headers, and logs one
/// line.
///
/// A response without a route is that of the CORS layer to a preflight request.
async fn request_middleware(
    axum::extract::State(app): axum::extract::State<App>,
    mut request: Request,
    next: Next,
) -> Response {
    let request_id = app.store.ids().ordered();
    request.extensions_mut().insert(RequestId(request_id));
    let method = method_label(request.method());
    let span = tracing::info_span!("http.request", %request_id, method, route = Empty);
    let started = Instant::now();
    let mut response = next.run(request).instrument(span.clone()).await;
    let route = response.extensions_mut().remove::<Route>();
    let route = route.map_or_else(|| PREFLIGHT.to_owned(), |Route(route)| route);
    complete(&mut response, request_id, route, started, &span);
    response
}

/// Returns the function that counts a request with an unparsable head and makes the headers of its
/// response. No route sees such a request.
pub(crate) fn unread(app: &App) -> Unread {
    let app = app.clone();
    Arc::new(move |status| {
        let request_id = app.store.ids().ordered();
        let span = tracing::info_span!("http.request", %request_id, route = UNREAD);
        let mut response = status.into_response();
        complete(&mut response, request_id, UNREAD.to_owned(), Instant::now(), &span);
        std::mem::take(response.headers_mut())
    })
}

/// Sets the common response headers, records the metric, and logs one line.
fn complete(
    response: &mut Response,
    request_id: Uuid,
    route: String,
    started: Instant,
    span: &Span,
) {
    headers::secure(response, &route);
    if let Ok(value) = HeaderValue::from_str(&request_id.to_string()) {
        response.headers_mut().insert("x-request-id", value);
    }
    let elapsed = started.elapsed();
    let status = response.status().as_u16();
    metrics::histogram!("ledger_http_request_seconds", "route" => route, "status" => status.to_string())
        .record(elapsed.as_secs_f64());
    span.in_scope(|| {
        let duration_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
        tracing::info!(status, duration_ms, "request.done");
    });
}
