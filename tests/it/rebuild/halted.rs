//! Events of a newer build: the read models of their tenant wait, and those of others go on.

use ledger_tests::{OwnDatabase, messages, run};
use projections::Batches;

use super::engine::{
    Engine, active, assert_rebuilds_to_the_same, begin_to_promote, is_current, progress_of, record,
    tamper, until,
};
use super::poison::tenant_with_calls;

/// A tenant whose log holds an event for a newer build, with more events after it.
#[test]
fn a_halted_tenant_prevents_no_promotion_and_continues_with_a_newer_build() {
    run(async {
        let own = OwnDatabase::create().await;
        let halted = tenant_with_calls(&own, 8).await.tenant_id;
        let other = tenant_with_calls(&own, 3).await.tenant_id;
        let mut conn = own.superuser().await;
        let newer = |version: i16| {
            format!(
                "update ledger.events set schema_version = {version}
                  where tenant_id = '{halted}' and facts ->> 'provider_call_id' = 'call-3'"
            )
        };
        tamper(&mut conn, &newer(9)).await;
        let begin_again = "update projection.checkpoints set position = 0
                            where tenant_id = $1 and projection = 'calls'";
        sqlx::query(begin_again).bind(halted.0).execute(&mut conn).await.expect("it begins again");
        let clear = "truncate calls_v2.calls, calls_v2.call_tools, calls_v2.callers, \
                     calls_v2.caller_handles, calls_v2.call_rollups, calls_v2.carrier_calls, \
                     calls_v2.call_carriers, calls_v2.call_handles, \
                     calls_v2.call_appointments, calls_v2.call_tags";
        sqlx::raw_sql(clear).execute(&mut conn).await.expect("cleared");
        sqlx::query(begin_again).bind(other.0).execute(&mut conn).await.expect("it begins again");

        // With `close: 0` a version is promoted only when no tenant is behind.
        let engine = Engine::start(&own, Batches { close: 0, ..Batches::default() });
        let version = begin_to_promote(&engine.store, "calls", None).await;
        until("it is active", async || active(&engine.store, "calls").await == version).await;
        let one = progress_of(&engine.store, "calls", version).await.expect("the version");
        assert_eq!(one.halted, 1);
        let why = one.why.expect("it says why");
        assert!(why.contains("has schema version 9, this build reads up to 1"), "{why}");
        record(&engine.store, other, &messages::report("goes on")).await;
        until("others go on", async || is_current(&engine.store, other).await).await;
        assert!(!is_current(&engine.store, halted).await);
        engine.stop().await;

        // As for a build that knows the new schema version.
        tamper(&mut conn, &newer(1)).await;
        let engine = Engine::start(&own, Batches::default());
        until("it goes on", async || is_current(&engine.store, halted).await).await;
        assert_rebuilds_to_the_same(&engine.store).await;
        engine.stop().await;
    });
}
