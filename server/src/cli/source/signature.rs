//! Options of `source create` for the signature scheme of a source.

use ledger_core::provider::signature::{Algorithm, Encoding, SignatureScheme};

use crate::cli::exit::usage_error;

/// Signature scheme of the requests. The defaults are the platform's.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Signed requests (Vapi's HMAC credential)")]
pub(super) struct Signature {
    /// Accept only requests signed with the secret
    #[arg(long)]
    hmac: bool,
    /// Hash function of the HMAC [default: sha256]
    #[arg(long, requires = "hmac", value_name = "HASH", value_parser = ["sha256", "sha512", "sha1"])]
    hmac_algorithm: Option<String>,
    /// Header with the signature [default: x-signature]
    #[arg(long, requires = "hmac", value_name = "HEADER")]
    hmac_signature_header: Option<String>,
    /// Header with the signed time [default: x-timestamp]
    #[arg(long, requires = "hmac", value_name = "HEADER", conflicts_with = "hmac_no_timestamp")]
    hmac_timestamp_header: Option<String>,
    /// The signature covers no time
    #[arg(long, requires = "hmac")]
    hmac_no_timestamp: bool,
    /// Header with the message id, for a payload with {svix-id}
    #[arg(long, requires = "hmac", value_name = "HEADER")]
    hmac_message_id_header: Option<String>,
    /// Signed payload: {body}, {timestamp}, {method}, {svix-id} [default: {timestamp}.{body}]
    #[arg(long, requires = "hmac", value_name = "FORMAT")]
    hmac_payload: Option<String>,
    /// Encoding of the signature [default: hex]
    #[arg(long, requires = "hmac", value_name = "FORM", value_parser = ["hex", "base64"])]
    hmac_encoding: Option<String>,
    /// Prefix of the signature, such as sha256=
    #[arg(long, requires = "hmac", value_name = "TEXT")]
    hmac_prefix: Option<String>,
    /// The secret is the Base64 of the key, with or without whsec_
    #[arg(long, requires = "hmac")]
    hmac_secret_base64: bool,
}

impl Signature {
    /// Returns the requested signature scheme, or `None` without `--hmac`.
    ///
    /// # Errors
    /// Fails if the scheme proves nothing, or cannot be used with this secret.
    pub(super) fn scheme(&self, secret: &str) -> anyhow::Result<Option<SignatureScheme>> {
        if !self.hmac {
            return Ok(None);
        }
        let usual = SignatureScheme::default();
        let header = |name: &Option<String>| name.as_ref().map(|name| name.to_ascii_lowercase());
        let timestamp_header = match (self.hmac_no_timestamp, header(&self.hmac_timestamp_header)) {
            (true, _) => None,
            (false, named) => named.or(usual.timestamp_header),
        };
        let scheme = SignatureScheme {
            algorithm: match self.hmac_algorithm.as_deref() {
                Some("sha512") => Algorithm::Sha512,
                Some("sha1") => Algorithm::Sha1,
                _ => Algorithm::Sha256,
            },
            signature_header: header(&self.hmac_signature_header).unwrap_or(usual.signature_header),
            timestamp_header,
            message_id_header: header(&self.hmac_message_id_header),
            payload: self.hmac_payload.clone().unwrap_or(usual.payload),
            encoding: match self.hmac_encoding.as_deref() {
                Some("base64") => Encoding::Base64,
                _ => Encoding::Hex,
            },
            prefix: self.hmac_prefix.clone().unwrap_or_default(),
            is_secret_base64: self.hmac_secret_base64,
        };
        match scheme.check(secret) {
            Ok(()) => Ok(Some(scheme)),
            Err(refused) => usage_error(format!("--hmac: {refused}")),
        }
    }
}
