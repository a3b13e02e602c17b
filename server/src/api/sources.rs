//! Webhook sources: made, listed with what came to them, changed, disabled, given a new secret. A
//! tenant's key sees the tenant's own sources; the installation's key sees the shared ones, which belong
//! to no tenant, and can disable every source.

pub mod create;
pub mod disable;
pub mod enable;
pub mod list;
pub mod rotate_secret;
pub mod settings;
pub mod update;
