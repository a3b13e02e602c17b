//! Appointments: lists, bookings and changes. Rules are in `ledger_core::booking`; `refused` maps a refusal
//! to an answer.

mod answer;
pub mod book;
pub mod cancel;
mod change;
pub mod complete;
pub mod confirm;
mod customers;
mod kind;
pub mod list;
pub mod no_show;
pub mod person;
pub mod refused;
pub mod reschedule;
pub mod show;
pub mod view;

use crate::problem::ApiError;

pub(super) use kind::{resource_id, service_id};

/// 404, the same for a missing appointment and for another tenant's.
fn not_found() -> ApiError {
    ApiError::not_found("appointment-not-found", "appointment")
}
