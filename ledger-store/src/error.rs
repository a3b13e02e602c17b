//! What can go wrong between us and the database, told apart by what the caller does next.

use thiserror::Error;

use crate::keyring::KeyringError;
use crate::vault::VaultError;
use ledger_core::event::DecodeError;
use ledger_core::ids::Position;

/// A read or a small write of the store failed.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The database did not answer, or not in time. Try again; nothing was half done.
    #[error("the database did not answer")]
    Database(#[from] sqlx::Error),
    /// The schema could not be brought up to date.
    #[error("the migrations could not be applied")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// A tenant's keys cannot be had.
    #[error("the keys are not available")]
    Keyring(#[from] KeyringError),
    /// A subject or its key cannot be had.
    #[error("the vault did not answer")]
    Vault(#[from] VaultError),
    /// An event cannot be read by this build. Readers stop here.
    #[error("the event at position {position} cannot be read")]
    Decode {
        /// Where the reader stopped.
        position: Position,
        /// Why.
        #[source]
        source: DecodeError,
    },
    /// A row breaks our own rules. Somebody else wrote it, or a disk did.
    #[error("table {table}, column {column} holds what was never written there")]
    Corrupt {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
    },
    /// A name that must be new is taken.
    #[error("{what} {name} exists already")]
    Exists {
        /// The kind of thing.
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// The secret cannot be used by the source's signature scheme.
    #[error("the secret cannot be used: {detail}")]
    WeakSecret {
        /// What to change; never the secret.
        detail: String,
    },
    /// The append that belongs to this change was refused.
    #[error("the change could not be recorded")]
    Append(#[from] crate::appender::AppendError),
}

impl StoreError {
    /// Whether waiting and trying again can help.
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
