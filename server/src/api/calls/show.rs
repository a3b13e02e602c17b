//! `GET /v1/calls/{call_id}`: a call, now or as it was known at an earlier point.

use std::collections::BTreeMap;
use std::str::FromStr;

use axum::extract::State;
use axum::response::Response;
use chrono::DateTime;
use ledger_core::call::Call;
use ledger_core::ids::Position;
use ledger_core::lead_score::LeadFacts;
use ledger_core::personal::Conversation;
use ledger_store::TenantTx;
use ledger_store::compute::compute;
use ledger_store::read;
use projections::appointments;
use projections::calls::point_in_time::{self, PointInTime};
use projections::calls::{called_before, find};

use super::customer::Customer;
use super::personal::{
    OpenedEvent, open_events, open_parties, read_within_budget, remove_raw_body, section_positions,
    turn_positions,
};
use super::view::{
    AnalysisView, CallDetail, CallView, CarrierView, MessageView, RecordingView, ToolCallView,
};
use crate::api::annotations;
use crate::api::annotations::view::{LeadScoreView, Sources};
use crate::api::contacts::names::add_names;
use crate::app::App;
use crate::auth::Scope;
use crate::http::consistency::begin_consistent_read;
use crate::http::operation::{Authorized, operation};
use crate::http::params::{Params, PathId, whole_number};
use crate::http::response::opened_page;
use crate::http::times;
use crate::problem::{ApiError, Problem};
use crate::read_budget::BUDGET;

operation! {
    GetCall { id: "get_call", action: "calls.show", access: Read, audit: ReadsPersonalData }
}

/// Returns a call with its conversation, now or as it was known at an earlier point.
///
/// The call of a carrier that is a part of a record is returned by its own id, with `part_of`. With `as_of`, a call is
/// folded from its own events: `carrier` has only the ids that the platform states.
///
/// # Errors
/// 404 `call-not-found`, the same for an unknown call and for another tenant's.
#[utoipa::path(
    get, path = "/v1/calls/{call_id}", tag = "calls",
    params(
        ("call_id" = String, Path, description = "The call"),
        ("as_of" = Option<String>, Query, description = "A position or an RFC 3339 time: the call as it was known then. A time means the log up to the first event that was recorded later"),
        ("min_position" = Option<i64>, Query, description = "Wait until the read model has reached this position"),
    ),
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
    caller: Authorized<GetCall>,
    State(app): State<App>,
    PathId(call_id): PathId,
    mut params: Params,
) -> Result<Response, ApiError> {
    let as_of = params.parse("as_of", "a position or an RFC 3339 time")?;
    let min_position = params.number("min_position")?;
    params.reject_unknown()?;
    let call_id = call_id.ok_or_else(not_found)?;
    let (mut tx, reached) = begin_consistent_read(&app, &caller, "calls", min_position).await?;
    let (call, party, carrier, part_of, booked, until, reached) = match &as_of {
        Some(AsOf(moment)) => {
            let folded =
                point_in_time::find(&mut tx, call_id, *moment).await?.ok_or_else(not_found)?;
            let (position, party) = (folded.call.position, folded.party());
            let until = point_in_time::position_of(&mut tx, *moment).await?;
            let mut booked = appointments::of_calls(&mut tx, &[call_id], Some(until)).await?;
            (folded.call, party, None, None, booked.remove(&call_id), Some(until), position)
        }
        None => {
            let row = find(&mut tx, call_id).await?.ok_or_else(not_found)?;
            (row.call, row.party, row.carrier, row.part_of, row.appointment, None, reached)
        }
    };

    let is_personal = caller.has(Scope::Personal);
    let called_before = called_before(&mut tx, (call_id, &call), until).await?;
    let actors = read_actors(&mut tx, &annotations::view::actor_positions(&call)).await?;
    drop(tx);
    let vault = &app.vault_of(&caller);
    let tenant_id = caller.tenant_id();
    let settings = app.store.call_settings(tenant_id).await?;
    let reservation = app.read_budget.reservation(tenant_id).await?;
    let mut events = Vec::new();
    if is_personal {
        let mut positions = section_positions(&call);
        positions.extend(call.annotation_texts().iter().map(|position| position.0));
        positions.sort_unstable();
        positions.dedup();
        events = read_within_budget(&app, tenant_id, &positions).await?;
        events.iter_mut().for_each(remove_raw_body);
    }
    let sealed = [(&call, party.as_deref())];
    let mut parties = open_parties(vault, tenant_id, &sealed).await?.pop().unwrap_or_default();
    if is_personal && as_of.is_none() {
        let contact = call.contact_id().map(|contact| contact.0);
        add_names(&app, tenant_id, std::iter::once((contact, &mut parties))).await?;
    }
    if is_personal {
        let mut subjects: Vec<_> = events.iter().filter_map(read::StoredEvent::subject).collect();
        subjects.extend(&parties.subjects);
        subjects.sort_unstable();
        subjects.dedup();
        caller.audit_personal_read(&app, caller.action, Some(call_id), 1, subjects).await?;
    }
    let customer = Customer::of(&call, &parties, is_personal);
    let _permit = app.read_budget.open_permit().await;
    let opened = open_events(vault, tenant_id, &events, BUDGET).await?;
    let write = || {
        let section = is_personal.then_some(&opened.events);
        let carrier = CarrierView::of(tenant_id, &call, carrier.as_ref());
        let view =
            CallView::of(call_id, &call, customer, carrier).with_appointment(booked.as_ref());
        let facts = LeadFacts::of(&call, booked.is_some(), called_before);
        let lead_score = (!call.is_test()).then(|| LeadScoreView::of(&facts, &settings));
        let sources = Sources { opened: section, actors: Some(&actors) };
        let detail = CallDetail { part_of, lead_score, ..detail(view, &call, sources) };
        serde_json::to_vec(&detail)
    };
    opened_page(reservation, compute(opened.bytes, write).await, reached)
}

pub(super) fn not_found() -> ApiError {
    ApiError::not_found("call-not-found", "call")
}

/// The parameter `as_of`: a log position or a time.
struct AsOf(PointInTime);

impl FromStr for AsOf {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let position = whole_number(text).map(PointInTime::Position);
        position.or_else(|| times::zoned(text).map(PointInTime::Time)).map(Self).ok_or(())
    }
}

/// Returns the actors of events by position; of deliveries, which have none, nothing.
async fn read_actors(
    tx: &mut TenantTx,
    positions: &[i64],
) -> Result<BTreeMap<i64, String>, ApiError> {
    if positions.is_empty() {
        return Ok(BTreeMap::new());
    }
    let tenant_id = tx.tenant_id();
    let metadata = read::metadata(tx.conn(), tenant_id, positions).await?;
    let actor = |(position, meta): (i64, String)| {
        let meta: read::EventMeta = serde_json::from_str(&meta).ok()?;
        Some((position, meta.actor?))
    };
    Ok(metadata.into_iter().filter_map(actor).collect())
}

/// Adds conversation, tool data and annotations to the view of a call, from the opened events.
fn detail(view: CallView, call: &Call, sources: Sources<'_>) -> CallDetail {
    let opened = sources.opened;
    let places = call.conversation();
    let part = |name: &str| {
        let position = places.get(name)?;
        opened?.get(&position.0)?.conversation.as_ref()
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
    let source = view.provider.clone();
    CallDetail {
        analysis: analysis(source, part("analysis"), part("summary")),
        call: view,
        part_of: None,
        summary: part("summary").and_then(|section| section.summary.clone()),
        transcript: part("transcript").and_then(|section| section.transcript.clone()),
        messages: opened.map(|opened| {
            let turns = turn_positions(call)
                .into_iter()
                .filter_map(|Position(position)| opened.get(&position)?.conversation.as_ref());
            turns.flat_map(|section| &section.messages).map(message).collect()
        }),
        structured_data: part("structured_data")
            .and_then(|section| section.structured_data.clone()),
        recordings: opened.map(|_| {
            let reported = part("recordings").into_iter();
            let positions = call.recordings();
            let single = positions.iter().filter_map(|Position(at)| opened?.get(at));
            reported
                .chain(single.filter_map(|event| event.conversation.as_ref()))
                .flat_map(|section| &section.recordings)
                .map(recording)
                .collect()
        }),
        notes: annotations::view::notes(call, sources),
        categorised_tags: annotations::view::tags(call),
        escalations: annotations::view::escalations(call, sources),
        context: annotations::view::context(call, sources),
        lead_score: None,
        tool_calls: call.tool_calls().iter().map(|tool| tool_view(tool, opened)).collect(),
        is_truncated: call.is_truncated(),
    }
}

/// Returns the analysis: the summary, and the section with the rest of it.
fn analysis(
    source: String,
    analysis: Option<&Conversation>,
    summary: Option<&Conversation>,
) -> Option<AnalysisView> {
    let rest = analysis.and_then(|section| section.analysis.clone()).unwrap_or_default();
    let summary = summary.and_then(|section| section.summary.clone());
    let is_reported = summary.is_some() || rest.sentiment.is_some() || rest.intent.is_some();
    is_reported.then_some(AnalysisView {
        sentiment: rest.sentiment,
        intent: rest.intent,
        summary,
        source,
        model_version: rest.model_version,
    })
}

/// A tool call with the arguments and the result of highest precedence.
fn tool_view(
    tool: &ledger_core::call::ToolCall,
    opened: Option<&BTreeMap<i64, OpenedEvent>>,
) -> ToolCallView {
    let entries = || {
        tool.io.iter().filter_map(|io| {
            let event = opened?.get(&io.position.0)?;
            event.tool_io.iter().find(|entry| entry.nth == io.nth)
        })
    };
    ToolCallView {
        tool_call_id: tool.tool_call_id.clone(),
        tool: tool.tool.clone(),
        arguments: entries().find_map(|entry| entry.arguments.clone()),
        result: entries().find_map(|entry| entry.result.clone()),
        at: tool.at_ms.and_then(DateTime::from_timestamp_millis),
    }
}
