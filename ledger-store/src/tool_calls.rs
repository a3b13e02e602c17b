//! Answers to the tools of `ledger_core::tools`, one append for each tool call: its event with the
//! sealed answer, and the events of what it did.
//!
//! A tool call is identified by its call, its id and its name, so the answer that is in the log is
//! given again, whatever runs at the same time. Refusals are recorded like results. Which
//! appointments a person has is read from the log (`find.rs`), not from a read model.

mod book;
mod change;
mod escalate;
mod find;
mod look_up;
mod person;
mod telling;
mod unanswered;
mod unconfirmed;

use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Duration, Timelike, Utc};
use ledger_core::actor::Actor;
use ledger_core::booking::availability::{MAX_OFFERS, MAX_RESOURCE_DAYS, Query};
use ledger_core::booking::settings::hours::Hours;
use ledger_core::booking::{BookingSettings, Refusal, local};
use ledger_core::dates::{DateContext, OpeningHours};
use ledger_core::envelope::Draft;
use ledger_core::event::CallEvent;
use ledger_core::ids::{CommandId, StreamId};
use ledger_core::provider::ToolReply;
use ledger_core::tools::{self, SearchWish, Tool, ToolContext, Wish, words};
use serde_json::Value;
use thiserror::Error;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

pub use self::unconfirmed::{FollowedUp, UnconfirmedTool};

use crate::Store;
use crate::admin_events::Attribution;
use crate::append::{AppendError, AppendRejection, Appended};
use crate::bookings::AvailabilityError;
use crate::error::StoreError;
use crate::execute::{CommandContext, ExecuteError};
use crate::record::{DeliveryContext, FirstAnswer, RecordError, ResolvedDelivery, stream_of};
use crate::stage::{self, Stage};
use crate::tenant_tx::TenantTx;
use crate::vault::{Subject, VaultError};
use crate::{compute::compute, read};
use telling::Said;

/// Maximum number of events of a tool call: its own, that of the appointment, and two on each of
/// three days.
const MAX_EVENTS: u16 = 8;

/// Tool calls of one tenant that are prepared at the same time, so that the others keep their
/// connections.
const MAX_AT_ONCE: usize = 4;
/// Time that a tool call waits for its turn. The caller is waiting on the line.
const MAX_WAIT: std::time::Duration = std::time::Duration::from_secs(2);

/// A tool call of a delivery.
pub struct ToolCall<'a> {
    /// The context of the delivery.
    pub origin: &'a DeliveryContext,
    /// The digest that identifies the content of the delivery.
    pub canonical: &'a [u8],
    /// The tool.
    pub tool: Tool,
    /// The event of the tool call, with its arguments.
    pub draft: Draft,
    /// Number of tool calls with the same id and name before this one in the delivery.
    pub ordinal: u16,
}

/// The answer to a tool call, which is in the log.
#[derive(Clone, PartialEq, Eq)]
pub struct ToolAnswered {
    /// What the voice says.
    pub reply: ToolReply,
    /// The positions of the events.
    pub appended: Appended,
}

/// The reason for which a tool call has no answer.
#[derive(Debug, Error)]
pub enum ToolError {
    /// Too many commands wanted the same day to decide in time. Nothing was recorded.
    #[error("the schedule is too busy to decide")]
    Busy,
    /// The tool call could not be recorded.
    #[error("the tool call was not recorded")]
    Record(#[from] RecordError),
    /// The decision does not fit its streams: a fault of this code. Nothing was recorded.
    #[error("the decision does not fit its streams")]
    Misplaced,
}

impl ToolError {
    /// Whether it is certain that nothing was recorded. Otherwise the outcome is unknown.
    #[must_use]
    pub fn is_certain(&self) -> bool {
        match self {
            Self::Busy | Self::Misplaced => true,
            Self::Record(RecordError::Append(error)) => !error.is_unavailable(),
            Self::Record(_) => false,
        }
    }

    /// Whether the tenant takes no events.
    #[must_use]
    pub fn is_tenant_not_active(&self) -> bool {
        let rejected = AppendRejection::TenantNotActive;
        matches!(self, Self::Record(RecordError::Append(AppendError::Rejected(why))) if *why == rejected)
    }
}

impl From<StoreError> for ToolError {
    fn from(error: StoreError) -> Self {
        Self::Record(error.into())
    }
}

impl From<VaultError> for ToolError {
    fn from(error: VaultError) -> Self {
        Self::Record(error.into())
    }
}

impl From<sqlx::Error> for ToolError {
    fn from(error: sqlx::Error) -> Self {
        Self::Record(error.into())
    }
}

impl From<AppendError> for ToolError {
    fn from(error: AppendError) -> Self {
        Self::Record(error.into())
    }
}

impl From<ExecuteError<Refusal>> for ToolError {
    fn from(error: ExecuteError<Refusal>) -> Self {
        match error {
            ExecuteError::Busy => Self::Busy,
            ExecuteError::Append(error) => error.into(),
            ExecuteError::Store(error) => error.into(),
            ExecuteError::Rejected(_) | ExecuteError::Reused | ExecuteError::Misplaced => {
                Self::Misplaced
            }
        }
    }
}

/// A tool call with what its answer depends on.
struct Asked<'a> {
    delivery: ResolvedDelivery<'a>,
    /// The digest of the body as the sender's content, and as it is in the log.
    canonical: &'a [u8],
    digest: [u8; 32],
    draft: Draft,
    command_id: CommandId,
    settings: Arc<BookingSettings>,
    country: Option<String>,
    hours: Option<OpeningHours>,
    now: DateTime<Utc>,
    /// Released before the decision: a command that waits has no connection.
    turn: Mutex<Option<OwnedSemaphorePermit>>,
}

impl Asked<'_> {
    /// Lets the next tool call of the tenant begin.
    fn release_turn(&self) {
        *self.turn.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn dates(&self) -> DateContext<'_> {
        DateContext {
            reference: self.now,
            zone: self.settings.zone,
            country: self.country.as_deref(),
            hours: self.hours.as_ref(),
        }
    }

    fn arguments(&self) -> Option<&Value> {
        self.draft.sections.tool_io.first()?.arguments.as_ref()
    }

    /// The command of the tool call, whose sections are sealed for a subject.
    fn command(&self, subject: Option<Subject>) -> CommandContext {
        let DeliveryContext { tenant_id, source_id, request_id, .. } = *self.delivery.origin;
        let by = Attribution { actor: Actor::Source(source_id), request_id, command_id: None };
        let by = by.with_command(Some(self.command_id));
        CommandContext { tenant_id, by, content: None, subject }
    }

    /// The call, as appointments name it.
    fn call_id(&self) -> Option<StreamId> {
        use ledger_core::envelope::StreamKind;
        (self.delivery.kind == StreamKind::Call).then_some(self.delivery.stream_id)
    }
}

impl Store {
    /// Answers a tool call and records it; the answer in the log if there is one.
    ///
    /// # Errors
    /// [`ToolError`]; asking again is safe in every case.
    pub async fn answer_tool(&self, call: ToolCall<'_>) -> Result<ToolAnswered, ToolError> {
        stage::drive(Stage::Tools, Box::pin(self.answer_in_turn(call))).await
    }

    async fn answer_in_turn(&self, call: ToolCall<'_>) -> Result<ToolAnswered, ToolError> {
        let ToolCall { origin, canonical, tool, draft, ordinal } = call;
        let tenant_id = origin.tenant_id;
        let turn = self.tool_calls.take(&tenant_id, MAX_AT_ONCE, 1);
        let turn = timeout(MAX_WAIT, turn).await.map_err(|_| ToolError::Busy)?;
        let key = self.keyring.digest_key(tenant_id).await.map_err(RecordError::from)?;
        let digest = compute(canonical.len(), || key.digest(canonical)).await;
        let (stream_id, _) = stream_of(origin, &digest, std::slice::from_ref(&draft));
        let command_id = command_of(origin, stream_id, &digest, &draft, ordinal);
        let accepts = self.accepts_events(tenant_id).await?;
        if let Some(known) = self.known_answer(origin, command_id, &digest).await? {
            if !known.is_same_body && accepts {
                self.record_again(origin, canonical, draft, &known.answered.reply).await?;
            }
            return Ok(known.answered);
        }
        let settings = self.booking_settings_with_names(tenant_id).await?;
        let Some(settings) = settings.filter(|_| accepts) else {
            return Err(AppendError::Rejected(AppendRejection::TenantNotActive).into());
        };
        let delivery =
            self.resolve_delivery(origin, canonical, std::slice::from_ref(&draft)).await?;
        let now = self.clock.now_micros();
        let asked = Asked {
            hours: opening_hours(&settings, now),
            country: self.country(tenant_id).await?,
            settings,
            delivery,
            canonical,
            digest,
            draft,
            command_id,
            now,
            turn: Mutex::new(Some(turn)),
        };
        let context = ToolContext { dates: asked.dates(), settings: &asked.settings };
        match tools::wish(tool, asked.arguments(), &context) {
            Err(question) => self.tell(&asked, Said::only(Err(question))).await,
            Ok(Wish::Book(wish)) => self.book(&asked, *wish).await,
            Ok(Wish::Search(wish)) => {
                let said = self.search(&asked, &wish).await?;
                self.tell(&asked, said).await
            }
            Ok(Wish::Cancel(wish) | Wish::Reschedule(wish)) => self.change(&asked, *wish).await,
            Ok(Wish::Escalate(wish)) => self.escalate(&asked, wish).await,
            Ok(Wish::LookUp(named)) => {
                let reply = self.look_up(&asked, &named).await?;
                self.tell(&asked, Said::only(reply)).await
            }
        }
    }

    async fn search(&self, asked: &Asked<'_>, wish: &SearchWish) -> Result<Said, ToolError> {
        let settings = &asked.settings;
        let resources = settings.resources.as_slice().len().max(1);
        let days = i64::try_from(MAX_RESOURCE_DAYS / resources).unwrap_or(1).max(2) - 1;
        let until = wish.until.min(wish.from + Duration::days(days));
        let query = Query { kind: wish.kind.clone(), from: wish.from, until };
        let tenant_id = asked.delivery.origin.tenant_id;
        let mut offers = match self.availability(tenant_id, settings, &query, MAX_OFFERS).await {
            Ok(offers) => offers,
            Err(AvailabilityError::Refused(refusal)) => {
                let reply = Err(words::refused(refusal, &[], &asked.dates()));
                return Ok(Said::only(reply));
            }
            Err(AvailabilityError::Store(error)) => return Err(error.into()),
        };
        if let Some(wanted) = wish.wanted.filter(|wanted| *wanted > asked.now) {
            // A range that begins at the wanted minute tells whether exactly that minute is free.
            let query = Query { from: wanted, ..query };
            if let Ok(exact) = self.availability(tenant_id, settings, &query, 1).await {
                offers.extend(exact.into_iter().filter(|offer| offer.starts_at == wanted));
                offers.sort_by_key(|offer| offer.starts_at);
            }
        }
        // A search begins now; nobody wants an offer of an odd minute.
        let is_whole = |at: DateTime<Utc>| at.minute().is_multiple_of(5) && at.second() == 0;
        offers.retain(|offer| is_whole(offer.starts_at) || Some(offer.starts_at) == wish.wanted);
        let reply = words::available(&offers, wish.wanted, &asked.dates());
        Ok(Said { reply, offered: !offers.is_empty() })
    }

    /// Records a body that repeats a tool call in other words, with the first answer.
    async fn record_again(
        &self,
        origin: &DeliveryContext,
        canonical: &[u8],
        draft: Draft,
        reply: &ToolReply,
    ) -> Result<(), ToolError> {
        // The event of the first answer has the fact that times were offered.
        let said = Said::only(reply.clone());
        self.record(origin, canonical, vec![telling::answered(draft, &said)]).await?;
        Ok(())
    }

    /// The answer of a tool call in the log.
    async fn known_answer(
        &self,
        origin: &DeliveryContext,
        command_id: CommandId,
        digest: &[u8; 32],
    ) -> Result<Option<KnownAnswer>, ToolError> {
        let tenant_id = origin.tenant_id;
        let mut tx = TenantTx::begin(&self.commands, tenant_id).await?;
        let ids: Vec<_> =
            (0..MAX_EVENTS).map(|nth| tenant_id.command_event(command_id, nth)).collect();
        let found = read::find_existing(&mut tx, &ids).await?;
        let event = found.iter().find(|(event_id, _)| *event_id == ids[0]);
        let Some((_, position)) = event.copied() else { return Ok(None) };
        let last = found.iter().map(|(_, position)| *position).max().unwrap_or(position);
        let stored = read::at_positions(&mut tx, &[position.0]).await?;
        let meta = read::metadata(tx.conn(), tenant_id, &[position.0]).await?;
        drop(tx);
        let Some(stored) = stored.first() else { return Ok(None) };
        let meta: Option<Value> =
            meta.get(&position.0).and_then(|text| serde_json::from_str(text).ok());
        let content = meta.as_ref().and_then(|meta| meta.get("content")?.as_str());
        let is_same_body = content == Some(hex::encode(digest).as_str());
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let reply = match self.answer_of(origin, stored).await? {
            FirstAnswer::Answered(answer) => match answer.get("error") {
                Some(error) => Err(text(error)),
                None => Ok(text(answer.get("result").unwrap_or(&answer))),
            },
            FirstAnswer::Unknown | FirstAnswer::Unreadable => Err(words::UNREADABLE.to_owned()),
        };
        let appended = Appended { first: position, last, duplicate: true };
        Ok(Some(KnownAnswer { answered: ToolAnswered { reply, appended }, is_same_body }))
    }
}

/// The answer of a tool call in the log, and whether the body that is answered is the recorded one.
struct KnownAnswer {
    answered: ToolAnswered,
    is_same_body: bool,
}

/// Derives the identity of a tool call: its call, id and name. Without an id, or with the name of
/// the tool as id, the body identifies it.
fn command_of(
    origin: &DeliveryContext,
    stream_id: StreamId,
    digest: &[u8; 32],
    draft: &Draft,
    ordinal: u16,
) -> CommandId {
    let CallEvent::ToolCalled(called) = &draft.event else {
        return CommandId(origin.tenant_id.derive(&[b"tool-call", digest]));
    };
    let tool = &called.tool;
    let id = tool.tool_call_id.as_deref().filter(|id| *id != tool.tool);
    let (kind, identity): (&[u8], &[u8]) = match id {
        Some(id) => (b"id", id.as_bytes()),
        None => (b"body", digest),
    };
    // Without an id each tool call of a body counts by its place.
    let nth = if id.is_some() { ordinal } else { tool.place };
    let (stream, name, nth) = (stream_id.0, tool.tool.as_bytes(), nth.to_be_bytes());
    let parts = [b"tool-call".as_slice(), stream.as_bytes().as_slice(), kind, identity, name, &nth];
    CommandId(origin.tenant_id.derive(&parts))
}

/// The opening hours of the next week, for hours without "am" or "pm"; `None` if it is always open.
fn opening_hours(settings: &BookingSettings, now: DateTime<Utc>) -> Option<OpeningHours> {
    use chrono::Datelike;
    let Hours { weekdays, exceptions } = &settings.hours;
    if weekdays.is_none() && exceptions.is_empty() {
        return None;
    }
    let today = local::date(settings.zone, now);
    let mut hours = OpeningHours::default();
    for date in today.iter_days().take(7) {
        let openings = settings.hours.on(settings.zone, date).map(|open| {
            let start = open.start().with_timezone(&settings.zone);
            let from = start.num_seconds_from_midnight() / 60;
            let minutes = u32::try_from((open.end() - open.start()).num_minutes());
            (from, from + minutes.unwrap_or_default())
        });
        let day = date.weekday().num_days_from_monday() as usize;
        hours = hours.with_day(day, openings.collect());
    }
    Some(hours)
}
