//! The demo: a month of calls of two clinics.
//!
//! The demo is an ordinary client: traffic is sent through the real HTTP webhook with the real
//! secret, and the reported figures are read back through the API.

pub mod sender;
