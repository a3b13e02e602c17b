//! What every handler shares, the routes, and the layers around them.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request};
use axum::http::{HeaderName, HeaderValue, Method, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use ledger_store::Store;
use ledger_store::tenants::ApiKey;
use metrics_exporter_prometheus::PrometheusHandle;
use projections::{Arrivals, Health};
use tokio::sync::watch;
use tower::ServiceExt;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::CorsLayer;
use tracing::field::Empty;
use tracing::{Instrument, Span};
use utoipa_axum::router::OpenApiRouter;
use utoipa_swagger_ui::SwaggerUi;
use uuid::Uuid;

use crate::auth::{Denials, Lookups, tenant_of_key};
use crate::connections::Unread;
use crate::ingest::{Counts, Rooms};
use crate::limits::Limits;
use crate::problem::{self, ApiError};
use crate::readers::Readers;
use crate::reading::Reading;
use crate::{api, contract, headers, ingest, ops};

/// How long a browser remembers what it may call.
const CORS_LIFETIME: Duration = Duration::from_mins(10);
/// In the place of a route: there is none, a browser asked whether it may call, a head could not be read.
const UNMATCHED: &str = "unmatched";
const PREFLIGHT: &str = "preflight";
const UNREAD: &str = "unread";

/// What handlers share. Cheap to clone.
#[derive(Clone)]
pub struct App {
    /// The log and the vault.
    pub store: Arc<Store>,
    /// What the engine of the read models last complained of.
    pub engine: Health,
    /// Refusals on their way to the log.
    pub denials: Arc<Denials>,
    /// Searches for people, counted by key.
    pub lookups: Arc<Lookups>,
    /// Webhooks on their way to the figures of their sources.
    pub counts: Arc<Counts>,
    /// What `/metrics` renders.
    pub metrics: PrometheusHandle,
    /// What one sender, and all of them, may take.
    pub limits: Limits,
    /// Where the bodies of webhooks under way find room.
    pub rooms: Rooms,
    /// What each tenant may read at once.
    pub readers: Readers,
    /// Room for what is read.
    pub reading: Reading,
    /// Where readers wait for a read model.
    pub arrivals: Arrivals,
    /// The data directory, for its disk's figures; `None` when the database is elsewhere.
    pub data_dir: Option<Arc<Path>>,
    /// When requests under way have had their time, because the server is told to stop.
    pub closing: Closing,
}

/// Turns true when what is still under way shall be answered 503. A dropped sender never does.
pub type Closing = watch::Receiver<bool>;

/// Our name for a request, in its span, its answer and what it appends.
#[derive(Debug, Clone, Copy)]
pub struct RequestId(pub Uuid);

impl App {
    /// The application over a store.
    #[must_use]
    pub fn new(
        store: Arc<Store>,
        metrics: PrometheusHandle,
        limits: Limits,
        closing: Closing,
    ) -> Self {
        let counts = Arc::new(Counts::new(store.ids().random()));
        let readers = Readers::new(store.app().options().get_max_connections());
        let arrivals = Arrivals::start(&store);
        Self {
            store,
            engine: Health::default(),
            denials: Arc::default(),
            lookups: Arc::new(Lookups::new(limits.lookups)),
            counts,
            metrics,
            limits,
            rooms: Rooms::new(&limits),
            readers,
            reading: Reading::default(),
            arrivals,
            data_dir: None,
            closing,
        }
    }

    /// The valid key of this text; `None` when there is none.
    ///
    /// # Errors
    /// 503 when the database does not answer.
    pub async fn find_key(&self, key: &str) -> Result<Option<ApiKey>, ApiError> {
        let Some(tenant_id) = tenant_of_key(key) else { return Ok(None) };
        Ok(self.store.find_api_key(tenant_id, key).await?)
    }

    /// Resolves when a request has had all the time there is for one. What it had begun may still
    /// be done: whoever asked has to ask again.
    async fn out_of_time(&self) -> ApiError {
        let mut closing = self.closing.clone();
        let closed = async {
            if closing.wait_for(|closing| *closing).await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            () = tokio::time::sleep(self.limits.request_patience) => {
                tracing::warn!("request.timed_out");
                ApiError::unavailable("unavailable", "the ledger cannot answer now; try again")
            }
            () = closed => ApiError::unavailable("stopping", "this server stops; try again"),
        }
    }
}

/// Every route with the OpenAPI document made from them.
pub fn documented() -> (Router<App>, utoipa::openapi::OpenApi) {
    let (routes, document) = OpenApiRouter::with_openapi(contract::declared())
        .merge(ingest::routes())
        .merge(api::routes())
        .merge(ops::routes())
        .split_for_parts();
    (routes, contract::completed(document))
}

/// Where probes and metrics are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operations {
    /// Beside the API.
    Here,
    /// At an address of their own: here only whether the process lives.
    Apart,
}

/// The routes that are served here, with their document.
fn served(operations: Operations) -> (Router<App>, utoipa::openapi::OpenApi) {
    match operations {
        Operations::Here => documented(),
        Operations::Apart => {
            let (routes, document) = OpenApiRouter::with_openapi(contract::declared())
                .merge(ingest::routes())
                .merge(api::routes())
                .merge(ops::public_routes())
                .split_for_parts();
            (routes, contract::completed(document))
        }
    }
}

/// The service: routes, documentation, and the layers around them. Pages of `cors_origins` may read it.
pub fn router(app: App, operations: Operations, cors_origins: &[HeaderValue]) -> Router {
    let (routes, document) = served(operations);
    let inner: Router = routes
        .merge(SwaggerUi::new("/docs").url("/openapi.json", document))
        .fallback(|| async { ApiError::not_found("route-not-found", "route") })
        .method_not_allowed_fallback(|| async {
            let status = axum::http::StatusCode::METHOD_NOT_ALLOWED;
            ApiError::new(status, "method-not-allowed", "this route does not take this method")
        })
        .layer(DefaultBodyLimit::max(app.limits.max_body))
        .layer(CatchPanicLayer::custom(|_: Box<dyn std::any::Any + Send>| {
            ApiError::internal(&"a handler panicked").into_response()
        }))
        .layer(from_fn_with_state(app.clone(), answer))
        .with_state(app.clone());
    let service = Router::new().fallback_service(inner.map_request(on_its_route));
    let service = if cors_origins.is_empty() { service } else { service.layer(cors(cors_origins)) };
    service.layer(from_fn_with_state(app, around))
}

/// Answers browsers of other origins: these may call with a key and read what answers say in headers.
/// No cookies are involved.
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

/// What is served at the address of operations.
pub fn router_of_operations(app: App) -> Router {
    let (routes, _) = OpenApiRouter::new().merge(ops::routes()).split_for_parts();
    routes
        .fallback(|| async { ApiError::not_found("route-not-found", "route") })
        .layer(from_fn_with_state(app.clone(), answer))
        .layer(from_fn_with_state(app.clone(), around))
        .with_state(app)
}

/// A path with a slash at its end is the same route. The page of the contract is not: its links are
/// relative to its slash.
fn on_its_route(mut request: Request) -> Request {
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

/// What is served to those who find every connection taken: probes, and when to come again.
pub fn router_when_full(app: App, operations: Operations) -> Router {
    let probes = match operations {
        Operations::Here => ops::routes(),
        Operations::Apart => ops::public_routes(),
    };
    let (probes, _) = OpenApiRouter::new().merge(probes).split_for_parts();
    probes
        .fallback(|| async {
            let detail = "too many connections are open; try again in a moment";
            let refused = ApiError::unavailable("too-many-connections", detail);
            ([(header::CONNECTION, "close")], refused)
        })
        .layer(from_fn_with_state(app.clone(), answer))
        .layer(from_fn_with_state(app.clone(), around))
        .with_state(app)
}

/// The method, or that it is none of HTTP's: its name may be as long as a head.
fn known_method(method: &Method) -> &'static str {
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

/// The pattern of the route that answered.
#[derive(Clone)]
struct Route(String);

/// Runs the route in time, and finishes its problem document.
async fn answer(
    axum::extract::State(app): axum::extract::State<App>,
    request: Request,
    next: Next,
) -> Response {
    // The pattern, not the path: paths may one day hold what somebody should not read in a log.
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
        refused = app.out_of_time() => refused.into_response(),
    };
    api::vapi::error::finish(&mut response, &instance);
    problem::finish(&mut response, &instance, &request_id.to_string());
    response.extensions_mut().insert(Route(route));
    response
}

/// Names the request, measures it, sets the headers of every answer, and logs one line about it. What
/// answers a browser's preflight comes from no route.
async fn around(
    axum::extract::State(app): axum::extract::State<App>,
    mut request: Request,
    next: Next,
) -> Response {
    let request_id = app.store.ids().ordered();
    request.extensions_mut().insert(RequestId(request_id));
    let method = known_method(request.method());
    let span = tracing::info_span!("http.request", %request_id, method, route = Empty);
    let started = Instant::now();
    let mut response = next.run(request).instrument(span.clone()).await;
    let route = response.extensions_mut().remove::<Route>();
    let route = route.map_or_else(|| PREFLIGHT.to_owned(), |Route(route)| route);
    complete(&mut response, request_id, route, started, &span);
    response
}

/// The answer to a head that cannot be read, which reaches no route: its headers.
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

/// Sets the headers of every answer, counts it, and logs it.
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
