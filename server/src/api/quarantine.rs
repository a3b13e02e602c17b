//! The quarantine: webhooks without a known tenant; list and replay.
//!
//! The quarantine is part of the installation, so only its own keys see the entries: for a tenant's key of
//! any scope the list is empty and every entry is missing.

pub mod list;
pub mod replay;
