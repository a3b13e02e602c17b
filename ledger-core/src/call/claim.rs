//! A value somebody told, and how much it counts against another.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::envelope::Recorded;
use crate::ids::Position;

/// Who speaks. The report was made after the call with everything known; a status is the moment's
/// truth; the snapshot inside each message is as old as the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// From the provider's snapshot of the call.
    Snapshot,
    /// From a message about the moment.
    Status,
    /// From the report after the call.
    Report,
}

/// How much a claim counts: who speaks, then when they spoke. Compared in that order. Stored as one
/// short text, because a call has some twenty of them: `report@1795048578190000#2528`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Weight {
    /// Who speaks.
    pub rank: Rank,
    /// The provider's time of the message, to the microsecond; a message without one counts least.
    pub told_at: Option<DateTime<Utc>>,
    /// Only for reports: of two with the same provider time, the one recorded last is the
    /// correction. Zero for everything else, so that order of arrival does not count there.
    pub position: Position,
}

impl Rank {
    const ALL: [Self; 3] = [Self::Snapshot, Self::Status, Self::Report];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Snapshot => "snapshot",
            Self::Status => "status",
            Self::Report => "report",
        }
    }
}

impl fmt::Display for Weight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.rank.as_str())?;
        if let Some(told_at) = self.told_at {
            write!(f, "@{}", told_at.timestamp_micros())?;
        }
        if self.position.0 != 0 {
            write!(f, "#{}", self.position)?;
        }
        Ok(())
    }
}

impl Weight {
    /// Reads what [`Display`](fmt::Display) writes. `None` when it is nothing of the kind.
    fn parse(text: &str) -> Option<Self> {
        let (text, position) = match text.split_once('#') {
            Some((text, position)) => (text, position.parse().ok()?),
            None => (text, 0),
        };
        let (rank, told_at) = match text.split_once('@') {
            Some((rank, micros)) => {
                (rank, Some(DateTime::from_timestamp_micros(micros.parse().ok()?)?))
            }
            None => (text, None),
        };
        let rank = Rank::ALL.into_iter().find(|known| known.as_str() == rank)?;
        Some(Self { rank, told_at, position: Position(position) })
    }
}

impl Serialize for Weight {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Weight {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;

        impl Visitor<'_> for Text {
            type Value = Weight;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a weight, such as report@1795048578190000#2528")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Weight, E> {
                let unexpected = || E::invalid_value(serde::de::Unexpected::Str(text), &self);
                Weight::parse(text).ok_or_else(unexpected)
            }
        }

        deserializer.deserialize_str(Text)
    }
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
