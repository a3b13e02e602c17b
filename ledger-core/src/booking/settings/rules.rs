//! Rules of all bookings of a tenant.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::MAX_MINUTES;
use crate::settings::fields::Fields;
use crate::settings::invalid::InvalidSetting;

/// What a closure must not overlap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClosureRule {
    /// The appointment; its buffers may be in the closure.
    #[default]
    Appointment,
    /// The appointment and its buffers.
    Buffers,
}

/// Rules of all bookings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Rules {
    /// Least time between the booking and the start, in minutes.
    pub minimum_notice_minutes: u32,
    /// Longest time between the booking and the start, in days.
    pub horizon_days: u32,
    /// Maximum number of appointments of one resource that start on one local day; absent for no
    /// limit.
    pub daily_limit: Option<u32>,
    /// Length of an appointment without a service, in minutes.
    pub default_minutes: u32,
    /// Distance of offered starts, in minutes, from the opening on. Other starts can be booked too.
    pub step_minutes: u32,
    /// What a closure must not overlap.
    pub closures: ClosureRule,
    /// Whether a new appointment is pending until it is confirmed.
    pub requires_confirmation: bool,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            minimum_notice_minutes: 0,
            horizon_days: 730,
            daily_limit: None,
            default_minutes: 30,
            step_minutes: 15,
            closures: ClosureRule::default(),
            requires_confirmation: false,
        }
    }
}

impl Rules {
    /// Parses the fields of the setting; an absent one has its default.
    ///
    /// # Errors
    /// [`InvalidSetting`] for a number outside its range, and an unknown field or word.
    pub fn parse(fields: BTreeMap<String, Value>) -> Result<Self, InvalidSetting> {
        let mut fields = Fields::root(fields);
        let default = Self::default();
        let mut whole = |name: &str, range, default: u32| {
            let given = fields.take(name).map(|field| field.whole(range)).transpose()?;
            Ok::<_, InvalidSetting>(given.unwrap_or(default))
        };
        let minimum_notice_minutes =
            whole("minimum_notice_minutes", 0..=90 * 24 * 60, default.minimum_notice_minutes)?;
        let horizon_days = whole("horizon_days", 1..=1095, default.horizon_days)?;
        let default_minutes = whole("default_minutes", 1..=MAX_MINUTES, default.default_minutes)?;
        let step_minutes = whole("step_minutes", 5..=720, default.step_minutes)?;
        let limit = fields.take("daily_limit");
        let daily_limit = limit.map(|field| field.whole(1..=10_000)).transpose()?;
        let closures = fields.take("closures");
        let word = |text: &str| match text {
            "appointment" => Some(ClosureRule::Appointment),
            "buffers" => Some(ClosureRule::Buffers),
            _ => None,
        };
        let closures =
            closures.map(|field| field.parse("appointment or buffers", word)).transpose()?;
        let confirmation = fields.take("requires_confirmation");
        let requires_confirmation = confirmation.map(|field| field.boolean()).transpose()?;
        fields.finish()?;
        Ok(Self {
            minimum_notice_minutes,
            horizon_days,
            daily_limit,
            default_minutes,
            step_minutes,
            closures: closures.unwrap_or_default(),
            requires_confirmation: requires_confirmation.unwrap_or_default(),
        })
    }
}
