//! The URL of a PostgreSQL of its own. It may hold a password, so no refusal repeats any of it but the
//! scheme.

use std::str::FromStr;

use anyhow::anyhow;
use sqlx::postgres::PgConnectOptions;

/// What is taken.
const FORM: &str = "database_url must be a PostgreSQL URL, postgres://LOGIN@HOST/DATABASE";
const SCHEMES: [&str; 2] = ["postgres", "postgresql"];
/// The longest scheme that is repeated in a refusal.
const LONGEST_SCHEME: usize = 20;

/// How to connect to the database that a URL names.
///
/// # Errors
/// It is no URL of PostgreSQL: the message names the form that is taken and what is wrong.
pub fn parse(url: &str) -> anyhow::Result<PgConnectOptions> {
    if url.trim().is_empty() {
        return Err(anyhow!("{FORM}: it is empty; without the setting there is a private one"));
    }
    match scheme(url) {
        Some(scheme) if SCHEMES.contains(&scheme.to_ascii_lowercase().as_str()) => {}
        Some(scheme) => return Err(anyhow!("{FORM}: it begins with {scheme}:")),
        None => return Err(anyhow!("{FORM}: it has no scheme")),
    }
    let address = url.split_once('?').map_or(url, |(address, _)| address);
    // Faults of an option repeat its value, those of an address nothing of it.
    let fault = PgConnectOptions::from_str(address).err();
    match (fault, PgConnectOptions::from_str(url)) {
        (_, Ok(options)) => Ok(options),
        (None, Err(_)) => Err(anyhow!(
            "{FORM}: an option behind the ? has no valid value (sslmode, port, hostaddr)"
        )),
        (Some(fault), Err(_)) => {
            let cause = std::error::Error::source(&fault).map(ToString::to_string);
            Err(anyhow!(
                "{FORM}: {}; characters such as @ / : # of a password are percent-encoded",
                cause.unwrap_or_default()
            ))
        }
    }
}

/// What stands before `://`, when it can be a scheme.
fn scheme(url: &str) -> Option<&str> {
    let (scheme, _) = url.split_once("://")?;
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
    Some(scheme).filter(|scheme| is_scheme && scheme.len() <= LONGEST_SCHEME)
}
