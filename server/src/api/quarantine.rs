//! The quarantine: webhooks whose tenant could not be told, listed and replayed. It belongs to the
//! installation, so only the installation's own keys see anything in it: to a tenant's key the list
//! is empty and every entry missing, whatever its scopes.

pub mod list;
pub mod replay;
