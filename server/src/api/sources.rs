//! Webhook sources: made, and listed with what came to them. A tenant's key sees the tenant's own
//! sources; the installation's key sees the shared ones, which belong to no tenant.

pub mod create;
pub mod list;
