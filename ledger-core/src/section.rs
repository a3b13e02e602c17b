//! The sections of an event: names, places and subjects of the personal data that is sealed.
//!
//! [`Sections::iter`] is the list that the store seals. The store knows neither the sections by name
//! nor the types of their content, so a section is added here, with its type in
//! [`personal`](crate::personal).

use std::borrow::Cow;
use std::fmt;

use serde::Serialize;

use crate::personal::{AppointmentDetails, Conversation, Party, ResourceNames, TaskText, ToolIo};

/// The sections that an event may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SectionName {
    /// Name, number, e-mail address and external id of the person.
    Party,
    /// Arguments and results of tool calls.
    ToolIo,
    /// The transcript and messages of the call.
    Conversation,
    /// The webhook body as received, without provider secrets.
    Raw,
    /// Notes and further values about an appointment.
    Details,
    /// Names of resources.
    Names,
    /// The text of a task.
    Task,
}

impl SectionName {
    /// All sections, in the order in which they are sealed.
    pub const ALL: [Self; 7] = [
        Self::Party,
        Self::ToolIo,
        Self::Conversation,
        Self::Raw,
        Self::Details,
        Self::Names,
        Self::Task,
    ];

    /// The name stored and authenticated in the section.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Party => "party",
            Self::ToolIo => "tool_io",
            Self::Conversation => "conversation",
            Self::Raw => "raw",
            Self::Details => "details",
            Self::Names => "names",
            Self::Task => "task",
        }
    }

    /// Returns the section with this stored name, or `None` for an unknown one.
    #[must_use]
    pub fn parse(name: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str().as_bytes() == name)
    }

    /// Whether sections of this name are large and stored in the log's `bulk` column.
    #[must_use]
    pub const fn is_bulk(self) -> bool {
        matches!(self, Self::Conversation | Self::Raw)
    }
}

/// Subject that holds the key of a section.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SectionSubject {
    /// The person that the event is about: a contact, or the stream's own subject.
    Person,
}

/// A section to be sealed. `Debug` prints no content.
pub struct Section<'s> {
    /// Name of the section.
    pub name: SectionName,
    /// Subject whose key opens the section.
    pub subject: SectionSubject,
    /// The plaintext to seal.
    pub plain: Cow<'s, [u8]>,
}

impl fmt::Debug for Section<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Section({}, ..)", self.name.as_str())
    }
}

/// Personal data of an event, to be sealed under the subject's key. `Debug` prints no values.
#[derive(Clone, Default)]
pub struct Sections {
    /// Name, number and addresses of the person on the line.
    pub party: Option<Party>,
    /// Transcript, summary and other content of the conversation.
    pub conversation: Option<Conversation>,
    /// Arguments and results of tool calls.
    pub tool_io: Vec<ToolIo>,
    /// The body as received, with provider secrets removed.
    pub raw: Option<Vec<u8>>,
    /// Notes and further values about an appointment.
    pub details: Option<AppointmentDetails>,
    /// Names of resources.
    pub names: Option<ResourceNames>,
    /// The text of a task.
    pub task: Option<TaskText>,
}

impl fmt::Debug for Sections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sections(..)")
    }
}

impl Sections {
    /// Returns true if the event has no personal data to seal.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.party.is_none()
            && self.conversation.is_none()
            && self.tool_io.is_empty()
            && self.raw.is_none()
            && self.details.is_none()
            && self.names.is_none()
            && self.task.is_none()
    }

    /// Returns the sections that are present, in the order of [`SectionName::ALL`]. The plaintext of
    /// a section is made when the iterator reaches it, so only one is in memory at a time.
    pub fn iter(&self) -> impl Iterator<Item = Section<'_>> {
        SectionName::ALL.into_iter().filter_map(|name| {
            Some(Section { name, subject: SectionSubject::Person, plain: self.plain(name)? })
        })
    }

    fn plain(&self, name: SectionName) -> Option<Cow<'_, [u8]>> {
        match name {
            SectionName::Party => self.party.as_ref().map(json),
            SectionName::ToolIo => (!self.tool_io.is_empty()).then(|| json(&self.tool_io)),
            SectionName::Conversation => self.conversation.as_ref().map(json),
            SectionName::Raw => self.raw.as_deref().map(Cow::Borrowed),
            SectionName::Details => self.details.as_ref().map(json),
            SectionName::Names => self.names.as_ref().map(json),
            SectionName::Task => self.task.as_ref().map(json),
        }
    }
}

fn json<T: Serialize>(content: &T) -> Cow<'static, [u8]> {
    Cow::Owned(serde_json::to_vec(content).expect("sections are plain data"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_has_the_present_sections_in_the_order_of_their_names() {
        let sections = Sections {
            party: Some(Party { name: Some("Example Person".into()), ..Party::default() }),
            raw: Some(b"{}".to_vec()),
            ..Sections::default()
        };
        let listed: Vec<_> =
            sections.iter().map(|section| (section.name, section.plain.into_owned())).collect();
        let party = br#"{"name":"Example Person"}"#.to_vec();
        assert_eq!(listed, [(SectionName::Party, party), (SectionName::Raw, b"{}".to_vec())]);
        assert!(Sections::default().iter().next().is_none() && Sections::default().is_empty());
        assert_eq!(
            format!("{sections:?} {:?}", sections.iter().next().expect("one")),
            "Sections(..) Section(party, ..)"
        );
    }

    #[test]
    fn each_section_parses_from_its_stored_name() {
        for name in SectionName::ALL {
            assert_eq!(SectionName::parse(name.as_str().as_bytes()), Some(name));
        }
        assert_eq!(SectionName::parse(b"profile"), None);
    }
}
