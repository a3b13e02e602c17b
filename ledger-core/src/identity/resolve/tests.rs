//! Table of cases with one row per rule.

use HandleKind::{Email, ExternalId, Phone, Sip};
use uuid::Uuid;

use super::*;

const ANNA: NameIndex = [1; 16];
const BEN: NameIndex = [2; 16];

fn id(nth: u128) -> SubjectId {
    SubjectId(Uuid::from_u128(nth))
}

fn contact(nth: u128, name: Option<NameIndex>, strongest: HandleKind) -> Contact {
    Contact { contact_id: id(nth), name, strongest }
}

fn known(kind: HandleKind, contacts: &[Contact]) -> HandleContacts {
    HandleContacts { kind, contacts: contacts.to_vec() }
}

fn is(nth: u128) -> Resolution {
    Resolution::Contact { contact_id: id(nth), takes_name: false }
}

fn becomes(nth: u128) -> Resolution {
    Resolution::Contact { contact_id: id(nth), takes_name: true }
}

fn new(beside: Option<u128>) -> Resolution {
    Resolution::New { possible_duplicate_of: beside.map(id) }
}

fn own(candidates: &[u128]) -> Resolution {
    Resolution::Own { candidates: candidates.iter().copied().map(id).collect() }
}

/// A contact without a name, with a strongest handle of this kind.
fn nameless_by(kind: HandleKind) -> Contact {
    contact(1, None, kind)
}

fn anna_by(kind: HandleKind) -> Contact {
    contact(1, Some(ANNA), kind)
}

fn ben_by(kind: HandleKind) -> Contact {
    contact(2, Some(BEN), kind)
}

/// Another contact with Anna's name.
fn other_anna_by(kind: HandleKind) -> Contact {
    contact(3, Some(ANNA), kind)
}

type Row = (&'static str, Vec<HandleContacts>, Option<NameIndex>, Resolution);

fn check(rows: Vec<Row>) {
    for (rule, handles, name, wanted) in rows {
        assert_eq!(resolve(&handles, name), wanted, "{rule}");
    }
}

#[test]
fn what_nobody_told_before_makes_a_contact_unless_it_is_an_e_mail_address_alone() {
    check(vec![
        ("nothing told", vec![], None, own(&[])),
        ("a name alone", vec![], Some(ANNA), own(&[])),
        ("an unknown number", vec![known(Phone, &[])], None, new(None)),
        ("an unknown SIP address", vec![known(Sip, &[])], None, new(None)),
        ("an unknown external id", vec![known(ExternalId, &[])], None, new(None)),
        ("an unknown e-mail alone", vec![known(Email, &[])], None, own(&[])),
        ("an unknown e-mail with a name", vec![known(Email, &[])], Some(ANNA), new(None)),
    ]);
}

#[test]
fn an_external_id_decides_unless_another_name_is_told() {
    check(vec![
        ("a known external id", vec![known(ExternalId, &[anna_by(ExternalId)])], None, is(1)),
        ("… with its name", vec![known(ExternalId, &[anna_by(ExternalId)])], Some(ANNA), is(1)),
        (
            "… with another",
            vec![known(ExternalId, &[anna_by(ExternalId)])],
            Some(BEN),
            new(Some(1)),
        ),
        (
            "… that has no name yet",
            vec![known(ExternalId, &[nameless_by(ExternalId)]), known(Phone, &[ben_by(Phone)])],
            Some(BEN),
            becomes(1),
        ),
        (
            "a known external id beside a known number of somebody else",
            vec![known(ExternalId, &[anna_by(ExternalId)]), known(Phone, &[ben_by(Phone)])],
            None,
            is(1),
        ),
    ]);
}

#[test]
fn different_external_ids_are_never_one_contact() {
    check(vec![
        (
            "another external id on the number and name of somebody with one",
            vec![known(ExternalId, &[]), known(Phone, &[anna_by(ExternalId)])],
            Some(ANNA),
            new(Some(1)),
        ),
        (
            "a new external id on the number and name of somebody without one",
            vec![known(ExternalId, &[]), known(Phone, &[anna_by(Phone)])],
            Some(ANNA),
            is(1),
        ),
        (
            "… rather than of another holder has one",
            vec![
                known(ExternalId, &[]),
                known(Phone, &[anna_by(ExternalId), other_anna_by(Phone)]),
            ],
            Some(ANNA),
            is(3),
        ),
        (
            "a known external id beside the same name of another id",
            vec![known(ExternalId, &[ben_by(ExternalId)]), known(Phone, &[anna_by(ExternalId)])],
            Some(ANNA),
            new(Some(2)),
        ),
        (
            "no external id, and one of the name has one",
            vec![known(Phone, &[anna_by(ExternalId)])],
            Some(ANNA),
            is(1),
        ),
        (
            "no external id, and several of the name have one",
            vec![known(Phone, &[anna_by(ExternalId), other_anna_by(ExternalId)])],
            Some(ANNA),
            new(Some(1)),
        ),
        (
            "no external id, and one of several of the name has none",
            vec![known(Phone, &[anna_by(ExternalId), other_anna_by(Phone)])],
            Some(ANNA),
            is(3),
        ),
    ]);
}

#[test]
fn a_known_handle_with_the_same_name_is_that_contact() {
    check(vec![
        ("a known number and its name", vec![known(Phone, &[anna_by(Phone)])], Some(ANNA), is(1)),
        (
            "of several contacts the one with the name",
            vec![known(Phone, &[anna_by(Phone), ben_by(Phone)])],
            Some(BEN),
            is(2),
        ),
        (
            "a new number with a known e-mail and its name",
            vec![known(Phone, &[]), known(Email, &[anna_by(Phone)])],
            Some(ANNA),
            is(1),
        ),
    ]);
}

#[test]
fn a_handle_of_one_contact_is_that_contact_when_no_name_is_told() {
    check(vec![
        ("a known number", vec![known(Phone, &[anna_by(Phone)])], None, is(1)),
        ("a known e-mail", vec![known(Email, &[anna_by(Phone)])], None, is(1)),
        (
            "a known number and a new e-mail",
            vec![known(Phone, &[anna_by(Phone)]), known(Email, &[])],
            None,
            is(1),
        ),
    ]);
}

#[test]
fn a_contact_without_a_name_takes_the_first_by_a_handle_as_strong_as_any_it_has() {
    check(vec![
        (
            "the first name of a number",
            vec![known(Phone, &[nameless_by(Phone)])],
            Some(ANNA),
            becomes(1),
        ),
        (
            "a name by a weaker handle",
            vec![known(Email, &[nameless_by(Phone)])],
            Some(ANNA),
            new(Some(1)),
        ),
        (
            "a name by the number of somebody with an external id",
            vec![known(Phone, &[nameless_by(ExternalId)])],
            Some(ANNA),
            new(Some(1)),
        ),
    ]);
}

#[test]
fn another_name_is_another_contact() {
    check(vec![(
        "another name on a number",
        vec![known(Phone, &[anna_by(Phone)])],
        Some(BEN),
        new(Some(1)),
    )]);
}

#[test]
fn a_weaker_handle_never_takes_over_a_new_stronger_one() {
    check(vec![
        (
            "a new number with a shared e-mail",
            vec![known(Phone, &[]), known(Email, &[anna_by(Phone)])],
            None,
            new(Some(1)),
        ),
        (
            "a new number with the e-mail of somebody nameless",
            vec![known(Phone, &[]), known(Email, &[nameless_by(Email)])],
            Some(ANNA),
            new(Some(1)),
        ),
        (
            "a new external id on the number of somebody named",
            vec![known(ExternalId, &[]), known(Phone, &[anna_by(Phone)])],
            None,
            new(Some(1)),
        ),
        (
            "a new external id on the number of somebody with another",
            vec![known(ExternalId, &[]), known(Phone, &[nameless_by(ExternalId)])],
            None,
            new(Some(1)),
        ),
        (
            "a new external id for whoever called from the number until now",
            vec![known(ExternalId, &[]), known(Phone, &[nameless_by(Phone)])],
            None,
            is(1),
        ),
        (
            "… and the name",
            vec![known(ExternalId, &[]), known(Phone, &[nameless_by(Phone)])],
            Some(ANNA),
            becomes(1),
        ),
    ]);
}

#[test]
fn several_contacts_and_no_name_is_the_calls_own_subject() {
    check(vec![
        (
            "a shared number",
            vec![known(Phone, &[anna_by(Phone), ben_by(Phone)])],
            None,
            own(&[1, 2]),
        ),
        (
            "a shared number beside one's own e-mail",
            vec![known(Phone, &[anna_by(Phone), ben_by(Phone)]), known(Email, &[ben_by(Phone)])],
            None,
            own(&[1, 2]),
        ),
        (
            "a new external id on a shared number",
            vec![known(ExternalId, &[]), known(Phone, &[anna_by(Phone), ben_by(Phone)])],
            None,
            new(Some(1)),
        ),
        (
            "a shared number beside a new e-mail",
            vec![known(Phone, &[anna_by(Phone), ben_by(Phone)]), known(Email, &[])],
            None,
            own(&[1, 2]),
        ),
    ]);
}
