//! Numbers of calls one by one, in the order the calls began.

use chrono::{DateTime, Utc};
use ledger_store::TenantTx;

use crate::analytics::{Dimension, Span};

/// A number that a call has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// How long it lasted, in milliseconds.
    DurationMs,
    /// The stated total in nano-dollars; like its parts not known where it was billed otherwise.
    CostNanos,
    /// Telephony.
    TransportNanos,
    /// Speech to text.
    SttNanos,
    /// The language model.
    LlmNanos,
    /// Text to speech.
    TtsNanos,
    /// The platform's fee.
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

/// Which calls, and what of them.
#[derive(Debug, Clone)]
pub struct Question {
    /// Calls that began in it.
    pub span: Span,
    /// Marked as tests, or not; `None`: both.
    pub is_test: Option<bool>,
    /// What is told of each besides. Clocks are not asked: their dimensions are not known here.
    pub keys: Vec<Dimension>,
    /// The numbers.
    pub measures: Vec<Measure>,
}

/// One call; with the tool among its keys, one for each tool it used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// As many as [`Question::keys`], in their order; `None`: not known.
    pub keys: Vec<Option<String>>,
    /// As many as [`Question::measures`], in their order; `None`: not known.
    pub values: Vec<Option<i64>>,
}

/// Calls in the order they began, up to a limit.
///
/// # Errors
/// The database did not answer.
pub async fn history(
    tx: &mut TenantTx,
    question: &Question,
    limit: i64,
) -> sqlx::Result<Vec<Moment>> {
    let tenant_id = tx.tenant_id();
    let keys: Vec<String> = question.keys.iter().map(|key| key.as_str().to_owned()).collect();
    let measures: Vec<String> =
        question.measures.iter().map(|measure| measure.as_str().to_owned()).collect();
    sqlx::query_as!(
        Moment,
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
