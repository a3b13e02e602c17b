//! Calls: a page of them, one of them, and the events it is made of.

pub mod events;
pub mod filter;
pub mod list;
pub mod personal;
pub mod show;
pub mod view;
