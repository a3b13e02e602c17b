//! The sections of an event: names, places and subjects of the personal data that is sealed.
//!
//! [`Sections::iter`] is the list that the store seals. The store knows neither the sections by name
//! nor the types of their content, so a section is a line here, with its type in
//! [`personal`](crate::personal).

use std::borrow::Cow;
use std::fmt;

use serde::Serialize;

use crate::contact::CustomFields;
use crate::personal::{
    Annotation, AppointmentDetails, Conversation, Party, RequestText, ResourceNames, TaskText,
    ToolIo,
};

/// Declares the sections: variant of [`SectionName`], stored name, column of the log, field of
/// [`Sections`], and the method that makes its plaintext.
macro_rules! sections {
    ($($(#[$doc:meta])+ $variant:ident = $name:literal in $column:ident, $field:ident: $content:ty, $plain:ident;)+) => {
        /// The sections that an event may have.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum SectionName {
            $($(#[$doc])+ $variant,)+
        }

        impl SectionName {
            /// All sections, in the order in which they are sealed.
            pub const ALL: [Self; [$($name),+].len()] = [$(Self::$variant),+];

            /// The name stored and authenticated in the section.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }

            const fn column(self) -> Column {
                match self {
                    $(Self::$variant => Column::$column,)+
                }
            }
        }

        /// Personal data of an event, to be sealed under the subject's key. `Debug` prints no values.
        #[derive(Clone, Default)]
        pub struct Sections {
            $($(#[$doc])+ pub $field: $content,)+
        }

        impl Sections {
            /// Returns true if the event has no personal data to seal.
            #[must_use]
            pub fn is_empty(&self) -> bool {
                $(self.$field.is_absent())&&+
            }

            fn plain(&self, name: SectionName) -> Option<Cow<'_, [u8]>> {
                match name {
                    $(SectionName::$variant => self.$field.$plain(),)+
                }
            }
        }
    };
}

sections! {
    /// Name, number, e-mail address and external id of the person.
    Party = "party" in Sections, party: Option<Party>, json;
    /// Arguments and results of tool calls.
    ToolIo = "tool_io" in Sections, tool_io: Vec<ToolIo>, json;
    /// The transcript and messages of the call.
    Conversation = "conversation" in Bulk, conversation: Option<Conversation>, json;
    /// The webhook body as received, without provider secrets.
    Raw = "raw" in Bulk, raw: Option<Vec<u8>>, bytes;
    /// Notes and further values about an appointment.
    Details = "details" in Sections, details: Option<AppointmentDetails>, json;
    /// Names of resources.
    Names = "names" in Sections, names: Option<ResourceNames>, json;
    /// A text or a document that was added to a call.
    Annotation = "annotation" in Bulk, annotation: Option<Annotation>, json;
    /// Custom fields of a contact.
    CustomFields = "custom_fields" in Sections, custom_fields: Option<CustomFields>, json;
    /// The text of a task.
    Task = "task" in Sections, task: Option<TaskText>, json;
    /// Texts of a request to erase the person.
    Request = "request" in Sections, request: Option<RequestText>, json;
}

/// Columns of the log with sections.
#[derive(PartialEq, Eq)]
enum Column {
    Sections,
    Bulk,
}

impl SectionName {
    /// Returns the section with this stored name, or `None` for an unknown one.
    #[must_use]
    pub fn parse(name: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str().as_bytes() == name)
    }

    /// Whether sections of this name are large and stored in the log's `bulk` column.
    #[must_use]
    pub const fn is_bulk(self) -> bool {
        matches!(self.column(), Column::Bulk)
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

impl fmt::Debug for Sections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sections(..)")
    }
}

impl Sections {
    /// Returns the sections that are present, in the order of [`SectionName::ALL`]. The plaintext of
    /// a section is made when the iterator reaches it, so only one is in memory at a time.
    pub fn iter(&self) -> impl Iterator<Item = Section<'_>> {
        SectionName::ALL.into_iter().filter_map(|name| {
            Some(Section { name, subject: SectionSubject::Person, plain: self.plain(name)? })
        })
    }
}

/// The content of a section that an event may lack.
trait Content {
    fn is_absent(&self) -> bool;

    /// The content as JSON.
    fn json(&self) -> Option<Cow<'_, [u8]>>;
}

impl<T: Serialize> Content for Option<T> {
    fn is_absent(&self) -> bool {
        self.is_none()
    }

    fn json(&self) -> Option<Cow<'_, [u8]>> {
        self.as_ref().map(to_json)
    }
}

impl<T: Serialize> Content for Vec<T> {
    fn is_absent(&self) -> bool {
        self.is_empty()
    }

    fn json(&self) -> Option<Cow<'_, [u8]>> {
        (!self.is_empty()).then(|| to_json(self))
    }
}

/// Content that is sealed as it is.
trait Bytes {
    fn bytes(&self) -> Option<Cow<'_, [u8]>>;
}

impl Bytes for Option<Vec<u8>> {
    fn bytes(&self) -> Option<Cow<'_, [u8]>> {
        self.as_deref().map(Cow::Borrowed)
    }
}

fn to_json<T: Serialize>(content: &T) -> Cow<'static, [u8]> {
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
