//! Requests get the same results alone, in normal batches and in unusual ones.

use ledger_core::ids::{StreamVersion, TenantId};
use ledger_store::append::{AppendOutcome, AppendRequest, Expected, append};
use ledger_tests::run;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use sqlx::{Executor, PgConnection};

use super::{a_store, a_tenant, event, stream};

/// A generated request: the tenant, the event count of each stream, the expected version of the
/// first stream, and the first number of the event ids.
#[derive(Debug, Clone)]
struct GeneratedRequest {
    tenant: usize,
    streams: Vec<(u128, u128)>,
    expected: Option<i64>,
    id: u128,
}

impl GeneratedRequest {
    fn any() -> impl Strategy<Value = Self> {
        let streams =
            proptest::collection::vec((0..4_u128, 1..3_u128), 1..3).prop_map(|mut drawn| {
                drawn.dedup_by_key(|(stream, _)| *stream);
                drawn
            });
        // Few distinct ids, so that many repeat, completely or in part.
        let id = prop_oneof![3 => 0..10_000_u128, 1 => 0..20_u128];
        (0..3_usize, streams, proptest::option::weighted(0.3, 0..4_i64), id)
            .prop_map(|(tenant, streams, expected, id)| Self { tenant, streams, expected, id })
    }

    fn request(&self, tenants: &[TenantId; 3]) -> AppendRequest {
        let mut id = self.id;
        let mut expected = self.expected;
        let streams = self.streams.iter().map(|(nth, events)| {
            let ids = id..id + events;
            id += events;
            let expected = expected
                .take()
                .map_or(Expected::Any, |version| Expected::Exactly(StreamVersion(version)));
            stream(*nth, expected, ids.map(event).collect())
        });
        AppendRequest { tenant_id: tenants[self.tenant], streams: streams.collect() }
    }
}

/// Creates two tenants and returns them with an unused tenant id.
async fn tenants(store: &ledger_store::Store) -> [TenantId; 3] {
    let slug = || store.ids().random().to_string();
    let nobody = TenantId(store.ids().random());
    [a_tenant(store, &slug()).await, a_tenant(store, &slug()).await, nobody]
}

async fn answers(
    conn: &mut PgConnection,
    requests: &[AppendRequest],
    batch: usize,
) -> Vec<AppendOutcome> {
    let mut answers = Vec::new();
    for requests in requests.chunks(batch) {
        let requests: Vec<&AppendRequest> = requests.iter().collect();
        answers.extend(append(conn, &requests).await.expect("the batch is well formed"));
    }
    answers
}

#[test]
fn a_batch_gives_the_results_of_its_requests_in_sequence() {
    let (_own, store) = run(a_store());
    let drawn = proptest::collection::vec(GeneratedRequest::any(), 1..40);
    let mut runner = TestRunner::new(ProptestConfig { cases: 40, ..ProptestConfig::default() });
    let law = runner.run(&drawn, |drawn| {
        let [alone, few, together] = run(async {
            let mut conn = store.app().acquire().await.expect("a connection");
            conn.execute("set role ledger_app").await.expect("the role");
            let mut results = Vec::new();
            for batch in [1, 3, drawn.len()] {
                let tenants = tenants(&store).await;
                let requests: Vec<_> = drawn.iter().map(|one| one.request(&tenants)).collect();
                results.push(answers(&mut conn, &requests, batch).await);
            }
            <[_; 3]>::try_from(results).expect("three ways")
        });
        prop_assert_eq!(&alone, &few);
        prop_assert_eq!(&alone, &together);
        Ok(())
    });
    law.unwrap();
}
