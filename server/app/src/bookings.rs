//! Bookings of appointments and their changes: the checks and look-ups around the decision of
//! `ledger_core::booking`, for every entrance. A voice tool is answered in the append of its call, by
//! `ledger_store::tool_calls`.

mod admission;
mod availability;
mod book;
mod commands;
mod error;
mod kind;
mod person;

pub use admission::{Busy, CommandAdmission, CommandPermit};
pub use availability::{FreeTimes, free_times};
pub use book::{MAX_MINUTES, MAX_NOTES, NewBooking};
pub use commands::{BookingCommands, Changed};
pub use error::{BookingError, InvalidField};
pub use kind::{resource_id, service_id};
pub use person::{NewContact, check_name};
