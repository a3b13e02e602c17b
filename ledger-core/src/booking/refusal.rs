//! Rejections of booking commands. They contain no personal data and no information about the
//! appointment that occupies a time.

use thiserror::Error;

use crate::event::AppointmentStatus;
use crate::ids::AppointmentId;

/// The reason for which a command is refused. Nothing is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Refusal {
    /// The time is taken on every resource in question.
    #[error("the time is taken")]
    SlotTaken,
    /// The appointment is not within the opening hours.
    #[error("the time is outside the opening hours")]
    OutsideHours,
    /// The resource is closed in that period.
    #[error("it is closed then")]
    Closed,
    /// The resource has as many appointments on that day as the limit permits.
    #[error("no more appointments are taken on that day")]
    DailyLimit,
    /// The time is past.
    #[error("the time is past")]
    Past,
    /// The start is within the minimum notice.
    #[error("the start is too soon")]
    TooShortNotice,
    /// The start is past the horizon of bookings.
    #[error("the start is too far ahead")]
    TooFarAhead,
    /// The start is not a whole minute.
    #[error("the start is not a whole minute")]
    InvalidStart,
    /// The length is zero or longer than a day.
    #[error("the length is not possible")]
    InvalidDuration,
    /// The period is empty, or longer than one command or query may cover.
    #[error("the period is not possible")]
    InvalidPeriod,
    /// There is no such resource.
    #[error("there is no such resource")]
    UnknownResource,
    /// The service does not take place on the resource.
    #[error("the service is not offered on that resource")]
    UnfitResource,
    /// The service takes place only on resources that there are not.
    #[error("the service takes place on no resource that there is")]
    NoResource,
    /// There is no such service.
    #[error("there is no such service")]
    UnknownService,
    /// There is no such appointment.
    #[error("there is no such appointment")]
    AppointmentNotFound,
    /// The id of the new appointment is in use.
    #[error("the appointment exists already")]
    AppointmentExists,
    /// An open appointment with the same person or call, start and service exists. The answer to the
    /// command is that appointment.
    #[error("the wish has an appointment already")]
    AlreadyBooked(AppointmentId),
    /// The appointment has a status from which this change is not permitted.
    #[error("an appointment that is {} cannot become {}", from.as_str(), to.as_str())]
    InvalidTransition {
        /// The current status.
        from: AppointmentStatus,
        /// The status after the change.
        to: AppointmentStatus,
    },
    /// The appointment has no longer the start that the command names.
    #[error("the appointment was moved meanwhile")]
    Moved,
    /// The appointment has not started, so its end is not known.
    #[error("the appointment has not started")]
    NotStarted,
    /// There is no such hold on that resource and day.
    #[error("there is no such hold")]
    HoldNotFound,
    /// The hold has ended; its slot may be taken.
    #[error("the hold has ended")]
    HoldExpired,
    /// There is no such closure on that resource and day.
    #[error("there is no such closure")]
    ClosureNotFound,
}

impl Refusal {
    /// Returns the stable code for the API.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::SlotTaken => "slot-taken",
            Self::OutsideHours => "outside-hours",
            Self::Closed => "closed",
            Self::DailyLimit => "daily-limit",
            Self::Past => "past",
            Self::TooShortNotice => "too-short-notice",
            Self::TooFarAhead => "too-far-ahead",
            Self::InvalidStart => "invalid-start",
            Self::InvalidDuration => "invalid-duration",
            Self::InvalidPeriod => "invalid-period",
            Self::UnknownResource => "unknown-resource",
            Self::UnfitResource => "unfit-resource",
            Self::NoResource => "no-resource",
            Self::UnknownService => "unknown-service",
            Self::AppointmentNotFound => "appointment-not-found",
            Self::AppointmentExists => "appointment-exists",
            Self::AlreadyBooked(_) => "already-booked",
            Self::InvalidTransition { .. } => "invalid-transition",
            Self::Moved => "appointment-moved",
            Self::NotStarted => "not-started",
            Self::HoldNotFound => "hold-not-found",
            Self::HoldExpired => "hold-expired",
            Self::ClosureNotFound => "closure-not-found",
        }
    }
}
