//! Webhook sources: create, list with counts, change, disable, rotate the secret.
//!
//! A tenant's key sees the tenant's own sources. The installation's key sees the shared ones, which are
//! assigned to no tenant, and can disable every source.

pub mod create;
pub mod disable;
pub mod enable;
pub mod list;
pub mod rotate_secret;
pub mod settings;
pub mod update;
