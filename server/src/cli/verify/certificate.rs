//! `verify certificate` and `verify journal`: offline, without a database.

use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::Context;
use ledger_core::erasure::certificate::Statement;
use ledger_core::note::NoteKey;
use ledger_store::journal::{Journal, JournalError};
use serde_json::{Value, json};

use super::super::exit::{ExitStatus, usage_error};
use super::super::output;
use crate::config::{Config, Output};

/// Largest certificate that is read, in bytes.
const MAX_BYTES: u64 = 64 << 20;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct CertificateArgs {
    /// The certificate
    file: PathBuf,
    /// Public key of the installation that issued it, or a file with it [default: of signing.key
    /// beside the root key]
    #[arg(long, value_name = "KEY")]
    public_key: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct JournalArgs {
    /// Public key of the installation, or a file with it [default: of signing.key beside the root
    /// key]
    #[arg(long, value_name = "KEY")]
    public_key: Option<String>,
}

/// Verifies a certificate and prints what it states.
pub(super) fn certificate(config: &Config, args: &CertificateArgs) -> anyhow::Result<ExitStatus> {
    let key = public_key(config, args.public_key.as_deref())?;
    let bytes = match read(&args.file) {
        Ok(bytes) => bytes,
        Err(error) => {
            return usage_error(format!("{} cannot be read: {error}", args.file.display()));
        }
    };
    let verified = match String::from_utf8(bytes) {
        Ok(note) => Statement::verify(&note, &key).map_err(|error| error.to_string()),
        Err(_) => Err("this is not a signed note: it is not UTF-8".to_owned()),
    };
    let statement = match verified {
        Ok(statement) => statement,
        Err(reason) => {
            let shown = json!({ "valid": false, "reason": reason, "public_key": key.to_string() });
            return found(output::object(config.output, &shown));
        }
    };
    let stated = serde_json::to_value(&statement)?;
    let shown = match config.output {
        Output::Json => {
            json!({ "valid": true, "public_key": key.to_string(), "statement": stated })
        }
        Output::Table => {
            let mut shown = json!({ "valid": true, "public_key": key.to_string() });
            if let (Value::Object(shown), Value::Object(stated)) = (&mut shown, stated) {
                shown.extend(stated);
            }
            shown
        }
    };
    output::object(config.output, &shown)?;
    Ok(ExitStatus::Success)
}

/// Verifies the erasure journal from its first line.
pub(super) fn journal(config: &Config, args: &JournalArgs) -> anyhow::Result<ExitStatus> {
    let journal = Journal::new(config.journal_path(), config.signing_key_path());
    let key = public_key(config, args.public_key.as_deref())?;
    let public_key = key.to_string();
    let mut last = None;
    let mut torn = false;
    if let Some(mut entries) = journal.entries_signed_by(key)? {
        for entry in entries.by_ref() {
            match entry {
                Ok(entry) => last = Some((entry.entry, entry.digest)),
                Err(error @ JournalError::Invalid { .. }) => {
                    let reason = error.to_string();
                    let shown =
                        json!({ "valid": false, "reason": reason, "public_key": public_key });
                    return found(output::object(config.output, &shown));
                }
                Err(error) => return Err(error).context("the journal was not verified"),
            }
        }
        torn = entries.is_torn();
    }
    let shown = json!({
        "valid": true,
        "entries": last.map_or(0, |(entry, _)| entry),
        "digest": last.map(|(_, digest)| digest),
        "has_torn_line": torn,
        "public_key": public_key,
    });
    output::object(config.output, &shown)?;
    Ok(ExitStatus::Success)
}

/// The exit code reports a forgery even if standard output is closed.
fn found(printed: anyhow::Result<()>) -> anyhow::Result<ExitStatus> {
    match printed {
        Err(error) if !output::is_pipe_closed(&error) => Err(error),
        _ => Ok(ExitStatus::TamperingFound),
    }
}

fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(std::io::Error::other("it is too large for a certificate"));
    }
    Ok(bytes)
}

/// The given key, else that of the installation.
fn public_key(config: &Config, given: Option<&str>) -> anyhow::Result<NoteKey> {
    let Some(given) = given else {
        let journal = Journal::new(config.journal_path(), config.signing_key_path());
        return match journal.signing().key() {
            Ok(key) => Ok(key.note_key().clone()),
            Err(error) => usage_error(format!("{error}; or give --public-key")),
        };
    };
    if let Ok(key) = given.parse() {
        return Ok(key);
    }
    let text = read(Path::new(given)).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    match text.and_then(|text| text.parse().ok()) {
        Some(key) => Ok(key),
        None => {
            usage_error("--public-key is neither a public key, name+id+key, nor a file with one")
        }
    }
}
