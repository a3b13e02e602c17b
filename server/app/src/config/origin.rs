//! The origin of each setting's value, for `config show`.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use figment::value::{Dict, Map, Value};
use figment::{Metadata, Profile, Provider, Source};

use super::{Config, GlobalArgs, Setting};

/// The origin of a setting's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The built-in default.
    Default,
    /// The config file at this path.
    File(PathBuf),
    /// The environment variable of this name.
    Environment(&'static str),
    /// The flag of this name, typed on the command line.
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::Flag(flag) => write!(f, "flag {flag}"),
        }
    }
}

/// The effective value of a setting, and its origin.
#[derive(Debug)]
pub struct EffectiveSetting {
    /// The setting's description.
    pub setting: &'static Setting,
    /// The value, masked if it is a secret; `None` if unset without a default.
    pub value: Option<String>,
    /// The layer that supplied the value.
    pub origin: Origin,
}

impl Config {
    /// Returns every setting with its value and origin. `is_flag` returns for a setting's name whether it was
    /// typed as a flag and not read from the environment.
    ///
    /// # Errors
    /// Those of [`Config::load`].
    pub fn effective_settings(
        args: &GlobalArgs,
        listen: Option<SocketAddr>,
        is_flag: impl Fn(&str) -> bool,
    ) -> anyhow::Result<Vec<EffectiveSetting>> {
        let layers = Self::layers(args, listen);
        Self::read(&layers)?;
        let shown = Setting::ALL.iter().map(|setting| {
            let value = layers.find_value(setting.name).ok().map(text);
            let file = layers.find_metadata(setting.name).and_then(|found| match &found.source {
                Some(Source::File(path)) => Some(path.clone()),
                _ => None,
            });
            let is_set = std::env::var_os(setting.env).is_some_and(|value| !value.is_empty());
            let origin = match (setting.flag, file) {
                (Some(flag), _) if is_flag(setting.name) => Origin::Flag(flag),
                _ if is_set => Origin::Environment(setting.env),
                (_, Some(path)) => Origin::File(path),
                _ => Origin::Default,
            };
            EffectiveSetting { setting, value: value.map(|value| mask(setting, value)), origin }
        });
        Ok(shown.collect())
    }
}

fn text(value: Value) -> String {
    match value {
        Value::String(_, text) => text,
        Value::Num(_, number) => match (number.to_u128(), number.to_i128()) {
            (Some(number), _) => number.to_string(),
            (_, Some(number)) => number.to_string(),
            (None, None) => format!("{number:?}"),
        },
        Value::Array(_, values) => values.into_iter().map(text).collect::<Vec<_>>().join(","),
        other => format!("{other:?}"),
    }
}

fn mask(setting: &Setting, value: String) -> String {
    if setting.is_secret { "(set, not shown)".to_owned() } else { value }
}

/// A figment provider for one environment variable.
pub struct Variable {
    setting: &'static Setting,
    value: Value,
}

impl Variable {
    /// The variable of this setting; `None` if it is unset or empty.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        let setting = Setting::ALL.iter().find(|setting| setting.name == name)?;
        let text = std::env::var(setting.env).ok().filter(|text| !text.is_empty())?;
        let value = text.parse::<u64>().map_or_else(|_| Value::from(text), Value::from);
        Some(Self { setting, value })
    }
}

impl Provider for Variable {
    fn metadata(&self) -> Metadata {
        Metadata::named(format!("environment variable {}", self.setting.env))
    }

    fn data(&self) -> figment::Result<Map<Profile, Dict>> {
        let dict = Dict::from([(self.setting.name.to_owned(), self.value.clone())]);
        Ok(Profile::Default.collect(dict))
    }
}
