//! What a call is. See the repository's `ARCHITECTURE.md` for the whole house.
//!
//! `ledger-core <- ledger-store <- projections <- server`. This crate has no I/O, no async, no SQL,
//! no HTTP and no ambient clock: everything in it is a function of its arguments, and it never
//! fails for a reason outside them.

pub mod call;
pub mod clock;
pub mod envelope;
pub mod event;
pub mod identity;
pub mod ids;
pub mod json;
pub mod leaf;
pub mod money;
pub mod personal;
pub mod phone;
pub mod plausible;
pub mod provider;
