//! Bookings: appointments that occupy resources, decided without I/O.
//!
//! A decision is made over the stream of the appointment and the streams of a resource on each UTC
//! day that the *blocked interval* touches: the appointment with its buffers. Two intervals that
//! overlap share a day, so of two commands for the same time the log accepts one. UTC days are used
//! because local days move when the zone of a tenant changes.
//!
//! [`Bookings`] decides; [`availability`] lists free times with the same [`slot`] functions. All
//! rules come from [`settings`]; the times of a booking are copied into its events, so a later
//! change of the settings moves no booking.

pub mod agreement;
pub mod appointment;
pub mod availability;
pub mod command;
mod decide;
pub mod interval;
pub mod local;
mod names;
pub mod refusal;
pub mod schedule;
pub mod settings;
pub mod slot;
mod streams;
#[cfg(test)]
mod tests;

pub use command::{Action, Book, BookingCommand, BookingEvent, Reschedule};
pub use decide::{BookingState, Bookings};
pub use interval::Interval;
pub use names::{ResourceId, ServiceId};
pub use refusal::Refusal;
pub use settings::BookingSettings;
