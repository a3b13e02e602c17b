//! The settings of a tenant: a registry of names with one typed schema each.
//!
//! A new setting is a variant of [`SettingName`] and of [`Setting`]; the compiler then names every
//! place that needs it.

pub(crate) mod fields;
pub(crate) mod invalid;

use std::collections::BTreeMap;

use serde_json::Value;

pub use self::invalid::InvalidSetting;
use crate::annotation::settings::{AnnotationLists, CallSettings, Dispositions};
use crate::booking::settings::hours::Hours;
use crate::booking::settings::reminders::Reminders;
use crate::booking::settings::resources::Resources;
use crate::booking::settings::rules::Rules;
use crate::booking::settings::services::Services;
use crate::contact::ContactSettings;
use crate::lead_score::rules::LeadRules;
use crate::retention::RetentionPolicy;
use crate::tenant::{Limit, PlanLimits};

/// Name of a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SettingName {
    /// The limits of the tenant's plan per billing month.
    Plan,
    /// Opening hours.
    Hours,
    /// What appointments occupy.
    Resources,
    /// Types of services, with lengths, buffers and prices.
    Services,
    /// Notice, limits and lengths of all bookings.
    Bookings,
    /// Times of the reminders of appointments.
    Reminders,
    /// The catalogue of dispositions of calls.
    Dispositions,
    /// Clear fields of the context of a call, and categories of tags.
    Annotations,
    /// Points of the lead score.
    LeadScore,
    /// Clear fields of contacts.
    Contacts,
    /// Periods after which data are erased.
    Retention,
}

impl SettingName {
    /// All names, in the order of the documentation.
    pub const ALL: &'static [Self] = &[
        Self::Plan,
        Self::Hours,
        Self::Resources,
        Self::Services,
        Self::Bookings,
        Self::Reminders,
        Self::Dispositions,
        Self::Annotations,
        Self::LeadScore,
        Self::Contacts,
        Self::Retention,
    ];

    /// The name in paths and on the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Plan => "plan",
            Self::Hours => "hours",
            Self::Resources => "resources",
            Self::Services => "services",
            Self::Bookings => "bookings",
            Self::Reminders => "reminders",
            Self::Dispositions => "dispositions",
            Self::Annotations => "annotations",
            Self::LeadScore => "lead_score",
            Self::Contacts => "contacts",
            Self::Retention => "retention",
        }
    }

    /// Returns the setting with this name, or `None` for an unknown one.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|known| known.as_str() == name)
    }

    /// All names as one text, for error messages.
    #[must_use]
    pub fn known() -> String {
        let names: Vec<_> = Self::ALL.iter().map(|name| name.as_str()).collect();
        names.join(", ")
    }
}

/// A setting with its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Setting {
    /// The limits of the tenant's plan per billing month.
    Plan(PlanLimits),
    /// A setting of bookings.
    Booking(BookingSetting),
    /// A setting of calls and contacts.
    Call(CallSetting),
}

/// A setting of calls and contacts, with its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallSetting {
    /// The catalogue of dispositions.
    Dispositions(Dispositions),
    /// Clear fields and categories.
    Annotations(AnnotationLists),
    /// Points of the lead score.
    LeadScore(LeadRules),
    /// Clear fields of contacts.
    Contacts(ContactSettings),
    /// Periods of retention.
    Retention(RetentionPolicy),
}

impl CallSettings {
    /// The value of a setting; `None` for a setting that is not of calls and contacts.
    #[must_use]
    pub fn setting(&self, name: SettingName) -> Option<Setting> {
        let setting = match name {
            SettingName::Dispositions => CallSetting::Dispositions(self.dispositions.clone()),
            SettingName::Annotations => CallSetting::Annotations(self.annotations.clone()),
            SettingName::LeadScore => CallSetting::LeadScore(self.lead_score.clone()),
            SettingName::Contacts => CallSetting::Contacts(self.contacts.clone()),
            SettingName::Retention => CallSetting::Retention(self.retention),
            _ => return None,
        };
        Some(Setting::Call(setting))
    }
}

/// A setting of bookings with its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BookingSetting {
    /// Opening hours.
    Hours(Hours),
    /// What appointments occupy.
    Resources(Resources),
    /// Types of services.
    Services(Services),
    /// Rules of all bookings.
    Rules(Rules),
    /// Reminders of appointments.
    Reminders(Reminders),
}

impl Setting {
    /// Parses the fields of a JSON object. An absent field has its default, which is also the
    /// meaning of null.
    ///
    /// # Errors
    /// [`InvalidSetting`] for a field that is unknown or not of its form.
    pub fn parse(
        name: SettingName,
        fields: BTreeMap<String, Value>,
    ) -> Result<Self, InvalidSetting> {
        Ok(match name {
            SettingName::Plan => Self::Plan(parse_plan(fields)?),
            SettingName::Hours => Self::Booking(BookingSetting::Hours(Hours::parse(fields)?)),
            SettingName::Resources => {
                Self::Booking(BookingSetting::Resources(Resources::parse(fields)?))
            }
            SettingName::Services => {
                Self::Booking(BookingSetting::Services(Services::parse(fields)?))
            }
            SettingName::Bookings => Self::Booking(BookingSetting::Rules(Rules::parse(fields)?)),
            SettingName::Reminders => {
                Self::Booking(BookingSetting::Reminders(Reminders::parse(fields)?))
            }
            SettingName::Dispositions => {
                Self::Call(CallSetting::Dispositions(Dispositions::parse(fields)?))
            }
            SettingName::Annotations => {
                Self::Call(CallSetting::Annotations(AnnotationLists::parse(fields)?))
            }
            SettingName::LeadScore => Self::Call(CallSetting::LeadScore(LeadRules::parse(fields)?)),
            SettingName::Contacts => {
                Self::Call(CallSetting::Contacts(ContactSettings::parse(fields)?))
            }
            SettingName::Retention => {
                Self::Call(CallSetting::Retention(RetentionPolicy::parse(fields)?))
            }
        })
    }

    /// The value as a JSON object with every field.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let plain = "settings are plain data";
        match self {
            Self::Plan(limits) => serde_json::to_value(limits).expect(plain),
            Self::Booking(BookingSetting::Hours(hours)) => {
                serde_json::to_value(hours).expect(plain)
            }
            Self::Booking(BookingSetting::Resources(resources)) => resources.to_json(),
            Self::Booking(BookingSetting::Services(services)) => services.to_json(),
            Self::Booking(BookingSetting::Rules(rules)) => {
                serde_json::to_value(rules).expect(plain)
            }
            Self::Booking(BookingSetting::Reminders(reminders)) => {
                serde_json::to_value(reminders).expect(plain)
            }
            Self::Call(CallSetting::Dispositions(dispositions)) => dispositions.to_json(),
            Self::Call(CallSetting::Annotations(lists)) => {
                serde_json::to_value(lists).expect(plain)
            }
            Self::Call(CallSetting::LeadScore(rules)) => rules.to_json(),
            Self::Call(CallSetting::Contacts(contacts)) => {
                serde_json::to_value(contacts).expect(plain)
            }
            Self::Call(CallSetting::Retention(policy)) => {
                serde_json::to_value(policy).expect(plain)
            }
        }
    }
}

fn parse_plan(fields: BTreeMap<String, Value>) -> Result<PlanLimits, InvalidSetting> {
    let mut fields = fields::Fields::root(fields);
    let mut limit = |name: &str| {
        let limit = fields.take(name).map(|field| {
            let limit = field.as_i64().and_then(Limit::new);
            limit.ok_or_else(|| field.invalid("it is not a whole number above zero"))
        });
        limit.transpose()
    };
    let limits = PlanLimits {
        calls: limit("calls")?,
        minutes: limit("minutes")?,
        cost_nanos: limit("cost_nanos")?,
        events: limit("events")?,
    };
    fields.finish()?;
    Ok(limits)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(value: Value) -> Result<Setting, InvalidSetting> {
        let fields = serde_json::from_value(value).expect("an object");
        Setting::parse(SettingName::Plan, fields)
    }

    #[test]
    fn a_setting_reads_back_as_it_is_written() {
        let value = json!({ "calls": 5, "minutes": null, "cost_nanos": 1, "events": null });
        assert_eq!(parse(value.clone()).expect("a plan").to_json(), value);
        assert_eq!(parse(json!({})).expect("a plan"), Setting::Plan(PlanLimits::default()));
    }

    #[test]
    fn a_value_that_does_not_fit_its_schema_is_refused_by_field() {
        for value in [json!(0), json!(-1), json!(1.5), json!("7"), json!(u64::MAX), json!([1])] {
            let refused = parse(json!({ "calls": value })).expect_err("no limit");
            assert_eq!((refused.field.as_str(), refused.is_unknown), ("calls", false));
        }
        let refused = parse(json!({ "kalls": 5 })).expect_err("no field");
        assert_eq!((refused.field.as_str(), refused.is_unknown), ("kalls", true));
        let refused = parse(json!({ "Some Person": 5 })).expect_err("no field");
        assert_eq!(refused.field, "");
    }

    #[test]
    fn every_name_parses_as_itself_and_no_other_does() {
        for name in SettingName::ALL {
            assert_eq!(SettingName::parse(name.as_str()), Some(*name));
        }
        assert_eq!(SettingName::parse("Plan"), None);
    }
}
