//! A repeated wish finds the appointment that it has.

use super::*;

const CALL: Option<StreamId> = Some(StreamId(Uuid::from_u128(5000)));

#[test]
fn the_same_wish_of_one_person_gets_the_existing_appointment() {
    let mut diary = Diary::new(settings(&[]));
    let first = diary.new_booking(monday("09:00"));
    diary.execute(Action::Book(first.clone())).expect("it is free");
    let mut again = diary.new_booking(monday("09:00"));
    again.contact_id = first.contact_id;
    again.kind.resource = Some(resource("main"));
    let answer = diary.execute(Action::Book(again.clone())).map(|_| ());
    assert_eq!(answer, Err(Refusal::AlreadyBooked(first.appointment_id)));

    diary.cancel(first.appointment_id).expect("it is to take place");
    diary.execute(Action::Book(again)).expect("after a cancellation the wish is a new one");
}

#[test]
fn the_same_wish_of_one_call_gets_the_existing_appointment_also_if_the_person_is_told_later() {
    for is_known_first in [false, true] {
        let mut diary = Diary::new(settings(&[(
            "resources",
            json!({
                "resources": [{ "id": "main", "capacity": 2 }]
            }),
        )]));
        let mut first = diary.new_booking(monday("09:00"));
        (first.call_id, first.is_known_person) = (CALL, is_known_first);
        diary.execute(Action::Book(first.clone())).expect("it is free");
        let mut again = diary.new_booking(monday("09:00"));
        (again.call_id, again.is_known_person) = (CALL, !is_known_first);
        let answer = diary.execute(Action::Book(again)).map(|_| ());
        assert_eq!(answer, Err(Refusal::AlreadyBooked(first.appointment_id)));
    }
}

#[test]
fn two_known_people_of_one_call_get_two_appointments() {
    let mut diary = Diary::new(settings(&[(
        "resources",
        json!({
            "resources": [{ "id": "main", "capacity": 2 }]
        }),
    )]));
    for _ in 0..2 {
        let mut book = diary.new_booking(monday("09:00"));
        book.call_id = CALL;
        diary.execute(Action::Book(book)).expect("there are two seats");
    }
}

#[test]
fn another_start_or_another_service_is_another_wish() {
    let two = json!({ "resources": [{ "id": "main", "capacity": 2 }] });
    let services = json!({ "services": [{ "id": "cut", "minutes": 30 }] });
    let mut diary = Diary::new(settings(&[("resources", two), ("services", services)]));
    let first = diary.new_booking(monday("09:00"));
    diary.execute(Action::Book(first.clone())).expect("it is free");
    for (start, wanted) in [("09:15", None), ("09:00", Some(service("cut")))] {
        let mut other = diary.new_booking(monday(start));
        other.contact_id = first.contact_id;
        other.kind.service = wanted;
        diary.execute(Action::Book(other.clone())).expect("it is another wish");
        diary.cancel(other.appointment_id).expect("it is to take place");
    }
}

#[test]
fn a_moved_appointment_fulfils_the_wish_for_its_new_time() {
    let mut diary = Diary::new(settings(&[]));
    let first = diary.new_booking(monday("09:00"));
    diary.execute(Action::Book(first.clone())).expect("it is free");
    diary.reschedule(first.appointment_id, monday("11:00")).expect("it is free");
    let mut wish = diary.new_booking(monday("11:00"));
    wish.contact_id = first.contact_id;
    let answer = diary.execute(Action::Book(wish)).map(|_| ());
    assert_eq!(answer, Err(Refusal::AlreadyBooked(first.appointment_id)));
}
