//! Every transition of a task, permitted and refused.

use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::aggregate::testing::given;

fn now() -> DateTime<Utc> {
    "2026-03-02T09:00:00Z".parse().expect("a time")
}

fn created(due_at: DateTime<Utc>) -> TaskEvent {
    TaskEvent::Created(TaskCreated {
        kind: TaskKind::CallBack,
        due_at,
        contact_id: Some(SubjectId(Uuid::from_u128(1))),
        call_id: None,
        appointment_id: None,
        origin: TaskOrigin::Person,
    })
}

fn done() -> TaskEvent {
    TaskEvent::Done(TaskClosed {})
}

fn cancelled() -> TaskEvent {
    TaskEvent::Cancelled(TaskClosed {})
}

fn command(action: TaskAction) -> TaskCommand {
    TaskCommand { task_id: TaskId(Uuid::from_u128(7)), now: now(), action }
}

fn create(due_at: DateTime<Utc>) -> TaskCommand {
    command(TaskAction::Create(NewTask {
        kind: TaskKind::CallBack,
        due_at,
        contact_id: Some(SubjectId(Uuid::from_u128(1))),
        call_id: None,
        appointment_id: None,
        origin: TaskOrigin::Person,
        text: None,
    }))
}

fn finish() -> TaskCommand {
    command(TaskAction::Finish)
}

fn cancel() -> TaskCommand {
    command(TaskAction::Cancel)
}

#[test]
fn a_task_is_made_once() {
    given::<Tasks>([]).when(create(now())).then(Ok(vec![created(now())]));
    given::<Tasks>([created(now())]).when(create(now())).then(Err(TaskRefusal::Exists));
    given::<Tasks>([created(now()), done()]).when(create(now())).then(Err(TaskRefusal::Exists));
}

#[test]
fn a_text_is_in_a_section_and_not_in_the_facts() {
    let mut made = create(now());
    let TaskAction::Create(task) = &mut made.action else { panic!("a new task") };
    let text = Some(TaskText { text: "Call Anna Example".to_owned() });
    task.text.clone_from(&text);
    let decided = Tasks::decide(&None, &made).expect("it is accepted");
    assert_eq!(decided[0].sections.task, text);
    assert!(!decided[0].event.to_facts().contains("Anna"));
    assert!(!format!("{made:?} {decided:?}").contains("Anna"));
}

#[test]
fn an_open_task_is_done_or_cancelled() {
    given::<Tasks>([created(now())]).when(finish()).then(Ok(vec![done()]));
    given::<Tasks>([created(now())]).when(cancel()).then(Ok(vec![cancelled()]));
}

#[test]
fn a_change_to_the_present_status_records_nothing() {
    given::<Tasks>([created(now()), done()]).when(finish()).then(Ok(vec![]));
    given::<Tasks>([created(now()), cancelled()]).when(cancel()).then(Ok(vec![]));
}

#[test]
fn a_closed_task_stays_as_it_is() {
    use TaskStatus::{Cancelled, Done};
    given::<Tasks>([created(now()), done()])
        .when(cancel())
        .then(Err(TaskRefusal::InvalidTransition { from: Done, to: Cancelled }));
    given::<Tasks>([created(now()), cancelled()])
        .when(finish())
        .then(Err(TaskRefusal::InvalidTransition { from: Cancelled, to: Done }));
}

#[test]
fn a_task_that_was_never_made_cannot_be_closed() {
    given::<Tasks>([]).when(finish()).then(Err(TaskRefusal::NotFound));
    given::<Tasks>([]).when(cancel()).then(Err(TaskRefusal::NotFound));
}

#[test]
fn a_due_time_is_at_most_a_month_ago_and_five_years_ahead() {
    let second = TimeDelta::seconds(1);
    let earliest = now() - TimeDelta::days(31);
    let latest = now() + TimeDelta::days(1826);
    for due_at in [earliest, latest] {
        given::<Tasks>([]).when(create(due_at)).then(Ok(vec![created(due_at)]));
    }
    for (due_at, refusal) in [
        (earliest - second, TaskRefusal::DueTooEarly),
        (DateTime::<Utc>::MIN_UTC, TaskRefusal::DueTooEarly),
        (latest + second, TaskRefusal::DueTooLate),
        ("9999-12-31T23:59:59Z".parse().expect("a time"), TaskRefusal::DueTooLate),
        (DateTime::<Utc>::MAX_UTC, TaskRefusal::DueTooLate),
    ] {
        given::<Tasks>([]).when(create(due_at)).then(Err(refusal));
    }
}

#[test]
fn a_due_time_is_recorded_in_microseconds() {
    let nanos = now() + TimeDelta::nanoseconds(1_999);
    let recorded = now() + TimeDelta::microseconds(1);
    given::<Tasks>([]).when(create(nanos)).then(Ok(vec![created(recorded)]));
}

proptest! {
    #[test]
    fn of_any_commands_one_makes_the_task_and_one_closes_it(
        actions in proptest::collection::vec(0u8..3, 0..20),
    ) {
        let mut status = None;
        let mut events = Vec::new();
        for action in actions {
            let command = match action { 0 => create(now()), 1 => finish(), _ => cancel() };
            for decided in Tasks::decide(&status, &command).unwrap_or_default() {
                Tasks::evolve(&mut status, &decided.event);
                events.push(decided.event.event_type());
            }
        }
        prop_assert!(events.len() <= 2);
        prop_assert!(events.first().is_none_or(|first| *first == "task.created"));
        prop_assert!(events.get(1).is_none_or(|second| *second != "task.created"));
    }
}
