//! `GET /v1/calls`.

use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Utc};
use ledger_core::ids::SubjectId;
use ledger_core::personal::{normalise_email, normalise_phone};
use ledger_store::vault::Identifier;
use projections::calls::{After, Filter, list};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::personal::open_parties;
use super::view::{CallView, Customer};
use crate::api::{Params, begin_read, decode_cursor, encode_cursor, is_rfc3339, positioned};
use crate::app::App;
use crate::auth::{Caller, Scope};
use crate::problem::{ApiError, Problem};

/// A page of calls, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct CallPage {
    /// The calls.
    data: Vec<CallView>,
    /// Send it back as `cursor` for the next page; null on the last.
    next_cursor: Option<String>,
}

/// Where a page ended.
#[derive(Serialize, Deserialize)]
struct Place {
    s: DateTime<Utc>,
    c: Uuid,
}

/// A page of calls.
///
/// # Errors
/// 400 for a parameter that is unknown or not of its form, by name.
#[utoipa::path(
    get, path = "/v1/calls", tag = "calls", security(("api_key" = [])),
    params(
        ("from" = Option<String>, Query, format = DateTime, description = "Began at or after (RFC 3339)"),
        ("to" = Option<String>, Query, format = DateTime, description = "Began before (RFC 3339), not before `from`"),
        ("provider_call_id" = Option<String>, Query, description = "The platform's own id"),
        ("direction" = Option<String>, Query, pattern = "^(inbound|outbound|web)?$", description = "inbound, outbound or web"),
        ("status" = Option<String>, Query, pattern = "^(queued|ringing|in_progress|forwarding|ended)?$", description = "queued, ringing, in_progress, forwarding or ended"),
        ("outcome" = Option<String>, Query, pattern = "^(completed|customer_hung_up|no_answer|voicemail|busy|transferred|silence|failed|unknown)?$", description = "completed, customer_hung_up, no_answer, voicemail, busy, transferred, silence, failed or unknown"),
        ("ended_reason" = Option<String>, Query, description = "The platform's reason, exactly"),
        ("agent_id" = Option<String>, Query, description = "The assistant"),
        ("tool" = Option<String>, Query, description = "Called this tool"),
        ("min_cost_nanos" = Option<i64>, Query, description = "Cost at least this many nano-dollars"),
        ("phone" = Option<String>, Query, description = "With this number, in any form of it"),
        ("email" = Option<String>, Query, description = "With this e-mail address"),
        ("is_test" = Option<bool>, Query, description = "Marked as a test, or not"),
        ("limit" = Option<i64>, Query, minimum = 1, maximum = 200, description = "1 to 200, default 50"),
        ("cursor" = Option<String>, Query, pattern = "^[A-Za-z0-9_-]*$", description = "next_cursor of the page before"),
        ("min_position" = Option<i64>, Query, description = "Wait until the read model has reached this position"),
    ),
    responses(
        (status = 200, body = CallPage),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    ),
)]
#[tracing::instrument(name = "api.calls.list", skip_all)]
pub async fn handler(
    caller: Caller,
    State(app): State<App>,
    mut params: Params,
) -> Result<Response, ApiError> {
    caller.require(&app, Scope::Read, "calls.list").await?;
    let limit = params.limit()?;
    let is_possible = |place: &Place| is_rfc3339(place.s);
    let cursor =
        params.take("cursor")?.map(|cursor| decode_cursor(&cursor, is_possible)).transpose()?;
    let after = cursor.map(|place| After { started_at: place.s, call_id: place.c });
    let min_position = params.number("min_position")?;
    let filter = filter(&app, &caller, &mut params).await?;
    refuse_later_filters(&mut params)?;
    params.finish()?;
    // Asking who called from a number is a look at a person, whatever is shown of the answer.
    if let Some(subjects) = &filter.subjects {
        let subjects: Vec<SubjectId> = subjects.iter().copied().map(SubjectId).collect();
        let count = subjects.len();
        caller.audit_personal_read(&app, "calls.find", None, count, subjects).await?;
    }

    let (mut tx, reached) = begin_read(&app, &caller, "calls", min_position).await?;
    let mut rows = list(&mut tx, &filter, after, limit + 1).await?;
    drop(tx);
    let has_more = i64::try_from(rows.len()).is_ok_and(|len| len > limit);
    rows.truncate(usize::try_from(limit).expect("at most 200"));
    let next_cursor = rows
        .last()
        .filter(|_| has_more)
        .map(|last| encode_cursor(&Place { s: last.started_at, c: last.call_id }));

    let sealed: Vec<_> = rows.iter().map(|row| (&row.call, row.party.as_deref())).collect();
    let parties = open_parties(app.store.vault(), caller.tenant_id(), &sealed).await?;
    let is_personal = caller.has(Scope::Personal);
    if is_personal && !rows.is_empty() {
        let mut subjects: Vec<_> = parties.iter().flat_map(|one| one.subjects.clone()).collect();
        subjects.sort_unstable();
        subjects.dedup();
        caller.audit_personal_read(&app, "calls.list", None, rows.len(), subjects).await?;
    }
    let view = |(row, parties): (&projections::calls::CallRow, _)| {
        CallView::of(row.call_id, &row.call, Customer::of(parties, is_personal))
    };
    let data = rows.iter().zip(&parties).map(view).collect();
    Ok(positioned(CallPage { data, next_cursor }, reached))
}

async fn filter(app: &App, caller: &Caller, params: &mut Params) -> Result<Filter, ApiError> {
    const DIRECTIONS: &[&str] = &["inbound", "outbound", "web"];
    const STATUSES: &[&str] = &["queued", "ringing", "in_progress", "forwarding", "ended"];
    const OUTCOMES: &[&str] = &[
        "completed",
        "customer_hung_up",
        "no_answer",
        "voicemail",
        "busy",
        "transferred",
        "silence",
        "failed",
        "unknown",
    ];
    let from = params.time("from")?;
    let to = params.time("to")?;
    if from.zip(to).is_some_and(|(from, to)| from > to) {
        return Err(ApiError::parameter("from", "it lies after to"));
    }
    Ok(Filter {
        from,
        to,
        provider_call_id: params.take("provider_call_id")?,
        direction: params.one_of("direction", DIRECTIONS)?,
        status: params.one_of("status", STATUSES)?,
        outcome: params.one_of("outcome", OUTCOMES)?,
        ended_reason: params.take("ended_reason")?,
        agent_id: params.take("agent_id")?,
        tool: params.take("tool")?,
        min_cost_nanos: params.number("min_cost_nanos")?,
        subjects: subjects(app, caller, params).await?,
        is_test: params.parse("is_test", "true or false")?,
    })
}

/// Filters of the contract whose facts this ledger does not keep yet.
fn refuse_later_filters(params: &mut Params) -> Result<(), ApiError> {
    for name in ["has_appointment", "contact_id", "tag", "disposition"] {
        if params.take(name)?.is_some() {
            return Err(ApiError::parameter(name, "this ledger does not keep that yet"));
        }
    }
    Ok(())
}

/// Who is meant by a phone number or an e-mail address; nobody found finds no calls.
async fn subjects(
    app: &App,
    caller: &Caller,
    params: &mut Params,
) -> Result<Option<Vec<Uuid>>, ApiError> {
    let tenant_id = caller.tenant_id();
    let mut wanted = Vec::new();
    if let Some(phone) = params.take("phone")? {
        let country = app.store.country(tenant_id).await?;
        let phone = normalise_phone(&phone, country.as_deref())
            .ok_or_else(|| ApiError::parameter("phone", "it is no telephone number"))?;
        wanted.push(Identifier::Phone(phone));
    }
    if let Some(email) = params.take("email")? {
        let email = normalise_email(&email)
            .ok_or_else(|| ApiError::parameter("email", "it is no e-mail address"))?;
        wanted.push(Identifier::Email(email));
    }
    if wanted.is_empty() {
        return Ok(None);
    }
    let mut found: Option<Vec<Uuid>> = None;
    for identifier in &wanted {
        let these = app.store.vault().find(tenant_id, identifier).await?;
        let these: Vec<Uuid> = these.into_iter().map(|subject| subject.0).collect();
        // Several identifiers narrow each other.
        found = Some(match found {
            Some(known) => known.into_iter().filter(|id| these.contains(id)).collect(),
            None => these,
        });
    }
    Ok(found)
}
