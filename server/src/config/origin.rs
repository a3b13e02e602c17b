//! Where a setting's value came from.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use figment::value::{Dict, Map, Value};
use figment::{Metadata, Profile, Provider, Source};

use super::{Config, GlobalArgs, Setting};

/// Where a setting's value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Nobody set it.
    Default,
    /// The config file.
    File(PathBuf),
    /// An environment variable.
    Environment(&'static str),
    /// A flag of this command.
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

/// A setting's value as it is used, and where it came from.
#[derive(Debug)]
pub struct Shown {
    /// Which setting.
    pub setting: &'static Setting,
    /// Its value; `None` when it has none.
    pub value: Option<String>,
    /// Where that came from.
    pub origin: Origin,
}

impl Config {
    /// Every setting with its value and origin. `is_flag` tells of a setting's name whether it was
    /// typed as a flag, rather than found in the environment.
    ///
    /// # Errors
    /// Those of [`Config::load`].
    pub fn shown(
        args: &GlobalArgs,
        listen: Option<SocketAddr>,
        is_flag: impl Fn(&str) -> bool,
    ) -> anyhow::Result<Vec<Shown>> {
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
            Shown { setting, value: value.map(|value| mask(setting, value)), origin }
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

/// A setting from its environment variable.
pub struct Variable {
    setting: &'static Setting,
    value: Value,
}

impl Variable {
    /// The variable of this setting, when it is set.
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
