//! The settings of a tenant: a registry of names with one typed schema each.
//!
//! A new setting is a variant of [`SettingName`] and of [`Setting`]; the compiler then names every
//! place that needs it.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::tenant::{Limit, PlanLimits};

/// Name of a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SettingName {
    /// The limits of the tenant's plan per billing month.
    Plan,
}

impl SettingName {
    /// All names, in the order of the documentation.
    pub const ALL: &'static [Self] = &[Self::Plan];

    /// The name in paths and on the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Plan => "plan",
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setting {
    /// The limits of the tenant's plan per billing month.
    Plan(PlanLimits),
}

/// A value that does not fit the schema of its setting. Names the field and never the value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {detail}")]
pub struct InvalidSetting {
    /// The field; empty if it does not look like a name.
    pub field: String,
    /// Description of the fault.
    pub detail: String,
    /// Whether the schema has no such field.
    pub is_unknown: bool,
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
        match name {
            SettingName::Plan => parse_plan(fields).map(Self::Plan),
        }
    }

    /// The value as a JSON object with every field.
    #[must_use]
    pub fn to_json(self) -> Value {
        match self {
            Self::Plan(limits) => serde_json::to_value(limits).expect("limits are integers"),
        }
    }
}

fn parse_plan(mut fields: BTreeMap<String, Value>) -> Result<PlanLimits, InvalidSetting> {
    let mut limit = |name: &str| match fields.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => {
            let detail = "it is not a whole number above zero".to_owned();
            let invalid = InvalidSetting { field: name.to_owned(), detail, is_unknown: false };
            value.as_i64().and_then(Limit::new).map(Some).ok_or(invalid)
        }
    };
    let limits = PlanLimits {
        calls: limit("calls")?,
        minutes: limit("minutes")?,
        cost_nanos: limit("cost_nanos")?,
        events: limit("events")?,
    };
    reject_unknown(fields)?;
    Ok(limits)
}

/// Rejects remaining fields. The name is repeated only if it looks like one.
fn reject_unknown(fields: BTreeMap<String, Value>) -> Result<(), InvalidSetting> {
    let Some(name) = fields.into_keys().next() else { return Ok(()) };
    let is_name = name.len() <= 40 && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    let field = if is_name { name } else { String::new() };
    let detail = "the setting has no such field".to_owned();
    Err(InvalidSetting { field, detail, is_unknown: true })
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
