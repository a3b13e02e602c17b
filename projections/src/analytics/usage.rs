//! Usage of a tenant in a billing month, compared with the limits of its plan.

use ledger_store::tenants::{Limit, PlanLimits};

/// Percentage of a limit from which a warning is given.
const NEAR_PERCENT: i128 = 80;

/// Usage of one month, in the quantities that plans limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PlanUsage {
    /// Number of calls in the month.
    pub calls: i128,
    /// Total duration of all calls in minutes, rounded up once for the sum.
    pub minutes: i128,
    /// Cost in nanos; `None` if there are several currencies.
    pub cost_nanos: Option<i128>,
    /// Number of recorded events.
    pub events: i128,
}

/// Level of a usage warning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WarningLevel {
    /// At least 80 % of the limit is used.
    Near,
    /// The whole limit is used, or more.
    Reached,
}

impl WarningLevel {
    /// Returns the name used in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Near => "near",
            Self::Reached => "reached",
        }
    }
}

/// A warning about one limit that is near or reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Warning {
    /// Name of the limit: `calls`, `minutes`, `cost_nanos` or `events`.
    pub limit: &'static str,
    /// Level of the warning.
    pub closeness: WarningLevel,
    /// Amount used, in the unit of the limit.
    pub used: i128,
    /// Amount the plan allows, in the same unit.
    pub allowed: i64,
}

/// Returns a warning for every limit of which at least 80 % is used.
#[must_use]
pub fn warnings(used: &PlanUsage, limits: &PlanLimits) -> Vec<Warning> {
    let all = [
        ("calls", Some(used.calls), limits.calls),
        ("minutes", Some(used.minutes), limits.minutes),
        ("cost_nanos", used.cost_nanos, limits.cost_nanos),
        ("events", Some(used.events), limits.events),
    ];
    all.into_iter()
        .filter_map(|(limit, used, allowed)| {
            let (used, allowed) = used.zip(allowed.map(Limit::get))?;
            let closeness = closeness(used, allowed.into())?;
            Some(Warning { limit, closeness, used, allowed })
        })
        .collect()
}

fn closeness(used: i128, allowed: i128) -> Option<WarningLevel> {
    if used >= allowed {
        return Some(WarningLevel::Reached);
    }
    (used * 100 >= allowed * NEAR_PERCENT).then_some(WarningLevel::Near)
}

/// Converts milliseconds to minutes, rounded up.
#[must_use]
pub fn minutes_begun(duration_ms: i128) -> i128 {
    duration_ms.div_euclid(60_000) + i128::from(duration_ms.rem_euclid(60_000) != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(calls: i128, allowed: i64) -> Option<&'static str> {
        let used = PlanUsage { calls, ..PlanUsage::default() };
        let limits = PlanLimits { calls: Limit::new(allowed), ..PlanLimits::default() };
        warnings(&used, &limits).first().map(|warning| warning.closeness.as_str())
    }

    #[test]
    fn a_limit_is_near_at_four_fifths_and_reached_at_all_of_it() {
        assert_eq!(shown(79, 100), None);
        assert_eq!(shown(80, 100), Some("near"));
        assert_eq!(shown(99, 100), Some("near"));
        assert_eq!(shown(100, 100), Some("reached"));
        assert_eq!(shown(3, 4), None);
        assert_eq!(shown(i128::from(i64::MAX), i64::MAX), Some("reached"));
    }

    #[test]
    fn what_has_no_limit_warns_of_nothing() {
        let used = PlanUsage { calls: 9, minutes: 9, cost_nanos: Some(9), events: 9 };
        assert_eq!(warnings(&used, &PlanLimits::default()), []);
        let limits = PlanLimits {
            calls: None,
            minutes: Limit::new(10),
            cost_nanos: Limit::new(1),
            events: Limit::new(100),
        };
        let warned = warnings(&used, &limits);
        let names: Vec<_> = warned.iter().map(|one| (one.limit, one.closeness)).collect();
        assert_eq!(names, [("minutes", WarningLevel::Near), ("cost_nanos", WarningLevel::Reached)]);
        let mixed = PlanUsage { cost_nanos: None, ..used };
        assert_eq!(warnings(&mixed, &limits).len(), 1, "several currencies reach no limit");
    }

    #[test]
    fn a_minute_that_has_begun_counts() {
        let minutes = [0, 1, 60_000, 60_001].map(minutes_begun);
        assert_eq!(minutes, [0, 1, 1, 2]);
    }
}
