//! Webhooks one by one, as far as something is kept of them.

pub mod incoming;
