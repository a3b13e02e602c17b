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
pub enum Authority {
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
pub struct Precedence {
    /// Source of the value.
    pub authority: Authority,
    /// The provider's time of the message, in microseconds; a message without a time has the lowest
    /// precedence.
    pub reported_at: Option<DateTime<Utc>>,
    /// Position of a report, 0 for all other messages. Of two reports with the same provider time,
    /// the one recorded last is the correction. For all other messages the order of arrival must
    /// not matter.
    pub position: Position,
}

impl Authority {
    const ALL: [Self; 3] = [Self::Snapshot, Self::Status, Self::Report];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Snapshot => "snapshot",
            Self::Status => "status",
            Self::Report => "report",
        }
    }
}

impl fmt::Display for Precedence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.authority.as_str())?;
        if let Some(reported_at) = self.reported_at {
            write!(f, "@{}", reported_at.timestamp_micros())?;
        }
        if self.position.0 != 0 {
            write!(f, "#{}", self.position)?;
        }
        Ok(())
    }
}

impl Precedence {
    /// Parses the output of [`Display`](fmt::Display). `None` if the text has another form.
    fn parse(text: &str) -> Option<Self> {
        let (text, position) = match text.split_once('#') {
            Some((text, position)) => (text, position.parse().ok()?),
            None => (text, 0),
        };
        let (authority, reported_at) = match text.split_once('@') {
            Some((authority, micros)) => {
                (authority, Some(DateTime::from_timestamp_micros(micros.parse().ok()?)?))
            }
            None => (text, None),
        };
        let authority = Authority::ALL.into_iter().find(|known| known.as_str() == authority)?;
        Some(Self { authority, reported_at, position: Position(position) })
    }
}

impl Serialize for Precedence {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Precedence {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;

        impl Visitor<'_> for Text {
            type Value = Precedence;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a precedence, such as report@1795048578190000#2528")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Precedence, E> {
                let unexpected = || E::invalid_value(serde::de::Unexpected::Str(text), &self);
                Precedence::parse(text).ok_or_else(unexpected)
            }
        }

        deserializer.deserialize_str(Text)
    }
}

impl Precedence {
    /// Returns the precedence of the values in `recorded`.
    #[must_use]
    pub fn of<E>(authority: Authority, untimed: bool, recorded: &Recorded<E>) -> Self {
        let reported_at = (!untimed).then_some(recorded.occurred_at);
        let position = if authority == Authority::Report { recorded.position } else { Position(0) };
        Self { authority, reported_at, position }
    }
}

/// A value with its precedence: a last-writer-wins register.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reported<T> {
    /// The reported value.
    #[serde(rename = "v")]
    pub value: T,
    /// Precedence of the value.
    #[serde(rename = "w")]
    pub precedence: Precedence,
}

impl<T: Ord> Reported<T> {
    /// Merges `value` into `slot`: the higher precedence wins, and `None` changes nothing. Equal
    /// precedences are ordered by the values, so the result does not depend on the order of
    /// arrival.
    pub fn merge(slot: &mut Option<Self>, value: Option<T>, precedence: Precedence) {
        let Some(value) = value else { return };
        let wins = slot.as_ref().is_none_or(|known| {
            precedence > known.precedence || (precedence == known.precedence && value > known.value)
        });
        if wins {
            *slot = Some(Self { value, precedence });
        }
    }
}
