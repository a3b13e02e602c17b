//! Validates the URL of an external PostgreSQL.
//!
//! The URL may contain a password, so an error message repeats no part of it except the scheme.

use std::str::FromStr;

use anyhow::anyhow;
use sqlx::postgres::PgConnectOptions;

/// Start of every error message: the expected form.
const FORM: &str = "database_url must be a PostgreSQL URL, postgres://LOGIN@HOST/DATABASE";
const SCHEMES: [&str; 2] = ["postgres", "postgresql"];
/// A longer scheme is not repeated in an error message.
const LONGEST_SCHEME: usize = 20;

/// Parses the URL into connection options.
///
/// # Errors
/// The URL is not a PostgreSQL URL; the message contains the expected form and the fault.
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
    // sqlx repeats the value of a faulty option in its error, but no part of a faulty address. The
    // address is therefore parsed separately.
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

/// Returns the text before `://` if it is a syntactically valid scheme.
fn scheme(url: &str) -> Option<&str> {
    let (scheme, _) = url.split_once("://")?;
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
    Some(scheme).filter(|scheme| is_scheme && scheme.len() <= LONGEST_SCHEME)
}
