//! Errors of reads and small writes, distinguished by what the caller does next.

use thiserror::Error;

use crate::keyring::KeyringError;
use crate::vault::VaultError;
use ledger_core::event::DecodeError;
use ledger_core::ids::Position;

/// An error of a read or a small write of the store.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The database did not answer in time. Try again; nothing was partly written.
    #[error("the database did not answer")]
    Database(#[from] sqlx::Error),
    /// A migration failed.
    #[error("the migrations could not be applied")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// A newer build migrated the database; this one does not know its tables.
    #[error(
        "the database is of a newer build: its migration {version:04} ({name}) is unknown to this \
         one ({unknown} unknown in all); install that build or a newer one, or restore the backup \
         from before the upgrade"
    )]
    NewerSchema {
        /// Number of the newest unknown migration.
        version: i64,
        /// Name of that migration.
        name: String,
        /// Number of unknown migrations.
        unknown: usize,
    },
    /// A migration with this number was applied with other statements.
    #[error(
        "migration {version:04} ({name}) was applied with other statements than this build has: \
         another program or a modified build migrated the database; use the build that did"
    )]
    AlteredMigration {
        /// Number of the migration.
        version: i64,
        /// Name of this build's migration.
        name: String,
    },
    /// The keys of a tenant are missing, unreadable or the wrong ones.
    #[error("the keys are not available")]
    Keyring(#[from] KeyringError),
    /// A subject or its key is not available.
    #[error("the vault did not answer")]
    Vault(#[from] VaultError),
    /// This build cannot decode an event. Readers stop at its position.
    #[error("the event at position {position} cannot be read")]
    Decode {
        /// The position of the event.
        position: Position,
        /// The reason for the failure.
        #[source]
        source: DecodeError,
    },
    /// A row violates an invariant of this code: another program wrote it, or storage is damaged.
    #[error("table {table}, column {column} holds what was never written there")]
    Corrupt {
        /// Name of the table, with its schema.
        table: &'static str,
        /// Name of the column.
        column: &'static str,
    },
    /// An object with this name exists already.
    #[error("{what} {name} exists already")]
    Exists {
        /// The kind of object, such as a source.
        what: &'static str,
        /// The name that is taken.
        name: String,
    },
    /// The event that records this change could not be appended, so the change was not made.
    #[error("the change could not be recorded")]
    Append(#[from] crate::append::AppendError),
}

impl StoreError {
    /// Whether a later retry can succeed.
    #[must_use]
    pub fn is_unavailable(&self) -> bool {
        match self {
            Self::Database(_) | Self::Keyring(_) => true,
            Self::Vault(error) => !matches!(error, VaultError::Corrupt { .. }),
            Self::Append(error) => error.is_unavailable(),
            _ => false,
        }
    }
}
