//! `GET /v1/calls`: calls by filter, newest first.

use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Utc};
use ledger_store::compute::compute;
use ledger_store::read::PageSize;
use projections::calls::{After, StoredCall, list};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::customer::Customer;
use super::filter::{audit_search, parse_filter};
use super::personal::open_parties;
use super::view::{CallView, CarrierView};
use crate::api::contacts::names::add_names;
use crate::api::words::{CallDirection, CallOutcome, CallStatus, TestCalls};
use crate::app::App;
use crate::auth::Scope;
use crate::http::consistency::{begin_consistent_read, begin_joined_read};
use crate::http::operation::{Authorized, operation};
use crate::http::page::{next_cursor, page_params};
use crate::http::params::Params;
use crate::http::response::{opened_page, with_read_position};
use crate::http::times::is_rfc3339;
use crate::problem::{ApiError, Problem};

/// Maximum bytes of JSON in the opened rows of one page, unless its first row is larger. The
/// decoded rows take a few times as much memory.
const ROWS: usize = 2 << 20;
/// A page with at most this many bytes needs no memory reservation.
const SMALL: usize = 512 << 10;

/// A page of calls, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct CallPage {
    /// Calls ordered by start, then id.
    data: Vec<CallView>,
    /// Value of `cursor` for the next page; null on the last.
    next_cursor: Option<String>,
}

/// Cursor of the page: start and id of its last call.
#[derive(Serialize, Deserialize)]
#[serde(tag = "list")]
struct CallCursor {
    s: DateTime<Utc>,
    c: Uuid,
}

operation! {
    ListCalls { id: "list_calls", action: "calls.list", access: Read, audit: ReadsPersonalData }
}

/// Lists calls that match a filter, newest first.
///
/// # Errors
/// 400 for an unknown or malformed parameter, named in the answer.
#[utoipa::path(
    get, path = "/v1/calls", tag = "calls",
    params(
        ("from" = Option<String>, Query, format = DateTime, description = "Began at or after (RFC 3339)"),
        ("to" = Option<String>, Query, format = DateTime, description = "Began before (RFC 3339), not before `from`"),
        ("provider_call_id" = Option<String>, Query, description = "The platform's own id, or that of the call at its carrier"),
        ("direction" = Option<CallDirection>, Query, description = "inbound, outbound or web"),
        ("status" = Option<CallStatus>, Query, description = "queued, ringing, in_progress, forwarding or ended"),
        ("outcome" = Option<CallOutcome>, Query, description = "completed, customer_hung_up, no_answer, voicemail, busy, transferred, silence, failed or unknown"),
        ("ended_reason" = Option<String>, Query, description = "The platform's reason, exactly"),
        ("agent_id" = Option<String>, Query, description = "The assistant"),
        ("tool" = Option<String>, Query, description = "Called this tool"),
        ("min_cost_nanos" = Option<i64>, Query, description = "Cost at least this many nano-dollars"),
        ("phone" = Option<String>, Query, min_length = 1, description = "A message of the call states this number, in any form of it, with its extension if it has one; needs scope personal"),
        ("email" = Option<String>, Query, min_length = 1, description = "A message of the call states this e-mail address; needs scope personal"),
        ("contact_id" = Option<Uuid>, Query, description = "With this contact"),
        ("has_appointment" = Option<bool>, Query, description = "An appointment was booked in the call, whatever became of it, or none was"),
        ("tag" = Option<String>, Query, min_length = 1, description = "With this tag"),
        ("disposition" = Option<String>, Query, min_length = 1, description = "Id of the disposition; - and _ are not distinguished"),
        ("campaign" = Option<String>, Query, min_length = 1, description = "Id of the campaign"),
        ("attempt" = Option<i64>, Query, description = "Number of the attempt to reach the person, from 1"),
        ("call_type" = Option<String>, Query, min_length = 1, description = "Type of the call"),
        ("is_test" = Option<TestCalls>, Query, description = "true: only test calls; false: no test calls; any (default): both"),
        ("limit" = Option<i64>, Query, minimum = 1, maximum = 200, description = "1 to 200, default 50"),
        ("cursor" = Option<String>, Query, pattern = "^[A-Za-z0-9_-]*$", description = "next_cursor of the page before"),
        ("min_position" = Option<i64>, Query, description = "Wait until the read model has reached this position"),
    ),
    responses(
        (status = 200, body = CallPage),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 429, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    ),
)]
#[tracing::instrument(name = "api.calls.list", skip_all)]
pub async fn handler(
    caller: Authorized<ListCalls>,
    State(app): State<App>,
    mut params: Params,
) -> Result<Response, ApiError> {
    let (limit, after) = page_params(&mut params, |last: &CallCursor| is_rfc3339(last.s))?;
    let after = after.map(|last| After { started_at: last.s, call_id: last.c });
    let min_position = params.number("min_position")?;
    let search = parse_filter(&app, &caller, &mut params).await?;
    params.reject_unknown()?;
    audit_search(&app, &caller, &search).await?;

    // The contacts that were merged into the one of the filter count too.
    let (mut tx, reached) = if search.filter.contact_id.is_some() {
        begin_joined_read(&app, &caller, ["calls", "contacts"], min_position).await?
    } else {
        begin_consistent_read(&app, &caller, "calls", min_position).await?
    };
    let size = PageSize { rows: limit.rows(), bytes: ROWS };
    let page = list(&mut tx, &search.filter, after, size).await?;
    drop(tx);
    let weight: usize = page.rows.iter().map(StoredCall::weight).sum();
    let room = if weight > SMALL {
        Some(app.read_budget.reservation(caller.tenant_id()).await?)
    } else {
        None
    };
    let open = || page.rows.into_iter().map(StoredCall::open).collect::<Result<Vec<_>, _>>();
    let rows = compute(weight, open).await?;
    let cursor_of =
        |last: &projections::calls::CallRow| CallCursor { s: last.started_at, c: last.call_id };
    let next_cursor = next_cursor(&rows, page.has_more, cursor_of);

    let sealed: Vec<_> = rows.iter().map(|row| (&row.call, row.party.as_deref())).collect();
    let mut parties = open_parties(&app.vault_of(&caller), caller.tenant_id(), &sealed).await?;
    let is_personal = caller.has(Scope::Personal);
    if is_personal {
        let contacts = rows.iter().map(|row| row.call.contact_id().map(|contact| contact.0));
        add_names(&app, caller.tenant_id(), contacts.zip(&mut parties)).await?;
    }
    if is_personal && !rows.is_empty() {
        let mut subjects: Vec<_> = parties.iter().flat_map(|one| one.subjects.clone()).collect();
        subjects.sort_unstable();
        subjects.dedup();
        caller.audit_personal_read(&app, caller.action, None, rows.len(), subjects).await?;
    }
    let view = |(row, parties): (&projections::calls::CallRow, _)| {
        let carrier = CarrierView::of(caller.tenant_id(), &row.call, row.carrier.as_ref());
        CallView::of(row.call_id, &row.call, Customer::of(&row.call, parties, is_personal), carrier)
            .with_appointment(row.appointment.as_ref())
    };
    let write = || {
        let data = rows.iter().zip(&parties).map(view).collect();
        CallPage { data, next_cursor }
    };
    match room {
        None => Ok(with_read_position(write(), reached)),
        Some(room) => {
            let written = compute(weight, || serde_json::to_vec(&write())).await;
            opened_page(room, written, reached)
        }
    }
}
