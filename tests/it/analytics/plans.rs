//! A query of one tenant reads index ranges, never a whole table.

use std::time::Duration;

use chrono_tz::Asia;
use ledger_core::annotation::spelling::Spellings;
use ledger_store::TenantTx;
use ledger_tests::{OwnDatabase, TestTenant, run};
use projections::analytics::{
    AnalyticsFilter, AnalyticsQuery, Dimension, Interval, Range, Span, run_query, slices,
};
use sqlx::{Executor, PgConnection};

use super::at;

/// Inserts sums for every hour of two years, and calls, for this tenant and a hundred others.
const FILL: &str = "
    create temp table them as
      select case nth when 0 then $tenant::uuid else md5(nth::text)::uuid end as tenant_id, nth
        from generate_series(0, 100) nth;
    insert into calls_v2.calls
    select t.tenant_id, md5(t.nth || '/' || n)::uuid, 'vapi', 'p-' || n, 'inbound', 'ended', 'completed',
           'hangup', s.at, null, s.at, s.at, 1000, 150, 'under_10s', 70000000, 0, 0, 0, 0, 0, 70000000,
           'USD', array['book'], 1, 'a-' || n % 7, null, true, false, n % 40 = 0, false, null, null, null,
           md5(n::text)::uuid, null, n, '{}', null, null, null, null, null, n % 50 = 0, false, false, false,
           '{}', '{}', '{}', null, null, null, null, '{}', case when n % 90 = 0 then 'lost' end, null,
           case when n % 60 = 0 then 'spring' end, case when n % 60 = 0 then n % 3 end, null
      from them t
     cross join lateral generate_series(1, case t.nth when 0 then 20000 else 300 end) n
     cross join lateral (select timestamptz '2025-01-01 00:00Z' + n * interval '52 minutes' as at) s;
    insert into calls_v2.call_rollups
    select t.tenant_id, c.cut, g.grain, s.at, case c.cut when 'total' then '' else 'a-1' end, '', '', '',
           '', '', 'USD', false, 1, 1, 1000, 70000000, 0, 0, 0, 0, 0, 70000000, 1, 1, 0, 0, 1, 0, 0, 0, 0,
           array[150], array[1], 0, 0, 0, '{}', '{}', '{}'
      from them t
     cross join (values ('total'), ('agent'), ('full')) c (cut)
     cross join (values ('hour', interval '1 hour'), ('day', interval '1 day')) g (grain, step)
     cross join lateral generate_series(
       timestamptz '2025-01-01 00:00Z',
       timestamptz '2025-01-01 00:00Z' + g.step * case t.nth when 0 then 700 else 20 end, g.step) s (at);
    analyze calls_v2.calls; analyze calls_v2.call_rollups";

/// Returns the number of sequential scans and of index scans on the tables of the read model.
async fn scans(conn: &mut PgConnection) -> (i64, i64) {
    conn.execute("select pg_stat_clear_snapshot()").await.expect("a fresh look");
    sqlx::query_as(
        "select sum(seq_scan)::bigint, sum(idx_scan)::bigint from pg_stat_user_tables
          where schemaname = 'calls_v2' and relname in ('calls', 'call_rollups')",
    )
    .fetch_one(conn)
    .await
    .expect("the database answers")
}

/// Runs queries of every kind with default planner settings, which allow sequential scans.
async fn ask_everything(tenant: &TestTenant) {
    let year = Span::new(at("2025-01-31T10:10:00Z"), at("2026-02-01T10:10:00Z"));
    let filter = || AnalyticsFilter { is_test: Some(false), ..AnalyticsFilter::default() };
    let agent = AnalyticsFilter { agent_id: Some("a-1".to_owned()), ..filter() };
    let person = AnalyticsFilter { phone: Some(vec![uuid::Uuid::nil()]), ..filter() };
    let dear = AnalyticsFilter { min_cost_nanos: Some(1), ..filter() };
    let word = |word: &str| Some(word.to_owned());
    let of_filters = [
        AnalyticsFilter { has_appointment: Some(true), ..filter() },
        AnalyticsFilter { has_appointment: Some(false), ..filter() },
        AnalyticsFilter { tag: word("none"), ..filter() },
        AnalyticsFilter { disposition: Some(Spellings::among("lost", [])), ..filter() },
        AnalyticsFilter { campaign: word("spring"), attempt: Some(1), ..filter() },
        AnalyticsFilter { call_type: Some(Spellings::of_call_type("none")), ..filter() },
        AnalyticsFilter { call_type: Some(Spellings::of_call_type("no type")), ..filter() },
    ];
    let of_filters = of_filters.map(|filter| AnalyticsQuery::of(year, filter));
    let days = slices(year, Interval::Day, Asia::Kolkata, 1_000).expect("a year of days");
    let days = days.iter().map(|slice| slice.span).collect();
    let questions = [
        AnalyticsQuery { percentiles: true, ..AnalyticsQuery::of(year, filter()) },
        AnalyticsQuery { percentiles: true, ..AnalyticsQuery::of(Range::always(), filter()) },
        AnalyticsQuery::of(year, filter()).by([Dimension::EndedReason]),
        AnalyticsQuery::of(year, agent).by([Dimension::Hour, Dimension::Weekday]),
        AnalyticsQuery {
            clock: Asia::Kolkata,
            ..AnalyticsQuery::of(year, filter()).by([Dimension::Hour])
        },
        AnalyticsQuery { buckets: days, ..AnalyticsQuery::of(year, filter()) },
        AnalyticsQuery::of(year, person),
        AnalyticsQuery { extremes: true, ..AnalyticsQuery::of(year, dear) },
        AnalyticsQuery::of(year, filter()).by([Dimension::ServiceType]),
    ];
    for question in questions.into_iter().chain(of_filters) {
        let mut tx = TenantTx::begin(tenant.store.app(), tenant.tenant_id).await.expect("begun");
        tx.conn().execute("set local plan_cache_mode = force_custom_plan").await.expect("set");
        run_query(&mut tx, &question).await.expect("the database answers").expect("few enough");
    }
}

#[test]
fn no_query_reads_a_whole_table() {
    run(async {
        let own = OwnDatabase::create().await;
        let ledger = own.server().await;
        let tenant = ledger.tenant().await;
        tenant.settle().await;
        let mut conn = own.superuser().await;
        let fill = FILL.replace("$tenant", &format!("'{}'", tenant.tenant_id));
        sqlx::raw_sql(sqlx::AssertSqlSafe(fill)).execute(&mut conn).await.expect("filled");
        // Waits until the statistics of earlier statements are flushed.
        let mut before = scans(&mut conn).await;
        for _ in 0..30 {
            tokio::time::sleep(Duration::from_millis(100)).await;
            before = scans(&mut conn).await;
        }
        ask_everything(&tenant).await;
        for query in ["summary?", "summary?agent_id=a-1", "timeseries?", "breakdown?by=heatmap"] {
            super::ask(&tenant, &format!("/v1/analytics/{query}")).await;
        }
        super::ask(&tenant, "/v1/agents?tool=book").await;
        // A connection flushes its statistics when it closes.
        ledger.stop().await;
        for _ in 0..200 {
            let (whole, by_index) = scans(&mut conn).await;
            assert_eq!(whole, before.0, "a table was read from end to end");
            if by_index > before.1 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("nobody has told of a scan");
    });
}
