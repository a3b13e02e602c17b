//! `Idempotency-Key` on every POST of `/v1`: the same key and request get the first answer again, from any
//! server and also after a restart, for a day.
//!
//! Only successful answers are kept. A refused request changed nothing and is evaluated again. A request that
//! was interrupted runs again as the same command, so it records and creates nothing twice.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ledger_core::ids::CommandId;
use ledger_store::command_answers::{Claim, Claimed, RepeatableRequest};
use ledger_store::tenants::ApiKey;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};

use crate::app::App;
use crate::auth::bearer;
use crate::http::body::read_body;
use crate::http::json_body::{MAX_BODY, TIMEOUT};
use crate::problem::ApiError;
use crate::system::{derived_secret, fresh_seed};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const IDEMPOTENT_REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");
const LEDGER_POSITION: HeaderName = HeaderName::from_static("ledger-position");
/// Maximum length of a key.
pub(crate) const MAX_KEY: usize = 255;
/// Maximum size of a kept answer, in bytes.
const MAX_ANSWER: usize = 1 << 20;
/// Longest time a repetition waits for the first request.
const MAX_WAIT: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(50);
/// Time beyond the request timeout after which a claim without an answer counts as interrupted.
const LEASE_MARGIN: Duration = Duration::from_secs(5);

/// The command of a request with an `Idempotency-Key`, in the extensions of the request.
#[derive(Clone)]
pub struct RunningCommand(Arc<Claim>);

impl std::fmt::Debug for RunningCommand {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RunningCommand({})", self.0.command_id)
    }
}

impl RunningCommand {
    /// Id of the command.
    #[must_use]
    pub fn id(&self) -> CommandId {
        self.0.command_id
    }

    /// A secret that is the same whenever the command runs again, as URL-safe base64 (43 characters).
    #[must_use]
    pub fn secret(&self) -> String {
        derived_secret(&self.0.seed)
    }
}

/// A kept answer.
#[derive(Serialize, Deserialize)]
struct StoredAnswer {
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<String>,
    body: String,
}

/// Answers a repeated request, and otherwise runs it and keeps its answer.
pub(crate) async fn layer(State(app): State<App>, request: Request, next: Next) -> Response {
    let is_command = request.method() == Method::POST && request.uri().path().starts_with("/v1/");
    if !is_command || !request.headers().contains_key(IDEMPOTENCY_KEY) {
        return next.run(request).await;
    }
    // Without a valid key the request is refused where it always is.
    let key = match bearer(request.headers()) {
        Some(key) => app.find_key(key).await,
        None => Ok(None),
    };
    match key {
        Err(error) => error.into_response(),
        // The keys of a closed tenant read nothing, so no kept answer either.
        Ok(Some(key)) if !key.is_tenant_closed => {
            run(&app, &key, request, next).await.unwrap_or_else(IntoResponse::into_response)
        }
        Ok(_) => next.run(request).await,
    }
}

async fn run(app: &App, key: &ApiKey, request: Request, next: Next) -> Result<Response, ApiError> {
    let idempotency_key = idempotency_key(request.headers())?;
    let (parts, body) = request.into_parts();
    let body = read_body(body, MAX_BODY, TIMEOUT).await?;
    let mut content = Vec::with_capacity(body.len() + 100);
    let query = parts.uri.query().unwrap_or_default();
    for part in [parts.uri.path().trim_end_matches('/').as_bytes(), query.as_bytes(), &body] {
        content.extend_from_slice(&(part.len() as u64).to_be_bytes());
        content.extend_from_slice(part);
    }
    let repeatable = RepeatableRequest {
        tenant_id: key.tenant_id,
        key_id: key.key_id,
        idempotency_key: idempotency_key.as_bytes(),
        content: &content,
    };
    let claim = match claim(app, &repeatable).await? {
        Claimed::Run(claim) => Arc::new(claim),
        Claimed::Answered(answer) => return replayed(&answer),
        Claimed::Reused => {
            let detail = "this Idempotency-Key was used for another request";
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            return Err(ApiError::new(status, "idempotency-key-reused", detail));
        }
        Claimed::Running => {
            let detail = "the request with this Idempotency-Key still runs; try again";
            let error = ApiError::new(StatusCode::CONFLICT, "idempotency-key-in-use", detail);
            return Err(ApiError { retry_after: Some(1), ..error });
        }
    };
    let mut guard = ReleaseOnDrop { app: app.clone(), claim: Some(Arc::clone(&claim)) };
    let mut request = Request::from_parts(parts, Body::from(body));
    request.extensions_mut().insert(RunningCommand(Arc::clone(&claim)));
    let response = next.run(request).await;
    let response = keep(app, &claim, response).await;
    guard.claim = None;
    response
}

/// Claims the key, and waits for the same request if it is running.
async fn claim(app: &App, request: &RepeatableRequest<'_>) -> Result<Claimed, ApiError> {
    let lease = app.limits.request_timeout + LEASE_MARGIN;
    let seed = fresh_seed();
    let deadline = Instant::now() + MAX_WAIT;
    loop {
        // Within the tenant's share of database connections, as every read.
        let permit = app.read_admission.acquire(request.tenant_id).await?;
        let claimed = app.store.claim_command(request, seed.as_slice(), lease).await?;
        permit.release();
        if !matches!(claimed, Claimed::Running) || Instant::now() >= deadline {
            return Ok(claimed);
        }
        sleep(POLL).await;
    }
}

/// Keeps a successful answer. Any other one ends the claim.
async fn keep(app: &App, claim: &Claim, response: Response) -> Result<Response, ApiError> {
    let status = response.status();
    if !status.is_success() {
        if let Err(error) = app.store.release_claim(claim, status.is_client_error()).await {
            tracing::warn!(error = %error, "idempotency.claim_stays");
        }
        return Ok(response);
    }
    let (parts, body) = response.into_parts();
    let body = axum::body::to_bytes(body, MAX_ANSWER).await;
    let body = body.map_err(|error| ApiError::internal(&error))?;
    let text = |name| {
        let value: Option<&HeaderValue> = parts.headers.get(name);
        value.and_then(|value| value.to_str().ok()).map(str::to_owned)
    };
    let answer = StoredAnswer {
        status: status.as_u16(),
        content_type: text(header::CONTENT_TYPE),
        position: text(LEDGER_POSITION),
        body: URL_SAFE_NO_PAD.encode(&body),
    };
    let answer = zeroize::Zeroizing::new(serde_json::to_vec(&answer).expect("plain texts"));
    if let Err(error) = app.store.store_answer(claim, &answer).await {
        // The command is done; a repetition runs it again and gets the same answer.
        tracing::warn!(error = %error, "idempotency.answer_not_kept");
    }
    Ok(Response::from_parts(parts, Body::from(body)))
}

fn replayed(answer: &[u8]) -> Result<Response, ApiError> {
    let answer: StoredAnswer =
        serde_json::from_slice(answer).map_err(|error| ApiError::internal(&error))?;
    let body = URL_SAFE_NO_PAD.decode(&answer.body).map_err(|error| ApiError::internal(&error))?;
    let status = StatusCode::from_u16(answer.status).map_err(|error| ApiError::internal(&error))?;
    let mut response = (status, Body::from(body)).into_response();
    let headers = response.headers_mut();
    for (name, value) in
        [(header::CONTENT_TYPE, answer.content_type), (LEDGER_POSITION, answer.position)]
    {
        if let Some(value) = value.and_then(|value| HeaderValue::from_str(&value).ok()) {
            headers.insert(name, value);
        }
    }
    headers.insert(IDEMPOTENT_REPLAYED, HeaderValue::from_static("true"));
    Ok(response)
}

/// The value of the header.
///
/// # Errors
/// 400 for a repeated header, and for a value that is empty, too long or not of visible ASCII characters.
fn idempotency_key(headers: &HeaderMap) -> Result<String, ApiError> {
    let mut values = headers.get_all(IDEMPOTENCY_KEY).iter();
    let value = values.next().and_then(|value| value.to_str().ok()).unwrap_or_default();
    let is_valid = (1..=MAX_KEY).contains(&value.len())
        && value.bytes().all(|byte| byte.is_ascii_graphic())
        && values.next().is_none();
    if is_valid {
        return Ok(value.to_owned());
    }
    let detail = format!("send one Idempotency-Key of 1 to {MAX_KEY} visible ASCII characters");
    Err(ApiError::new(StatusCode::BAD_REQUEST, "idempotency-key-invalid", detail))
}

/// Ends the claim of a request that was dropped, for instance by its timeout, so that a repetition runs at
/// once.
struct ReleaseOnDrop {
    app: App,
    claim: Option<Arc<Claim>>,
}

impl Drop for ReleaseOnDrop {
    fn drop(&mut self) {
        let Some(claim) = self.claim.take() else { return };
        let store = Arc::clone(&self.app.store);
        tokio::spawn(async move {
            if let Err(error) = store.release_claim(&claim, false).await {
                tracing::warn!(error = %error, "idempotency.claim_stays");
            }
        });
    }
}
