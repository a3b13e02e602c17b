//! Pagination cursors.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::problem::ApiError;

/// Encodes a pagination cursor, opaque to the client.
pub fn encode_cursor<T: Serialize>(place: &T) -> String {
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(place).expect("a place is plain data"))
}

/// Decodes a cursor and checks it with `is_possible`. Only the canonical encoding is accepted, so a place in
/// a list has exactly one cursor.
///
/// # Errors
/// 400 if it was not issued by this server.
pub fn decode_cursor<T: Serialize + DeserializeOwned>(
    cursor: &str,
    is_possible: impl Fn(&T) -> bool,
) -> Result<T, ApiError> {
    URL_SAFE_NO_PAD
        .decode(cursor)
        .ok()
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .filter(|place| is_possible(place) && encode_cursor(place) == cursor)
        .ok_or_else(|| ApiError::parameter("cursor", "send back a next_cursor as it was given"))
}
