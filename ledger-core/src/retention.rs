//! The setting `retention`: after how many days data of a class are no longer necessary.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::settings::fields::{Field, Fields};
use crate::settings::invalid::InvalidSetting;

/// Longest period, in days: a hundred years.
const MAX_DAYS: u32 = 36_525;

/// A class of data with a period of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RetentionClass {
    /// Calls, with everything that was recorded of them.
    Calls,
    /// Links to recordings.
    Recordings,
    /// Transcripts, turns and summaries.
    Transcripts,
    /// Contacts without activity.
    Contacts,
}

impl RetentionClass {
    /// All classes, in the order of the documentation.
    pub const ALL: [Self; 4] = [Self::Calls, Self::Recordings, Self::Transcripts, Self::Contacts];

    /// Returns the word of the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Calls => "calls",
            Self::Recordings => "recordings",
            Self::Transcripts => "transcripts",
            Self::Contacts => "contacts",
        }
    }
}

/// The periods of a tenant. A class without one is kept. None has one by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct RetentionPolicy {
    /// Days after the start of a call.
    pub calls_days: Option<u32>,
    /// Days after the start of the call.
    pub recordings_days: Option<u32>,
    /// Days after the start of the call.
    pub transcripts_days: Option<u32>,
    /// Days after the last activity of a contact: a call, an appointment or a change of it.
    pub contacts_days: Option<u32>,
}

impl RetentionPolicy {
    /// Parses the fields of the setting.
    ///
    /// # Errors
    /// [`InvalidSetting`] for a period that is no whole number from 1 to 36,525, and for an unknown
    /// field.
    pub fn parse(fields: BTreeMap<String, Value>) -> Result<Self, InvalidSetting> {
        let mut fields = Fields::root(fields);
        let mut days = |name: &str| {
            fields.take(name).map(|field: Field| field.whole(1..=MAX_DAYS)).transpose()
        };
        let policy = Self {
            calls_days: days("calls_days")?,
            recordings_days: days("recordings_days")?,
            transcripts_days: days("transcripts_days")?,
            contacts_days: days("contacts_days")?,
        };
        fields.finish()?;
        Ok(policy)
    }

    /// Returns the period of a class in days.
    #[must_use]
    pub const fn days(&self, class: RetentionClass) -> Option<u32> {
        match class {
            RetentionClass::Calls => self.calls_days,
            RetentionClass::Recordings => self.recordings_days,
            RetentionClass::Transcripts => self.transcripts_days,
            RetentionClass::Contacts => self.contacts_days,
        }
    }

    /// Returns the time before which data of a class are due; `None` without a period.
    #[must_use]
    pub fn before(&self, class: RetentionClass, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let days = TimeDelta::days(self.days(class)?.into());
        now.checked_sub_signed(days)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(value: Value) -> Result<RetentionPolicy, InvalidSetting> {
        RetentionPolicy::parse(serde_json::from_value(value).expect("an object"))
    }

    #[test]
    fn a_period_is_a_whole_number_of_days_and_a_class_without_one_is_kept() {
        assert_eq!(parse(json!({})), Ok(RetentionPolicy::default()));
        let policy = parse(json!({ "calls_days": 365, "contacts_days": null })).expect("a policy");
        let now = "2026-12-01T09:00:00Z".parse().expect("a time");
        let before = policy.before(RetentionClass::Calls, now).expect("a period");
        assert_eq!(before.to_rfc3339(), "2025-12-01T09:00:00+00:00");
        for class in [RetentionClass::Contacts, RetentionClass::Recordings] {
            assert_eq!(policy.before(class, now), None);
        }
        for value in [json!(0), json!(-1), json!(1.5), json!("7"), json!(40_000)] {
            let refused = parse(json!({ "recordings_days": value })).expect_err("no period");
            assert_eq!(refused.field, "recordings_days");
        }
        assert!(parse(json!({ "notes_days": 1 })).expect_err("unknown").is_unknown);
    }
}
