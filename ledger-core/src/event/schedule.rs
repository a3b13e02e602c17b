//! Schedule events: what occupies one resource on one UTC day. Their facts refer to appointments by
//! id and to no person, so an erasure leaves them as they are.
//!
//! An interval that touches several UTC days is recorded whole in the stream of each of them.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::SlotFacts;
use crate::booking::ResourceId;
use crate::ids::{AppointmentId, ClosureId, HoldId};

events! {
    /// A change of what occupies one resource on one UTC day.
    ScheduleEvent {
        /// An appointment took its time.
        SlotTaken(SlotTaken) = "schedule.slot_taken" v 1;
        /// An appointment gave its time back, because it was cancelled or moved.
        SlotFreed(SlotFreed) = "schedule.slot_freed" v 1;
        /// The resource was closed for a period.
        Closed(ScheduleClosed) = "schedule.closed" v 1;
        /// A closure was removed.
        Opened(ScheduleOpened) = "schedule.opened" v 1;
        /// A slot was held until a time.
        SlotHeld(SlotHeld) = "schedule.slot_held" v 1;
        /// The slot of a hold became that of an appointment.
        HoldConfirmed(HoldConfirmed) = "schedule.hold_confirmed" v 1;
        /// A hold was given up before its end.
        HoldReleased(HoldReleased) = "schedule.hold_released" v 1;
    }
}

/// Digests of what was wished, by which a repeated wish is recognized. They are derived from the
/// random id of the contact or of the call, the start and the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct WishFacts {
    /// The wish of the contact.
    pub contact: Uuid,
    /// The wish in the call; absent for a booking without a call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<Uuid>,
    /// True if the contact is a known person, false if it is the call's own subject.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_known: bool,
}

/// Facts of `schedule.slot_taken`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotTaken {
    /// UTC day of the stream.
    pub day: NaiveDate,
    /// The appointment.
    pub appointment_id: AppointmentId,
    /// Its time and resource.
    #[serde(flatten)]
    pub slot: SlotFacts,
    /// What was wished.
    pub wish: WishFacts,
}

/// Facts of `schedule.slot_freed`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotFreed {
    /// UTC day of the stream.
    pub day: NaiveDate,
    /// The resource.
    pub resource: ResourceId,
    /// The appointment.
    pub appointment_id: AppointmentId,
}

/// Facts of `schedule.closed`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScheduleClosed {
    /// UTC day of the stream.
    pub day: NaiveDate,
    /// The resource.
    pub resource: ResourceId,
    /// The closure.
    pub closure_id: ClosureId,
    /// Start of the closure.
    pub closed_from: DateTime<Utc>,
    /// End of the closure; not part of it.
    pub closed_until: DateTime<Utc>,
}

/// Facts of `schedule.opened`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScheduleOpened {
    /// UTC day of the stream.
    pub day: NaiveDate,
    /// The resource.
    pub resource: ResourceId,
    /// The removed closure.
    pub closure_id: ClosureId,
}

/// Facts of `schedule.slot_held`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotHeld {
    /// UTC day of the stream.
    pub day: NaiveDate,
    /// The hold.
    pub hold_id: HoldId,
    /// Its time and resource.
    #[serde(flatten)]
    pub slot: SlotFacts,
    /// End of the hold. Nothing is recorded at that time: decisions compare it with their own.
    pub until: DateTime<Utc>,
}

/// Facts of `schedule.hold_confirmed`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldConfirmed {
    /// UTC day of the stream.
    pub day: NaiveDate,
    /// The resource.
    pub resource: ResourceId,
    /// The hold.
    pub hold_id: HoldId,
    /// The appointment that has its slot.
    pub appointment_id: AppointmentId,
    /// What was wished.
    pub wish: WishFacts,
}

/// Facts of `schedule.hold_released`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldReleased {
    /// UTC day of the stream.
    pub day: NaiveDate,
    /// The resource.
    pub resource: ResourceId,
    /// The hold.
    pub hold_id: HoldId,
}
