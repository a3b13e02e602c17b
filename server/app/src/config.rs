//! Settings, read once at start. Precedence: flag, environment, `call-ledger.toml`, default.

mod cors;
pub mod database_url;
mod origin;
mod proxies;
mod public_url;
mod reference;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use clap::{Args, ValueEnum};
use figment::Figment;
use figment::providers::{Format, Serialized, Toml};
use serde::{Deserialize, Serialize};

pub use origin::{EffectiveSetting, Origin, Variable};
pub use proxies::Network;
pub use reference::Setting;

/// The config file that is read when no other is given.
const FILE: &str = "call-ledger.toml";

/// The options every command takes.
#[derive(Debug, Clone, Default, Args, Serialize)]
#[command(next_help_heading = "Options for every command")]
pub struct GlobalArgs {
    /// Directory of the private PostgreSQL, the keyring and the root key [default: ./data]
    #[arg(long, global = true, env = "CALL_LEDGER_DATA_DIR", value_name = "DIR")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_dir: Option<PathBuf>,
    /// Use this PostgreSQL instead of a private one
    #[arg(long, global = true, env = "DATABASE_URL", hide_env_values = true, value_name = "URL")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database_url: Option<String>,
    /// Form of standard output [default: table]
    #[arg(long, global = true, env = "CALL_LEDGER_OUTPUT", value_name = "FORM")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<Output>,
    /// The config file [default: ./call-ledger.toml, if it exists]
    #[arg(long, global = true, env = "CALL_LEDGER_CONFIG", value_name = "FILE")]
    #[serde(skip)]
    pub config: Option<PathBuf>,
    /// Directory of the PostgreSQL server's binaries [default: searched for]
    #[arg(long, global = true, env = "CALL_LEDGER_PG_BIN", value_name = "DIR")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pg_bin: Option<PathBuf>,
    /// System user that runs the private PostgreSQL when started as root [default: postgres, otherwise
    /// nobody]
    #[arg(long, global = true, env = "CALL_LEDGER_PG_USER", value_name = "USER")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pg_user: Option<String>,
    /// File of the root key [default: root.key in the data directory]
    #[arg(long, global = true, env = "CALL_LEDGER_ROOT_KEY", value_name = "FILE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub root_key: Option<PathBuf>,
    /// Directory of the key files [default: keyring in the data directory]
    #[arg(long, global = true, env = "CALL_LEDGER_KEYRING", value_name = "DIR")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keyring: Option<PathBuf>,
}

/// Form of standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Output {
    /// Tables for reading on a terminal.
    #[default]
    Table,
    /// A JSON document, or JSON lines where a list is streamed.
    Json,
}

/// Upper bound of `max_body_bytes`: a larger body would exceed the memory budget of unauthenticated senders
/// and could never be admitted.
const LARGEST_BODY: usize = 16_000_000;

/// The effective settings of the process, after all layers are merged.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Directory of everything that is stored on disk.
    pub data_dir: PathBuf,
    /// URL of an external PostgreSQL. May contain a password, so it is never printed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database_url: Option<Secret>,
    /// Form of standard output.
    pub output: Output,
    /// Address on which `serve` and `demo` listen.
    pub listen: SocketAddr,
    /// Separate address for readiness and metrics of `serve`; `None` serves them on the API address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ops_listen: Option<SocketAddr>,
    /// Origins of web pages that may read the API from a browser.
    #[serde(deserialize_with = "cors::list")]
    pub cors_origins: Vec<String>,
    /// Addresses and networks of reverse proxies in front of `serve`.
    #[serde(deserialize_with = "proxies::list")]
    pub proxies: Vec<Network>,
    /// The URL under which senders of webhooks reach the server, without the path of a route.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public_url: Option<String>,
    /// The PostgreSQL server's binaries.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pg_bin: Option<PathBuf>,
    /// System user that runs the private PostgreSQL; used only when started as root.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pg_user: Option<String>,
    /// File of the root key; see [`Config::root_key_path`] for the default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub root_key: Option<PathBuf>,
    /// Directory of the key files; see [`Config::keyring_path`] for the default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keyring: Option<PathBuf>,
    /// Directory of backups of the private PostgreSQL; see [`Config::backup_path`] for the default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backup_dir: Option<PathBuf>,
    /// Directory of vault exports and copies of the erasure journal; see
    /// [`Config::vault_backup_path`] for the default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vault_backup_dir: Option<PathBuf>,
    /// Hours between backups that `serve` makes and verifies; 0 for none.
    pub backup_interval_hours: u32,
    /// Number of backups to keep.
    pub backup_keep: usize,
    /// Whether the private PostgreSQL archives its write-ahead log.
    pub wal_archive: bool,
    /// Number of append workers. Each holds one database connection and one batch at a time.
    pub append_lanes: usize,
    /// Size of the connection pool for reads.
    pub connections: u32,
    /// The largest accepted webhook body, in bytes.
    pub max_body_bytes: usize,
}

/// A setting with a `Debug` form that hides its value.
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
            ops_listen: None,
            cors_origins: Vec::new(),
            proxies: Vec::new(),
            public_url: None,
            pg_bin: None,
            pg_user: None,
            root_key: None,
            keyring: None,
            backup_dir: None,
            vault_backup_dir: None,
            backup_interval_hours: 12,
            backup_keep: 4,
            wal_archive: true,
            append_lanes: 2,
            connections: 16,
            max_body_bytes: 5_000_000,
        }
    }
}

impl Config {
    /// Reads and validates the settings. `listen` is the value of the command's own flag, if it has one.
    ///
    /// # Errors
    /// A setting is unknown or malformed; the message names the setting and its origin.
    pub fn load(args: &GlobalArgs, listen: Option<SocketAddr>) -> anyhow::Result<Self> {
        Self::read(&Self::layers(args, listen))
    }

    /// The layers in order of increasing precedence: a later one overrides an earlier one.
    fn layers(args: &GlobalArgs, listen: Option<SocketAddr>) -> Figment {
        let mut figment = Figment::from(Serialized::defaults(Self::default()));
        figment = match &args.config {
            Some(path) => figment.merge(Toml::file_exact(path)),
            None => figment.merge(Toml::file(FILE)),
        };
        // The other environment variables are read by clap together with their flags.
        for name in [
            "listen",
            "ops_listen",
            "cors_origins",
            "proxies",
            "public_url",
            "backup_dir",
            "vault_backup_dir",
            "backup_interval_hours",
            "backup_keep",
            "wal_archive",
            "append_lanes",
            "connections",
            "max_body_bytes",
        ] {
            if let Some(variable) = Variable::of(name) {
                figment = figment.merge(variable);
            }
        }
        figment = figment.merge(Serialized::defaults(args));
        match listen {
            Some(listen) => figment.merge(("listen", listen)),
            None => figment,
        }
    }

    fn read(layers: &Figment) -> anyhow::Result<Self> {
        let config: Self = layers.extract().context("a setting cannot be used")?;
        for (name, value) in [
            ("backup_keep", config.backup_keep),
            ("append_lanes", config.append_lanes),
            ("connections", config.connections as usize),
            ("max_body_bytes", config.max_body_bytes),
        ] {
            if value == 0 {
                bail!("a setting cannot be used: {name} must be at least 1");
            }
        }
        if let Some(url) = &config.database_url {
            database_url::parse(&url.0).context("a setting cannot be used")?;
        }
        for origin in &config.cors_origins {
            cors::check(origin).map_err(|why| anyhow!("a setting cannot be used: {why}"))?;
        }
        if let Some(base) = &config.public_url {
            public_url::check(base).map_err(|why| anyhow!("a setting cannot be used: {why}"))?;
        }
        if config.max_body_bytes > LARGEST_BODY {
            bail!("a setting cannot be used: max_body_bytes must be at most {LARGEST_BODY}");
        }
        Ok(config)
    }

    /// File of the root key; by default `root.key` in the data directory.
    #[must_use]
    pub fn root_key_path(&self) -> PathBuf {
        self.root_key.clone().unwrap_or_else(|| self.data_dir.join("root.key"))
    }

    /// Directory of the key files; by default `keyring` in the data directory.
    #[must_use]
    pub fn keyring_path(&self) -> PathBuf {
        self.keyring.clone().unwrap_or_else(|| self.data_dir.join("keyring"))
    }

    /// Directory of backups of the private PostgreSQL; by default `backups` in the data directory.
    #[must_use]
    pub fn backup_path(&self) -> PathBuf {
        self.backup_dir.clone().unwrap_or_else(|| self.data_dir.join("backups"))
    }

    /// Directory of vault exports and copies of the erasure journal; by default `vault-backups` in
    /// the data directory.
    #[must_use]
    pub fn vault_backup_path(&self) -> PathBuf {
        self.vault_backup_dir.clone().unwrap_or_else(|| self.data_dir.join("vault-backups"))
    }

    /// The default settings with this data directory.
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
    fn every_setting_is_described_once_and_every_description_is_a_setting() {
        let whole = Config {
            database_url: Some(Secret(String::new())),
            ops_listen: Some(SocketAddr::from(([127, 0, 0, 1], 1))),
            public_url: Some(String::new()),
            pg_bin: Some(PathBuf::new()),
            pg_user: Some(String::new()),
            root_key: Some(PathBuf::new()),
            keyring: Some(PathBuf::new()),
            backup_dir: Some(PathBuf::new()),
            vault_backup_dir: Some(PathBuf::new()),
            ..Config::default()
        };
        let whole = serde_json::to_value(whole).expect("plain data");
        let mut known: Vec<_> = whole.as_object().expect("a struct").keys().collect();
        let mut described: Vec<_> = Setting::ALL.iter().map(|setting| setting.name).collect();
        known.sort();
        described.sort_unstable();
        assert_eq!(known, described);
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
