//! Exact latency statistics.

use std::time::Duration;

/// The latencies of a measurement. Each one is kept, so percentiles are exact.
#[derive(Debug, Clone, Default)]
pub struct Latencies {
    nanos: Vec<u64>,
}

impl Latencies {
    /// Adds one latency.
    pub fn record(&mut self, took: Duration) {
        self.nanos.push(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
    }

    /// Adds all latencies of another measurement.
    pub fn extend(&mut self, other: &Self) {
        self.nanos.extend_from_slice(&other.nanos);
    }

    /// The number of latencies.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.nanos.len() as u64
    }

    /// Quantiles for shares from 0 to 1, in milliseconds; 0 without latencies.
    #[must_use]
    pub fn quantiles_ms<const N: usize>(&self, shares: [f64; N]) -> [f64; N] {
        let mut sorted = self.nanos.clone();
        sorted.sort_unstable();
        shares.map(|share| sorted.get(rank(share, sorted.len())).map_or(0.0, |nanos| ms(*nanos)))
    }
}

fn ms(nanos: u64) -> f64 {
    Duration::from_nanos(nanos).as_secs_f64() * 1_000.0
}

/// Index of the nearest rank: the smallest value that is not exceeded by at least this share.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a share of a length that fits in memory"
)]
fn rank(share: f64, len: usize) -> usize {
    ((share * len as f64).ceil() as usize).clamp(1, len.max(1)) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_the_smallest_value_that_enough_do_not_exceed() {
        let mut latencies = Latencies::default();
        for micros in (1..=100).rev() {
            latencies.record(Duration::from_micros(micros * 1_000));
        }
        let quantiles = latencies.quantiles_ms([0.0, 0.5, 0.99, 1.0]);
        assert_eq!(quantiles.map(|ms| format!("{ms:.0}")), ["1", "50", "99", "100"]);
    }

    #[test]
    fn nothing_measured_is_zero() {
        assert_eq!(Latencies::default().quantiles_ms([0.5]).map(|ms| format!("{ms}")), ["0"]);
    }
}
