//! Pagination cursors.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::problem::ApiError;

/// Encodes a pagination cursor, opaque to the client. The type of a place has `#[serde(tag = "list")]`: the cursor
/// then has the name of the type, and is refused by every other list.
pub fn encode_cursor<T: Serialize>(place: &T) -> String {
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(place).expect("a place is plain data"))
}

/// Decodes a cursor and checks it with `is_possible`. Only the canonical encoding is accepted, so a place in
/// a list has exactly one cursor, which names the list.
///
/// # Errors
/// 400 if it was not issued by this server, or for another list.
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

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(tag = "list")]
    struct OneCursor {
        s: i64,
        c: i64,
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(tag = "list")]
    struct OtherCursor {
        s: i64,
        c: i64,
    }

    #[test]
    fn a_cursor_is_of_one_list() {
        let cursor = encode_cursor(&OneCursor { s: 1, c: 2 });
        let same = decode_cursor::<OneCursor>(&cursor, |_| true).expect("its own list");
        assert_eq!(same, OneCursor { s: 1, c: 2 });
        let refused = decode_cursor::<OtherCursor>(&cursor, |_| true).expect_err("another list");
        assert_eq!((refused.status.as_u16(), &*refused.errors[0].pointer), (400, "/cursor"));
        let unnamed = URL_SAFE_NO_PAD.encode(r#"{"s":1,"c":2}"#);
        assert!(decode_cursor::<OneCursor>(&unnamed, |_| true).is_err());
    }
}
