//! Sums over calls by hour, day and month in the tenant's zone, under several cuts: which dimensions
//! are kept apart. A batch's differences are gathered in memory; the sums they change are loaded,
//! changed and written back together. A sum of nothing is no row.

mod rows;

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use ledger_core::ids::TenantId;
use sqlx::PgConnection;

use super::Change;
use super::contribution::Contribution;
use super::measures::Measures;
use crate::calendar::Grain;
use crate::histogram::Histogram;
use crate::projector::{ProjectError, Way};

/// Which dimensions a sum keeps apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cut {
    /// None.
    Total,
    /// The assistant.
    Agent,
    /// Each tool; a call with several counts in each.
    Tool,
    /// The coarse class of durations.
    Duration,
    /// Assistant, direction, outcome and ended reason.
    Full,
}

impl Cut {
    /// Every cut.
    pub const ALL: [Self; 5] = [Self::Total, Self::Agent, Self::Tool, Self::Duration, Self::Full];

    /// The stored name.
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

    /// Whether its sums are kept by this grain. By the hour, most calls would have tools and a class of
    /// their own: there they are summed call by call.
    #[must_use]
    pub fn is_kept_by(self, grain: Grain) -> bool {
        grain != Grain::Hour || !matches!(self, Self::Tool | Self::Duration)
    }
}

/// How many dimensions a sum may keep apart.
const DIMENSIONS: usize = 7;

/// What a sum is of. Dimensions are numbers of names: thousands of keys share a few.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Key {
    tenant_id: TenantId,
    cut: Cut,
    grain: Grain,
    starts_at: DateTime<Utc>,
    is_test: bool,
    /// Agent, direction, outcome, ended reason, tool, duration class, currency.
    dimensions: [u32; DIMENSIONS],
}

/// A sum, or a difference of one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Sum {
    measures: Measures,
    durations: Histogram,
}

impl Sum {
    fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    /// Adds another, `sign` times.
    fn add(&mut self, measures: Measures, bucket: Option<i16>, sign: i64) -> Option<()> {
        self.measures = match sign {
            1 => self.measures.plus(measures)?,
            _ => self.measures.minus(measures)?,
        };
        if let Some(bucket) = bucket {
            self.durations.add(bucket, sign);
        }
        Some(())
    }

    fn merge(&mut self, other: &Self) -> Option<()> {
        self.measures = self.measures.plus(other.measures)?;
        for (bucket, count) in other.durations.counts() {
            self.durations.add(bucket, count);
        }
        Some(())
    }
}

/// Names by number.
#[derive(Debug, Default)]
struct Names {
    numbers: HashMap<String, u32>,
    names: Vec<String>,
}

impl Names {
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

/// When the hours, days and months of a zone began, remembered by the hour and its end: all that it
/// holds share them. Clocks were turned at any minute, some as late as 2011.
struct Starts {
    zone: Tz,
    known: BTreeMap<DateTime<Utc>, Hour>,
}

/// An hour: when it is over, and when it, its day and its month began.
struct Hour {
    ends_at: DateTime<Utc>,
    starts: [DateTime<Utc>; 3],
}

impl Starts {
    fn of(&mut self, at: DateTime<Utc>) -> [DateTime<Utc>; 3] {
        if let Some((_, hour)) = self.known.range(..=at).next_back()
            && at < hour.ends_at
        {
            return hour.starts;
        }
        let starts = Grain::ALL.map(|grain| grain.start(self.zone, at));
        self.known.insert(starts[0], Hour { ends_at: Grain::Hour.next(self.zone, at), starts });
        starts
    }
}

/// The differences that a batch makes.
struct Differences {
    names: Names,
    starts: HashMap<TenantId, Starts>,
    sums: HashMap<Key, Sum>,
}

impl Differences {
    /// Adds what a call of a tenant contributes to every cut and grain, or takes it away.
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
            (Cut::Total, [none, none, none, none, none, none, currency]),
            (Cut::Agent, [agent, none, none, none, none, none, currency]),
            (Cut::Duration, [none, none, none, none, none, class, currency]),
            (Cut::Full, [agent, direction, outcome, reason, none, none, currency]),
        ];
        for (grain, starts_at) in Grain::ALL.into_iter().zip(starts) {
            for (cut, dimensions) in cuts.into_iter().filter(|(cut, _)| cut.is_kept_by(grain)) {
                let is_test = one.is_test;
                let key = Key { tenant_id, cut, grain, starts_at, is_test, dimensions };
                let sum = self.sums.entry(key).or_default();
                sum.add(one.measures, one.duration_bucket, sign)?;
            }
            for (tool, calls) in one.tools.iter().filter(|_| Cut::Tool.is_kept_by(grain)) {
                let tool = self.names.number(tool);
                let dimensions = [none, none, none, none, tool, none, currency];
                let (cut, is_test) = (Cut::Tool, one.is_test);
                let key = Key { tenant_id, cut, grain, starts_at, is_test, dimensions };
                let measures = Measures { tool_calls: *calls, ..one.measures };
                self.sums.entry(key).or_default().add(measures, one.duration_bucket, sign)?;
            }
        }
        Some(())
    }
}

/// Brings the sums up to what these calls contribute now.
pub(super) async fn write(
    conn: &mut PgConnection,
    zones: &HashMap<TenantId, Tz>,
    calls: &[Change],
    way: Way,
) -> Result<(), ProjectError> {
    let starts = |(tenant_id, zone): (&TenantId, &Tz)| {
        (*tenant_id, Starts { zone: *zone, known: BTreeMap::new() })
    };
    let mut differences = Differences {
        names: Names::default(),
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
    rows::write(conn, names, sums, way).await
}

fn too_large() -> ProjectError {
    ProjectError::Poison("a sum over calls does not fit into 128 bits".to_owned())
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn what_is_remembered_of_starts_is_what_they_are() {
        // A clock turned a minute after midnight, one by half an hour, hours of odd minutes, and none.
        let turned: [(Tz, &str); 4] = [
            (Tz::America__St_Johns, "2010-11-07T00:10:00Z"),
            (Tz::Australia__Lord_Howe, "2026-04-04T12:10:00Z"),
            (Tz::Africa__Monrovia, "1972-01-06T22:00:00Z"),
            (Tz::America__New_York, "2026-11-01T03:00:00Z"),
        ];
        for (zone, from) in turned {
            let mut starts = Starts { zone, known: BTreeMap::new() };
            let from: DateTime<Utc> = from.parse().expect("a time");
            // There and back again, so that what is remembered was asked for in any order.
            for step in (0..300).chain((0..300).rev()) {
                let at = from + TimeDelta::seconds(step * 61);
                assert_eq!(starts.of(at), Grain::ALL.map(|grain| grain.start(zone, at)), "{at}");
            }
        }
    }
}
