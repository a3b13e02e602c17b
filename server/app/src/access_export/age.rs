//! Writes the format `age-encryption.org/v1` for one passphrase (<https://age-encryption.org/v1>,
//! C2SP `age.md`), so that the person can open the file with a program of their own. Reading is
//! left to those programs.
//!
//! The bytes are encrypted in chunks of 64 KiB as they arrive. A file that was not finished does not
//! open, because its last chunk is marked.

use std::io::{self, Write};

use aws_lc_rs::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::{hkdf, hmac};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use zeroize::Zeroizing;

use super::passphrase::Passphrase;

/// Bytes of a chunk before its encryption.
const CHUNK: usize = 64 << 10;
/// Cost of the derivation as the exponent of two: 128 MiB and a fraction of a second.
const COST: u8 = 17;

/// Encrypts what is written to it. [`Encryptor::finish`] ends the file.
pub(super) struct Encryptor<W> {
    inner: W,
    key: LessSafeKey,
    counter: u64,
    /// Plaintext of the next chunk; full only until more bytes arrive, so the last chunk is known.
    chunk: Zeroizing<Vec<u8>>,
}

impl<W: Write> Encryptor<W> {
    /// Writes the header. Takes as long as the derivation of the key, so it belongs on a thread that
    /// may block.
    pub(super) fn new(mut inner: W, passphrase: &Passphrase) -> io::Result<Self> {
        let mut file_key = Zeroizing::new([0; 16]);
        let (mut salt, mut nonce) = ([0; 16], [0; 16]);
        for bytes in [file_key.as_mut_slice(), &mut salt, &mut nonce] {
            aws_lc_rs::rand::fill(bytes).map_err(|_| fault("randomness"))?;
        }
        let wrapped = wrap(&file_key, passphrase, &salt)?;
        let (salt, wrapped) = (STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(wrapped));
        let header = format!("age-encryption.org/v1\n-> scrypt {salt} {COST}\n{wrapped}\n---");
        let mac_key = derive(&*file_key, &[], b"header")?;
        let mac = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &*mac_key), header.as_bytes());
        writeln!(inner, "{header} {}", STANDARD_NO_PAD.encode(mac))?;
        inner.write_all(&nonce)?;
        let key = cipher(&*derive(&*file_key, &nonce, b"payload")?)?;
        let chunk = Zeroizing::new(Vec::with_capacity(CHUNK));
        Ok(Self { inner, key, counter: 0, chunk })
    }

    /// Encrypts and writes the chunk. The nonce is its number in 11 bytes, and whether it is the last.
    fn write_chunk(&mut self, is_last: bool) -> io::Result<()> {
        let mut nonce = [0; NONCE_LEN];
        nonce[3..11].copy_from_slice(&self.counter.to_be_bytes());
        nonce[11] = u8::from(is_last);
        self.counter = self.counter.checked_add(1).ok_or_else(|| fault("the counter"))?;
        let nonce = Nonce::assume_unique_for_key(nonce);
        // The chunk is encrypted in place, so no plaintext is left in it.
        let sealed = self.key.seal_in_place_append_tag(nonce, Aad::empty(), &mut *self.chunk);
        sealed.map_err(|_| fault("the cipher"))?;
        self.inner.write_all(&self.chunk)?;
        self.chunk.clear();
        Ok(())
    }

    /// Writes the last chunk and returns the writer.
    pub(super) fn finish(mut self) -> io::Result<W> {
        self.write_chunk(true)?;
        self.inner.flush()?;
        Ok(self.inner)
    }
}

impl<W: Write> Write for Encryptor<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.is_empty() {
            return Ok(0);
        }
        if self.chunk.len() == CHUNK {
            self.write_chunk(false)?;
        }
        let taken = bytes.len().min(CHUNK - self.chunk.len());
        self.chunk.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    /// A chunk is written when it is full; a flush cannot end one early.
    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Encrypts the key of the file under a key that is derived from the passphrase.
fn wrap(file_key: &[u8; 16], passphrase: &Passphrase, salt: &[u8; 16]) -> io::Result<Vec<u8>> {
    let salt = [b"age-encryption.org/v1/scrypt".as_slice(), salt].concat();
    let params = scrypt::Params::new(COST, 8, 1).map_err(|_| fault("the cost"))?;
    let mut wrapping = Zeroizing::new([0; 32]);
    scrypt::scrypt(passphrase.as_str().as_bytes(), &salt, &params, &mut *wrapping)
        .map_err(|_| fault("the derivation"))?;
    let mut wrapped = file_key.to_vec();
    let nonce = Nonce::assume_unique_for_key([0; NONCE_LEN]);
    cipher(&wrapping)?
        .seal_in_place_append_tag(nonce, Aad::empty(), &mut wrapped)
        .map_err(|_| fault("the cipher"))?;
    Ok(wrapped)
}

fn cipher(key: &[u8; 32]) -> io::Result<LessSafeKey> {
    let key = UnboundKey::new(&CHACHA20_POLY1305, key).map_err(|_| fault("the key"))?;
    Ok(LessSafeKey::new(key))
}

/// HKDF-SHA-256 with 32 bytes of output.
fn derive(key: &[u8], salt: &[u8], info: &[u8]) -> io::Result<Zeroizing<[u8; 32]>> {
    let mut derived = Zeroizing::new([0; 32]);
    let info = [info];
    hkdf::Salt::new(hkdf::HKDF_SHA256, salt)
        .extract(key)
        .expand(&info, hkdf::HKDF_SHA256)
        .and_then(|okm| okm.fill(&mut *derived))
        .map_err(|_| fault("the derivation"))?;
    Ok(derived)
}

fn fault(what: &'static str) -> io::Error {
    io::Error::other(format!("the encryption failed at {what}"))
}
