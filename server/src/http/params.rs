//! Path ids and query parameters.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::str::FromStr;

use axum::extract::{FromRequestParts, Path, Query};
use axum::http::StatusCode;
use axum::http::request::Parts;
use chrono::{DateTime, Utc};
use ledger_core::money::parse_decimal;
use rust_decimal::prelude::ToPrimitive;
use uuid::Uuid;

use super::times::{is_rfc3339, zoned};
use crate::problem::ApiError;

const DEFAULT_LIMIT: i64 = 50;
const MAX_LIMIT: i64 = 200;

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

/// The two ids in a path. `None` if one of the texts is not a UUID.
#[derive(Debug, Clone, Copy)]
pub struct PathIds(pub Option<(Uuid, Uuid)>);

impl<S: Send + Sync> FromRequestParts<S> for PathIds {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        let texts = Path::<(String, String)>::from_request_parts(parts, state).await;
        let ids = texts.ok().and_then(|Path((first, second))| {
            Some((Uuid::try_parse(&first).ok()?, Uuid::try_parse(&second).ok()?))
        });
        Ok(Self(ids))
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
            let time = zoned(&value).filter(|time| is_rfc3339(*time));
            time.ok_or_else(|| ApiError::parameter(name, "it is not an RFC 3339 time"))
        };
        self.optional(name)?.map(time).transpose()
    }

    /// Removes and parses an RFC 3339 time that must not be empty.
    ///
    /// # Errors
    /// 400 as for [`Params::time`], and if the value is empty.
    pub fn time_not_empty(&mut self, name: &str) -> Result<Option<DateTime<Utc>>, ApiError> {
        if self.0.get(name).is_some_and(String::is_empty) {
            return Err(ApiError::parameter(name, "it is empty"));
        }
        self.time(name)
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
