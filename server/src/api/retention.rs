//! `/v1/retention`: what the retention policy of the tenant makes due.

pub mod due;
