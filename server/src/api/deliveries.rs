//! Single webhooks, as far as a record of them is kept.

pub mod incoming;
