//! Settings of a source for the tools of its voice agents: further names of tools, and how answers
//! are spoken.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::names::{Tool, fold};
use crate::text::is_hidden;

/// Maximum number of names that a source maps.
pub const MAX_NAMES: usize = 50;
/// Maximum length of a name, in characters.
pub const MAX_NAME: usize = 100;

/// Names of tools that a source maps to tools of the ledger. A mapped name has precedence over the
/// names that are built in; both are compared without case, `_`, `-` and blanks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ToolNames(BTreeMap<String, Tool>);

/// The reason for which names are rejected. Prints no name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidToolNames {
    /// There are more than [`MAX_NAMES`].
    #[error("there are more than {MAX_NAMES} names")]
    TooMany,
    /// A name is none that a tool can have.
    #[error(
        "a name has 1 to {MAX_NAME} letters, digits, blanks, '-', '_' and '.', at least one of them a letter"
    )]
    NotAName,
    /// A name is mapped to no tool of the ledger.
    #[error("the tools are book, availability, cancel, reschedule, look_up and escalate")]
    UnknownTool,
    /// Two names differ in case, `_`, `-` and blanks only.
    #[error("two names are the same but for case, '_', '-' and blanks")]
    Twice,
}

impl ToolNames {
    /// Reads names, each with the stored word of its tool.
    ///
    /// # Errors
    /// [`InvalidToolNames`].
    pub fn parse<'a>(
        names: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, InvalidToolNames> {
        let mut parsed = Self::default();
        for (name, tool) in names {
            let tool = Tool::parse(tool).ok_or(InvalidToolNames::UnknownTool)?;
            if !is_name(name) {
                return Err(InvalidToolNames::NotAName);
            }
            if parsed.of(name).is_some() {
                return Err(InvalidToolNames::Twice);
            }
            if parsed.0.len() == MAX_NAMES {
                return Err(InvalidToolNames::TooMany);
            }
            parsed.0.insert(name.to_owned(), tool);
        }
        Ok(parsed)
    }

    /// Returns the tool that a name is mapped to.
    #[must_use]
    pub fn of(&self, name: &str) -> Option<Tool> {
        if self.0.is_empty() {
            return None;
        }
        let folded = fold(name);
        self.0.iter().find(|(known, _)| fold(known) == folded).map(|(_, tool)| *tool)
    }

    /// Returns the tool of a name: the mapped one, else the one that is built in.
    #[must_use]
    pub fn tool(&self, name: &str) -> Option<Tool> {
        self.of(name).or_else(|| Tool::of(name))
    }

    /// Returns whether no name is mapped.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The names with their tools, in the order of the names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Tool)> {
        self.0.iter().map(|(name, tool)| (name.as_str(), *tool))
    }
}

/// Whether a text can be the name of a tool. A name is stored in the clear, so a phone number is none.
fn is_name(name: &str) -> bool {
    let fits = (1..=MAX_NAME).contains(&name.chars().count()) && name.trim() == name;
    let is_letter = |c: char| c.is_alphanumeric() && !is_hidden(c);
    let is_part = |c: char| is_letter(c) || matches!(c, '-' | '_' | '.' | ' ');
    fits && name.chars().all(is_part) && name.chars().any(char::is_alphabetic)
}

/// How the answer to a tool is spoken, where the platform supports both.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Speech {
    /// The model words it.
    #[default]
    Model,
    /// Word by word.
    Verbatim,
}

impl Speech {
    /// Both, with their stored words.
    pub const ALL: [(&'static str, Self); 2] =
        [("model", Self::Model), ("verbatim", Self::Verbatim)];

    /// Returns the value with this stored word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(word, _)| *word == text).map(|(_, speech)| speech)
    }

    /// The stored word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Verbatim => "verbatim",
        }
    }

    /// Whether it is the default.
    #[must_use]
    pub const fn is_default(&self) -> bool {
        matches!(self, Self::Model)
    }
}

/// The settings of a source for the tools of its voice agents.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolSettings {
    /// Further names of tools.
    #[serde(default, skip_serializing_if = "ToolNames::is_empty")]
    pub names: ToolNames,
    /// How answers are spoken.
    #[serde(default, skip_serializing_if = "Speech::is_default")]
    pub speech: Speech,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapped_name_has_precedence_and_is_recognized_in_every_spelling() {
        let names = [("my_tool", "book"), ("bookAppointment", "look_up")];
        let names = ToolNames::parse(names).expect("names");
        for name in ["my_tool", "myTool", "MY TOOL"] {
            assert_eq!(names.tool(name), Some(Tool::Book), "{name}");
        }
        assert_eq!(names.tool("book_appointment"), Some(Tool::LookUp));
        assert_eq!(names.tool("cancelAppointment"), Some(Tool::Cancel));
        assert_eq!(names.tool("other"), None);
        let stored = serde_json::to_string(&names).expect("a map");
        assert_eq!(stored, r#"{"bookAppointment":"look_up","my_tool":"book"}"#);
        assert_eq!(serde_json::from_str::<ToolNames>(&stored).ok(), Some(names));
    }

    #[test]
    fn names_are_bounded_and_are_names() {
        let long = "a".repeat(MAX_NAME);
        assert!(ToolNames::parse([(long.as_str(), "book")]).is_ok());
        let longer = "\u{e4}".repeat(MAX_NAME + 1);
        for name in ["", " ", " book", "+15550100123", "5550100123", "a\nb", "a/b", &longer] {
            let parsed = ToolNames::parse([(name, "book")]);
            assert_eq!(parsed, Err(InvalidToolNames::NotAName), "{name:?}");
        }
        assert_eq!(ToolNames::parse([("a", "pay")]), Err(InvalidToolNames::UnknownTool));
        let twice = [("my_tool", "book"), ("myTool", "book")];
        assert_eq!(ToolNames::parse(twice), Err(InvalidToolNames::Twice));
        let many: Vec<_> = (0..=MAX_NAMES).map(|nth| format!("tool{nth}")).collect();
        let pairs = |count| many.iter().take(count).map(|name| (name.as_str(), "cancel"));
        assert!(ToolNames::parse(pairs(MAX_NAMES)).is_ok());
        assert_eq!(ToolNames::parse(pairs(MAX_NAMES + 1)), Err(InvalidToolNames::TooMany));
    }
}
