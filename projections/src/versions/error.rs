//! Errors of operations on versions.

use thiserror::Error;

/// Error of an operation on versions.
#[derive(Debug, Error)]
pub enum VersionError {
    /// No read model has this name.
    #[error("there is no read model {name}; there are {known}")]
    Unknown {
        /// The requested name.
        name: String,
        /// Names of the existing read models, comma-separated.
        known: String,
    },
    /// A version is already under construction.
    #[error("version {version} of {name} is being built already")]
    Running {
        /// Name of the read model.
        name: String,
        /// Number of the version under construction.
        version: i32,
    },
    /// No version is under construction.
    #[error("no version of {name} is being built; begin with: projection rebuild {name}")]
    NoneBuilding {
        /// Name of the read model.
        name: String,
    },
    /// The version has no indexes yet: most of its rows are still missing.
    #[error("version {version} of {name} is still being filled")]
    Filling {
        /// Name of the read model.
        name: String,
        /// Number of the version.
        version: i32,
    },
    /// There is no previous version to roll back to.
    #[error("{name} has no version before the one that is shown")]
    NonePrevious {
        /// Name of the read model.
        name: String,
    },
    /// The version is behind the served one, so readers would see an older position.
    #[error(
        "version {version} of {name} has not caught up: {tenants} tenants are behind what is shown"
    )]
    Behind {
        /// Name of the read model.
        name: String,
        /// Number of the version.
        version: i32,
        /// Number of tenants that are behind.
        tenants: i64,
    },
    /// Keys are parked that are served now, so readers would miss their rows.
    #[error(
        "version {version} of {name} has {parked} parked keys that are not parked in what is shown"
    )]
    Parked {
        /// Name of the read model.
        name: String,
        /// Number of the version.
        version: i32,
        /// Number of newly parked keys.
        parked: i64,
    },
    /// The served version has another schema version than this build.
    #[error("what is shown of {name} is of shape {shape}, this build fills shape {ours}")]
    UnsupportedSchema {
        /// Name of the read model.
        name: String,
        /// Schema version that is served.
        shape: i32,
        /// Schema version of this build.
        ours: i32,
    },
    /// There is no such version to compare with.
    #[error("{name} has no such other version to compare with; it has {known}")]
    NothingToCompare {
        /// Name of the read model.
        name: String,
        /// Numbers of the existing versions, comma-separated.
        known: String,
    },
    /// The versions have different tables, so their rows cannot be compared.
    #[error("versions {here} and {there} of {name} have other tables")]
    SchemaMismatch {
        /// Name of the read model.
        name: String,
        /// Number of the served version.
        here: i32,
        /// Number of the other version.
        there: i32,
    },
    /// A statement failed or the database did not answer.
    #[error("the database did not answer")]
    Database(#[from] sqlx::Error),
}
