//! Data that remain after an erasure, as certificates list them.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::CertificateKind;

/// Data that stay after an erasure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Residual {
    /// Until when.
    pub until: Cow<'static, str>,
    /// The data.
    pub what: Cow<'static, str>,
    /// Where.
    #[serde(rename = "where")]
    pub place: Cow<'static, str>,
    /// Why.
    pub why: Cow<'static, str>,
}

const fn residual(
    what: &'static str,
    place: &'static str,
    until: &'static str,
    why: &'static str,
) -> Residual {
    Residual {
        until: Cow::Borrowed(until),
        what: Cow::Borrowed(what),
        place: Cow::Borrowed(place),
        why: Cow::Borrowed(why),
    }
}

/// Ends with the epoch roll.
const UNTIL_ROLL: [Residual; 2] = [
    residual(
        "wrapped copies of the destroyed keys",
        "WAL, replicas, old pages and backups of the database",
        "the epoch roll, which the final certificate states",
        "PostgreSQL keeps old versions of a row; a start is refused while the journal is ahead",
    ),
    residual(
        "keyed hashes of phone numbers, addresses and the name",
        "vault of the database",
        "the epoch roll, which the final certificate states",
        "messages of the erased person are recognized by them and recorded without personal data",
    ),
];

/// Stays after the epoch roll too.
const AFTER_ROLL: [Residual; 4] = [
    residual(
        "sealed sections, which no existing key opens",
        "log, read models and backups of the database",
        "the purge of the sections in the database; their age in backups",
        "the log is verified over the sealed bytes",
    ),
    residual(
        "copies of the destroyed epoch key, wrapped by the root key",
        "the two newest backups of keyring and vault",
        "the second epoch roll after this one",
        "a lost keyring would end the data of every person",
    ),
    residual(
        "facts and ids of calls and appointments, without name, number, address or content",
        "log and read models",
        "the retention of the log",
        "they are not about an identified person any more",
    ),
    residual(
        "fingerprints of the keys, and the stream of the erasure",
        "log, vault and journal",
        "unlimited",
        "they prove the erasure and repeat it after a restore",
    ),
];

impl Residual {
    /// Returns what stays at the time of a certificate.
    #[must_use]
    pub fn at(kind: CertificateKind) -> Vec<Self> {
        match kind {
            CertificateKind::Live => [UNTIL_ROLL.as_slice(), &AFTER_ROLL].concat(),
            CertificateKind::Final => AFTER_ROLL.to_vec(),
        }
    }
}
