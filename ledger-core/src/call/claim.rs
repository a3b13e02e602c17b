//! A value somebody told, and how much it counts against another.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::envelope::Recorded;
use crate::ids::Position;

/// Who speaks. The report was made after the call with everything known; a status is the moment's
/// truth; the snapshot inside each message is as old as the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rank {
    /// From the provider's snapshot of the call.
    Snapshot,
    /// From a message about the moment.
    Status,
    /// From the report after the call.
    Report,
}

/// How much a claim counts: who speaks, then when they spoke. Compared in that order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Weight {
    /// Who speaks.
    #[serde(rename = "r")]
    pub rank: Rank,
    /// The provider's time of the message; a message without one counts least.
    #[serde(rename = "t", default, skip_serializing_if = "Option::is_none")]
    pub told_at: Option<DateTime<Utc>>,
    /// Only for reports: of two with the same provider time, the one recorded last is the
    /// correction. Zero for everything else, so that order of arrival does not count there.
    #[serde(rename = "p", default, skip_serializing_if = "is_zero")]
    pub position: Position,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_zero(position: &Position) -> bool {
    position.0 == 0
}

impl Weight {
    /// The weight of what `recorded` tells.
    #[must_use]
    pub fn of(rank: Rank, untimed: bool, recorded: &Recorded) -> Self {
        let told_at = (!untimed).then_some(recorded.occurred_at);
        let position = if rank == Rank::Report { recorded.position } else { Position(0) };
        Self { rank, told_at, position }
    }
}

/// A value and the weight it was told with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim<T> {
    /// What was told.
    #[serde(rename = "v")]
    pub value: T,
    /// How much it counts.
    #[serde(rename = "w")]
    pub weight: Weight,
}

impl<T: Ord> Claim<T> {
    /// Takes `value` into `slot` when it outweighs what is there. Nothing told changes nothing.
    /// Equal weights are settled by the values themselves, so the order of arrival is not.
    pub fn offer(slot: &mut Option<Self>, value: Option<T>, weight: Weight) {
        let Some(value) = value else { return };
        let wins = slot.as_ref().is_none_or(|known| {
            weight > known.weight || (weight == known.weight && value > known.value)
        });
        if wins {
            *slot = Some(Self { value, weight });
        }
    }
}
