//! `GET /v1/availability`: times that can be booked.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, TimeDelta, Utc};
use ledger_app::bookings::{BookingError, FreeTimes, MAX_MINUTES, free_times};
use ledger_core::booking::Refusal;
use ledger_core::booking::availability::{MAX_DAYS, MAX_OFFERS, Offer};
use serde::Serialize;
use utoipa::ToSchema;

use super::appointments::refused::{not_executed, refused};
use crate::app::App;
use crate::http::operation::{Authorized, operation};
use crate::http::params::Params;
use crate::problem::{ApiError, Problem};

/// Free times.
#[derive(Debug, Serialize, ToSchema)]
pub struct Availability {
    /// Times that can be booked, in order, each start once; at most 200.
    data: Vec<FreeTime>,
}

/// A time that can be booked.
#[derive(Debug, Serialize, ToSchema)]
pub struct FreeTime {
    /// Start of the appointment.
    starts_at: DateTime<Utc>,
    /// End of the appointment.
    ends_at: DateTime<Utc>,
    /// Id of the resource that a booking without one would get.
    resource: String,
}

operation! {
    ListAvailability {
        id: "list_availability",
        action: "availability.list",
        access: Read,
        audit: ReadsFacts,
    }
}

/// Lists times that can be booked, by the rules that decide a booking.
///
/// # Errors
/// 400 for an unknown or malformed parameter, named in the answer.
#[utoipa::path(
    get, path = "/v1/availability", tag = "appointments",
    params(
        ("service_type" = Option<String>, Query, description = "Id or name of the service"),
        ("resource" = Option<String>, Query, description = "Id of the resource; any when nothing is said"),
        ("from" = Option<String>, Query, format = DateTime, description = "Earliest start (RFC 3339); now when nothing is said"),
        ("to" = Option<String>, Query, format = DateTime, description = "Starts before (RFC 3339), at most 31 days after `from`; 7 days when nothing is said"),
        ("duration_minutes" = Option<i64>, Query, minimum = 1, maximum = 1440, description = "Length; that of the service when nothing is said"),
        ("limit" = Option<i64>, Query, minimum = 1, maximum = 200, description = "1 to 200, default 200"),
    ),
    responses(
        (status = 200, body = Availability),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "The key is of the installation"),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    ),
)]
#[tracing::instrument(name = "api.availability", skip_all)]
pub async fn handler(
    caller: Authorized<ListAvailability>,
    State(app): State<App>,
    mut params: Params,
) -> Result<Json<Availability>, ApiError> {
    let (service, resource) = (params.optional("service_type")?, params.optional("resource")?);
    let (from, to) = (params.time_not_empty("from")?, params.time_not_empty("to")?);
    let minutes = minutes(&mut params)?;
    let limit = limit(&mut params)?;
    params.reject_unknown()?;
    let wanted = FreeTimes { service, resource, minutes, from, until: to };
    let offers = free_times(&app.store, caller.tenant_id(), wanted, limit).await;
    let offers = offers.map_err(|error| match error {
        BookingError::Refused(Refusal::InvalidPeriod) => {
            let from = from.unwrap_or_else(|| app.store.clock().now());
            ApiError::parameter("to", period_fault(from, to))
        }
        BookingError::Refused(refusal) => of_query(refusal),
        error => not_executed(error),
    })?;
    Ok(Json(Availability { data: offers.into_iter().map(FreeTime::of).collect() }))
}

impl FreeTime {
    fn of(offer: Offer) -> Self {
        let Offer { starts_at, ends_at, resource } = offer;
        Self { starts_at, ends_at, resource: resource.as_str().to_owned() }
    }
}

/// A refusal as a fault of the query parameter of the same name.
fn of_query(refusal: Refusal) -> ApiError {
    let error = refused(refusal);
    let name = error.errors.first().map_or("from", |error| &error.pointer[1..]);
    ApiError::parameter(name, refusal.to_string())
}

/// The reason for which a period is not possible.
fn period_fault(from: DateTime<Utc>, to: Option<DateTime<Utc>>) -> String {
    match to {
        Some(to) if to <= from => "it is not after from (now when nothing is said)".to_owned(),
        Some(to) if to - from > TimeDelta::days(MAX_DAYS) => {
            format!("it is more than {MAX_DAYS} days after from")
        }
        _ => {
            "the period has too many days for so many resources, or leaves the calendar; choose a \
              shorter one, or a resource"
                .to_owned()
        }
    }
}

fn minutes(params: &mut Params) -> Result<Option<u32>, ApiError> {
    let Some(minutes) = params.number("duration_minutes")? else { return Ok(None) };
    let minutes = Some(minutes).filter(|minutes| (1..=MAX_MINUTES).contains(minutes));
    let minutes = minutes.and_then(|minutes| u32::try_from(minutes).ok());
    let refused = || ApiError::parameter("duration_minutes", format!("choose 1 to {MAX_MINUTES}"));
    minutes.map(Some).ok_or_else(refused)
}

fn limit(params: &mut Params) -> Result<usize, ApiError> {
    let Some(limit) = params.number("limit")? else { return Ok(MAX_OFFERS) };
    let limit = usize::try_from(limit).ok().filter(|limit| (1..=MAX_OFFERS).contains(limit));
    limit.ok_or_else(|| ApiError::parameter("limit", format!("choose 1 to {MAX_OFFERS}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_that_is_not_possible_has_its_reason() {
        let from = DateTime::UNIX_EPOCH;
        for (to, reason) in [
            (Some(from), "not after from"),
            (Some(from - TimeDelta::days(1)), "not after from"),
            (Some(from + TimeDelta::days(32)), "more than 31 days after from"),
            (Some(from + TimeDelta::days(20)), "too many days for so many resources"),
            (None, "too many days for so many resources"),
        ] {
            assert!(period_fault(from, to).contains(reason), "{to:?}");
        }
    }
}
