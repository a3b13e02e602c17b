//! Exact sums over calls, for any time ranges, time zone, filters and dimensions.
//!
//! Each [`AnalyticsQuery`] is answered from rollups stored for months, days and hours of the tenant's own
//! time zone, as far as the range consists of them ([`decompose()`]), and from individual calls for the
//! remaining edges. Dimensions the rollups lack, such as the telephone number, are summed from
//! calls alone. Either way each call counts once per bucket.

mod clock;
mod decompose;
mod lookups;
mod people;
mod plan;
mod query;
mod question;
mod range;
mod sums;
pub mod usage;

pub use decompose::{RangePart, decompose};
pub use lookups::{
    STALE_AFTER, configure_transaction, first_and_last_start, live_calls, zone_of, zone_of_sums,
};
pub use people::contacts;
pub use query::{MAX_ROWS, run_query};
pub use question::{AnalyticsFilter, AnalyticsQuery, AnalyticsRow, Dimension};
pub use range::{Interval, MAX_BUCKETS, MAX_YEARS, Range, Slice, Span, month, slices};
pub use sums::{CostSums, MinMax, Sums, ratio};
