//! Settings, read once: flag, environment, `call-ledger.toml`, default, in that order.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use figment::Figment;
use figment::providers::{Format, Serialized, Toml};
use serde::{Deserialize, Serialize};

/// The options every command takes.
#[derive(Debug, Clone, Default, Args, Serialize)]
#[command(next_help_heading = "Options for every command")]
pub struct GlobalArgs {
    /// Where the private PostgreSQL, the keyring and the root key live [default: ./data]
    #[arg(long, global = true, env = "CALL_LEDGER_DATA_DIR", value_name = "DIR")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_dir: Option<PathBuf>,
    /// Use this PostgreSQL instead of a private one
    #[arg(long, global = true, env = "DATABASE_URL", hide_env_values = true, value_name = "URL")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database_url: Option<String>,
    /// What standard output holds [default: table]
    #[arg(long, global = true, env = "CALL_LEDGER_OUTPUT", value_name = "FORM")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<Output>,
    /// The config file [default: ./call-ledger.toml, when it is there]
    #[arg(long, global = true, env = "CALL_LEDGER_CONFIG", value_name = "FILE")]
    #[serde(skip)]
    pub config: Option<PathBuf>,
    /// Directory of the PostgreSQL server's binaries [default: searched for]
    #[arg(long, global = true, env = "CALL_LEDGER_PG_BIN", value_name = "DIR")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pg_bin: Option<PathBuf>,
    /// Who runs the private PostgreSQL when we are root [default: postgres, else nobody]
    #[arg(long, global = true, env = "CALL_LEDGER_PG_USER", value_name = "USER")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pg_user: Option<String>,
    /// The root key's file [default: root.key in the data directory]
    #[arg(long, global = true, env = "CALL_LEDGER_ROOT_KEY", value_name = "FILE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub root_key: Option<PathBuf>,
    /// The directory of key files [default: keyring in the data directory]
    #[arg(long, global = true, env = "CALL_LEDGER_KEYRING", value_name = "DIR")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keyring: Option<PathBuf>,
}

/// What standard output holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Output {
    /// Tables for people.
    #[default]
    Table,
    /// One JSON document, or JSON lines where a list is streamed.
    Json,
}

/// Everything that can be set.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where everything of ours on disk lives.
    pub data_dir: PathBuf,
    /// Another PostgreSQL than the private one. May hold a password: never printed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database_url: Option<Secret>,
    /// What standard output holds.
    pub output: Output,
    /// Where `serve` listens.
    pub listen: SocketAddr,
    /// The PostgreSQL server's binaries.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pg_bin: Option<PathBuf>,
    /// Who runs the private PostgreSQL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pg_user: Option<String>,
    /// The root key's file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub root_key: Option<PathBuf>,
    /// The directory of key files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keyring: Option<PathBuf>,
    /// Append batches under way at once.
    pub append_lanes: usize,
    /// Database connections for reads.
    pub connections: u32,
    /// The largest webhook body, in bytes.
    pub max_body_bytes: usize,
}

/// A setting that does not print.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(pub String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data_dir: PathBuf::from("./data"),
            database_url: None,
            output: Output::default(),
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            pg_bin: None,
            pg_user: None,
            root_key: None,
            keyring: None,
            append_lanes: 2,
            connections: 16,
            max_body_bytes: 5_000_000,
        }
    }
}

impl Config {
    /// Reads the settings. `listen` is the command's own flag, when it has one.
    ///
    /// # Errors
    /// A setting is unknown or not of its form; the message names it and where it came from.
    pub fn load(args: &GlobalArgs, listen: Option<SocketAddr>) -> anyhow::Result<Self> {
        let mut figment = Figment::from(Serialized::defaults(Self::default()));
        figment = match &args.config {
            Some(path) => figment.merge(Toml::file_exact(path)),
            None => figment.merge(Toml::file("call-ledger.toml")),
        };
        figment = figment.merge(Serialized::defaults(args));
        if let Some(listen) = listen {
            figment = figment.merge(("listen", listen));
        }
        let config: Self = figment.extract().context("a setting cannot be used")?;
        for (name, value) in
            [("append_lanes", config.append_lanes), ("connections", config.connections as usize)]
        {
            if value == 0 {
                bail!("a setting cannot be used: {name} must be at least 1");
            }
        }
        Ok(config)
    }

    /// The root key's file.
    #[must_use]
    pub fn root_key_path(&self) -> PathBuf {
        self.root_key.clone().unwrap_or_else(|| self.data_dir.join("root.key"))
    }

    /// The directory of key files.
    #[must_use]
    pub fn keyring_path(&self) -> PathBuf {
        self.keyring.clone().unwrap_or_else(|| self.data_dir.join("keyring"))
    }

    /// The settings of a data directory, everything else default.
    #[must_use]
    pub fn in_dir(data_dir: &Path) -> Self {
        Self { data_dir: data_dir.to_owned(), ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_setting_is_refused_by_name() {
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        std::fs::write(file.path(), "listne = \"127.0.0.1:1\"\n").expect("our own file");
        let args = GlobalArgs { config: Some(file.path().to_owned()), ..GlobalArgs::default() };
        let error = Config::load(&args, None).expect_err("misspelt");
        assert!(format!("{error:#}").contains("listne"), "{error:#}");
    }

    #[test]
    fn a_flag_beats_the_default_and_a_password_does_not_print() {
        let args = GlobalArgs {
            data_dir: Some(PathBuf::from("/elsewhere")),
            database_url: Some("postgres://somebody:hidden@localhost/ledger".into()),
            config: Some(PathBuf::from("/dev/null")),
            ..GlobalArgs::default()
        };
        let config = Config::load(&args, None).expect("valid settings");
        assert_eq!(config.data_dir, PathBuf::from("/elsewhere"));
        assert!(!format!("{config:?}").contains("hidden"));
    }
}
