//! `PATCH /v1/calls/{call_id}/campaign`: sets campaign, attempt and type of a call.

use axum::extract::State;
use axum::response::Response;
use ledger_core::annotation::command::{Action, NewValue};
use ledger_core::annotation::spelling;
use ledger_core::annotation::words::{Campaign, MAX_ATTEMPT, Word};
use ledger_core::ids::StreamId;
use serde::de::Error;
use serde::{Deserialize, Deserializer};
use utoipa::ToSchema;

use super::change::change;
use super::refused::not_found;
use super::view::AnnotatedCallView;
use crate::app::App;
use crate::http::fields;
use crate::http::json_body::JsonBody;
use crate::http::operation::{Authorized, operation};
use crate::http::params::{NoQuery, PathId};
use crate::problem::{ApiError, Problem};

/// A change of campaign, attempt or type of a call. Absent fields stay, null takes a value away.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CampaignRequest {
    /// The campaign: letters, at most 6 digits, `-`, `_`, `.` and `:`; or a UUID.
    #[serde(default, deserialize_with = "campaign")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 64)]
    campaign: Option<NewValue<Campaign>>,
    /// Number of the attempt to reach the person.
    #[serde(default, deserialize_with = "attempt")]
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 1000)]
    attempt: Option<NewValue<u32>>,
    /// Type of the call, such as `collections`: a word without blanks. `-` is stored as `_`.
    #[serde(default, deserialize_with = "call_type")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 40)]
    call_type: Option<NewValue<Word>>,
}

fn campaign<'de, D: Deserializer<'de>>(field: D) -> Result<Option<NewValue<Campaign>>, D::Error> {
    let form =
        "it is neither 1 to 64 letters, digits, -, _, . and : with at most 6 digits, nor a UUID";
    let parse = |text: String| Campaign::parse(&text).ok_or_else(|| D::Error::custom(form));
    fields::text(field)?.map(parse).transpose().map(|new| Some(NewValue(new)))
}

fn attempt<'de, D: Deserializer<'de>>(field: D) -> Result<Option<NewValue<u32>>, D::Error> {
    let attempt = fields::number(field, &(1..=i64::from(MAX_ATTEMPT)))?;
    Ok(Some(NewValue(attempt.and_then(|attempt| u32::try_from(attempt).ok()))))
}

fn call_type<'de, D: Deserializer<'de>>(field: D) -> Result<Option<NewValue<Word>>, D::Error> {
    let form = "it is not 1 to 40 letters, digits, -, _, . and :, without blanks and with at most 6 digits";
    let parse = |text: String| spelling::call_type(&text).ok_or_else(|| D::Error::custom(form));
    fields::text(field)?.map(parse).transpose().map(|new| Some(NewValue(new)))
}

operation! {
    UpdateCallCampaign {
        id: "update_call_campaign",
        action: "calls.campaign.set",
        access: Write,
        audit: Changes,
    }
}

/// Sets campaign, attempt or type of a call. A value that is set has precedence over what the platform reports.
///
/// # Errors
/// 404 `call-not-found`, the same for an unknown call and for another tenant's; 422 for an unknown or malformed
/// field.
#[utoipa::path(
    patch, path = "/v1/calls/{call_id}/campaign", tag = "calls",
    params(
        ("call_id" = String, Path, description = "The call"),
    ),
    request_body(content = CampaignRequest, content_type = "application/json"),
    responses(
        (status = 200, body = AnnotatedCallView, headers(("ledger-position" = i64, description = "Where it is recorded, when something changed"))),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json", description = "The key lacks scope write, or the tenant takes no events"),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "No such call, the same for another tenant's"),
        (status = 408, body = Problem, content_type = "application/problem+json"),
        (status = 413, body = Problem, content_type = "application/problem+json"),
        (status = 422, body = Problem, content_type = "application/problem+json", description = "A field is unknown or malformed"),
        (status = 503, body = Problem, content_type = "application/problem+json", description = "call-busy, or the database does not answer"),
    ),
)]
#[tracing::instrument(name = "api.calls.campaign.set", skip_all)]
pub async fn handler(
    caller: Authorized<UpdateCallCampaign>,
    State(app): State<App>,
    PathId(call_id): PathId,
    _: NoQuery,
    JsonBody(request): JsonBody<CampaignRequest>,
) -> Result<Response, ApiError> {
    let call_id = StreamId(call_id.ok_or_else(not_found)?);
    let CampaignRequest { campaign, attempt, call_type } = request;
    let action = Action::SetCampaign { campaign, attempt, call_type };
    change(&app, &caller, call_id, action).await
}
