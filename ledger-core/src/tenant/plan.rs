//! The limits of a tenant's plan per billing month. Usage is compared with them; nothing is
//! enforced.

use serde::Serialize;

use crate::event::PlanLimitsSet;
use crate::money::Nanos;

/// The amount that a plan includes; above zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Limit(i64);

impl Limit {
    /// Returns `None` for zero and below, because a limit of zero would warn at any usage.
    #[must_use]
    pub fn new(amount: i64) -> Option<Self> {
        (amount > 0).then_some(Self(amount))
    }

    /// The amount, in the unit of the limit.
    #[must_use]
    pub const fn get(self) -> i64 {
        self.0
    }
}

/// The limits of a tenant's plan; `None` is unlimited, which is the default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct PlanLimits {
    /// Number of calls.
    pub calls: Option<Limit>,
    /// Minutes of all calls.
    pub minutes: Option<Limit>,
    /// Cost of the calls, in nano-dollars.
    pub cost_nanos: Option<Limit>,
    /// Number of events in the log.
    pub events: Option<Limit>,
}

impl PlanLimits {
    /// Converts the limits to the recorded facts.
    #[must_use]
    pub fn to_facts(self) -> PlanLimitsSet {
        PlanLimitsSet {
            calls: self.calls.map(Limit::get),
            minutes: self.minutes.map(Limit::get),
            cost_nanos: self.cost_nanos.map(|limit| Nanos(limit.get())),
            events: self.events.map(Limit::get),
        }
    }

    /// Reads recorded facts; a limit that is not above zero counts as none.
    #[must_use]
    pub fn from_facts(facts: &PlanLimitsSet) -> Self {
        let limit = |amount: Option<i64>| amount.and_then(Limit::new);
        Self {
            calls: limit(facts.calls),
            minutes: limit(facts.minutes),
            cost_nanos: limit(facts.cost_nanos.map(|Nanos(amount)| amount)),
            events: limit(facts.events),
        }
    }
}
