//! Contacts: persons with handles, fields, tags and merges.

pub mod add_handle;
mod answer;
pub mod create;
mod described;
pub mod end_handles;
mod input;
pub mod list;
pub mod merge;
pub(super) mod names;
mod opened;
mod refused;
pub mod show;
pub mod timeline;
pub mod update;
pub mod view;
