//! Measurements of individual calls, in the order of their start.

use chrono::{DateTime, Utc};
use ledger_store::TenantTx;

use crate::analytics::{Dimension, Span};

/// A numeric measurement of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// Duration of the call, in milliseconds.
    DurationMs,
    /// Stated total in nano-dollars; unknown, like its parts, for calls billed in another currency.
    CostNanos,
    /// Cost of telephony, in nano-dollars.
    TransportNanos,
    /// Cost of speech to text, in nano-dollars.
    SttNanos,
    /// Cost of the language model, in nano-dollars.
    LlmNanos,
    /// Cost of text to speech, in nano-dollars.
    TtsNanos,
    /// Fee of the platform, in nano-dollars.
    PlatformNanos,
}

impl Measure {
    const fn as_str(self) -> &'static str {
        match self {
            Self::DurationMs => "duration",
            Self::CostNanos => "cost",
            Self::TransportNanos => "transport",
            Self::SttNanos => "stt",
            Self::LlmNanos => "llm",
            Self::TtsNanos => "tts",
            Self::PlatformNanos => "platform",
        }
    }
}

/// Selects calls, and the values returned for each.
#[derive(Debug, Clone)]
pub struct MeasurementQuery {
    /// Span that contains the start of the calls.
    pub span: Span,
    /// Whether the calls are marked as tests; `None` for both.
    pub is_test: Option<bool>,
    /// Dimensions returned for each call. Hour and weekday are not supported and yield `None`.
    pub keys: Vec<Dimension>,
    /// Measurements returned for each call.
    pub measures: Vec<Measure>,
}

/// Values of one call. If the tool is among the keys, there is one item per call and tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Measurement {
    /// Start of the call.
    pub started_at: DateTime<Utc>,
    /// Values of the [`MeasurementQuery::keys`] dimensions, in order; `None` if unknown.
    pub keys: Vec<Option<String>>,
    /// Values of the [`MeasurementQuery::measures`], in order; `None` if unknown.
    pub values: Vec<Option<i64>>,
}

/// Returns at most `limit` calls, ordered by their start.
///
/// # Errors
/// Fails if the database does not answer.
pub async fn measurements(
    tx: &mut TenantTx,
    question: &MeasurementQuery,
    limit: i64,
) -> sqlx::Result<Vec<Measurement>> {
    let tenant_id = tx.tenant_id();
    let keys: Vec<String> = question.keys.iter().map(|key| key.as_str().to_owned()).collect();
    let measures: Vec<String> =
        question.measures.iter().map(|measure| measure.as_str().to_owned()).collect();
    sqlx::query_as!(
        Measurement,
        r#"
        select c.started_at as "started_at!",
               array(select k.value
                       from unnest($5::text[]) with ordinality as asked (name, nth)
                       left join (values
                            ('agent_id', c.agent_id),
                            ('direction', c.direction),
                            ('outcome', c.outcome),
                            ('ended_reason', c.ended_reason),
                            ('tool', t.tool),
                            ('duration_class', nullif(c.duration_class, '')),
                            ('is_test', c.is_test::text),
                            ('status', c.status),
                            ('success', c.success::text),
                            ('phone_number_id', c.phone_number_id))
                         as k (name, value) on k.name = asked.name
                      order by asked.nth) as "keys!: Vec<Option<String>>",
               array(select case when m.name = 'duration' or c.currency = 'USD' then m.value end
                       from unnest($6::text[]) with ordinality as asked (name, nth)
                       left join (values
                            ('duration', c.duration_ms),
                            ('cost', c.cost_nanos),
                            ('transport', c.transport_nanos),
                            ('stt', c.stt_nanos),
                            ('llm', c.llm_nanos),
                            ('tts', c.tts_nanos),
                            ('platform', c.platform_nanos))
                         as m (name, value) on m.name = asked.name
                      order by asked.nth) as "values!: Vec<Option<i64>>"
          from read.calls c
         cross join lateral unnest(
           case when 'tool' = any ($5::text[]) then c.tools_used else array[''] end) as t (tool)
         where c.tenant_id = $1 and c.started_at >= $2 and c.started_at < $3
           and ($4::boolean is null or c.is_test = $4)
         order by c.started_at, c.call_id, t.tool
         limit $7
        "#,
        tenant_id.0,
        question.span.from,
        question.span.to,
        question.is_test,
        &keys,
        &measures,
        limit,
    )
    .fetch_all(tx.conn())
    .await
}
