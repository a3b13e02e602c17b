//! Contacts: persons with fields, handles and tags, and their merges.
//!
//! A contact is a subject of the vault. A contact that was created from a call has no stream until it
//! is changed over the API. Merges are flat: a merged contact refers to the final survivor, also
//! after that survivor was merged into another contact. The result does not depend on the order of
//! the merges.

mod command;
mod decide;
mod fields;
mod merges;
mod settings;
#[cfg(test)]
mod tests;

pub use command::{ContactAction, ContactChange, ContactCommand, ContactRefusal, Merge};
pub use decide::{ContactState, Contacts, MAX_MERGED, MAX_TAGS};
pub use fields::{CustomFields, CustomValue, MAX_CUSTOM_FIELDS, MAX_CUSTOM_TEXT, Word};
pub use merges::Merges;
pub use settings::{ContactSettings, DividedFields};
