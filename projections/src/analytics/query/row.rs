//! The rows of the statement that answers analytics queries, and how they are parsed.

use ledger_store::StoreError;

use crate::analytics::question::Dimension;
use crate::analytics::sums::{CostSums, MinMax, Sums};
use crate::calls::{Priced, Revenue};
use crate::histogram::Histogram;

pub(super) fn corrupt(column: &'static str) -> StoreError {
    StoreError::Corrupt { table: "read.call_rollups", column }
}

/// One row of the result: the sums of one bucket, group and currency. Integer sums are read as
/// text, because their values may exceed 64 bits.
pub(super) struct SumsRow {
    pub(super) bucket: i32,
    pub(super) agent_id: String,
    pub(super) direction: String,
    pub(super) outcome: String,
    pub(super) ended_reason: String,
    pub(super) tool: String,
    pub(super) duration_class: String,
    pub(super) is_test: String,
    pub(super) status: String,
    pub(super) success: String,
    pub(super) phone_number_id: String,
    pub(super) campaign: String,
    pub(super) call_type: String,
    pub(super) service_type: String,
    pub(super) contact: String,
    pub(super) hour: String,
    pub(super) weekday: String,
    pub(super) currency: String,
    pub(super) calls: i64,
    pub(super) timed_calls: i64,
    pub(super) duration_ms: String,
    pub(super) cost_nanos: String,
    pub(super) transport_nanos: String,
    pub(super) stt_nanos: String,
    pub(super) llm_nanos: String,
    pub(super) tts_nanos: String,
    pub(super) platform_nanos: String,
    pub(super) other_nanos: String,
    pub(super) evaluated: i64,
    pub(super) successes: i64,
    pub(super) booked: i64,
    pub(super) transfers: i64,
    pub(super) tool_calls: String,
    pub(super) user_interruptions: String,
    pub(super) assistant_interruptions: String,
    pub(super) latency_calls: i64,
    pub(super) latency_ms: String,
    pub(super) engaged: i64,
    pub(super) offered: i64,
    pub(super) attended: i64,
    /// Sums of prices: `currency:cents:appointments`, with `;` between two.
    pub(super) revenue: Option<String>,
    pub(super) durations: Option<String>,
    pub(super) extremes: Option<Vec<Option<i64>>>,
}

impl SumsRow {
    pub(super) fn keys(&self, group_by: &[Dimension]) -> Vec<Option<String>> {
        let key = |dimension: &Dimension| match dimension {
            Dimension::AgentId => &self.agent_id,
            Dimension::Direction => &self.direction,
            Dimension::Outcome => &self.outcome,
            Dimension::EndedReason => &self.ended_reason,
            Dimension::Tool => &self.tool,
            Dimension::DurationClass => &self.duration_class,
            Dimension::IsTest => &self.is_test,
            Dimension::Status => &self.status,
            Dimension::Success => &self.success,
            Dimension::PhoneNumberId => &self.phone_number_id,
            Dimension::Campaign => &self.campaign,
            Dimension::CallType => &self.call_type,
            Dimension::ServiceType => &self.service_type,
            Dimension::Contact => &self.contact,
            Dimension::Hour => &self.hour,
            Dimension::Weekday => &self.weekday,
        };
        let known = |key: &String| Some(key.clone()).filter(|key| !key.is_empty());
        group_by.iter().map(key).map(known).collect()
    }

    pub(super) fn sums(self, wants_extremes: bool) -> Result<Sums, StoreError> {
        let mut sums = Sums {
            calls: self.calls,
            timed_calls: self.timed_calls,
            duration_ms: whole("duration_ms", &self.duration_ms)?,
            evaluated: self.evaluated,
            successes: self.successes,
            booked: self.booked,
            transfers: self.transfers,
            tool_calls: whole("tool_calls", &self.tool_calls)?,
            user_interruptions: whole("user_interruptions", &self.user_interruptions)?,
            assistant_interruptions: whole(
                "assistant_interruptions",
                &self.assistant_interruptions,
            )?,
            latency_calls: self.latency_calls,
            latency_ms: whole("latency_ms", &self.latency_ms)?,
            engaged: self.engaged,
            offered: self.offered,
            attended: self.attended,
            revenue: revenue(self.revenue.as_deref().unwrap_or_default())?,
            durations: histogram(self.durations.as_deref().unwrap_or_default())?,
            extremes: self.extremes.as_deref().filter(|_| wants_extremes).map(extremes),
            ..Sums::default()
        };
        if !self.currency.is_empty() {
            let cost = CostSums {
                calls: self.calls,
                total_nanos: whole("cost_nanos", &self.cost_nanos)?,
                transport_nanos: whole("transport_nanos", &self.transport_nanos)?,
                stt_nanos: whole("stt_nanos", &self.stt_nanos)?,
                llm_nanos: whole("llm_nanos", &self.llm_nanos)?,
                tts_nanos: whole("tts_nanos", &self.tts_nanos)?,
                platform_nanos: whole("platform_nanos", &self.platform_nanos)?,
                other_nanos: whole("other_nanos", &self.other_nanos)?,
            };
            sums.costs.insert(self.currency, cost);
        }
        Ok(sums)
    }
}

fn whole(column: &'static str, text: &str) -> Result<i128, StoreError> {
    text.parse().map_err(|_| corrupt(column))
}

/// Parses the sums of prices of the statement.
fn revenue(text: &str) -> Result<Revenue, StoreError> {
    let mut revenue = Revenue::default();
    for part in text.split(';').filter(|part| !part.is_empty()) {
        let mut fields = part.split(':');
        let mut field = || fields.next().ok_or_else(|| corrupt("revenue_cents"));
        let (currency, cents, appointments) = (field()?, field()?, field()?);
        let appointments = appointments.parse().map_err(|_| corrupt("revenue_counts"))?;
        let priced = Priced { appointments, cents: whole("revenue_cents", cents)? };
        revenue.add(currency, priced).ok_or_else(|| corrupt("revenue_cents"))?;
    }
    Ok(revenue)
}

/// Parses the histograms of the statement: `buckets:counts` with comma-separated numbers, and `;`
/// between two histograms.
fn histogram(text: &str) -> Result<Histogram, StoreError> {
    let mut histogram = Histogram::default();
    for part in text.split(';').filter(|part| part.len() > 1) {
        let (buckets, counts) = part.split_once(':').ok_or_else(|| corrupt("duration_counts"))?;
        for (bucket, count) in buckets.split(',').zip(counts.split(',')) {
            let bucket = bucket.parse().map_err(|_| corrupt("duration_buckets"))?;
            histogram.add(bucket, count.parse().map_err(|_| corrupt("duration_counts"))?);
        }
    }
    Ok(histogram)
}

/// Builds the extremes from alternating minimum and maximum values, in the column order of the
/// statement.
fn extremes(values: &[Option<i64>]) -> MinMax {
    let pair = |nth: usize| {
        let at = |place: usize| values.get(place).copied().flatten();
        at(2 * nth).zip(at(2 * nth + 1))
    };
    MinMax {
        duration_ms: pair(0),
        total_nanos: pair(1),
        transport_nanos: pair(2),
        stt_nanos: pair(3),
        llm_nanos: pair(4),
        tts_nanos: pair(5),
        platform_nanos: pair(6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn histograms_are_read_as_the_statement_writes_them() {
        let read = histogram("3,70:1,2;70:5;:;3:1").expect("it reads");
        assert_eq!(read.counts().collect::<Vec<_>>(), [(3, 2), (70, 7)]);
        assert_eq!(histogram("").expect("it reads"), Histogram::default());
        assert!(histogram("3;4").is_ok_and(|read| read == Histogram::default()));
        assert!(histogram("33:x").is_err());
    }
}
