//! Calls: the list, one call, and its events.

pub mod customer;
pub mod events;
pub mod filter;
pub mod list;
pub mod personal;
mod redacted;
pub mod show;
pub mod view;
