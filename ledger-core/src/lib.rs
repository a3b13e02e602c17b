//! Domain types of the ledger: events, the fold of a call, provider adapters, money and ids.
//! `ARCHITECTURE.md` in the repository root describes how the crates fit together.
//!
//! `ledger-core <- ledger-store <- projections <- server`. This crate has no I/O, no async, no SQL,
//! no HTTP and no ambient clock. Every function depends on its arguments only and never fails for
//! another reason.

pub mod access_export;
pub mod actor;
pub mod aggregate;
pub mod annotation;
pub mod booking;
pub mod call;
pub mod canonical;
pub mod clear;
pub mod clock;
pub mod contact;
pub mod dates;
pub mod envelope;
pub mod erasure;
pub mod event;
pub mod identity;
pub mod ids;
pub mod json;
pub mod lead_score;
pub mod leaf;
pub mod money;
pub mod note;
pub mod outcome;
pub mod personal;
pub mod phone;
pub mod plausible;
pub mod provider;
pub mod redact;
pub mod retention;
pub mod scope;
pub mod section;
pub mod settings;
pub mod task;
pub mod tenant;
pub mod text;
pub mod tools;
