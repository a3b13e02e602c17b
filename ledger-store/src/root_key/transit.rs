//! A root key in the transit secrets engine of a Vault server, which never gives it out.

use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::{Client, StatusCode, Url};
use serde::Deserialize;
use serde_json::json;
use thiserror::Error;
use zeroize::Zeroizing;

use super::{RootKey, RootKeyError, read_small};
use crate::seal::KeyBytes;

/// Longest wait for an answer. The keys of a tenant are cached for a minute, so a request is rare.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The reason for which a URL does not name a key of the transit engine.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TransitUrlError {
    /// Not a URL of that form.
    #[error("the URL of a key in Vault is https://HOST/v1/MOUNT/keys/NAME, without user or query")]
    Malformed,
    /// The token would be sent in the clear.
    #[error("the token would be sent in the clear: use https, or http to a loopback address")]
    NotEncrypted,
}

/// A key of the transit engine. The key has to support encryption and decryption, such as one of type
/// `aes256-gcm96`.
#[derive(Debug, Clone)]
pub struct Transit {
    /// URL of the engine, ending with `/`.
    engine: Url,
    name: String,
    token_file: PathBuf,
    client: Client,
    id: [u8; 8],
}

impl Transit {
    /// The key at a URL such as `https://vault.example.com:8200/v1/transit/keys/call-ledger`. The token
    /// is read from its file for each request, so that it can be renewed.
    ///
    /// # Errors
    /// [`TransitUrlError`] for another URL.
    pub fn new(url: &str, token_file: PathBuf) -> Result<Self, TransitUrlError> {
        let parsed = Url::parse(url).map_err(|_| TransitUrlError::Malformed)?;
        let is_plain = parsed.username().is_empty()
            && parsed.password().is_none()
            && parsed.query().is_none()
            && parsed.fragment().is_none();
        let path = parsed.path().to_owned();
        let (mount, name) = path.rsplit_once("/keys/").ok_or(TransitUrlError::Malformed)?;
        let is_key = !name.is_empty() && !name.contains('/') && mount.starts_with("/v1/");
        if !is_plain || !is_key || parsed.host_str().is_none() {
            return Err(TransitUrlError::Malformed);
        }
        match parsed.scheme() {
            "https" => {}
            "http" if is_loopback(&parsed) => {}
            "http" => return Err(TransitUrlError::NotEncrypted),
            _ => return Err(TransitUrlError::Malformed),
        }
        let fingerprint = digest(&SHA256, format!("cl/transit/1{url}").as_bytes());
        let mut engine = parsed.clone();
        engine.set_path(&format!("{mount}/"));
        // The server is named by the operator; a redirect would send the token elsewhere.
        let client = Client::builder().timeout(TIMEOUT).redirect(reqwest::redirect::Policy::none());
        Ok(Self {
            engine,
            name: name.to_owned(),
            token_file,
            client: client.build().map_err(|_| TransitUrlError::Malformed)?,
            id: fingerprint.as_ref()[..8].try_into().expect("SHA-256 is longer"),
        })
    }

    /// Returns the URL of the key.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}keys/{}", self.engine, self.name)
    }

    /// Path of the file with the token.
    #[must_use]
    pub fn token_file(&self) -> &Path {
        &self.token_file
    }

    async fn request<T: for<'de> Deserialize<'de>>(
        &self,
        operation: &str,
        body: &serde_json::Value,
    ) -> Result<T, RootKeyError> {
        let unavailable = |reason: String| RootKeyError::Unavailable { url: self.url(), reason };
        let url = self.engine.join(&format!("{operation}/{}", self.name));
        let url = url.map_err(|error| unavailable(error.to_string()))?;
        let token = self.token()?;
        let request = self.client.post(url).header("x-vault-token", token.as_str()).json(body);
        let answer =
            request.send().await.map_err(|error| unavailable(reason(&error).to_owned()))?;
        match answer.status() {
            StatusCode::OK => {}
            // Vault answers so to a ciphertext that was altered or is of another key.
            StatusCode::BAD_REQUEST if operation == "decrypt" => {
                return Err(RootKeyError::DoesNotOpen);
            }
            status if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
                return Err(unavailable(format!("status {}", status.as_u16())));
            }
            status => {
                return Err(RootKeyError::Refused { url: self.url(), status: status.as_u16() });
            }
        }
        let answer: Answer<T> =
            answer.json().await.map_err(|_| unavailable("its answer is not understood".into()))?;
        Ok(answer.data)
    }

    fn token(&self) -> Result<Zeroizing<String>, RootKeyError> {
        let path = &self.token_file;
        let contents =
            read_small(path).map_err(|source| RootKeyError::Io { path: path.clone(), source })?;
        let text = std::str::from_utf8(contents.trim_ascii()).ok();
        let token = text
            .filter(|text| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic()));
        match token {
            Some(token) => Ok(Zeroizing::new(token.to_owned())),
            None => Err(RootKeyError::Token { path: path.clone() }),
        }
    }
}

#[derive(Deserialize)]
struct Answer<T> {
    data: T,
}

#[derive(Deserialize)]
struct Ciphertext {
    ciphertext: String,
}

#[derive(Deserialize)]
struct Plaintext {
    plaintext: String,
}

/// What is encrypted is the key and the digest of `aad`, which binds the key to its file whatever the
/// type of the Vault key supports.
#[async_trait]
impl RootKey for Transit {
    fn id(&self) -> [u8; 8] {
        self.id
    }

    async fn wrap(&self, aad: &[u8], key: &KeyBytes) -> Result<Vec<u8>, RootKeyError> {
        let bound = digest(&SHA256, aad);
        let plain = Zeroizing::new([key.as_slice(), bound.as_ref()].concat());
        let plaintext = Zeroizing::new(STANDARD.encode(plain.as_slice()));
        let body = json!({ "plaintext": plaintext.as_str() });
        let wrapped: Ciphertext = self.request("encrypt", &body).await?;
        Ok(wrapped.ciphertext.into_bytes())
    }

    async fn unwrap(&self, aad: &[u8], wrapped: &[u8]) -> Result<KeyBytes, RootKeyError> {
        let ciphertext = std::str::from_utf8(wrapped).map_err(|_| RootKeyError::DoesNotOpen)?;
        let body = json!({ "ciphertext": ciphertext });
        let opened: Plaintext = self.request("decrypt", &body).await?;
        let plaintext = Zeroizing::new(opened.plaintext);
        let plain = STANDARD.decode(plaintext.as_bytes()).map(Zeroizing::new);
        let plain = plain.map_err(|_| RootKeyError::DoesNotOpen)?;
        let (key, bound) = plain.split_at_checked(32).ok_or(RootKeyError::DoesNotOpen)?;
        if bound != digest(&SHA256, aad).as_ref() {
            return Err(RootKeyError::DoesNotOpen);
        }
        Ok(Zeroizing::new(key.try_into().expect("32 bytes")))
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host_str() {
        Some("localhost" | "[::1]") => true,
        Some(host) => host.parse().is_ok_and(|ip: std::net::Ipv4Addr| ip.is_loopback()),
        None => false,
    }
}

/// A reason without the URL and what was sent.
fn reason(error: &reqwest::Error) -> &'static str {
    if error.is_timeout() {
        "no answer in time"
    } else if error.is_connect() {
        "no connection"
    } else {
        "the connection broke"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(url: &str) -> Result<Transit, TransitUrlError> {
        Transit::new(url, PathBuf::from("token"))
    }

    #[test]
    fn a_url_names_a_key_of_the_engine() {
        for url in [
            "https://vault.example.com/v1/transit/keys/call-ledger",
            "https://vault.example.com:8200/v1/a/b/keys/call-ledger",
            "http://127.0.0.1:8200/v1/transit/keys/k",
            "http://[::1]:8200/v1/transit/keys/k",
        ] {
            assert_eq!(made(url).map(|transit| transit.url()).as_deref(), Ok(url));
        }
        for url in [
            "",
            "vault",
            "ftp://vault.example.com/v1/transit/keys/k",
            "https://vault.example.com/v1/transit/keys/",
            "https://vault.example.com/transit/keys/k",
            "https://vault.example.com/v1/transit/keys/k/config",
            "https://user:secret@vault.example.com/v1/transit/keys/k",
            "https://vault.example.com/v1/transit/keys/k?token=s",
        ] {
            assert_eq!(made(url).err(), Some(TransitUrlError::Malformed), "{url}");
        }
    }

    #[test]
    fn a_token_is_not_sent_in_the_clear() {
        for url in ["http://vault.example.com/v1/transit/keys/k", "http://10.0.0.1/v1/t/keys/k"] {
            assert_eq!(made(url).err(), Some(TransitUrlError::NotEncrypted), "{url}");
        }
    }

    #[test]
    fn two_keys_have_two_ids() {
        let one = made("https://vault.example.com/v1/transit/keys/a").expect("a key");
        let two = made("https://vault.example.com/v1/transit/keys/b").expect("a key");
        assert_ne!(one.id(), two.id());
    }
}
