//! The demo: what the ledger looks like with a month of two clinics' calls in it.
//!
//! It is an ordinary client: traffic goes through the real HTTP webhook with the real secret, and
//! what it reports is read back through the API.

pub mod player;
pub mod traffic;
