//! Reminders of appointments: how long before the start each is due.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::settings::fields::Fields;
use crate::settings::invalid::InvalidSetting;

/// Longest time between a reminder and the start, in minutes: 30 days.
pub const MAX_OFFSET_MINUTES: u32 = 30 * 24 * 60;
/// Maximum number of reminders of one appointment.
const MAX_OFFSETS: usize = 8;

/// The setting `reminders`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Reminders {
    /// The reminders of each appointment.
    pub offsets_minutes: Offsets,
}

/// Minutes between each reminder and the start of the appointment: distinct, the longest first, from
/// 1 to [`MAX_OFFSET_MINUTES`].
///
/// The default is 24 hours and 2 hours. Facts without offsets have the default, so it never changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Offsets(Vec<u32>);

impl Default for Offsets {
    fn default() -> Self {
        Self(vec![24 * 60, 2 * 60])
    }
}

impl Offsets {
    /// Returns whether these are the offsets of facts without offsets.
    #[must_use]
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// The offsets in minutes, the longest first.
    #[must_use]
    pub fn minutes(&self) -> &[u32] {
        &self.0
    }

    /// Returns the reminders of an appointment that was made or moved at `made_at`, with their
    /// offsets in minutes, the earliest first. Reminders due at or before `made_at` are omitted.
    pub fn due(
        &self,
        starts_at: DateTime<Utc>,
        made_at: DateTime<Utc>,
    ) -> impl Iterator<Item = (u32, DateTime<Utc>)> {
        self.0.iter().filter_map(move |minutes| {
            let due_at = starts_at.checked_sub_signed(TimeDelta::minutes((*minutes).into()))?;
            (due_at > made_at).then_some((*minutes, due_at))
        })
    }
}

impl Reminders {
    /// Parses the fields of the setting; an absent list has the default, an empty one no reminders.
    ///
    /// # Errors
    /// [`InvalidSetting`] for a number outside its range or named twice, and an unknown field.
    pub fn parse(fields: BTreeMap<String, Value>) -> Result<Self, InvalidSetting> {
        let mut fields = Fields::root(fields);
        let list =
            fields.take("offsets_minutes").map(|field| field.list(MAX_OFFSETS)).transpose()?;
        fields.finish()?;
        let Some(list) = list else { return Ok(Self::default()) };
        let mut offsets = Vec::with_capacity(list.len());
        for field in list {
            let minutes = field.whole(1..=MAX_OFFSET_MINUTES)?;
            if offsets.contains(&minutes) {
                return Err(field.invalid("it is in the list already"));
            }
            offsets.push(minutes);
        }
        offsets.sort_unstable_by(|a, b| b.cmp(a));
        Ok(Self { offsets_minutes: Offsets(offsets) })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(value: &Value) -> Result<Reminders, InvalidSetting> {
        Reminders::parse(serde_json::from_value(json!({ "offsets_minutes": value })).expect("one"))
    }

    fn due(offsets: &Reminders, starts_at: &str, made_at: &str) -> Vec<(u32, String)> {
        let at = |text: &str| text.parse::<DateTime<Utc>>().expect("a time");
        let due = offsets.offsets_minutes.due(at(starts_at), at(made_at));
        due.map(|(minutes, at)| (minutes, at.format("%d %H:%M").to_string())).collect()
    }

    #[test]
    fn offsets_are_distinct_ordered_and_in_their_range() {
        let read = parse(&json!([60, 2880])).expect("offsets");
        assert_eq!(read.offsets_minutes.minutes(), [2880, 60]);
        assert!(parse(&json!([])).expect("none").offsets_minutes.minutes().is_empty());
        assert!(parse(&Value::Null).expect("the default").offsets_minutes.is_default());
        for (value, field) in [
            (json!([0]), "offsets_minutes/0"),
            (json!([5, 43_201]), "offsets_minutes/1"),
            (json!([5, 5]), "offsets_minutes/1"),
            (json!(["5"]), "offsets_minutes/0"),
            (json!(5), "offsets_minutes"),
            (json!([1, 2, 3, 4, 5, 6, 7, 8, 9]), "offsets_minutes"),
        ] {
            assert_eq!(parse(&value).expect_err("no offsets").field, field, "{value}");
        }
    }

    #[test]
    fn a_reminder_that_would_have_been_due_before_the_booking_is_left_out() {
        let default = Reminders::default();
        let start = "2026-03-03T10:00:00Z";
        let both = vec![(1440, "02 10:00".to_owned()), (120, "03 08:00".to_owned())];
        assert_eq!(due(&default, start, "2026-03-02T09:59:59Z"), both);
        assert_eq!(due(&default, start, "2026-03-02T10:00:00Z"), both[1..]);
        assert_eq!(due(&default, start, "2026-03-03T08:00:00Z"), []);
    }
}
