//! Erasures: their list, states and certificates, and decisions on them. The process is in
//! `ledger_app::erasures`.

pub mod certificate;
pub mod extend;
mod found;
pub mod list;
pub mod refuse;
mod refused;
pub mod show;
pub mod view;

pub(super) use refused::refused;
