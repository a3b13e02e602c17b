//! Last-writer-wins registers: a reported value with the precedence of its report.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::envelope::Recorded;
use crate::ids::Position;

/// Source of a value, weakest first. The end-of-call report was made with everything known, a
/// status describes its own moment, and the snapshot inside each message is as old as the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// The provider's snapshot of the call.
    Snapshot,
    /// A message sent during the call.
    Status,
    /// The end-of-call report.
    Report,
}

/// Precedence of a value: its source, then its time, then the position of a report, compared in
/// that order. Stored as a short text, because a call has about twenty of them:
/// `report@1795048578190000#2528`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Weight {
    /// Source of the value.
    pub rank: Rank,
    /// The provider's time of the message, in microseconds; a message without a time has the lowest
    /// precedence.
    pub told_at: Option<DateTime<Utc>>,
    /// Position of a report, 0 for all other messages. Of two reports with the same provider time,
    /// the one recorded last is the correction. For all other messages the order of arrival must
    /// not matter.
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
    /// Parses the output of [`Display`](fmt::Display). `None` if the text has another form.
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
    /// Returns the precedence of the values in `recorded`.
    #[must_use]
    pub fn of(rank: Rank, untimed: bool, recorded: &Recorded) -> Self {
        let told_at = (!untimed).then_some(recorded.occurred_at);
        let position = if rank == Rank::Report { recorded.position } else { Position(0) };
        Self { rank, told_at, position }
    }
}

/// A value with its precedence: a last-writer-wins register.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim<T> {
    /// The reported value.
    #[serde(rename = "v")]
    pub value: T,
    /// Precedence of the value.
    #[serde(rename = "w")]
    pub weight: Weight,
}

impl<T: Ord> Claim<T> {
    /// Merges `value` into `slot`: the higher precedence wins, and `None` changes nothing. Equal
    /// precedences are ordered by the values, so the result does not depend on the order of
    /// arrival.
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
