//! `GET /v1/calls/{call_id}`, now or as it was known then.

use std::collections::BTreeMap;

use axum::extract::{Path, Query, State};
use axum::response::Response;
use chrono::{DateTime, Utc};
use ledger_core::call::Call;
use ledger_core::ids::{Position, StreamId};
use ledger_store::{TenantTx, read};
use projections::calls::{Folded, find};
use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;

use super::personal::{OpenedEvent, open_events, open_parties};
use super::view::{CallDetail, CallView, Customer, MessageView, RecordingView, ToolCallView};
use crate::api::{begin_read, positioned};
use crate::app::App;
use crate::auth::{Caller, Scope};
use crate::problem::{ApiError, Problem};

/// How to look at a call.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ShowParams {
    /// A position or an RFC 3339 time: the call as it was known then.
    as_of: Option<String>,
    /// Wait until the read model has reached this position.
    min_position: Option<i64>,
}

/// One call.
///
/// # Errors
/// 404 `call-not-found`, alike for an unknown call and for another tenant's.
#[utoipa::path(
    get, path = "/v1/calls/{call_id}", tag = "calls", security(("api_key" = [])),
    params(("call_id" = String, Path, description = "The call"), ShowParams),
    responses(
        (status = 200, body = CallDetail),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    ),
)]
#[tracing::instrument(name = "api.calls.show", skip_all)]
pub async fn handler(
    caller: Caller,
    State(app): State<App>,
    Path(call_id): Path<String>,
    params: Result<Query<ShowParams>, axum::extract::rejection::QueryRejection>,
) -> Result<Response, ApiError> {
    caller.require(&app, Scope::Read, "calls.show").await?;
    let Query(params) =
        params.map_err(|_| ApiError::parameter("as_of", "see /docs for what may be asked"))?;
    let call_id = Uuid::try_parse(&call_id).map_err(|_| not_found())?;
    let (mut tx, reached) = begin_read(&app, &caller, params.min_position).await?;
    let (call, party, reached) = match params.as_of {
        Some(as_of) => {
            let moment = Moment::parse(&as_of)?;
            let folded = fold_until(&mut tx, call_id, moment).await?.ok_or_else(not_found)?;
            let (position, party) = (folded.call.position, folded.party());
            (folded.call, party, position)
        }
        None => {
            let row = find(&mut tx, call_id).await?.ok_or_else(not_found)?;
            (row.call, row.party, reached)
        }
    };

    let is_personal = caller.has(Scope::Personal);
    let events = if is_personal { personal_events(&mut tx, &call).await? } else { Vec::new() };
    drop(tx);
    let vault = app.store.vault();
    let tenant_id = caller.tenant_id();
    let parties = open_parties(vault, tenant_id, &[party]).await?.pop().unwrap_or_default();
    let opened = open_events(vault, tenant_id, &events).await?;
    if is_personal {
        let mut subjects: Vec<_> = events.iter().filter_map(read::StoredEvent::subject).collect();
        subjects.extend(&parties.subjects);
        subjects.sort_unstable();
        subjects.dedup();
        caller.audit_personal_read(&app, "calls.show", Some(call_id), 1, subjects).await?;
    }
    let customer = Customer::of(&parties, is_personal);
    let detail = detail(CallView::of(call_id, &call, customer), &call, &opened);
    Ok(positioned(detail, reached))
}

pub(super) fn not_found() -> ApiError {
    ApiError::not_found("call-not-found", "call")
}

/// A point in the past.
#[derive(Debug, Clone, Copy)]
enum Moment {
    Position(i64),
    Time(DateTime<Utc>),
}

impl Moment {
    fn parse(text: &str) -> Result<Self, ApiError> {
        let time = || text.parse().map(Self::Time);
        text.parse().map(Self::Position).or_else(|_| time()).map_err(|_| {
            ApiError::parameter("as_of", "it is neither a position nor an RFC 3339 time")
        })
    }

    /// Whether an event was known by then. Known is what we had recorded, whenever it occurred.
    fn knew(self, event: &read::StoredEvent) -> bool {
        match self {
            Self::Position(position) => event.position <= position,
            Self::Time(time) => event.recorded_at <= time,
        }
    }
}

/// The call folded from the log itself, as far as it was known. `None` when nothing was.
async fn fold_until(
    tx: &mut TenantTx,
    call_id: Uuid,
    moment: Moment,
) -> Result<Option<Folded>, ApiError> {
    let events = read::stream(tx, StreamId(call_id)).await?;
    let mut folded = None;
    for event in events.iter().filter(|event| event.stream_kind == "call" && moment.knew(event)) {
        folded.get_or_insert_with(Folded::default).take(event)?;
    }
    Ok(folded)
}

/// The events that hold what was said and done, as far as the fold points to them.
async fn personal_events(
    tx: &mut TenantTx,
    call: &Call,
) -> Result<Vec<read::StoredEvent>, ApiError> {
    let said = call.conversation().into_values();
    let tools = call.tool_calls();
    let done = tools.iter().flat_map(|tool| tool.io.iter().map(|io| io.position));
    let mut positions: Vec<i64> = said.chain(done).map(|Position(position)| position).collect();
    positions.sort_unstable();
    positions.dedup();
    Ok(read::at_positions(tx, &positions).await?)
}

fn detail(view: CallView, call: &Call, opened: &BTreeMap<i64, OpenedEvent>) -> CallDetail {
    let places = call.conversation();
    let part = |name: &str| {
        let position = places.get(name)?;
        opened.get(&position.0)?.conversation.as_ref()
    };
    let message = |turn: &ledger_core::personal::Turn| MessageView {
        role: turn.role.clone(),
        text: turn.text.clone(),
        at_ms: turn.at_ms,
    };
    let recording = |one: &ledger_core::personal::Recording| RecordingView {
        kind: one.kind.clone(),
        url: one.url.clone(),
    };
    CallDetail {
        call: view,
        summary: part("summary").and_then(|said| said.summary.clone()),
        transcript: part("transcript").and_then(|said| said.transcript.clone()),
        messages: part("messages")
            .map(|said| said.messages.iter().map(message).collect())
            .unwrap_or_default(),
        structured_data: part("structured_data").and_then(|said| said.structured_data.clone()),
        recordings: part("recordings")
            .map(|said| said.recordings.iter().map(recording).collect())
            .unwrap_or_default(),
        notes: Vec::new(),
        tool_calls: call.tool_calls().iter().map(|tool| tool_view(tool, opened)).collect(),
    }
}

/// A tool call with the weightiest arguments and result that were told.
fn tool_view(
    tool: &ledger_core::call::ToolCall,
    opened: &BTreeMap<i64, OpenedEvent>,
) -> ToolCallView {
    let told = || {
        tool.io.iter().filter_map(|io| {
            let event = opened.get(&io.position.0)?;
            event.tool_io.iter().find(|entry| entry.nth == io.nth)
        })
    };
    ToolCallView {
        tool_call_id: tool.tool_call_id.clone(),
        tool: tool.tool.clone(),
        arguments: told().find_map(|entry| entry.arguments.clone()),
        result: told().find_map(|entry| entry.result.clone()),
        at: tool.at_ms.and_then(DateTime::from_timestamp_millis),
    }
}
