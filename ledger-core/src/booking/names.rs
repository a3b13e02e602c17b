//! Ids that a tenant chooses for its resources and services.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Maximum length of an id, in characters.
const MAX_LENGTH: usize = 40;

macro_rules! chosen_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Parses an id: 1 to 40 lower-case letters, digits, `-` and `_`.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                let is_id = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_');
                let fits = (1..=MAX_LENGTH).contains(&text.len());
                (fits && text.bytes().all(is_id)).then(|| Self(text.to_owned()))
            }

            /// The id as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

chosen_id! {
    /// A resource that appointments occupy, such as a chair, a room or a member of staff.
    ResourceId
}
chosen_id! {
    /// A type of service.
    ServiceId
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_only_the_permitted_characters() {
        for text in ["main", "chair-2", "x_1", &"a".repeat(40)] {
            assert_eq!(ResourceId::parse(text).expect("an id").as_str(), text);
        }
        for text in ["", "Main", "a b", "é", "a/b", &"a".repeat(41)] {
            assert_eq!(ServiceId::parse(text), None, "{text:?}");
        }
    }
}
