//! What every handler shares, the routes, and the layers around them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_lc_rs::digest::{SHA256, digest};
use axum::Router;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request};
use axum::http::{HeaderValue, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use ledger_core::ids::KeyId;
use ledger_store::Store;
use ledger_store::tenants::ApiKey;
use metrics_exporter_prometheus::PrometheusHandle;
use moka::sync::Cache;
use projections::Health;
use tokio::sync::watch;
use tower_http::catch_panic::CatchPanicLayer;
use tracing::Instrument;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_swagger_ui::SwaggerUi;
use uuid::Uuid;

use crate::auth::{Denials, Lookups, tenant_of_key};
use crate::ingest::{Counts, Rooms};
use crate::limits::Limits;
use crate::problem::{self, ApiError};
use crate::{api, ingest, ops};

/// A revoked key is refused everywhere within this time, and at once by the server that revoked it.
const KEY_LIFETIME: Duration = Duration::from_secs(5);

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
    /// When requests under way have had their time, because the server is told to stop.
    pub closing: Closing,
    keys: Cache<[u8; 32], ApiKey>,
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
        Self {
            store,
            engine: Health::default(),
            denials: Arc::default(),
            lookups: Arc::new(Lookups::new(limits.lookups)),
            counts,
            metrics,
            limits,
            rooms: Rooms::new(limits.room),
            closing,
            keys: Cache::builder().time_to_live(KEY_LIFETIME).max_capacity(10_000).build(),
        }
    }

    /// The valid key of this text; `None` when there is none.
    ///
    /// # Errors
    /// 503 when the database does not answer.
    pub async fn find_key(&self, key: &str) -> Result<Option<ApiKey>, ApiError> {
        let Some(tenant_id) = tenant_of_key(key) else { return Ok(None) };
        let hash = digest(&SHA256, key.as_bytes()).as_ref().try_into().expect("32 bytes");
        if let Some(known) = self.keys.get(&hash) {
            return Ok(Some(known));
        }
        let found = self.store.find_api_key(tenant_id, key).await?;
        if let Some(found) = &found {
            self.keys.insert(hash, found.clone());
        }
        Ok(found)
    }

    /// Asks the database again when this key is presented next.
    pub fn forget_key(&self, key_id: KeyId) {
        for (hash, _) in self.keys.iter().filter(|(_, key)| key.key_id == key_id) {
            self.keys.invalidate(&*hash);
        }
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

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Call ledger",
        description = "Calls of AI voice platforms as an immutable, sealed ledger.",
    ),
    modifiers(&BearerKey),
)]
struct Document;

struct BearerKey;

impl utoipa::Modify for BearerKey {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
        let components = openapi.components.get_or_insert_default();
        components.add_security_scheme("api_key", SecurityScheme::Http(scheme));
    }
}

/// Every route with the OpenAPI document made from them.
pub fn documented() -> (Router<App>, utoipa::openapi::OpenApi) {
    OpenApiRouter::with_openapi(Document::openapi())
        .merge(ingest::routes())
        .merge(api::routes())
        .merge(ops::routes())
        .split_for_parts()
}

/// The service: routes, documentation, and the layers around them.
pub fn router(app: App) -> Router {
    let (routes, document) = documented();
    routes
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
        .layer(from_fn_with_state(app.clone(), around))
        .with_state(app)
}

/// What is served to those who find every connection taken: probes, and when to come again.
pub fn router_when_full(app: App) -> Router {
    let (probes, _) = OpenApiRouter::new().merge(ops::routes()).split_for_parts();
    probes
        .fallback(|| async {
            let detail = "too many connections are open; try again in a moment";
            let refused = ApiError::unavailable("too-many-connections", detail);
            ([(header::CONNECTION, "close")], refused)
        })
        .layer(from_fn_with_state(app.clone(), around))
        .with_state(app)
}

/// Names the request, measures it, logs one line about it, and finishes its problem document.
async fn around(
    axum::extract::State(app): axum::extract::State<App>,
    mut request: Request,
    next: Next,
) -> Response {
    let request_id = app.store.ids().ordered();
    request.extensions_mut().insert(RequestId(request_id));
    // The pattern, not the path: paths may one day hold what somebody should not read in a log.
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or_else(|| "unmatched".to_owned(), |path| path.as_str().to_owned());
    let instance = request.uri().path().to_owned();
    let method = request.method().clone();
    let span = tracing::info_span!("http.request", %request_id, %method, route);
    let started = Instant::now();

    let mut response = tokio::select! {
        biased;
        response = next.run(request).instrument(span.clone()) => response,
        refused = app.out_of_time() => refused.into_response(),
    };

    let id = request_id.to_string();
    api::vapi::error::finish(&mut response, &route);
    problem::finish(&mut response, &instance, &id);
    if let Ok(value) = HeaderValue::from_str(&id) {
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
    response
}
