//! Searches bytes for planted texts in all usual encodings.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Write;
use std::fs;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// Blocks of zeros are skipped: they are most of a new database file.
const BLOCK: usize = 8_192;
static ZEROS: [u8; BLOCK] = [0; BLOCK];

/// Finds any of some texts: plain, hex, base64 at any offset, JSON-escaped, percent-encoded,
/// UTF-16.
pub struct Scanner {
    /// Index by the first two bytes: the number of the text and the encoded form.
    spellings: HashMap<[u8; 2], Vec<(usize, Vec<u8>)>>,
    /// Marks the pairs of bytes that begin an encoded form.
    begins: Vec<bool>,
    texts: Vec<String>,
}

impl Scanner {
    /// Creates a scanner for these texts.
    #[must_use]
    pub fn new(texts: &[String]) -> Self {
        let mut scanner =
            Self { spellings: HashMap::new(), begins: vec![false; 1 << 16], texts: texts.to_vec() };
        for (nth, text) in texts.iter().enumerate() {
            for spelling in spellings(text) {
                scanner.look_for(nth, spelling);
            }
        }
        scanner
    }

    /// Adds bytes that are no text, such as a key, under a name.
    #[must_use]
    pub fn and(mut self, name: &str, bytes: Vec<u8>) -> Self {
        self.texts.push(name.to_owned());
        self.look_for(self.texts.len() - 1, bytes);
        self
    }

    fn look_for(&mut self, nth: usize, spelling: Vec<u8>) {
        let pair = [spelling[0], spelling[1]];
        self.begins[usize::from(u16::from_be_bytes(pair))] = true;
        self.spellings.entry(pair).or_default().push((nth, spelling));
    }

    /// Returns the texts that occur in `bytes`.
    #[must_use]
    pub fn found_in(&self, bytes: &[u8]) -> BTreeSet<&str> {
        let mut found = BTreeSet::new();
        for from in (0..bytes.len()).step_by(BLOCK) {
            let to = (from + BLOCK).min(bytes.len());
            if bytes[from..to] == ZEROS[..to - from] {
                continue;
            }
            for at in from..to.min(bytes.len() - 1) {
                let pair = [bytes[at], bytes[at + 1]];
                if self.begins[usize::from(u16::from_be_bytes(pair))] {
                    let here = self.spellings[&pair].iter();
                    let hits = here.filter(|(_, spelling)| bytes[at..].starts_with(spelling));
                    found.extend(hits.map(|(nth, _)| self.texts[*nth].as_str()));
                }
            }
        }
        found
    }

    /// Returns the texts that occur in any file below a directory, with the file. Files that are
    /// deleted during the scan are ignored, as are directories for which `skip` returns true.
    #[must_use]
    pub fn found_below(&self, dir: &Path, skip: &dyn Fn(&Path) -> bool) -> Vec<String> {
        let mut found = Vec::new();
        for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
            let path = entry.path();
            let Ok(kind) = entry.file_type() else { continue };
            if kind.is_dir() && !skip(&path) {
                found.extend(self.found_below(&path, skip));
            } else if kind.is_file()
                && let Ok(bytes) = fs::read(&path)
            {
                let hits = self.found_in(&bytes);
                found.extend(hits.iter().map(|text| format!("{text} in {}", path.display())));
            }
        }
        found
    }
}

/// Returns every encoded form of a text.
fn spellings(text: &str) -> Vec<Vec<u8>> {
    let bytes = text.as_bytes();
    assert!(bytes.len() >= 8, "{text} may be found by chance");
    let hexadecimal = hex::encode(bytes);
    let mut escaped = String::new();
    let mut percent = String::new();
    for unit in text.encode_utf16() {
        write!(escaped, "\\u{unit:04x}").expect("a String takes any text");
    }
    for byte in bytes {
        let is_plain = byte.is_ascii_alphanumeric() || b"-_.~".contains(byte);
        let one = if is_plain { char::from(*byte).to_string() } else { format!("%{byte:02X}") };
        percent.push_str(&one);
    }
    let half_escaped: String = text
        .chars()
        .map(|c| if c.is_ascii() { c.to_string() } else { format!("\\u{:04x}", u32::from(c)) })
        .collect();
    let json = serde_json::to_string(text).expect("a text");
    let utf16 = |order: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(order).collect();
    let mut all = vec![
        bytes.to_vec(),
        hexadecimal.to_uppercase().into_bytes(),
        hexadecimal.into_bytes(),
        escaped.into_bytes(),
        half_escaped.into_bytes(),
        percent.into_bytes(),
        json.trim_matches('"').as_bytes().to_vec(),
        utf16(u16::to_le_bytes),
        utf16(u16::to_be_bytes),
    ];
    all.extend((0..3).flat_map(|offset| base64_at(bytes, offset)));
    all.sort();
    all.dedup();
    all
}

/// The base64 characters that any longer text with `bytes` at this offset modulo 3 contains.
fn base64_at(bytes: &[u8], offset: usize) -> [Vec<u8>; 2] {
    let shifted = [&vec![0; offset][..], bytes].concat();
    // Characters that also hold bits of neighbouring bytes are left out.
    let from = (offset * 8).div_ceil(6);
    let to = shifted.len() * 8 / 6;
    [STANDARD_NO_PAD, URL_SAFE_NO_PAD]
        .map(|engine| engine.encode(&shifted).as_bytes()[from..to].to_vec())
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    #[test]
    fn a_text_is_found_in_every_spelling_and_at_every_offset() {
        let text = "Ærø \"Heron\" +1";
        let scanner = Scanner::new(&[text.to_owned()]);
        let within = |before: &str| format!("{before}{text} and after");
        for before in ["", "x", "xy", "xyz"] {
            let whole = within(before);
            let utf16: Vec<u8> = whole.encode_utf16().flat_map(u16::to_le_bytes).collect();
            let spelt: [Vec<u8>; 6] = [
                whole.clone().into_bytes(),
                hex::encode(&whole).into_bytes(),
                STANDARD.encode(&whole).into_bytes(),
                serde_json::to_vec(&whole).expect("a text"),
                utf16,
                [vec![0; 3 * BLOCK - 5], whole.into_bytes()].concat(),
            ];
            for bytes in spelt {
                assert_eq!(scanner.found_in(&bytes).len(), 1, "{bytes:?}");
            }
        }
        assert!(scanner.found_in(b"Nothing of the kind").is_empty());
        assert!(scanner.found_in(b"").is_empty());
    }
}
