//! Erasures, legal holds and restrictions of subjects, decided without I/O.
//!
//! A decision is made over the stream of the subject, its contact stream, and the streams of the
//! subjects that are one person with it by merges. So of an erasure's fence and a hold, a merge or a
//! second request at the same time, the log accepts one. Effects outside the log, such as the fence
//! in the vault, are made before the event that records them. See
//! `docs/decisions/0049-erasure.md`.

pub mod certificate;
mod command;
mod decide;
mod event;
mod repeat;
mod state;
mod steps;
#[cfg(test)]
mod tests;

pub use self::command::{
    ErasureAction, ErasureCommand, ErasureRejection, MAX_DAYS_RECEIVED, NewErasure,
};
pub use self::decide::Erasures;
pub use self::event::ErasureEvent;
pub use self::repeat::RepeatedErasure;
pub use self::state::{Erasure, ErasureState, Phase, SubjectState};
pub use self::steps::{Step, StepFacts};
