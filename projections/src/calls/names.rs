//! Stored and public names of directions and statuses.

use ledger_core::event::{Direction, Status};

/// Returns the stored and public name of a direction.
#[must_use]
pub const fn direction_name(direction: Direction) -> &'static str {
    match direction {
        Direction::Inbound => "inbound",
        Direction::Outbound => "outbound",
        Direction::Web => "web",
    }
}

/// Returns the stored and public name of a status.
#[must_use]
pub const fn status_name(status: Status) -> &'static str {
    match status {
        Status::Queued => "queued",
        Status::Ringing => "ringing",
        Status::InProgress => "in_progress",
        Status::Forwarding => "forwarding",
        Status::Ended => "ended",
    }
}
