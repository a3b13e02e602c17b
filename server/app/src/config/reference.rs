//! Name, variable, flag and purpose of each setting, as the reference prints them.

/// Description of a setting, for `config show` and the reference.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// Key in the config file.
    pub name: &'static str,
    /// Name of the environment variable.
    pub env: &'static str,
    /// Name of the command-line flag, or `None` without one.
    pub flag: Option<&'static str>,
    /// Purpose, as printed in the reference.
    pub about: &'static str,
    /// True if the value may contain a secret and must be masked.
    pub is_secret: bool,
}

/// A setting of the config file and the environment, without a flag and not secret.
const fn setting(name: &'static str, env: &'static str, about: &'static str) -> Setting {
    Setting { name, env, flag: None, about, is_secret: false }
}

impl Setting {
    /// Every setting, in the order of the reference.
    pub const ALL: &'static [Self] = &[
        Self {
            flag: Some("--data-dir"),
            ..setting(
                "data_dir",
                "CALL_LEDGER_DATA_DIR",
                "Where the private PostgreSQL, the keyring and the root key live.",
            )
        },
        Self {
            flag: Some("--database-url"),
            is_secret: true,
            ..setting(
                "database_url",
                "DATABASE_URL",
                "Another PostgreSQL than the private one. May hold a password, so it is never shown.",
            )
        },
        Self {
            flag: Some("--listen"),
            ..setting("listen", "CALL_LEDGER_LISTEN", "Where `serve` and `demo` listen.")
        },
        Self {
            flag: Some("--ops-listen"),
            ..setting(
                "ops_listen",
                "CALL_LEDGER_OPS_LISTEN",
                "Where `/readyz` and `/metrics` of `serve` listen. Without it they are beside the API.",
            )
        },
        setting(
            "cors_origins",
            "CALL_LEDGER_CORS_ORIGINS",
            "Whose pages may read the API from a browser: exact origins such as \
             `https://dashboard.example.com`, with commas between them in the environment.",
        ),
        setting(
            "proxies",
            "CALL_LEDGER_PROXIES",
            "Addresses and networks of reverse proxies in front of `serve`, such as `10.0.0.0/8`: the \
             share of connections that each address has does not apply to them, and their \
             `X-Forwarded-Proto` and `X-Forwarded-Host` are trusted.",
        ),
        setting(
            "public_url",
            "CALL_LEDGER_PUBLIC_URL",
            "URL under which senders of webhooks reach the server, such as `https://ledger.example.com`: \
             Twilio signs it. Without it the URL is taken from each request.",
        ),
        Self {
            flag: Some("--output"),
            ..setting(
                "output",
                "CALL_LEDGER_OUTPUT",
                "What standard output holds: `table` for people, `json` for programs.",
            )
        },
        Self {
            flag: Some("--root-key"),
            ..setting(
                "root_key",
                "CALL_LEDGER_ROOT_KEY",
                "The root key's file. Without it `root.key` in the data directory.",
            )
        },
        Self {
            flag: Some("--keyring"),
            ..setting(
                "keyring",
                "CALL_LEDGER_KEYRING",
                "The directory of key files. Without it `keyring` in the data directory.",
            )
        },
        Self {
            flag: Some("--pg-bin"),
            ..setting(
                "pg_bin",
                "CALL_LEDGER_PG_BIN",
                "The PostgreSQL server's binaries. Without it they are searched for.",
            )
        },
        Self {
            flag: Some("--pg-user"),
            ..setting(
                "pg_user",
                "CALL_LEDGER_PG_USER",
                "Who runs the private PostgreSQL when we are root. Without it `postgres`, else `nobody`.",
            )
        },
        setting(
            "backup_dir",
            "CALL_LEDGER_BACKUP_DIR",
            "Backups and the archived write-ahead log of the private PostgreSQL. Without it `backups` in \
             the data directory; better on another disk, which the server's user can enter.",
        ),
        setting(
            "vault_backup_dir",
            "CALL_LEDGER_VAULT_BACKUP_DIR",
            "Vault exports and copies of the erasure journal, the newest two. Without it `vault-backups` \
             in the data directory. Never in the same place as the backups.",
        ),
        setting(
            "backup_interval_hours",
            "CALL_LEDGER_BACKUP_INTERVAL_HOURS",
            "Hours between the backups of the private PostgreSQL that `serve` makes and verifies; 0 for \
             none.",
        ),
        setting(
            "backup_keep",
            "CALL_LEDGER_BACKUP_KEEP",
            "Number of backups to keep, with the write-ahead log since the oldest of them.",
        ),
        setting(
            "wal_archive",
            "CALL_LEDGER_WAL_ARCHIVE",
            "Whether the private PostgreSQL archives its write-ahead log, to restore to any time. Takes \
             effect when it is started next.",
        ),
        setting(
            "append_lanes",
            "CALL_LEDGER_APPEND_LANES",
            "Append batches under way at once, each over a connection of its own.",
        ),
        setting("connections", "CALL_LEDGER_CONNECTIONS", "Database connections for reads."),
        setting(
            "max_body_bytes",
            "CALL_LEDGER_MAX_BODY_BYTES",
            "The largest webhook body taken, in bytes.",
        ),
    ];
}
