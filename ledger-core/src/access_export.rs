//! Exports of a subject's data for the person, decided without I/O.
//!
//! A decision is made over the streams of an erasure: so of a fence and an export at the same time,
//! the log accepts one, and an export is complete only while no contact was merged since it was
//! begun. See `docs/decisions/0057-access-export.md`.

use std::collections::BTreeMap;

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use thiserror::Error;

use crate::aggregate::{Aggregate, Decided, Stream};
use crate::envelope::StreamKind;
use crate::erasure::{ErasureEvent, MAX_DAYS_RECEIVED, SubjectState};
use crate::event::{AccessExported, AccessRequested, Requester, SubjectEvent, Term};
use crate::ids::{ErasureId, ExportId, StreamId, SubjectId, TenantId};

/// The aggregate of the exports of a subject's data.
#[derive(Debug, Clone, Copy)]
pub struct AccessExports;

/// A command, with the time that its decision depends on.
#[derive(Debug, Clone)]
pub struct AccessCommand {
    /// The subject. It exists.
    pub subject_id: SubjectId,
    /// The time of the command.
    pub now: DateTime<Utc>,
    /// The requested action.
    pub action: AccessAction,
}

/// The action that a command requests.
#[derive(Debug, Clone)]
pub enum AccessAction {
    /// Record a request for a copy of the data.
    Request(NewAccess),
    /// Record that the copy was made.
    Complete(AccessExported),
}

/// A request for a copy of the data.
#[derive(Debug, Clone, Copy)]
pub struct NewAccess {
    /// Id of the export, which is not in use.
    pub export_id: ExportId,
    /// The party that requests it.
    pub requester: Requester,
    /// Receipt of the request. Recorded in microseconds.
    pub received_at: DateTime<Utc>,
}

/// The reason for which a command is rejected. Nothing is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum AccessRejection {
    /// The contact was merged; the survivor has to be named.
    #[error("the contact was merged into {into}")]
    Merged {
        /// The survivor.
        into: SubjectId,
    },
    /// The subject is fenced or erased, so there is nothing that can be read.
    #[error("the subject was erased by erasure {0}")]
    Erased(ErasureId),
    /// The id of the new export is in use.
    #[error("the id is in use")]
    Exists,
    /// The receipt of the request is in the future.
    #[error("the request would have been received in the future")]
    ReceivedInFuture,
    /// The receipt of the request is further in the past than [`MAX_DAYS_RECEIVED`].
    #[error("the request was received more than {MAX_DAYS_RECEIVED} days ago")]
    ReceivedTooEarly,
    /// The subject has no such export.
    #[error("the subject has no such export")]
    NoSuchExport,
    /// Contacts were merged since the export was begun; it has to be made again.
    #[error("contacts were merged while the export was made")]
    Outdated,
}

/// An export of a subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Export {
    /// The request.
    pub requested: AccessRequested,
    /// The disclosure; `None` until the export was made.
    pub exported: Option<AccessExported>,
}

/// The exports of a subject, with the merges and erasures that they depend on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccessState {
    subject: SubjectState,
    exports: BTreeMap<ExportId, Export>,
}

impl AccessState {
    /// Returns the export with this id.
    #[must_use]
    pub fn export(&self, export_id: ExportId) -> Option<&Export> {
        self.exports.get(&export_id)
    }

    /// Returns the contacts that were merged into a subject, sorted.
    #[must_use]
    pub fn parts_of(&self, subject_id: SubjectId) -> Vec<SubjectId> {
        self.subject.parts_of(subject_id)
    }

    /// Whether the processing of a subject is restricted.
    #[must_use]
    pub fn is_restricted(&self, subject_id: SubjectId) -> bool {
        self.subject.is_restricted(subject_id)
    }

    fn check_readable(&self, subject_id: SubjectId) -> Result<(), AccessRejection> {
        if let Some(into) = self.subject.merged_into(subject_id) {
            return Err(AccessRejection::Merged { into });
        }
        let parts = self.parts_of(subject_id);
        let mut people = std::iter::once(subject_id).chain(parts);
        match people.find_map(|person| self.subject.fence_on(person)) {
            Some(erasure_id) => Err(AccessRejection::Erased(erasure_id)),
            None => Ok(()),
        }
    }

    fn request(
        &self,
        subject_id: SubjectId,
        now: DateTime<Utc>,
        new: &NewAccess,
    ) -> Result<AccessRequested, AccessRejection> {
        self.check_readable(subject_id)?;
        if self.exports.contains_key(&new.export_id) {
            return Err(AccessRejection::Exists);
        }
        let ago = now.signed_duration_since(new.received_at);
        if ago < TimeDelta::zero() {
            return Err(AccessRejection::ReceivedInFuture);
        }
        if ago > TimeDelta::days(MAX_DAYS_RECEIVED) {
            return Err(AccessRejection::ReceivedTooEarly);
        }
        let received_at = new.received_at.trunc_subsecs(6);
        Ok(AccessRequested {
            export_id: new.export_id,
            subject_id,
            requester: new.requester,
            received_at,
            due_at: Term::ACCESS.end(received_at),
        })
    }

    /// Whether the disclosure is recorded already.
    fn complete(
        &self,
        subject_id: SubjectId,
        made: &AccessExported,
    ) -> Result<bool, AccessRejection> {
        let export = self.exports.get(&made.export_id);
        let of_subject = export.filter(|export| export.requested.subject_id == subject_id);
        if of_subject.ok_or(AccessRejection::NoSuchExport)?.exported.is_some() {
            return Ok(true);
        }
        self.check_readable(subject_id)?;
        if made.parts != self.parts_of(subject_id) {
            return Err(AccessRejection::Outdated);
        }
        Ok(false)
    }
}

impl Aggregate for AccessExports {
    type State = AccessState;
    type Command = AccessCommand;
    type Event = ErasureEvent;
    type Rejection = AccessRejection;

    fn streams(tenant_id: TenantId, command: &AccessCommand) -> Vec<Stream> {
        let subject_id = command.subject_id;
        vec![
            Stream::new(tenant_id.subject_stream(subject_id), StreamKind::Subject),
            Stream::new(StreamId(subject_id.0), StreamKind::Contact),
        ]
    }

    /// The streams of the survivor of the subject, then of its parts.
    fn further_streams(
        tenant_id: TenantId,
        state: &AccessState,
        command: &AccessCommand,
    ) -> Vec<Stream> {
        let survivor = state.subject.merged_into(command.subject_id);
        let parts = state.parts_of(command.subject_id);
        let stream =
            |subject_id| Stream::new(tenant_id.subject_stream(subject_id), StreamKind::Subject);
        survivor.into_iter().chain(parts).map(stream).collect()
    }

    fn decide(
        state: &AccessState,
        command: &AccessCommand,
    ) -> Result<Vec<Decided<ErasureEvent>>, AccessRejection> {
        let AccessCommand { subject_id, now, action } = command;
        let event = match action {
            AccessAction::Request(new) => {
                SubjectEvent::AccessRequested(state.request(*subject_id, *now, new)?)
            }
            AccessAction::Complete(made) if state.complete(*subject_id, made)? => {
                return Ok(Vec::new());
            }
            AccessAction::Complete(made) => SubjectEvent::AccessExported(AccessExported {
                expires_at: made.expires_at.trunc_subsecs(6),
                ..made.clone()
            }),
        };
        Ok(vec![Decided::first(event.into())])
    }

    fn evolve(state: &mut AccessState, event: &ErasureEvent) {
        state.subject.evolve(event);
        match event {
            ErasureEvent::Subject(SubjectEvent::AccessRequested(requested)) => {
                let export = Export { requested: *requested, exported: None };
                state.exports.insert(requested.export_id, export);
            }
            ErasureEvent::Subject(SubjectEvent::AccessExported(exported)) => {
                if let Some(export) = state.exports.get_mut(&exported.export_id) {
                    export.exported = Some(exported.clone());
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests;
