//! Translates PostgreSQL errors at connect and migration into one sentence with a remedy. PostgreSQL's own
//! report would repeat for each of the three layers it passes and name a line of its source.

use ledger_store::StoreError;
use sqlx::postgres::{PgConnectOptions, PgDatabaseError};

/// Roles that the schema needs.
const ROLES: &str = "ledger_owner, ledger_app, ledger_projector";

/// Returns the sentence for an error of connecting or migrating. Unknown SQLSTATE codes are quoted.
#[must_use]
pub fn explain(error: &StoreError, database: &PgConnectOptions) -> anyhow::Error {
    let Some(database_error) = database_error(error) else {
        return anyhow::Error::msg(chain_once(error));
    };
    let login = database.get_username();
    let name = database.get_database().unwrap_or(login);
    let message = database_error.message();
    anyhow::Error::msg(match database_error.code() {
        "28P01" => format!("the database refuses the password of login {login}"),
        "28000" => format!("the database does not let login {login} in: {message}"),
        "3D000" => {
            format!("there is no database {name}; create it: create database {name} owner {login}")
        }
        "53300" => format!("the database has no connection left: {message}"),
        "42501" => not_allowed(message, login, name),
        "0LP01" => format!(
            "login {login} may not grant a role of the ledger: {message}; as the login that made the roles, \
             or as a superuser: grant {ROLES} to {login}, and alter role {login} inherit"
        ),
        "26000" | "42P05" => {
            format!("{}; {}", super::pooler::PROBLEM, super::pooler::REMEDY)
        }
        "08P01" => format!(
            "what stands before the database refuses the connection: {message}; in PgBouncer: \
             ignore_startup_parameters = extra_float_digits"
        ),
        code => format!("the database refuses: {message} (SQLSTATE {code})"),
    })
}

/// The sentence for a missing right (SQLSTATE 42501), chosen by the object named in PostgreSQL's message.
fn not_allowed(message: &str, login: &str, name: &str) -> String {
    let todo = if message.contains("create role") {
        format!(
            "alter role {login} createrole, or as a superuser: create role ledger_owner; create role \
                 ledger_app; create role ledger_projector; grant {ROLES} to {login}"
        )
    } else if message.contains("schema public") || message.contains("database") {
        format!(
            "the migrations need the owner of the database: alter database {name} owner to {login}"
        )
    } else {
        format!(
            "as the login that made the roles, or as a superuser: grant {ROLES} to {login}, and \
                 alter role {login} inherit"
        )
    };
    format!("login {login} lacks a right: {message}; {todo}")
}

/// Returns the first PostgreSQL error in the chain of causes.
fn database_error(error: &StoreError) -> Option<&PgDatabaseError> {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(sqlx::Error::Database(database_error)) = error.downcast_ref::<sqlx::Error>() {
            return database_error.try_downcast_ref::<PgDatabaseError>();
        }
        if let Some(database_error) = error.downcast_ref::<PgDatabaseError>() {
            return Some(database_error);
        }
        cause = error.source();
    }
    None
}

/// Joins an error and its causes, and skips causes that an outer message already contains.
fn chain_once(error: &StoreError) -> String {
    let mut message = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        let text = error.to_string();
        if !message.contains(&text) {
            message = format!("{message}: {text}");
        }
        cause = error.source();
    }
    message
}
