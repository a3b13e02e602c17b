//! Signed notes of the C2SP (<https://c2sp.org/signed-note>): a text with Ed25519 signatures, which
//! is read without this program.
//!
//! ```text
//! {"certificate":"live", …}
//!
//! — call-ledger-0123456789abcdef base64(key id, signature)
//! ```

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use thiserror::Error;

/// Type of an Ed25519 signature in ids and texts of keys.
const ED25519_TYPE: u8 = 1;
/// Most signature lines of a note that are read.
const MAX_SIGNATURES: usize = 64;
/// What begins a signature line.
const MARK: &str = "\u{2014} ";

/// The reason for which a note is not valid.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NoteError {
    /// The text has no blank line with signatures after it, or a line that has another form.
    #[error("this is not a signed note: {0}")]
    Malformed(&'static str),
    /// No signature is of the given key.
    #[error("the note has no signature of {0}")]
    UnknownKey(String),
    /// A signature of the given key does not belong to the text.
    #[error("the signature of {0} does not belong to the text: it was altered or forged")]
    Forged(String),
}

/// The text is not a key of a note.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("this is not the text of a public key: name+id+key, as call-ledger prints it")]
pub struct KeyTextError;

/// The public key of a signer, with its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteKey {
    name: String,
    public_key: [u8; 32],
}

impl NoteKey {
    /// A key with a name, which has neither white space nor a plus sign; `None` otherwise.
    #[must_use]
    pub fn new(name: String, public_key: [u8; 32]) -> Option<Self> {
        let is_name = !name.is_empty()
            && !name.contains(|c: char| c.is_whitespace() || c.is_control() || c == '+');
        is_name.then_some(Self { name, public_key })
    }

    /// The key of an installation, whose name is made from the key.
    #[must_use]
    pub fn of_installation(public_key: [u8; 32]) -> Self {
        let fingerprint = digest(&SHA256, &public_key);
        let name = format!("call-ledger-{}", hex::encode(&fingerprint.as_ref()[..8]));
        Self { name, public_key }
    }

    /// Name of the key.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The Ed25519 public key.
    #[must_use]
    pub fn public_key(&self) -> &[u8; 32] {
        &self.public_key
    }

    /// Returns the id by which a signature line names the key.
    #[must_use]
    pub fn id(&self) -> [u8; 4] {
        let named = [self.name.as_bytes(), b"\n", &[ED25519_TYPE], &self.public_key].concat();
        let digest = digest(&SHA256, &named);
        digest.as_ref()[..4].try_into().expect("SHA-256 is longer")
    }

    /// Whether this is the signature of a message.
    #[must_use]
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.public_key).verify(message, signature).is_ok()
    }

    /// Returns a note with one signature, of a text that ends with a line break.
    #[must_use]
    pub fn note(&self, text: &str, signature: &[u8; 64]) -> String {
        let signed = STANDARD.encode([self.id().as_slice(), signature].concat());
        format!("{text}\n{MARK}{} {signed}\n", self.name)
    }

    /// Verifies a note, and returns its text. Signatures of other keys are ignored.
    ///
    /// # Errors
    /// [`NoteError`]
    pub fn verify<'a>(&self, note: &'a str) -> Result<&'a str, NoteError> {
        let (text, lines) = split(note)?;
        let mut is_signed = false;
        for line in lines {
            let (name, signature) = signature_line(line)?;
            if name != self.name || signature[..4] != self.id() {
                continue;
            }
            if !self.verifies(text.as_bytes(), &signature[4..]) {
                return Err(NoteError::Forged(self.name.clone()));
            }
            is_signed = true;
        }
        if is_signed { Ok(text) } else { Err(NoteError::UnknownKey(self.name.clone())) }
    }
}

/// The text of a public key, `name+id+base64(type, key)`.
impl fmt::Display for NoteKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = STANDARD.encode([&[ED25519_TYPE], self.public_key.as_slice()].concat());
        write!(f, "{}+{}+{key}", self.name, hex::encode(self.id()))
    }
}

impl FromStr for NoteKey {
    type Err = KeyTextError;

    fn from_str(text: &str) -> Result<Self, KeyTextError> {
        let mut parts = text.trim().splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(KeyTextError);
        };
        let key = STANDARD.decode(key).map_err(|_| KeyTextError)?;
        let Some((&ED25519_TYPE, key)) = key.split_first() else { return Err(KeyTextError) };
        let public_key = key.try_into().map_err(|_| KeyTextError)?;
        let key = Self::new(name.to_owned(), public_key).ok_or(KeyTextError)?;
        if hex::encode(key.id()) != id {
            return Err(KeyTextError);
        }
        Ok(key)
    }
}

/// Returns the name of the key of the first signature of a note.
///
/// # Errors
/// [`NoteError::Malformed`]
pub fn first_signer(note: &str) -> Result<&str, NoteError> {
    let (_, mut lines) = split(note)?;
    let line = lines.next().ok_or(NoteError::Malformed("it has no signature"))?;
    Ok(signature_line(line)?.0)
}

/// Splits a note into its text and its signature lines.
fn split(note: &str) -> Result<(&str, std::str::Split<'_, char>), NoteError> {
    if note.contains(|c: char| c.is_ascii_control() && c != '\n') {
        return Err(NoteError::Malformed("it has control characters"));
    }
    let blank = note.rfind("\n\n").ok_or(NoteError::Malformed("it has no signature"))?;
    let (text, signatures) = (&note[..=blank], &note[blank + 2..]);
    let signatures = signatures.strip_suffix('\n');
    let signatures = signatures.ok_or(NoteError::Malformed("its last line does not end"))?;
    if signatures.split('\n').count() > MAX_SIGNATURES {
        return Err(NoteError::Malformed("it has too many signatures"));
    }
    Ok((text, signatures.split('\n')))
}

/// Splits a signature line into the name of the key, and the id of the key with the signature.
fn signature_line(line: &str) -> Result<(&str, Vec<u8>), NoteError> {
    let malformed = NoteError::Malformed("a line after the blank one is not a signature");
    let parts = line.strip_prefix(MARK).and_then(|rest| rest.split_once(' '));
    let Some((name, signature)) = parts else { return Err(malformed) };
    let signature = STANDARD.decode(signature).map_err(|_| malformed.clone())?;
    if name.is_empty() || name.contains('+') || signature.len() < 5 {
        return Err(malformed);
    }
    Ok((name, signature))
}

#[cfg(test)]
mod tests;
