//! The stored content equals the sent content.

use chrono::{DateTime, Utc};
use ledger_store::append::NewEvent;
use ledger_tests::run;
use uuid::Uuid;

use super::{a_store, a_tenant, event, log, one};

#[test]
fn what_is_stored_is_what_was_sent_to_the_byte_and_the_microsecond() {
    run(async {
        let (_own, store) = a_store().await;
        let tenant = a_tenant(&store, "bytes").await;
        let moment = |text: &str| text.parse::<DateTime<Utc>>().expect("a time");
        let sent = [
            r#"{"b":1.10,"a":  2,"b":3}"#,
            "{\"nul\":\"\\u0000\",\"half\":\"\\ud800\",\"big\":123456789012345678901234567890}",
            "\n{ \"tab\":\t\"ü\u{1f600}\u{2028}\" , \"e\":1E-9, \"z\":-0 }\n",
            "[]",
        ];
        let events: Vec<NewEvent> = (1..)
            .zip(sent)
            .map(|(nth, text)| NewEvent {
                occurred_at: moment("0001-01-01T00:00:00.000001Z"),
                recorded_at: moment("2026-11-21T23:59:59.999999Z"),
                facts: text.into(),
                meta: format!("{{\"nth\":  {nth}.0}}"),
                sections: Some(vec![0, 255, 0]),
                bulk: (nth > 2).then(Vec::new),
                subjects: vec![ledger_core::ids::SubjectId(Uuid::from_u128(nth)); 2],
                ..event(nth)
            })
            .collect();
        store.appender().append(one(tenant, events.clone())).await.expect("new");
        let stored = log(&store, tenant).await;
        assert_eq!(stored.len(), 5);
        for (sent, row) in events.iter().zip(&stored[1..]) {
            assert_eq!(row.event.facts, sent.facts);
            assert_eq!(row.meta, sent.meta);
            assert_eq!(
                (row.event.occurred_at, row.event.recorded_at),
                (sent.occurred_at, sent.recorded_at)
            );
            assert_eq!((&row.event.sections, &row.event.bulk), (&sent.sections, &sent.bulk));
        }
        for row in &stored {
            assert!(row.is_intact(tenant));
        }
        store.close().await;
    });
}
