//! Exact sums over calls, and the averages and rates derived from them.

use std::collections::BTreeMap;
use std::ops::AddAssign;

use crate::calls::Revenue;
use crate::histogram::Histogram;

/// Nanos in a hundredth of a currency.
const NANOS_PER_CENT: i128 = 10_000_000;

/// Sums over a set of calls. Money and times are 128-bit integers, so they cannot overflow.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sums {
    /// Number of calls in the set.
    pub calls: i64,
    /// Number of calls with a known duration.
    pub timed_calls: i64,
    /// Sum of the known durations, in milliseconds.
    pub duration_ms: i128,
    /// Sums of known costs by currency; amounts of different currencies are never added.
    pub costs: BTreeMap<String, CostSums>,
    /// Number of calls the provider evaluated.
    pub evaluated: i64,
    /// Number of calls evaluated as successful.
    pub successes: i64,
    /// Number of calls in which an appointment was booked.
    pub booked: i64,
    /// Number of calls with a conversation.
    pub engaged: i64,
    /// Number of calls in which a free time was told or booked.
    pub offered: i64,
    /// Number of calls of which an appointment took place.
    pub attended: i64,
    /// Prices of the appointments that were booked in these calls and are neither cancelled nor
    /// missed.
    pub revenue: Revenue,
    /// Number of calls transferred to another party.
    pub transfers: i64,
    /// Number of tool calls. Grouped by [`Tool`](super::Dimension::Tool) or filtered by one tool,
    /// only calls of that tool count.
    pub tool_calls: i128,
    /// Number of interruptions of the user by the assistant, where reported.
    pub user_interruptions: i128,
    /// Number of interruptions of the assistant, where reported.
    pub assistant_interruptions: i128,
    /// Number of calls with a known turn latency.
    pub latency_calls: i64,
    /// Sum of the calls' average turn latencies, in milliseconds.
    pub latency_ms: i128,
    /// Histogram of durations, for percentiles with an error of at most 1.6 %; empty unless
    /// requested.
    pub durations: Histogram,
    /// Minima and maxima; `None` unless requested.
    pub extremes: Option<MinMax>,
}

/// Costs of calls in one currency, in 1e-9 of its unit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CostSums {
    /// Number of calls with a cost in this currency.
    pub calls: i64,
    /// Sum of the totals stated by the provider.
    pub total_nanos: i128,
    /// Telephony cost, in nanos.
    pub transport_nanos: i128,
    /// Speech-to-text cost, in nanos.
    pub stt_nanos: i128,
    /// Language model cost, in nanos.
    pub llm_nanos: i128,
    /// Text-to-speech cost, in nanos.
    pub tts_nanos: i128,
    /// Fees of the platforms, in nanos.
    pub platform_nanos: i128,
    /// Difference between the totals and the sum of the parts.
    pub other_nanos: i128,
}

/// Minimum and maximum of each measure; `None` if no call has a value.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MinMax {
    /// Minimum and maximum duration, in milliseconds.
    pub duration_ms: Option<(i64, i64)>,
    /// Minimum and maximum stated total, regardless of currency.
    pub total_nanos: Option<(i64, i64)>,
    /// Minimum and maximum cost of telephony.
    pub transport_nanos: Option<(i64, i64)>,
    /// Minimum and maximum cost of speech to text.
    pub stt_nanos: Option<(i64, i64)>,
    /// Minimum and maximum cost of the language model.
    pub llm_nanos: Option<(i64, i64)>,
    /// Minimum and maximum cost of text to speech.
    pub tts_nanos: Option<(i64, i64)>,
    /// Minimum and maximum fee of the platforms.
    pub platform_nanos: Option<(i64, i64)>,
}

impl Sums {
    /// Returns the exact total cost in nanos: 0 if no cost is known, `None` if there are several
    /// currencies.
    #[must_use]
    pub fn cost_nanos(&self) -> Option<i128> {
        self.cost().map(|cost| cost.total_nanos)
    }

    /// Returns the total cost with its parts, or `None` if there are several currencies.
    #[must_use]
    pub fn cost(&self) -> Option<CostSums> {
        let mut costs = self.costs.values();
        let first = costs.next().copied().unwrap_or_default();
        costs.next().is_none().then_some(first)
    }

    /// Returns the currency of all known costs, or `None` if there are none or several.
    #[must_use]
    pub fn currency(&self) -> Option<&str> {
        let mut names = self.costs.keys();
        let first = names.next()?;
        names.next().is_none().then_some(first.as_str())
    }

    /// Returns the number of calls with a known cost.
    #[must_use]
    pub fn priced_calls(&self) -> i64 {
        self.costs.values().map(|cost| cost.calls).sum()
    }

    /// Returns the average cost of calls with a known cost, in nanos.
    #[must_use]
    pub fn avg_cost_nanos(&self) -> Option<i128> {
        average(self.cost_nanos()?, self.priced_calls())
    }

    /// Returns the cost per booking in nanos: the cost of all calls, divided by the number of
    /// booked calls.
    #[must_use]
    pub fn cost_per_booking_nanos(&self) -> Option<i128> {
        average(self.cost_nanos()?, self.booked)
    }

    /// Returns the revenue in hundredths of [`Sums::revenue_currency`]; `None` if no appointment has a
    /// price, or there are several currencies.
    #[must_use]
    pub fn revenue_cents(&self) -> Option<i128> {
        self.revenue.only().map(|(_, priced)| priced.cents)
    }

    /// Returns the currency of all prices, or `None` if there are none or several.
    #[must_use]
    pub fn revenue_currency(&self) -> Option<&str> {
        self.revenue.only().map(|(currency, _)| currency)
    }

    /// Returns the revenue less the cost, in nanos; `None` if the revenue or the cost has no single
    /// currency, or these differ. Without a known cost it is the revenue.
    #[must_use]
    pub fn margin_nanos(&self) -> Option<i128> {
        let (currency, priced) = self.revenue.only()?;
        let cost = self.cost_nanos()?;
        let is_comparable = self.currency().is_none_or(|of_cost| of_cost == currency);
        let revenue = priced.cents.checked_mul(NANOS_PER_CENT)?;
        revenue.checked_sub(cost).filter(|_| is_comparable)
    }

    /// Returns the average duration of calls with a known duration, in milliseconds.
    #[must_use]
    pub fn avg_duration_ms(&self) -> Option<i128> {
        average(self.duration_ms, self.timed_calls)
    }

    /// Returns the average turn latency of calls with a known latency, in milliseconds.
    #[must_use]
    pub fn avg_latency_ms(&self) -> Option<i128> {
        average(self.latency_ms, self.latency_calls)
    }

    /// Returns the share of evaluated calls that succeeded, from 0 to 1.
    #[must_use]
    pub fn success_rate(&self) -> Option<f64> {
        ratio(self.successes, self.evaluated)
    }

    /// Returns the share of all calls in which an appointment was booked, from 0 to 1.
    #[must_use]
    pub fn booking_rate(&self) -> Option<f64> {
        ratio(self.booked, self.calls)
    }
}

/// Returns the mean, rounded half away from zero, or `None` for an empty set.
fn average(sum: i128, count: i64) -> Option<i128> {
    let count = i128::from(count);
    if count <= 0 {
        return None;
    }
    let half = if sum < 0 { -(count / 2) } else { count / 2 };
    Some((sum + half) / count)
}

/// Returns `part / whole` for display, or `None` if `whole` is not positive.
#[expect(clippy::cast_precision_loss, reason = "a ratio, and both are counts")]
#[must_use]
pub fn ratio(part: i64, whole: i64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

impl AddAssign<&Self> for CostSums {
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

impl AddAssign<&Self> for MinMax {
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
        self.engaged += other.engaged;
        self.offered += other.offered;
        self.attended += other.attended;
        self.revenue.merge(&other.revenue, 1).expect("sums of 64-bit prices fit into 128 bits");
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
    use crate::calls::Priced;

    fn cost(currency: &str, calls: i64, total_nanos: i128) -> Sums {
        let cost = CostSums { calls, total_nanos, ..CostSums::default() };
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

    fn priced(currency: &str, cents: i128) -> Sums {
        let mut sums = Sums::default();
        sums.revenue.add(currency, Priced { appointments: 1, cents }).expect("fits");
        sums
    }

    #[test]
    fn a_margin_needs_prices_and_costs_of_one_currency() {
        let margin = |of: &[Sums]| {
            let mut sums = Sums::default();
            for one in of {
                sums += one;
            }
            (sums.revenue_cents(), sums.margin_nanos())
        };
        let usd = || cost("USD", 1, 30_000_000);
        assert_eq!(margin(&[usd()]), (None, None));
        assert_eq!(margin(&[usd(), priced("USD", 4_500)]), (Some(4_500), Some(44_970_000_000)));
        assert_eq!(margin(&[priced("EUR", 1)]), (Some(1), Some(10_000_000)));
        assert_eq!(margin(&[usd(), priced("USD", 0)]), (Some(0), Some(-30_000_000)));
        assert_eq!(margin(&[usd(), priced("EUR", 4_500)]), (Some(4_500), None));
        assert_eq!(margin(&[priced("USD", 1), priced("EUR", 1)]), (None, None));
        assert_eq!(margin(&[usd(), cost("EUR", 1, 1), priced("USD", 1)]), (Some(1), None));
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
