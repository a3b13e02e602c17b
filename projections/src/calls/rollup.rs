//! Rollups: sums over calls by hour, day and month in the tenant's time zone, for several sets of
//! dimensions.
//!
//! The differences of a batch are collected in memory; the affected sums are loaded, changed and
//! written together. A sum that became zero is deleted.

mod rows;

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use ledger_core::ids::TenantId;
use sqlx::PgConnection;

use super::contribution::Contribution;
use super::measures::Measures;
use super::revenue::Revenue;
use super::update::RollupChange;
use crate::calendar::Granularity;
use crate::histogram::Histogram;
use crate::projector::{ProjectError, WriteMode};

/// A set of dimensions by which sums are stored separately.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RollupSet {
    /// No dimension: all calls together.
    Total,
    /// By the provider's id of the assistant.
    Agent,
    /// By tool; a call that used several tools counts in each.
    Tool,
    /// By the coarse class of the duration.
    Duration,
    /// By assistant, direction, outcome and ended reason.
    Full,
}

impl RollupSet {
    /// All rollup sets, in the order of the variants.
    pub const ALL: [Self; 5] = [Self::Total, Self::Agent, Self::Tool, Self::Duration, Self::Full];

    /// Returns the name in the `cut` column.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Total => "total",
            Self::Agent => "agent",
            Self::Tool => "tool",
            Self::Duration => "duration",
            Self::Full => "full",
        }
    }

    /// Returns whether sums of this granularity are stored. By hour, most rows of the tool and
    /// duration sets would hold a single call, so queries read the calls instead.
    #[must_use]
    pub fn is_stored_by(self, grain: Granularity) -> bool {
        grain != Granularity::Hour || !matches!(self, Self::Tool | Self::Duration)
    }
}

/// Number of dimension columns of a rollup row.
const DIMENSIONS: usize = 7;

/// The key of a rollup row. Dimension values are interned as numbers, because thousands of keys
/// share few values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct RollupKey {
    tenant_id: TenantId,
    cut: RollupSet,
    grain: Granularity,
    starts_at: DateTime<Utc>,
    is_test: bool,
    /// Agent, direction, outcome, ended reason, tool, duration class and currency, in this order.
    dimensions: [u32; DIMENSIONS],
}

/// A stored sum, or a difference to one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct RollupSum {
    measures: Measures,
    durations: Histogram,
    revenue: Revenue,
}

impl RollupSum {
    fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    /// Adds the measures of a call (`sign` 1) or subtracts them (`sign` -1). Returns `None` on
    /// overflow.
    fn add(&mut self, one: &Contribution, measures: Measures, sign: i64) -> Option<()> {
        self.measures = match sign {
            1 => self.measures.plus(measures)?,
            _ => self.measures.minus(measures)?,
        };
        self.revenue.merge(&one.revenue, sign)?;
        if let Some(bucket) = one.duration_bucket {
            self.durations.add(bucket, sign);
        }
        Some(())
    }

    fn merge(&mut self, other: &Self) -> Option<()> {
        self.measures = self.measures.plus(other.measures)?;
        self.revenue.merge(&other.revenue, 1)?;
        for (bucket, count) in other.durations.counts() {
            self.durations.add(bucket, count);
        }
        Some(())
    }
}

/// Interned strings: a number for each distinct name of a batch.
#[derive(Debug, Default)]
struct Interner {
    numbers: HashMap<String, u32>,
    names: Vec<String>,
}

impl Interner {
    fn number(&mut self, name: &str) -> u32 {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        let number = u32::try_from(self.names.len()).expect("a batch has some thousand names");
        self.names.push(name.to_owned());
        self.numbers.insert(name.to_owned(), number);
        number
    }

    fn name(&self, number: u32) -> &str {
        &self.names[number as usize]
    }
}

/// Cache of the starts of hours, days and months in a zone, keyed by the start of the hour. Offsets
/// have changed at any minute of an hour, in some zones as late as 2011, so each entry keeps its
/// end.
struct StartCache {
    zone: Tz,
    known: BTreeMap<DateTime<Utc>, Hour>,
}

/// A cached hour: its end, and the starts of the hour, its day and its month.
struct Hour {
    ends_at: DateTime<Utc>,
    starts: [DateTime<Utc>; 3],
}

impl StartCache {
    fn of(&mut self, at: DateTime<Utc>) -> [DateTime<Utc>; 3] {
        if let Some((_, hour)) = self.known.range(..=at).next_back()
            && at < hour.ends_at
        {
            return hour.starts;
        }
        let starts = Granularity::ALL.map(|grain| grain.start(self.zone, at));
        self.known
            .insert(starts[0], Hour { ends_at: Granularity::Hour.next(self.zone, at), starts });
        starts
    }
}

/// Differences that a batch makes to the rollups.
struct Differences {
    names: Interner,
    starts: HashMap<TenantId, StartCache>,
    sums: HashMap<RollupKey, RollupSum>,
}

impl Differences {
    /// Adds (`sign` 1) or subtracts (`sign` -1) the contribution of a call in every rollup set and
    /// granularity. Returns `None` on overflow.
    fn add(&mut self, tenant_id: TenantId, one: &Contribution, sign: i64) -> Option<()> {
        let starts = self.starts.get_mut(&tenant_id).expect("each has a zone").of(one.started_at);
        let none = self.names.number("");
        let agent = self.names.number(&one.agent_id);
        let currency = self.names.number(&one.currency);
        let direction = self.names.number(one.direction);
        let outcome = self.names.number(one.outcome);
        let reason = self.names.number(&one.ended_reason);
        let class = self.names.number(one.duration_class);
        let cuts = [
            (RollupSet::Total, [none, none, none, none, none, none, currency]),
            (RollupSet::Agent, [agent, none, none, none, none, none, currency]),
            (RollupSet::Duration, [none, none, none, none, none, class, currency]),
            (RollupSet::Full, [agent, direction, outcome, reason, none, none, currency]),
        ];
        for (grain, starts_at) in Granularity::ALL.into_iter().zip(starts) {
            for (cut, dimensions) in cuts.into_iter().filter(|(cut, _)| cut.is_stored_by(grain)) {
                let is_test = one.is_test;
                let key = RollupKey { tenant_id, cut, grain, starts_at, is_test, dimensions };
                let sum = self.sums.entry(key).or_default();
                sum.add(one, one.measures, sign)?;
            }
            for (tool, calls) in one.tools.iter().filter(|_| RollupSet::Tool.is_stored_by(grain)) {
                let tool = self.names.number(tool);
                let dimensions = [none, none, none, none, tool, none, currency];
                let (cut, is_test) = (RollupSet::Tool, one.is_test);
                let key = RollupKey { tenant_id, cut, grain, starts_at, is_test, dimensions };
                let measures = Measures { tool_calls: *calls, ..one.measures };
                self.sums.entry(key).or_default().add(one, measures, sign)?;
            }
        }
        Some(())
    }
}

/// Updates the rollups by the differences between the old and new contributions of these calls.
pub(super) async fn write(
    conn: &mut PgConnection,
    zones: &HashMap<TenantId, Tz>,
    calls: &[RollupChange],
    mode: WriteMode,
) -> Result<(), ProjectError> {
    let starts = |(tenant_id, zone): (&TenantId, &Tz)| {
        (*tenant_id, StartCache { zone: *zone, known: BTreeMap::new() })
    };
    let mut differences = Differences {
        names: Interner::default(),
        starts: zones.iter().map(starts).collect(),
        sums: HashMap::new(),
    };
    for call in calls {
        if call.before == call.now {
            continue;
        }
        if let Some(before) = &call.before {
            differences.add(call.key.0, before, -1).ok_or_else(too_large)?;
        }
        if let Some(now) = &call.now {
            differences.add(call.key.0, now, 1).ok_or_else(too_large)?;
        }
    }
    let Differences { names, mut sums, .. } = differences;
    sums.retain(|_, sum| !sum.is_nothing());
    if sums.is_empty() {
        return Ok(());
    }
    rows::write(conn, names, sums, mode).await
}

fn too_large() -> ProjectError {
    ProjectError::Poison("a sum over calls does not fit into 128 bits".to_owned())
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn cached_starts_equal_computed_ones() {
        // An offset change one minute after midnight, one of half an hour, hours of odd minutes,
        // and a zone without a change that night.
        let turned: [(Tz, &str); 4] = [
            (Tz::America__St_Johns, "2010-11-07T00:10:00Z"),
            (Tz::Australia__Lord_Howe, "2026-04-04T12:10:00Z"),
            (Tz::Africa__Monrovia, "1972-01-06T22:00:00Z"),
            (Tz::America__New_York, "2026-11-01T03:00:00Z"),
        ];
        for (zone, from) in turned {
            let mut starts = StartCache { zone, known: BTreeMap::new() };
            let from: DateTime<Utc> = from.parse().expect("a time");
            // Forward and backward, so that cache entries are made and read in any order.
            for step in (0..300).chain((0..300).rev()) {
                let at = from + TimeDelta::seconds(step * 61);
                assert_eq!(
                    starts.of(at),
                    Granularity::ALL.map(|grain| grain.start(zone, at)),
                    "{at}"
                );
            }
        }
    }
}
