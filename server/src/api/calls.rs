//! Calls: the list, one call, and its events.

pub mod customer;
pub mod events;
pub mod filter;
pub mod list;
pub mod personal;
pub mod show;
pub mod view;
