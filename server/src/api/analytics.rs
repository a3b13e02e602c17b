//! Shared parts of the analytics endpoints: parameters, one consistent read, and the views of amounts.

pub mod breakdown;
pub mod funnel;
pub mod summary;
pub mod timeseries;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use ledger_core::ids::Position;
use ledger_store::TenantTx;
use projections::analytics::{
    self, AnalyticsFilter, AnalyticsQuery, AnalyticsRow, Dimension, MAX_YEARS, Range, Span, Sums,
};
use projections::calls::Priced;
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::calls::filter::{Search, audit_search, parse_filter};
use super::words::{CallDirection, CallOutcome, CallStatus, TestCalls};
use crate::app::App;
use crate::auth::Caller;
use crate::http::consistency::begin_analytics_read;
use crate::http::params::Params;
use crate::problem::ApiError;

/// Query parameters of every analytics endpoint.
///
/// Only documentation: [`AnalyticsRequest::take`] parses them.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only described, by its fields")]
pub struct SumParams {
    /// Began at or after (RFC 3339); at most ten years before `to`
    from: Option<DateTime<Utc>>,
    /// Began before (RFC 3339), not before `from`
    to: Option<DateTime<Utc>>,
    /// IANA time zone of days and hours; default: the tenant's
    timezone: Option<String>,
    /// The platform's own id
    provider_call_id: Option<String>,
    /// inbound, outbound or web
    #[param(value_type = Option<CallDirection>)]
    direction: Option<String>,
    /// queued, ringing, `in_progress`, forwarding or ended
    #[param(value_type = Option<CallStatus>)]
    status: Option<String>,
    /// completed, `customer_hung_up`, `no_answer`, voicemail, busy, transferred, silence, failed or unknown
    #[param(value_type = Option<CallOutcome>)]
    outcome: Option<String>,
    /// The platform's reason, exact match
    ended_reason: Option<String>,
    /// Id of the assistant
    agent_id: Option<String>,
    /// Name of a tool that was called in the call
    tool: Option<String>,
    /// Cost at least this many nano-dollars
    min_cost_nanos: Option<i64>,
    /// From this number, in any notation, with its extension if it has one; needs scope personal
    phone: Option<String>,
    /// With this e-mail address; needs scope personal
    email: Option<String>,
    /// Id of the contact
    contact_id: Option<uuid::Uuid>,
    /// An appointment was booked in the call, whatever became of it, or none was
    has_appointment: Option<bool>,
    /// With this tag
    tag: Option<String>,
    /// Id of the disposition; - and _ are not distinguished
    disposition: Option<String>,
    /// Id of the campaign
    campaign: Option<String>,
    /// Number of the attempt to reach the person, from 1
    attempt: Option<i64>,
    /// Type of the call
    call_type: Option<String>,
    /// true: only test calls; false (default): no test calls; any: both
    #[param(value_type = Option<TestCalls>)]
    is_test: Option<String>,
    /// Wait until the projection has reached this position
    min_position: Option<i64>,
}

/// The parsed parameters of an analytics request.
pub struct AnalyticsRequest {
    range: Range,
    zone: Option<Tz>,
    search: Search,
    min_position: Option<i64>,
}

impl AnalyticsRequest {
    /// Parses the parameters of the query.
    ///
    /// # Errors
    /// 400 for a malformed parameter, named in the answer.
    pub async fn take(app: &App, caller: &Caller, params: &mut Params) -> Result<Self, ApiError> {
        let zone = params.parse("timezone", "an IANA time zone, such as Europe/London")?;
        let min_position = params.number("min_position")?;
        let is_test = parse_is_test(params)?;
        let mut search = parse_filter(app, caller, params).await?;
        let range = Range { from: search.filter.from, to: search.filter.to };
        if range.is_too_long(app.store.clock().now()) {
            let detail = format!("choose a range of at most {MAX_YEARS} years, or leave it out");
            return Err(ApiError::parameter("from", detail));
        }
        search.filter.is_test = is_test;
        Ok(Self { range, zone, search, min_position })
    }

    /// Begins the read: all sums of the answer are read in one snapshot.
    ///
    /// # Errors
    /// 503 if a search for a person could not be audited, or the projection did not reach `min_position` in
    /// time.
    pub async fn begin(self, app: &App, caller: &Caller) -> Result<AnalyticsSession, ApiError> {
        audit_search(app, caller, &self.search).await?;
        let calls = self.search.filter;
        let (mut tx, reached) =
            begin_analytics_read(app, caller, &["calls"], self.min_position).await?;
        let tenant_zone = analytics::zone_of(&mut tx).await?;
        Ok(AnalyticsSession {
            tx,
            reached,
            as_of: app.store.clock().now_micros(),
            range: self.range,
            zone: self.zone.unwrap_or(tenant_zone),
            filter: AnalyticsFilter {
                provider_call_id: calls.provider_call_id,
                direction: calls.direction,
                status: calls.status,
                outcome: calls.outcome,
                ended_reason: calls.ended_reason,
                agent_id: calls.agent_id,
                phone_number_id: None,
                tool: calls.tool,
                min_cost_nanos: calls.min_cost_nanos,
                contact_id: calls.contact_id,
                phone: calls.phone,
                email: calls.email,
                has_appointment: calls.has_appointment,
                tag: calls.tag,
                disposition: calls.disposition,
                campaign: calls.campaign,
                attempt: calls.attempt,
                call_type: calls.call_type,
                is_test: calls.is_test,
            },
        })
    }
}

/// Parses `is_test`. Returns the value to filter by; `None` includes test calls and others. Default: no test
/// calls.
pub(super) fn parse_is_test(params: &mut Params) -> Result<Option<bool>, ApiError> {
    let word = params.one_of("is_test", TestCalls::ALL)?;
    Ok(match word.as_deref() {
        None | Some("false") => Some(false),
        Some("true") => Some(true),
        Some(_) => None,
    })
}

/// A consistent read of call sums, in one snapshot.
pub struct AnalyticsSession {
    tx: TenantTx,
    /// The position of the projection in this snapshot.
    pub reached: Position,
    /// The time of the read.
    pub as_of: DateTime<Utc>,
    /// The requested range of call starts.
    pub range: Range,
    /// Time zone of days and hours in the answer.
    pub zone: Tz,
    filter: AnalyticsFilter,
}

impl AnalyticsSession {
    /// A query over the calls that match the filter, without grouping.
    #[must_use]
    pub fn question(&self, buckets: Vec<Span>) -> AnalyticsQuery {
        AnalyticsQuery {
            buckets,
            filter: self.filter.clone(),
            group_by: Vec::new(),
            clock: self.zone,
            percentiles: false,
            extremes: false,
        }
    }

    /// Runs a query.
    ///
    /// # Errors
    /// 400 if the answer would have too many groups.
    pub async fn ask(&mut self, question: &AnalyticsQuery) -> Result<Vec<AnalyticsRow>, ApiError> {
        analytics::run_query(&mut self.tx, question).await?.ok_or_else(|| {
            ApiError::parameter("from", "that makes too many groups; choose a shorter range")
        })
    }

    /// Returns the sums over the whole range for each value of a dimension: most calls first, then by name.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub async fn groups(
        &mut self,
        dimension: Dimension,
        percentiles: bool,
    ) -> Result<Vec<(Option<String>, Sums)>, ApiError> {
        let span = self.range.span();
        let question = AnalyticsQuery { percentiles, ..self.question(vec![span]).by([dimension]) };
        let answers = self.ask(&question).await?;
        let mut groups: Vec<_> =
            answers.into_iter().map(|mut one| (one.keys.pop().flatten(), one.sums)).collect();
        groups.sort_by(|(key, one), (other_key, other)| {
            other.calls.cmp(&one.calls).then_with(|| key.cmp(other_key))
        });
        Ok(groups)
    }

    /// Replaces the open ends of the range with the first and the last known call, or the time of the read.
    ///
    /// # Errors
    /// 503 if the database does not answer.
    pub async fn known_span(&mut self) -> Result<Span, ApiError> {
        let Range { from, to } = self.range;
        if let (Some(from), Some(to)) = (from, to) {
            return Ok(Span::new(from, to));
        }
        let (first, end) = match analytics::first_and_last_start(&mut self.tx).await? {
            Some((first, last)) => (first, self.as_of.max(last + TimeDelta::microseconds(1))),
            None => (self.as_of, self.as_of),
        };
        Ok(Span::new(from.unwrap_or(first), to.unwrap_or(end)))
    }
}

/// Cost of calls in one currency.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CostView {
    /// ISO 4217 code.
    currency: String,
    /// Sum of the reported totals in 1e-9 of the currency, exact.
    #[schema(value_type = i64)]
    cost_nanos: i128,
}

impl CostView {
    /// The costs of the summed calls, one entry for each currency.
    #[must_use]
    pub fn all_of(sums: &Sums) -> Vec<Self> {
        let view = |(currency, cost): (&String, &analytics::CostSums)| Self {
            currency: currency.clone(),
            cost_nanos: cost.total_nanos,
        };
        sums.costs.iter().map(view).collect()
    }
}

/// Prices of appointments in one currency.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RevenueView {
    /// ISO 4217 code.
    currency: String,
    /// Sum of the prices in hundredths of the currency, exact.
    #[schema(value_type = i64)]
    revenue_cents: i128,
    /// Number of appointments with such a price.
    appointments: i64,
}

impl RevenueView {
    /// The prices of the summed calls, one entry for each currency.
    #[must_use]
    pub fn all_of(sums: &Sums) -> Vec<Self> {
        let view = |(currency, priced): (&str, Priced)| Self {
            currency: currency.to_owned(),
            revenue_cents: priced.cents,
            appointments: priced.appointments,
        };
        sums.revenue.iter().map(view).collect()
    }
}

/// Converts milliseconds to minutes for display; the exact value is in a field of its own.
#[expect(clippy::cast_precision_loss, reason = "the exact time stands beside it")]
#[must_use]
pub fn minutes(duration_ms: i128) -> f64 {
    duration_ms as f64 / 60_000.0
}
