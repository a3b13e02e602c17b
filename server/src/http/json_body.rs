//! Extractors of JSON request bodies. The type that describes a body in the OpenAPI document is the type that
//! is parsed.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use ledger_core::json::without_bom;
use serde::de::DeserializeOwned;

use crate::http::body::read_body;
use crate::http::fields::Object;
use crate::problem::ApiError;

/// Maximum size of a body, in bytes; no command needs more.
pub(crate) const MAX_BODY: usize = 64 << 10;
/// Timeout of the body.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(10);

/// The body of a request, a JSON object. It is the last argument of a handler, so the body is read after the
/// authorization.
///
/// Rejects with 400 `body-not-json` what is no JSON object with each field once, with 422 a field that is
/// unknown or not of its form, and with 408 and 413 a body that is too slow or too large.
#[derive(Debug)]
pub struct JsonBody<T>(pub T);

/// An optional body, as [`JsonBody`]; an empty one has no fields.
#[derive(Debug)]
pub struct OptionalJsonBody<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for JsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        let body = read(request.into_body()).await?;
        parse(&body).map(Self)
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for OptionalJsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        let body = read(request.into_body()).await?;
        if without_bom(&body).is_empty() {
            return Ok(Self(Object::default().into_request()?));
        }
        parse(&body).map(Self)
    }
}

async fn read(body: Body) -> Result<Vec<u8>, ApiError> {
    read_body(body, MAX_BODY, TIMEOUT).await
}

/// Parses a body as [`JsonBody`] does.
///
/// # Errors
/// 400 and 422 as for [`JsonBody`].
pub(crate) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    let object: Object = serde_json::from_slice(without_bom(body)).map_err(|_| {
        let detail = "send one JSON object that names each field once";
        ApiError::new(StatusCode::BAD_REQUEST, "body-not-json", detail)
    })?;
    Ok(object.into_request()?)
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};
    use serde::Deserialize;
    use uuid::Uuid;

    use super::*;
    use crate::http::fields::{self, Change};

    /// A request with a field of each form.
    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        #[serde(default, deserialize_with = "fields::text")]
        name: Option<String>,
        #[serde(default)]
        alias: Change,
        #[serde(default, deserialize_with = "fields::texts")]
        list: Option<Vec<String>>,
        #[serde(default, deserialize_with = "fields::flag")]
        flag: Option<bool>,
        #[serde(default, deserialize_with = "fields::time")]
        time: Option<DateTime<Utc>>,
        #[serde(default, deserialize_with = "fields::id")]
        id: Option<Uuid>,
        #[serde(default, deserialize_with = "up_to_nine")]
        number: Option<i64>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Needy {
        #[expect(dead_code, reason = "the test is about its absence")]
        needed: String,
    }

    fn up_to_nine<'de, D: serde::Deserializer<'de>>(field: D) -> Result<Option<i64>, D::Error> {
        fields::number(field, &(0..=9))
    }

    fn sample(body: &str) -> Result<Sample, ApiError> {
        parse(body.as_bytes())
    }

    #[test]
    fn what_is_no_object_with_each_field_once_is_refused() {
        for body in ["", "[]", "7", "{", "{\"a\":1,\"a\":2}", "{\"a\":1} {", "\"a\""] {
            let refused = sample(body).unwrap_err();
            assert_eq!((refused.status.as_u16(), refused.code), (400, "body-not-json"), "{body}");
        }
    }

    #[test]
    fn null_counts_as_absent_except_where_it_resets() {
        let nulls = r#"{"name":null,"list":null,"flag":null,"time":null,"id":null,"other":null}"#;
        assert_eq!(sample(nulls).expect("a request"), Sample::default());
        assert_eq!(sample("{}").expect("a request").alias, Change::Keep);
        assert_eq!(sample(r#"{"alias":null}"#).expect("a request").alias, Change::Remove);
        let set = sample(r#"{"alias":"x"}"#).expect("a request").alias;
        assert_eq!(set, Change::Set("x".to_owned()));
    }

    #[test]
    fn every_form_is_read() {
        let body = "\u{feff}{\"list\":[\"a\",\"b\"],\"flag\":true,\"time\":\"2026-11-01T00:00:00Z\",\
                    \"id\":\"6f1c9a52-0000-4000-8000-000000000001\",\"number\":9}";
        let read = sample(body).expect("a request");
        assert_eq!(read.list, Some(vec!["a".to_owned(), "b".to_owned()]));
        assert_eq!((read.flag, read.number), (Some(true), Some(9)));
        assert!(read.time.is_some() && read.id.is_some());
    }

    #[test]
    fn each_fault_names_its_field_and_quotes_no_value() {
        let long = format!(r#"{{"name":"{}"}}"#, "secret".repeat(34));
        for (body, pointer) in [
            (r#"{"name":"a\u0000secret"}"#, "/name"),
            (r#"{"name":["secret"]}"#, "/name"),
            (r#"{"name":"  "}"#, "/name"),
            (long.as_str(), "/name"),
            (r#"{"alias":{"secret":"secret"}}"#, "/alias"),
            (r#"{"list":["secret","secret"]}"#, "/list"),
            (r#"{"list":["secret",7]}"#, "/list"),
            (r#"{"list":"secret"}"#, "/list"),
            (r#"{"flag":"secret"}"#, "/flag"),
            (r#"{"time":"secret"}"#, "/time"),
            (r#"{"id":"secret"}"#, "/id"),
            (r#"{"number":10}"#, "/number"),
            (r#"{"number":1.5}"#, "/number"),
            (r#"{"number":18446744073709551615}"#, "/number"),
            (r#"{"number":"secret"}"#, "/number"),
        ] {
            let refused = sample(body).unwrap_err();
            assert_eq!((refused.status.as_u16(), refused.code), (422, "invalid-field"), "{body}");
            assert_eq!(refused.errors[0].pointer, pointer, "{body}");
            assert!(!format!("{refused:?}").contains("secret"), "{refused:?}");
        }
    }

    #[test]
    fn a_field_that_is_missing_or_unknown_is_named_if_it_looks_like_a_name() {
        let missing = parse::<Needy>(b"{}").unwrap_err();
        assert_eq!(
            (missing.code, missing.errors[0].pointer.as_str()),
            ("invalid-field", "/needed")
        );
        for (body, pointer) in [(r#"{"nmae":"x"}"#, "/nmae"), (r#"{"Some Person":"x"}"#, "/")] {
            let refused = sample(body).unwrap_err();
            assert_eq!((refused.status.as_u16(), refused.code), (422, "unknown-field"));
            assert_eq!(refused.errors[0].pointer, pointer);
        }
        let both = sample(r#"{"a":1,"name":""}"#).unwrap_err();
        assert_eq!(both.code, "invalid-field", "known fields are checked first");
    }
}
