//! What is summed, exactly, and what follows from it.

use std::collections::BTreeMap;
use std::ops::AddAssign;

use crate::histogram::Histogram;

/// Sums over some calls. Money and times are whole numbers, however many calls there are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sums {
    /// How many.
    pub calls: i64,
    /// Those whose duration is known.
    pub timed_calls: i64,
    /// Their durations together, in milliseconds.
    pub duration_ms: i128,
    /// What those whose cost is known cost, by currency: amounts of several never add up.
    pub costs: BTreeMap<String, Cost>,
    /// Those the provider judged.
    pub evaluated: i64,
    /// Those it judged a success.
    pub successes: i64,
    /// Those an appointment is linked to.
    pub booked: i64,
    /// Those that went on to somebody else.
    pub transfers: i64,
    /// Tool calls together. Apart by [`Tool`](super::Dimension::Tool), or narrowed to one, those of the
    /// tool.
    pub tool_calls: i128,
    /// How often people were interrupted, as far as it was told.
    pub user_interruptions: i128,
    /// How often the assistant was interrupted, as far as it was told.
    pub assistant_interruptions: i128,
    /// Calls whose turn latency is known.
    pub latency_calls: i64,
    /// Their average turn latencies together, in milliseconds.
    pub latency_ms: i128,
    /// The durations in buckets, for percentiles that are at most 1.6 % off; empty unless asked for.
    pub durations: Histogram,
    /// The least and the most; `None` unless asked for.
    pub extremes: Option<Extremes>,
}

/// What calls in one currency cost, in 1e-9 of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cost {
    /// How many calls.
    pub calls: i64,
    /// The stated totals together.
    pub total_nanos: i128,
    /// Telephony.
    pub transport_nanos: i128,
    /// Speech to text.
    pub stt_nanos: i128,
    /// The language model.
    pub llm_nanos: i128,
    /// Text to speech.
    pub tts_nanos: i128,
    /// The platforms' fees.
    pub platform_nanos: i128,
    /// What makes the parts add up to the totals.
    pub other_nanos: i128,
}

/// The least and the most of some calls, where any is known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Extremes {
    /// Durations in milliseconds.
    pub duration_ms: Option<(i64, i64)>,
    /// Stated totals, whatever their currency.
    pub total_nanos: Option<(i64, i64)>,
    /// Telephony.
    pub transport_nanos: Option<(i64, i64)>,
    /// Speech to text.
    pub stt_nanos: Option<(i64, i64)>,
    /// The language model.
    pub llm_nanos: Option<(i64, i64)>,
    /// Text to speech.
    pub tts_nanos: Option<(i64, i64)>,
    /// The platforms' fees.
    pub platform_nanos: Option<(i64, i64)>,
}

impl Sums {
    /// What they cost together, in nanos: exact, 0 when no cost is known; `None` when there are several
    /// currencies.
    #[must_use]
    pub fn cost_nanos(&self) -> Option<i128> {
        self.cost().map(|cost| cost.total_nanos)
    }

    /// The same with its parts.
    #[must_use]
    pub fn cost(&self) -> Option<Cost> {
        let mut costs = self.costs.values();
        let first = costs.next().copied().unwrap_or_default();
        costs.next().is_none().then_some(first)
    }

    /// The currency of all known costs, when there is one.
    #[must_use]
    pub fn currency(&self) -> Option<&str> {
        let mut names = self.costs.keys();
        let first = names.next()?;
        names.next().is_none().then_some(first.as_str())
    }

    /// Calls whose cost is known.
    #[must_use]
    pub fn priced_calls(&self) -> i64 {
        self.costs.values().map(|cost| cost.calls).sum()
    }

    /// The cost of a call whose cost is known, on average.
    #[must_use]
    pub fn avg_cost_nanos(&self) -> Option<i128> {
        average(self.cost_nanos()?, self.priced_calls())
    }

    /// The cost of a booking: everything that was spent, by what came of it.
    #[must_use]
    pub fn cost_per_booking_nanos(&self) -> Option<i128> {
        average(self.cost_nanos()?, self.booked)
    }

    /// The duration of a call whose duration is known, on average.
    #[must_use]
    pub fn avg_duration_ms(&self) -> Option<i128> {
        average(self.duration_ms, self.timed_calls)
    }

    /// The turn latency of a call whose latency is known, on average.
    #[must_use]
    pub fn avg_latency_ms(&self) -> Option<i128> {
        average(self.latency_ms, self.latency_calls)
    }

    /// Of those the provider judged, how many it judged a success.
    #[must_use]
    pub fn success_rate(&self) -> Option<f64> {
        ratio(self.successes, self.evaluated)
    }

    /// Of all, how many an appointment is linked to.
    #[must_use]
    pub fn booking_rate(&self) -> Option<f64> {
        ratio(self.booked, self.calls)
    }
}

/// A mean, rounded half away from zero.
fn average(sum: i128, count: i64) -> Option<i128> {
    let count = i128::from(count);
    if count <= 0 {
        return None;
    }
    let half = if sum < 0 { -(count / 2) } else { count / 2 };
    Some((sum + half) / count)
}

/// A part of a whole, for people to look at.
#[expect(clippy::cast_precision_loss, reason = "a ratio, and both are counts")]
#[must_use]
pub fn ratio(part: i64, whole: i64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

impl AddAssign<&Self> for Cost {
    fn add_assign(&mut self, other: &Self) {
        self.calls += other.calls;
        self.total_nanos += other.total_nanos;
        self.transport_nanos += other.transport_nanos;
        self.stt_nanos += other.stt_nanos;
        self.llm_nanos += other.llm_nanos;
        self.tts_nanos += other.tts_nanos;
        self.platform_nanos += other.platform_nanos;
        self.other_nanos += other.other_nanos;
    }
}

impl AddAssign<&Self> for Extremes {
    fn add_assign(&mut self, other: &Self) {
        widen(&mut self.duration_ms, other.duration_ms);
        widen(&mut self.total_nanos, other.total_nanos);
        widen(&mut self.transport_nanos, other.transport_nanos);
        widen(&mut self.stt_nanos, other.stt_nanos);
        widen(&mut self.llm_nanos, other.llm_nanos);
        widen(&mut self.tts_nanos, other.tts_nanos);
        widen(&mut self.platform_nanos, other.platform_nanos);
    }
}

fn widen(slot: &mut Option<(i64, i64)>, other: Option<(i64, i64)>) {
    *slot = match (*slot, other) {
        (Some((least, most)), Some((lower, higher))) => Some((least.min(lower), most.max(higher))),
        (known, other) => known.or(other),
    };
}

impl AddAssign<&Self> for Sums {
    fn add_assign(&mut self, other: &Self) {
        self.calls += other.calls;
        self.timed_calls += other.timed_calls;
        self.duration_ms += other.duration_ms;
        for (currency, cost) in &other.costs {
            *self.costs.entry(currency.clone()).or_default() += cost;
        }
        self.evaluated += other.evaluated;
        self.successes += other.successes;
        self.booked += other.booked;
        self.transfers += other.transfers;
        self.tool_calls += other.tool_calls;
        self.user_interruptions += other.user_interruptions;
        self.assistant_interruptions += other.assistant_interruptions;
        self.latency_calls += other.latency_calls;
        self.latency_ms += other.latency_ms;
        for (bucket, count) in other.durations.counts() {
            self.durations.add(bucket, count);
        }
        if let Some(extremes) = &other.extremes {
            *self.extremes.get_or_insert_default() += extremes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cost(currency: &str, calls: i64, total_nanos: i128) -> Sums {
        let cost = Cost { calls, total_nanos, ..Cost::default() };
        Sums { calls, costs: BTreeMap::from([(currency.to_owned(), cost)]), ..Sums::default() }
    }

    #[test]
    fn amounts_of_several_currencies_never_add_up() {
        let mut sums = cost("USD", 2, 10);
        assert_eq!((sums.cost_nanos(), sums.currency()), (Some(10), Some("USD")));
        sums += &cost("USD", 1, 5);
        assert_eq!((sums.cost_nanos(), sums.avg_cost_nanos()), (Some(15), Some(5)));
        sums += &cost("EUR", 1, 5);
        assert_eq!((sums.cost_nanos(), sums.currency()), (None, None));
        assert_eq!((sums.calls, sums.priced_calls(), sums.avg_cost_nanos()), (4, 4, None));
    }

    #[test]
    fn nothing_spent_is_zero_and_the_average_of_nothing_is_not_known() {
        let none = Sums::default();
        assert_eq!((none.cost_nanos(), none.avg_cost_nanos()), (Some(0), None));
        assert_eq!((none.success_rate(), none.booking_rate()), (None, None));
    }

    #[test]
    fn averages_are_rounded_half_away_from_zero() {
        assert_eq!(average(5, 2), Some(3));
        assert_eq!(average(4, 3), Some(1));
        assert_eq!(average(-5, 2), Some(-3));
        assert_eq!(average(5, 0), None);
    }

    #[test]
    fn sums_go_beyond_sixty_four_bits() {
        let mut sums = cost("USD", 1, i128::from(i64::MAX));
        sums += &cost("USD", 1, i128::from(i64::MAX));
        assert_eq!(sums.cost_nanos(), Some(18_446_744_073_709_551_614));
    }
}
