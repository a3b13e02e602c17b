//! Terms, receipts and texts.

use proptest::prelude::*;

use super::*;

fn time(text: &str) -> DateTime<Utc> {
    text.parse().expect("a time")
}

#[test]
fn a_month_ends_on_its_last_day() {
    for (received, end, extended) in [
        ("2026-01-31T09:00:00Z", "2026-02-28T09:00:00Z", "2026-04-30T09:00:00Z"),
        ("2028-01-30T09:00:00Z", "2028-02-29T09:00:00Z", "2028-04-30T09:00:00Z"),
        ("2026-03-31T23:59:59Z", "2026-04-30T23:59:59Z", "2026-06-30T23:59:59Z"),
        ("2026-11-30T00:00:00Z", "2026-12-30T00:00:00Z", "2027-02-28T00:00:00Z"),
        ("2026-12-15T12:00:00Z", "2027-01-15T12:00:00Z", "2027-03-15T12:00:00Z"),
    ] {
        let term = Ground::NotNecessary.term();
        assert_eq!(term.end(time(received)), time(end));
        assert_eq!(term.extended_end(time(received)), Some(time(extended)));
    }
}

#[test]
fn the_end_of_retention_is_due_at_once_and_cannot_be_extended() {
    assert_eq!(Ground::Retention.term().end(now()), now());
    let mut new = new_erasure(ERASURE);
    new.ground = Ground::Retention;
    let request = command(ErasureAction::Request(new));
    let decided = Erasures::decide(&SubjectState::default(), &request).expect("it is accepted");
    let extend = ErasureAction::Extend(ERASURE, ExtensionReason::Complexity);
    given::<Erasures>(decided.into_iter().map(|decided| decided.event))
        .when(command(extend))
        .then(Err(ErasureRejection::NotExtendable));
}

#[test]
fn a_term_is_extended_once_and_within_the_first_month() {
    let extend = || ErasureAction::Extend(ERASURE, ExtensionReason::NumberOfRequests);
    let end = time("2026-02-28T09:00:00Z");
    let extended: ErasureEvent = SubjectEvent::ErasureExtended(ErasureExtended {
        erasure_id: ERASURE,
        reason: ExtensionReason::NumberOfRequests,
        due_at: time("2026-04-30T09:00:00Z"),
    })
    .into();
    given::<Erasures>([requested()])
        .when(at(SUBJECT, end, extend()))
        .then(Ok(vec![extended.clone()]));
    given::<Erasures>([requested()])
        .when(at(SUBJECT, end + TimeDelta::microseconds(1), extend()))
        .then(Err(ErasureRejection::ExtendedTooLate(end)));
    given::<Erasures>([requested(), extended]).when(command(extend())).then(Ok(vec![]));
}

#[test]
fn a_request_is_received_within_the_past_year() {
    let request = |received_at| {
        let new = NewErasure { received_at, ..new_erasure(ERASURE) };
        given::<Erasures>([]).when(command(ErasureAction::Request(new)))
    };
    let micro = TimeDelta::microseconds(1);
    request(now() + micro).then(Err(ErasureRejection::ReceivedInFuture));
    request(DateTime::<Utc>::MAX_UTC).then(Err(ErasureRejection::ReceivedInFuture));
    let earliest = now() - TimeDelta::days(MAX_DAYS_RECEIVED);
    request(earliest - micro).then(Err(ErasureRejection::ReceivedTooEarly));
    request(DateTime::<Utc>::MIN_UTC).then(Err(ErasureRejection::ReceivedTooEarly));
    let nanos = NewErasure { received_at: now(), ..new_erasure(ERASURE) };
    let later = now() + TimeDelta::nanoseconds(999);
    given::<Erasures>([])
        .when(at(
            SUBJECT,
            later,
            ErasureAction::Request(NewErasure { received_at: later, ..nanos.clone() }),
        ))
        .then(Ok(vec![requested()]));
}

#[test]
fn each_refusal_has_a_text_and_one_against_the_request_names_the_complaint() {
    for reason in RefusalReason::ALL {
        let is_against = *reason != RefusalReason::Withdrawn;
        assert_eq!(reason.notice().contains("complaint"), is_against, "{reason:?}");
        assert_eq!(RefusalReason::parse(reason.as_str()), Some(*reason));
    }
}

#[test]
fn a_word_is_stored_as_it_is_parsed() {
    for ground in Ground::ALL {
        assert_eq!(Ground::parse(ground.as_str()), Some(*ground));
        let stored = serde_json::to_string(ground).expect("a word");
        assert_eq!(stored, format!("{:?}", ground.as_str()));
    }
    assert_eq!(Ground::parse("17.1.g"), None);
    assert_eq!(Ground::parse(""), None);
}

#[test]
fn a_digest_is_64_hexadecimal_digits() {
    let text = format!("{:?}", "ab".repeat(32));
    let digest: HexDigest = serde_json::from_str(&text).expect("a digest");
    assert_eq!(digest, HexDigest([0xab; 32]));
    for other in ["\"\"", "\"ab\"", "7", &text.replace('a', "x")] {
        assert!(serde_json::from_str::<HexDigest>(other).is_err(), "{other}");
    }
}

proptest! {
    #[test]
    fn a_term_is_one_month_and_an_extended_one_three(seconds in 0i64..4_102_444_800) {
        use chrono::Datelike;
        let received_at = DateTime::from_timestamp(seconds, 0).expect("a time");
        let term = Ground::Objection.term();
        let months = |end: DateTime<Utc>| {
            (end.year() - received_at.year()) * 12 + end.month().cast_signed()
                - received_at.month().cast_signed()
        };
        let end = term.end(received_at);
        let extended = term.extended_end(received_at).expect("it can be extended");
        prop_assert_eq!((months(end), months(extended)), (1, 3));
        prop_assert_eq!(end.time(), received_at.time());
        let is_last = |end: DateTime<Utc>| (end + TimeDelta::days(1)).day() == 1;
        prop_assert!(end.day() == received_at.day() || end.day() < received_at.day() && is_last(end));
        prop_assert!(extended.day() == received_at.day() || is_last(extended));
    }
}
