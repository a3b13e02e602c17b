//! Every decision on an export: accepted, repeated and refused.

use uuid::Uuid;

use super::*;
use crate::aggregate::testing::given;
use crate::event::*;

const EXPORT: ExportId = ExportId(Uuid::from_u128(0xC));
const ERASURE: ErasureId = ErasureId(Uuid::from_u128(0xE));
const SUBJECT: SubjectId = SubjectId(Uuid::from_u128(0x5));
const PART: SubjectId = SubjectId(Uuid::from_u128(0x6));

fn now() -> DateTime<Utc> {
    "2026-01-31T09:00:00Z".parse().expect("a time")
}

fn command(action: AccessAction) -> AccessCommand {
    AccessCommand { subject_id: SUBJECT, now: now(), action }
}

fn request() -> AccessCommand {
    received(now())
}

fn received(received_at: DateTime<Utc>) -> AccessCommand {
    let requester = Requester::Person;
    command(AccessAction::Request(NewAccess { export_id: EXPORT, requester, received_at }))
}

fn requested() -> ErasureEvent {
    SubjectEvent::AccessRequested(AccessRequested {
        export_id: EXPORT,
        subject_id: SUBJECT,
        requester: Requester::Person,
        received_at: now(),
        due_at: "2026-02-28T09:00:00Z".parse().expect("a time"),
    })
    .into()
}

fn made(parts: &[SubjectId]) -> AccessExported {
    AccessExported {
        export_id: EXPORT,
        subject_id: SUBJECT,
        parts: parts.to_vec(),
        position: 9,
        events: 3,
        sections: 2,
        withheld: 0,
        bytes: 1_000,
        digest: HexDigest([7; 32]),
        expires_at: now() + TimeDelta::days(7),
    }
}

fn exported() -> ErasureEvent {
    SubjectEvent::AccessExported(made(&[])).into()
}

fn complete(parts: &[SubjectId]) -> AccessCommand {
    command(AccessAction::Complete(made(parts)))
}

fn merged(contact_id: SubjectId, into: SubjectId) -> ErasureEvent {
    let (handles, into_handles) = (Vec::new(), Vec::new());
    let merged = ContactMerged { contact_id, into, handles, into_handles, with: None };
    ErasureEvent::Contact(ContactEvent::Merged(merged))
}

/// The events of an erasure up to its fence.
fn fenced(subject_id: SubjectId) -> [ErasureEvent; 3] {
    let requested = ErasureRequested {
        erasure_id: ERASURE,
        subject_id,
        ground: Ground::Objection,
        requester: Requester::Person,
        identity: IdentityCheck::Account,
        received_at: now(),
        due_at: now(),
    };
    let fenced = SubjectFenced { erasure_id: ERASURE, fenced_at: now() };
    [
        SubjectEvent::ErasureRequested(requested).into(),
        SubjectEvent::ErasureAllowed(ErasureAllowed { erasure_id: ERASURE }).into(),
        SubjectEvent::Fenced(fenced).into(),
    ]
}

#[test]
fn a_request_is_due_within_a_month_that_has_such_a_day() {
    given::<AccessExports>([]).when(request()).then(Ok(vec![requested()]));
}

#[test]
fn an_export_is_recorded_once() {
    given::<AccessExports>([requested()]).when(complete(&[])).then(Ok(vec![exported()]));
    given::<AccessExports>([requested(), exported()]).when(complete(&[])).then(Ok(vec![]));
    given::<AccessExports>([requested()]).when(request()).then(Err(AccessRejection::Exists));
    given::<AccessExports>([]).when(complete(&[])).then(Err(AccessRejection::NoSuchExport));
}

#[test]
fn a_restricted_person_gets_a_copy_and_an_erased_one_is_refused() {
    let restricted = SubjectRestricted { subject_id: SUBJECT, reason: RestrictionReason::Deferral };
    given::<AccessExports>([SubjectEvent::Restricted(restricted).into()])
        .when(request())
        .then(Ok(vec![requested()]));
    let erased = || Err(AccessRejection::Erased(ERASURE));
    given::<AccessExports>(fenced(SUBJECT)).when(request()).then(erased());
    let part = [vec![merged(PART, SUBJECT)], fenced(PART).to_vec()].concat();
    given::<AccessExports>(part).when(request()).then(erased());
}

#[test]
fn an_export_is_not_handed_over_after_a_fence_or_a_merge() {
    let late = [vec![requested()], fenced(SUBJECT).to_vec()].concat();
    given::<AccessExports>(late).when(complete(&[])).then(Err(AccessRejection::Erased(ERASURE)));
    let grown = || [requested(), merged(PART, SUBJECT)];
    given::<AccessExports>(grown()).when(complete(&[])).then(Err(AccessRejection::Outdated));
    let whole = SubjectEvent::AccessExported(made(&[PART]));
    given::<AccessExports>(grown()).when(complete(&[PART])).then(Ok(vec![whole.into()]));
    let into = Err(AccessRejection::Merged { into: PART });
    given::<AccessExports>([merged(SUBJECT, PART)]).when(request()).then(into);
}

#[test]
fn the_receipt_of_a_request_is_neither_later_than_now_nor_long_ago() {
    let future = received(now() + TimeDelta::seconds(1));
    given::<AccessExports>([]).when(future).then(Err(AccessRejection::ReceivedInFuture));
    let old = received(now() - TimeDelta::days(MAX_DAYS_RECEIVED + 1));
    given::<AccessExports>([]).when(old).then(Err(AccessRejection::ReceivedTooEarly));
}
