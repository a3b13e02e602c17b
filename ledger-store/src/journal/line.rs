//! A line of the journal: canonical JSON with a signature over the rest of it.

use ledger_core::canonical::{CanonicalError, parse_canonical, to_canonical};
use ledger_core::event::HexDigest;
use ledger_core::note::NoteKey;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{JournalEntry, JournaledErasure};
use crate::signing::SigningKey;

/// Version of the lines.
const VERSION: u8 = 1;
/// What a signature begins with, so that it is valid for nothing else.
const CONTEXT: &str = "call-ledger erasure journal\n";

/// The reason for which a line is not the next one of a journal.
pub(super) type Fault = &'static str;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    erasure: JournaledErasure,
    /// Digest of the line before; zero for the first one.
    previous: HexDigest,
    sequence: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    signature: Option<String>,
    v: u8,
}

/// Returns the line of an erasure, without its line break.
pub(super) fn write(
    erasure: &JournaledErasure,
    sequence: u64,
    previous: HexDigest,
    key: &SigningKey,
) -> Result<String, CanonicalError> {
    let erasure = erasure.clone();
    let mut line = Line { erasure, previous, sequence, signature: None, v: VERSION };
    let signed = to_canonical(&line)?;
    line.signature = Some(hex::encode(key.sign(&message(&signed))));
    to_canonical(&line)
}

/// Reads the line after `last`, of which number and digest are given.
pub(super) fn read(
    text: &str,
    last: (u64, HexDigest),
    key: &NoteKey,
) -> Result<JournalEntry, Fault> {
    let mut value = parse_canonical(text).ok_or("it is not canonical JSON")?;
    let signature = value.as_object_mut().and_then(|fields| fields.remove("signature"));
    let signature = signature.as_ref().and_then(Value::as_str).ok_or("it has no signature")?;
    let signature = hex::decode(signature).map_err(|_| "its signature is malformed")?;
    let signed = to_canonical(&value).map_err(|_| "it is not canonical JSON")?;
    if !key.verifies(&message(&signed), &signature) {
        return Err("its signature is not of the signing key: it was altered or forged");
    }
    if value.get("v").and_then(Value::as_u64) != Some(u64::from(VERSION)) {
        return Err("it is of another version: a newer build wrote it");
    }
    let line: Line = serde_json::from_value(value).map_err(|_| "its content is malformed")?;
    let (before, digest) = last;
    if line.sequence != before + 1 {
        return Err("its number is not the next one: a line is missing, repeated or moved");
    }
    if line.previous != digest {
        return Err("it does not follow the line before: that one was replaced");
    }
    Ok(JournalEntry {
        entry: line.sequence,
        digest: super::digest(text.as_bytes()),
        erasure: line.erasure,
    })
}

fn message(signed: &str) -> Vec<u8> {
    [CONTEXT, signed].concat().into_bytes()
}
