//! `GET /v1/appointments`: appointments by filter, the latest start first.

use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Utc};
use ledger_store::read::{self, Page, PageSize};
use projections::appointments::{After, AppointmentFilter, list};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::customers::{booking_events, open_customers};
use super::view::AppointmentView;
use crate::api::calls::customer::Customer;
use crate::api::contacts::names::add_parties;
use crate::api::words::AppointmentStatusName;
use crate::app::App;
use crate::auth::Scope;
use crate::http::consistency::{begin_consistent_read, begin_joined_read};
use crate::http::operation::{Authorized, operation};
use crate::http::page::{next_cursor, page_params};
use crate::http::params::Params;
use crate::http::response::with_read_position;
use crate::http::times::is_rfc3339;
use crate::problem::{ApiError, Problem};

/// Maximum bytes of the rows of one page, unless its first row is larger.
const ROWS: usize = 1 << 20;

/// A page of appointments, the latest start first.
#[derive(Debug, Serialize, ToSchema)]
pub struct AppointmentPage {
    /// Appointments ordered by start, then id.
    data: Vec<AppointmentView>,
    /// Value of `cursor` for the next page; null on the last.
    next_cursor: Option<String>,
}

/// Cursor of the page: start and id of its last appointment.
#[derive(Serialize, Deserialize)]
#[serde(tag = "list")]
struct AppointmentCursor {
    s: DateTime<Utc>,
    a: Uuid,
}

operation! {
    ListAppointments {
        id: "list_appointments",
        action: "appointments.list",
        access: Read,
        audit: ReadsPersonalData,
    }
}

/// Lists appointments that match a filter, the latest start first.
///
/// # Errors
/// 400 for an unknown or malformed parameter, named in the answer.
#[utoipa::path(
    get, path = "/v1/appointments", tag = "appointments",
    params(
        ("from" = Option<String>, Query, format = DateTime, description = "Start at or after (RFC 3339)"),
        ("to" = Option<String>, Query, format = DateTime, description = "Start before (RFC 3339), not before `from`"),
        ("status" = Option<AppointmentStatusName>, Query, description = "pending, confirmed, completed, cancelled or no_show"),
        ("contact_id" = Option<Uuid>, Query, description = "For this contact"),
        ("service_type" = Option<String>, Query, description = "Id of the service"),
        ("resource" = Option<String>, Query, description = "Id of the resource"),
        ("call_id" = Option<Uuid>, Query, description = "Booked in this call"),
        ("limit" = Option<i64>, Query, minimum = 1, maximum = 200, description = "1 to 200, default 50"),
        ("cursor" = Option<String>, Query, pattern = "^[A-Za-z0-9_-]*$", description = "next_cursor of the page before"),
        ("min_position" = Option<i64>, Query, description = "Wait until the read model has reached this position"),
    ),
    responses(
        (status = 200, body = AppointmentPage),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    ),
)]
#[tracing::instrument(name = "api.appointments.list", skip_all)]
pub async fn handler(
    caller: Authorized<ListAppointments>,
    State(app): State<App>,
    mut params: Params,
) -> Result<Response, ApiError> {
    let is_possible = |last: &AppointmentCursor| is_rfc3339(last.s);
    let (limit, cursor) = page_params(&mut params, is_possible)?;
    let after = cursor.map(|last| After { scheduled_at: last.s, appointment_id: last.a });
    let min_position = params.number("min_position")?;
    let filter = filter(&mut params)?;
    params.reject_unknown()?;

    if min_position.is_some() {
        // Merges, and the persons of appointments without a party of their own.
        drop(begin_consistent_read(&app, &caller, "contacts", min_position).await?);
    }
    let models = ["appointments", "calls"];
    let (mut tx, reached) = begin_joined_read(&app, &caller, models, min_position).await?;
    let size = PageSize { rows: limit.rows(), bytes: ROWS };
    let Page { rows, has_more } = list(&mut tx, &filter, after, size).await?;
    let booked: Vec<i64> = rows.iter().map(|row| row.appointment.booked_position).collect();
    let bookings = booking_events(&read::at_positions(&mut tx, &booked).await?);
    drop(tx);
    let (vault, tenant_id) = (&app.vault_of(&caller), caller.tenant_id());
    let mut parties = open_customers(vault, tenant_id, &rows, Some(&bookings)).await?;
    let contacts = rows.iter().map(|row| row.appointment.contact_id);
    add_parties(&app, tenant_id, contacts.zip(&mut parties)).await?;
    let is_personal = caller.has(Scope::Personal);
    if is_personal && !rows.is_empty() {
        let mut subjects: Vec<_> = parties.iter().flat_map(|one| one.subjects.clone()).collect();
        subjects.sort_unstable();
        subjects.dedup();
        caller.audit_personal_read(&app, "appointments.list", None, rows.len(), subjects).await?;
    }
    let next_cursor = next_cursor(&rows, has_more, |row| AppointmentCursor {
        s: row.appointment.scheduled_at,
        a: row.appointment.appointment_id,
    });
    let view = |(row, parties): (projections::appointments::ListedAppointment, _)| {
        let contact_id = Some(row.appointment.contact_id);
        AppointmentView::of(row, Customer::known(contact_id, parties, is_personal))
    };
    let data = rows.into_iter().zip(&parties).map(view).collect();
    Ok(with_read_position(AppointmentPage { data, next_cursor }, reached))
}

fn filter(params: &mut Params) -> Result<AppointmentFilter, ApiError> {
    let (from, to) = (params.time_not_empty("from")?, params.time_not_empty("to")?);
    if from.zip(to).is_some_and(|(from, to)| from > to) {
        return Err(ApiError::parameter("from", "it lies after to"));
    }
    Ok(AppointmentFilter {
        from,
        to,
        status: params.one_of("status", AppointmentStatusName::ALL)?,
        contact_id: id(params, "contact_id", "the id of a contact")?,
        service: params.optional("service_type")?,
        resource: params.optional("resource")?,
        call_id: id(params, "call_id", "the id of a call")?,
    })
}

/// Reads an id. An empty one is refused, since it is usually an unset variable of a script.
pub(in crate::api) fn id(
    params: &mut Params,
    name: &str,
    form: &str,
) -> Result<Option<Uuid>, ApiError> {
    let Some(text) = params.not_empty(name)? else { return Ok(None) };
    let id = Uuid::try_parse(&text);
    id.map(Some).map_err(|_| ApiError::parameter(name, format!("it is not {form}")))
}
