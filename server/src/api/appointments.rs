//! Appointments: lists, bookings and changes. Rules are in `ledger_core::booking`; `refused` maps a refusal
//! to an answer.

mod answer;
pub mod book;
pub mod cancel;
mod change;
pub mod complete;
pub mod confirm;
mod customers;
pub mod list;
pub mod no_show;
pub(super) mod refused;
pub mod reschedule;
pub mod show;
pub mod view;

pub use change::NoFields;
