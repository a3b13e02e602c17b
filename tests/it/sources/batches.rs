//! Webhook counts are written to the database exactly once, later after a failure, and in bounded
//! batches.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use ledger_core::ids::{SourceId, TenantId};
use ledger_store::TenantTx;
use ledger_store::webhook_counts::{BatchId, CountDelta, Hours, Outcome, source_counts};
use ledger_tests::{OwnDatabase, TestLedger, messages, run};
use uuid::Uuid;

use super::{Figures, SourceSetup};

fn counted(tenant_id: TenantId, hour: DateTime<Utc>, count: i64) -> CountDelta {
    CountDelta {
        tenant_id,
        hour,
        source_id: SourceId(Uuid::from_u128(1)),
        kind: "hang",
        outcome: Outcome::Recorded,
        reason: "",
        count,
        last_at: hour,
    }
}

#[test]
fn a_count_batch_with_a_lost_response_is_added_once() {
    run(async {
        let ledger = TestLedger::shared().await;
        let tenant_id = ledger.tenant().await.tenant_id;
        let hour = DateTime::from_timestamp(1_793_610_000, 0).expect("a full hour");
        let (one, two) = (ledger.store.ids().random(), ledger.store.ids().random());
        let add = async |writer_id, batch, count| {
            let counts = [counted(tenant_id, hour, count)];
            ledger.store.add_counts(BatchId { writer_id, batch }, &counts).await.expect("added");
        };
        let sum = async || {
            let mut tx = TenantTx::begin(ledger.store.app(), tenant_id).await.expect("begun");
            let found =
                source_counts(&mut tx, None, Hours::default()).await.expect("source_counts");
            found.iter().map(|tally| tally.count).sum::<i64>()
        };
        add(one, 1, 5).await;
        add(one, 1, 5).await;
        assert_eq!(sum().await, 5, "again is not once more");
        add(one, 2, 3).await;
        add(one, 1, 5).await;
        assert_eq!(sum().await, 8, "nor later");
        add(two, 1, 10).await;
        assert_eq!(sum().await, 18, "another server has numbers of its own");
        tokio::join!(add(one, 3, 1), add(one, 3, 1), add(two, 2, 1), add(two, 2, 1));
        assert_eq!(sum().await, 20, "nor at the same time");
    });
}

#[test]
fn counts_that_cannot_be_added_are_kept_and_added_later() {
    run(async {
        let own = OwnDatabase::create().await;
        let ledger = own.server().await;
        let setup = SourceSetup::build(own, &ledger).await;
        let mut conn = setup.own.superuser().await;
        let take = "revoke select on ledger.source_counts from ledger_app;
                    alter function ledger.add_source_counts rename to add_nothing";
        sqlx::raw_sql(take).execute(&mut conn).await.expect("taken away");
        for call in ["kept-1", "kept-2", "kept-3"] {
            let answer = setup.tenant.post_ok(messages::report(call).to_string()).await;
            assert_eq!(answer["status"], "recorded", "webhooks do not wait for their figures");
        }
        let (status, _) = setup.tenant.get_with(&setup.admin, "/v1/sources").await;
        assert_ne!(status, 200, "no figures rather than false ones");
        let give = "grant select on ledger.source_counts to ledger_app;
                    alter function ledger.add_nothing rename to add_source_counts";
        sqlx::raw_sql(give).execute(&mut conn).await.expect("given back");
        setup.tenant.post_ok(messages::report("kept-1").to_string()).await;
        let key = |outcome| (setup.tenant.source_id, "end-of-call-report".to_owned(), outcome);
        let expected = Figures::from([(key("recorded"), 3), (key("duplicate"), 1)]);
        assert_eq!(setup.figures("").await, expected);
        ledger.stop().await;
    });
}

#[test]
fn a_flood_of_wrong_proofs_is_counted_and_causes_no_writes_of_its_own() {
    run(async {
        let own = OwnDatabase::create().await;
        let ledger = own.server().await;
        let setup = SourceSetup::build(own, &ledger).await;
        let begun = Instant::now();
        for _ in 0..400 {
            let request = setup.tenant.webhook_at(setup.shared, "wrong", "{}");
            assert_eq!(request.send().await.expect("an answer").status(), 401);
        }
        let flushes = begun.elapsed().as_secs() + 1;
        let batches: i64 =
            sqlx::query_scalar("select coalesce(max(batch), 0) from ledger.count_batches")
                .fetch_one(&mut setup.own.superuser().await)
                .await
                .expect("a number");
        assert!(u64::try_from(batches).is_ok_and(|batches| batches <= flushes), "{batches}");
        let expected =
            Figures::from([((setup.shared, "unauthenticated".to_owned(), "refused"), 400)]);
        assert_eq!(setup.figures("").await, expected);
        ledger.stop().await;
    });
}

#[test]
fn a_server_writes_its_counts_about_once_a_second() {
    run(async {
        let own = OwnDatabase::create().await;
        let ledger = own.server().await;
        let setup = SourceSetup::build(own, &ledger).await;
        setup.tenant.post_ok(messages::report("soon").to_string()).await;
        let mut conn = setup.own.superuser().await;
        let begun = Instant::now();
        while sqlx::query_scalar::<_, i64>("select count(*) from ledger.source_counts")
            .fetch_one(&mut conn)
            .await
            .expect("a count")
            == 0
        {
            assert!(
                begun.elapsed() < Duration::from_mins(1),
                "nobody asked, and nothing was added"
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        ledger.stop().await;
    });
}
