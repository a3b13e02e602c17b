//! `POST /v1/parked/{parked_id}/drop`: skips a parked event permanently.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use ledger_core::ids::{EventId, TenantId};
use projections::parked::{Reason, drop_event, drop_parked};
use serde::Deserialize;
use serde::de::{Deserializer, Error};
use utoipa::ToSchema;
use uuid::Uuid;

use super::DroppedView;
use crate::api::read_models::named_tenant;
use crate::app::App;
use crate::http::fields;
use crate::http::json_body::JsonBody;
use crate::http::operation::{Authorized, operation};
use crate::http::params::{NoQuery, PathId};
use crate::http::response::with_write_position;
use crate::problem::{ApiError, Problem};

/// The reason, and the read model if the path contains an event id.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DropRequest {
    /// Reason of the drop, in one line of 1 to 200 characters. It is stored readable in the log: no
    /// personal data.
    #[serde(deserialize_with = "reason")]
    #[schema(min_length = 1, max_length = 200, value_type = String)]
    reason: Reason,
    /// The read model that leaves the event out. With it, the id in the path is that of an event,
    /// otherwise that of a parked entry.
    #[serde(default, deserialize_with = "fields::text")]
    projection: Option<String>,
    /// The tenant of the event; required with `projection` and a key of the installation. A
    /// tenant's key may name only its own tenant.
    #[serde(default, deserialize_with = "fields::id")]
    tenant_id: Option<Uuid>,
}

operation! {
    DropParkedEvent {
        id: "drop_parked_event",
        action: "parked.drop",
        access: Admin,
        audit: Changes,
    }
}

/// Drops an event from a read model, in every version and for good.
///
/// The path contains the id of a parked entry or, with `projection`, the id of any event of the
/// tenant. A folded event is removed from rows and sums, an event that is not reached yet will be
/// skipped, and events that wait behind it are folded. The event stays in the log, which also
/// records the decision and its reason. Dropping an event again changes nothing.
///
/// # Errors
/// 404 `parked-not-found` or `event-not-found`, also for an event of another tenant; 404
/// `projection-not-found`, `tenant-not-found`; 409 `event-not-folded` if the read model folds no
/// events of this kind; 403 `tenant-not-active`; 422 for a field, by name.
#[utoipa::path(
    post, path = "/v1/parked/{parked_id}/drop", tag = "operations",
    params(("parked_id" = String, Path, description = "The parked entry; with `projection` in the body, the event")),
    request_body = DropRequest,
    responses(
        (status = 200, body = DroppedView, headers(("ledger-position" = i64, description = "Position of the decision; absent if the event was dropped before"))),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 408, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json"),
        (status = 413, body = Problem, content_type = "application/problem+json"),
        (status = 422, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    ),
)]
#[tracing::instrument(name = "api.parked.drop", skip_all)]
pub async fn handler(
    caller: Authorized<DropParkedEvent>,
    State(app): State<App>,
    PathId(id): PathId,
    _: NoQuery,
    JsonBody(request): JsonBody<DropRequest>,
) -> Result<Response, ApiError> {
    let DropRequest { reason, projection, tenant_id } = request;
    let id = id.unwrap_or_default();
    let decision = (&reason, Some((caller.key.key_id, caller.request_id)));
    let only = match tenant_id {
        Some(id) => Some(named_tenant(&app, &caller, TenantId(id)).await?),
        None => caller.tenant_scope(),
    };
    let dropped = match projection {
        Some(projection) => {
            let needed = "name the tenant of the event: this key is of the installation";
            let tenant_id = only.ok_or_else(|| ApiError::field("tenant_id", needed))?;
            drop_event(&app.store, tenant_id, (&projection, EventId(id)), decision).await?
        }
        None => drop_parked(&app.store, id, only, decision).await?,
    };
    let decided = dropped.decided;
    Ok(with_write_position(Json(DroppedView::from(dropped)).into_response(), decided))
}

fn reason<'de, D: Deserializer<'de>>(field: D) -> Result<Reason, D::Error> {
    let reason = fields::text(field)?.as_deref().and_then(Reason::parse);
    reason.ok_or_else(|| D::Error::custom("say why, without personal data"))
}
