//! The `/v1` API, and the read-only part of Vapi's API. Each endpoint has its own file, and each handler
//! names the scope it requires.

pub mod agents;
pub mod analytics;
pub mod calls;
pub mod deliveries;
pub mod fields;
pub mod keys;
pub mod parked;
pub mod quarantine;
pub mod read_models;
pub mod settings;
pub mod sources;
pub mod tenant;
pub mod times;
pub mod usage;
pub mod vapi;
pub mod webhook_counts;
pub mod webhook_metrics;
pub mod words;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::str::FromStr;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequestParts, Path, Query};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Datelike, Utc};
use ledger_core::ids::Position;
use ledger_core::money::parse_decimal;
use ledger_store::TenantTx;
use projections::position;
use rust_decimal::prelude::ToPrimitive;
use serde::Serialize;
use serde::de::DeserializeOwned;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::app::App;
use crate::auth::Caller;
use crate::problem::ApiError;
use crate::read_budget::Reservation;

const DEFAULT_LIMIT: i64 = 50;
const MAX_LIMIT: i64 = 200;
/// Timeout of a read that waits for its projection.
const READ_TIMEOUT: Duration = Duration::from_secs(5);

/// Routes of `/v1` and of the Vapi API.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(agents::handler))
        .routes(routes!(analytics::breakdown::handler))
        .routes(routes!(analytics::funnel::handler))
        .routes(routes!(analytics::summary::handler))
        .routes(routes!(analytics::timeseries::handler))
        .routes(routes!(calls::list::handler))
        .routes(routes!(calls::show::handler))
        .routes(routes!(calls::events::handler))
        .routes(routes!(parked::list::handler))
        .routes(routes!(parked::retry::handler))
        .routes(routes!(parked::drop::handler))
        .routes(routes!(quarantine::list::handler))
        .routes(routes!(quarantine::replay::handler))
        .routes(routes!(sources::list::handler, sources::create::handler))
        .routes(routes!(sources::update::handler))
        .routes(routes!(sources::rotate_secret::handler))
        .routes(routes!(sources::disable::handler))
        .routes(routes!(sources::enable::handler))
        .routes(routes!(keys::list::handler, keys::create::handler))
        .routes(routes!(keys::revoke::handler))
        .routes(routes!(deliveries::incoming::handler))
        .routes(routes!(webhook_metrics::queue_health::handler))
        .routes(routes!(webhook_metrics::delivery_stats::handler))
        .routes(routes!(webhook_metrics::recent_failures::handler))
        .routes(routes!(webhook_metrics::dead_letter_queue::handler))
        .routes(routes!(webhook_metrics::retry_failed::handler))
        .routes(routes!(read_models::list::handler))
        .routes(routes!(read_models::diff::handler))
        .routes(routes!(read_models::rebuild::handler))
        .routes(routes!(read_models::promote::handler))
        .routes(routes!(read_models::rollback::handler))
        .routes(routes!(read_models::cancel::handler))
        .routes(routes!(usage::handler))
        .routes(routes!(tenant::show::handler, tenant::update::handler))
        .routes(routes!(settings::show::handler, settings::replace::handler))
        .merge(vapi::routes())
}

/// The id in a path. `None` if the text is not a UUID: no object has such an id, so the answer is the same
/// 404 as for a missing one.
#[derive(Debug, Clone, Copy)]
pub struct PathId(pub Option<Uuid>);

impl<S: Send + Sync> FromRequestParts<S> for PathId {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        let text = Path::<String>::from_request_parts(parts, state).await;
        Ok(Self(text.ok().and_then(|Path(text)| Uuid::try_parse(&text).ok())))
    }
}

/// Query parameters by name. Each is removed when it is read; a remaining one is unknown.
#[derive(Debug)]
pub struct Params(BTreeMap<String, String>);

impl<S: Send + Sync> FromRequestParts<S> for Params {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let given = Query::<Vec<(String, String)>>::from_request_parts(parts, state).await;
        let Query(given) = given.map_err(|_| {
            ApiError::new(StatusCode::BAD_REQUEST, "invalid-query", "the query cannot be read")
        })?;
        let mut params = BTreeMap::new();
        for (name, value) in given {
            if params.insert(name.clone(), value).is_some() {
                // A repeated parameter is rejected: silently choosing one would hide the mistake.
                return Err(ApiError::parameter(safe_name(&name), "it is given more than once"));
            }
        }
        Ok(Self(params))
    }
}

impl Params {
    /// Removes and returns a parameter; an empty one counts as absent.
    ///
    /// # Errors
    /// 400 for a NUL character, which no stored text contains.
    pub fn optional(&mut self, name: &str) -> Result<Option<String>, ApiError> {
        match self.0.remove(name) {
            Some(value) if value.contains('\0') => {
                Err(ApiError::parameter(name, "it holds a NUL character"))
            }
            value => Ok(value.filter(|value| !value.is_empty())),
        }
    }

    /// Removes and returns a parameter that must not be empty: an empty value
    /// is usually an unset variable of a script, and would select every call.
    ///
    /// # Errors
    /// 400 if it is empty.
    pub fn not_empty(&mut self, name: &str) -> Result<Option<String>, ApiError> {
        if self.0.get(name).is_some_and(String::is_empty) {
            return Err(ApiError::parameter(name, "it is empty"));
        }
        self.optional(name)
    }

    /// Removes and parses a parameter. `form` describes the expected form in the error.
    ///
    /// # Errors
    /// 400 if the value is malformed.
    pub fn parse<T: FromStr>(&mut self, name: &str, form: &str) -> Result<Option<T>, ApiError> {
        let parse = |value: String| {
            value.parse().map_err(|_| ApiError::parameter(name, format!("it is not {form}")))
        };
        self.optional(name)?.map(parse).transpose()
    }

    /// Removes and parses a whole number.
    ///
    /// # Errors
    /// 400 if the value is not one.
    pub fn number(&mut self, name: &str) -> Result<Option<i64>, ApiError> {
        let number = |value: String| {
            whole_number(&value)
                .ok_or_else(|| ApiError::parameter(name, "it is not a whole number"))
        };
        self.optional(name)?.map(number).transpose()
    }

    /// Removes and parses an RFC 3339 time.
    ///
    /// # Errors
    /// 400 if the value is malformed, or outside the years that RFC 3339 can write.
    pub fn time(&mut self, name: &str) -> Result<Option<DateTime<Utc>>, ApiError> {
        let time = |value: String| {
            let time = times::zoned(&value).filter(|time| is_rfc3339(*time));
            time.ok_or_else(|| ApiError::parameter(name, "it is not an RFC 3339 time"))
        };
        self.optional(name)?.map(time).transpose()
    }

    /// The page size: 1 to 200, default 50.
    ///
    /// # Errors
    /// 400 if outside this range.
    pub fn limit(&mut self) -> Result<i64, ApiError> {
        let limit = self.number("limit")?.unwrap_or(DEFAULT_LIMIT);
        if (1..=MAX_LIMIT).contains(&limit) {
            return Ok(limit);
        }
        Err(ApiError::parameter("limit", format!("choose 1 to {MAX_LIMIT}")))
    }

    /// Removes a parameter that must be one of the `known` words.
    ///
    /// # Errors
    /// 400 for another word.
    pub fn one_of(&mut self, name: &str, known: &[&str]) -> Result<Option<String>, ApiError> {
        let value = self.optional(name)?;
        if value.as_deref().is_some_and(|value| !known.contains(&value)) {
            return Err(ApiError::parameter(name, format!("choose one of {}", known.join(", "))));
        }
        Ok(value)
    }

    /// Rejects remaining parameters.
    ///
    /// # Errors
    /// 400 `unknown-parameter` if a parameter was not read.
    pub fn reject_unknown(self) -> Result<(), ApiError> {
        match self.0.into_keys().next() {
            None => Ok(()),
            Some(name) => Err(unknown_parameter(&name)),
        }
    }
}

/// Parses a whole number, also with a fraction of zero such as `5.0`: some languages have no other number
/// type.
#[must_use]
pub fn whole_number(text: &str) -> Option<i64> {
    // The decimal parser would also accept underscores.
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
    let decimal = || parse_decimal(text).filter(|number| is_number && number.is_integer());
    text.parse().ok().or_else(|| decimal()?.to_i64())
}

/// Extractor for requests without query parameters: any parameter is rejected, because it would have no
/// effect.
#[derive(Debug, Clone, Copy)]
pub struct NoQuery;

impl<S: Send + Sync> FromRequestParts<S> for NoQuery {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        Params::from_request_parts(parts, state).await?.reject_unknown()?;
        Ok(Self)
    }
}

/// Names the parameter only if it looks like a name, because a misplaced value may be personal.
fn unknown_parameter(name: &str) -> ApiError {
    let detail = "it is not known; see /docs for what may be asked";
    ApiError { code: "unknown-parameter", ..ApiError::parameter(safe_name(name), detail) }
}

fn safe_name(name: &str) -> &str {
    let is_name = name.len() <= 40 && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    if is_name { name } else { "" }
}

/// Begins a consistent read of a projection, after it has reached `min_position`. Returns the transaction and
/// the projection's position.
///
/// # Errors
/// 503 `projection-behind` if the position is not reached in time.
pub async fn begin_consistent_read(
    app: &App,
    caller: &Caller,
    model: &str,
    min_position: Option<i64>,
) -> Result<(TenantTx, Position), ApiError> {
    await_position(app, caller, model, min_position).await?;
    let mut tx = TenantTx::begin(app.store.app(), caller.tenant_id()).await?;
    let reached = position(&mut tx, model).await?;
    Ok((tx, reached))
}

/// Begins a read of sums over several projections, all in one snapshot. Returns the transaction and the
/// lowest of their positions.
///
/// # Errors
/// As [`begin_consistent_read`].
pub async fn begin_analytics_read(
    app: &App,
    caller: &Caller,
    models: &[&str],
    min_position: Option<i64>,
) -> Result<(TenantTx, Position), ApiError> {
    for model in models {
        await_position(app, caller, model, min_position).await?;
    }
    let mut tx = TenantTx::begin(app.store.app(), caller.tenant_id()).await?;
    projections::analytics::configure_transaction(&mut tx).await?;
    let mut reached = Position(i64::MAX);
    for model in models {
        reached = reached.min(position(&mut tx, model).await?);
    }
    Ok((tx, reached))
}

async fn await_position(
    app: &App,
    caller: &Caller,
    model: &str,
    min_position: Option<i64>,
) -> Result<(), ApiError> {
    let Some(wanted) = min_position.map(Position) else { return Ok(()) };
    let tenant_id = caller.tenant_id();
    // The reader permit is released while waiting; waiting requests have a bound of their own.
    caller.read_permit.release();
    let place = app.read_admission.wait(tenant_id)?;
    let has_arrived = app.position_watch.wait(tenant_id, model, wanted, READ_TIMEOUT).await;
    drop(place);
    app.read_admission.reacquire(&caller.read_permit, tenant_id).await?;
    if has_arrived {
        return Ok(());
    }
    let detail = format!("the read model has not reached position {wanted} yet; try again");
    Err(ApiError {
        retry_after: Some(1),
        ..ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "projection-behind", detail)
    })
}

/// An answer with the position of its projection in `Ledger-Position`.
pub fn with_read_position<T: Serialize>(body: T, reached: Position) -> Response {
    let mut response = axum::Json(body).into_response();
    response.headers_mut().insert("ledger-position", HeaderValue::from(reached.0));
    response
}

/// An answer with opened sections; holds its memory reservation until it is sent.
///
/// # Errors
/// 500 if serialization failed.
pub fn opened_page(
    reservation: Reservation,
    written: serde_json::Result<Vec<u8>>,
    reached: Position,
) -> Result<Response, ApiError> {
    let written = written.map_err(|error| ApiError::internal(&error))?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (HeaderName::from_static("ledger-position"), HeaderValue::from(reached.0)),
    ];
    Ok((headers, Body::from(reservation.hold(written))).into_response())
}

/// A 201 answer, with the position of the recorded event in `Ledger-Position`.
pub fn created<T: Serialize>(body: T, position: Option<Position>) -> Response {
    with_write_position((StatusCode::CREATED, axum::Json(body)).into_response(), position)
}

/// Adds the position of the recorded event in `Ledger-Position`, if there is one.
#[must_use]
pub fn with_write_position(mut response: Response, position: Option<Position>) -> Response {
    if let Some(position) = position {
        response.headers_mut().insert("ledger-position", HeaderValue::from(position.0));
    }
    response
}

/// True for times in the years 0 to 9999. Others can be parsed, but not stored or compared.
#[must_use]
pub fn is_rfc3339(time: DateTime<Utc>) -> bool {
    (0..=9999).contains(&time.year())
}

/// Encodes a pagination cursor, opaque to the client.
pub fn encode_cursor<T: Serialize>(place: &T) -> String {
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(place).expect("a place is plain data"))
}

/// Decodes a cursor and checks it with `is_possible`. Only the canonical encoding is accepted, so a place in
/// a list has exactly one cursor.
///
/// # Errors
/// 400 if it was not issued by this server.
pub fn decode_cursor<T: Serialize + DeserializeOwned>(
    cursor: &str,
    is_possible: impl Fn(&T) -> bool,
) -> Result<T, ApiError> {
    URL_SAFE_NO_PAD
        .decode(cursor)
        .ok()
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .filter(|place| is_possible(place) && encode_cursor(place) == cursor)
        .ok_or_else(|| ApiError::parameter("cursor", "send back a next_cursor as it was given"))
}
