//! Logarithmic histogram of durations, for percentiles without the individual calls. A bucket is at
//! most 1/32 wide relative to its values, so its middle is off by at most 1.6 %.

use std::collections::BTreeMap;

/// Number of buckets per power of two.
const PER_DOUBLING: i64 = 32;
const DOUBLING_BITS: u32 = PER_DOUBLING.trailing_zeros();

/// Returns the bucket of a duration in milliseconds. Negative durations count as zero.
#[must_use]
pub fn bucket_of(duration_ms: i64) -> i16 {
    let value = duration_ms.max(0);
    if value < PER_DOUBLING {
        return i16::try_from(value).expect("below 32");
    }
    let shift = value.ilog2() - DOUBLING_BITS;
    let bucket = i64::from(shift) * PER_DOUBLING + (value >> shift);
    i16::try_from(bucket).expect("58 doublings of 32")
}

/// Returns the middle of a bucket, in milliseconds.
#[must_use]
pub fn middle_of(bucket: i16) -> i64 {
    let bucket = i64::from(bucket.max(0));
    if bucket < 2 * PER_DOUBLING {
        return bucket;
    }
    let shift = bucket / PER_DOUBLING - 1;
    let low = (bucket - shift * PER_DOUBLING) << shift;
    low + (1 << shift) / 2
}

/// Names of coarse duration classes, each with its exclusive upper bound in milliseconds.
pub const CLASSES: [(&str, i64); 7] = [
    ("under_10s", 10_000),
    ("10s_to_30s", 30_000),
    ("30s_to_1m", 60_000),
    ("1m_to_2m", 120_000),
    ("2m_to_5m", 300_000),
    ("5m_to_10m", 600_000),
    ("10m_and_more", i64::MAX),
];

/// Returns the coarse class of a duration in milliseconds.
#[must_use]
pub fn class_of(duration_ms: i64) -> &'static str {
    let class = CLASSES.iter().find(|(_, end)| duration_ms < *end);
    class.unwrap_or(&CLASSES[CLASSES.len() - 1]).0
}

/// Number of durations by bucket.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Histogram(BTreeMap<i16, i64>);

impl Histogram {
    /// Creates a histogram from buckets and their counts.
    pub fn from_counts(counts: impl IntoIterator<Item = (i16, i64)>) -> Self {
        let mut histogram = Self::default();
        for (bucket, count) in counts {
            histogram.add(bucket, count);
        }
        histogram
    }

    /// Adds `count` (may be negative) to a bucket. A bucket that reaches zero is removed.
    pub fn add(&mut self, bucket: i16, count: i64) {
        let now = self.0.get(&bucket).copied().unwrap_or(0) + count;
        if now == 0 {
            self.0.remove(&bucket);
        } else {
            self.0.insert(bucket, now);
        }
    }

    /// Returns the non-empty buckets, ascending, with their counts.
    pub fn counts(&self) -> impl Iterator<Item = (i16, i64)> {
        self.0.iter().map(|(bucket, count)| (*bucket, *count))
    }

    /// Returns the duration in milliseconds at or below which `percent` % of all durations are
    /// (nearest rank), off by at most 1.6 %. Returns `None` for an empty histogram.
    #[must_use]
    pub fn percentile(&self, percent: i64) -> Option<i64> {
        let total: i64 = self.0.values().sum();
        let rank = (total * percent).div_euclid(100) + i64::from((total * percent) % 100 != 0);
        let mut seen = 0;
        for (bucket, count) in self.counts() {
            seen += count;
            if seen >= rank.max(1) {
                return Some(middle_of(bucket));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_of_a_bucket_is_at_most_1_6_percent_off() {
        let mut before = 0;
        for exponent in 0..62 {
            for step in 0..64 {
                let value = (1_i64 << exponent) + (1_i64 << exponent) / 64 * step;
                let bucket = bucket_of(value);
                assert!(bucket >= before, "{value}");
                before = bucket;
                let off = i128::from(middle_of(bucket)) - i128::from(value);
                assert!(off.abs() * 1000 <= i128::from(value) * 16, "{value}: {off}");
            }
        }
        assert_eq!((bucket_of(-5), bucket_of(i64::MAX)), (0, 58 * 32 + 31));
    }

    #[test]
    fn what_is_taken_away_leaves_nothing() {
        let mut histogram = Histogram::default();
        histogram.add(5, 2);
        histogram.add(5, -2);
        assert_eq!(histogram, Histogram::default());
        assert_eq!(histogram.percentile(50), None);
    }

    #[test]
    fn a_percentile_is_the_nearest_rank() {
        let histogram = Histogram::from_counts((1..=10).map(|n| (n, 1)));
        assert_eq!(histogram.percentile(50), Some(5));
        assert_eq!(histogram.percentile(90), Some(9));
        assert_eq!(histogram.percentile(99), Some(10));
        assert_eq!(histogram.percentile(0), Some(1));
    }
}
