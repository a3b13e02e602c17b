//! Contacts: persons with fields, handles and tags, and their merges.
//!
//! A contact is a subject of the vault; one that only calls made has no stream until a user of the
//! API changes it. Merges are flat: a contact that was merged names the survivor itself, also after
//! the survivor was merged into another contact, so every order of the same merges ends alike.

mod command;
mod decide;
mod fields;
#[cfg(test)]
mod tests;

pub use command::{ContactAction, ContactChange, ContactCommand, ContactRefusal, Merge};
pub use decide::{ContactState, Contacts, MAX_MERGED, MAX_TAGS};
pub use fields::{CustomFields, CustomValue, MAX_CUSTOM_FIELDS, MAX_CUSTOM_TEXT, Word};
