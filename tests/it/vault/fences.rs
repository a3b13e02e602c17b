//! Fences of erasures: their effect on every server, destroyed keys, and attempts to return one.

use std::time::{Duration, Instant};

use ledger_core::ids::{ErasureId, SubjectId};
use ledger_store::vault::{FENCE_EFFECT, FenceError};
use ledger_tests::erasures::journaled;
use ledger_tests::{OwnDatabase, TestTenant, messages, run};
use serde_json::json;
use sqlx::{AssertSqlSafe, PgConnection};
use tokio::time::sleep;
use uuid::Uuid;

use super::{assert_erased, assert_without_sections, keys, person, post_report, subject_at};

const ERASURE: ErasureId = ErasureId(Uuid::from_u128(1));
const OTHER: ErasureId = ErasureId(Uuid::from_u128(2));

/// Records the calls that [`assert_erased`] looks at, and returns the subject of the first.
pub(super) async fn record_calls(conn: &mut PgConnection, tenant: &TestTenant) -> SubjectId {
    let posted = post_report(tenant, "fenced", &person("+15550100155")).await;
    let report = messages::from(messages::report("fenced"), &person("+15550100155"));
    tenant.post_ok(report.to_string()).await;
    let other = json!({ "number": "+15550100156", "name": "Other" });
    post_report(tenant, "untouched", &other).await;
    SubjectId(subject_at(conn, tenant, &posted).await)
}

/// Reads until the keys are in the cache of the server: first the server has to look for fences.
pub(super) async fn warm(tenant: &TestTenant) {
    for _ in 0..3 {
        for call in tenant.calls().await {
            assert!(call["customer"]["name"].is_string(), "{call}");
        }
        sleep(Duration::from_millis(500)).await;
    }
}

async fn states(conn: &mut PgConnection, subject_id: SubjectId) -> Vec<(String, bool)> {
    sqlx::query_as(
        "select state, wrapped is null from vault.subject_keys where subject_id = $1 order by generation",
    )
    .bind(subject_id.0)
    .fetch_all(conn)
    .await
    .expect("the keys")
}

#[test]
fn a_fence_ends_cached_keys_on_every_server_within_five_seconds() {
    run(async {
        let own = OwnDatabase::create().await;
        let mut conn = own.superuser().await;
        let (one, two) = (own.server().await, own.server().await);
        let here = one.tenant().await;
        let there = here.through(&two);
        let subject_id = record_calls(&mut conn, &here).await;
        warm(&here).await;
        warm(&there).await;
        let before = keys(&mut conn, &here).await;

        let placed = one.store.vault().place_fence(here.tenant_id, ERASURE, &[subject_id]).await;
        placed.expect("it is fenced");
        let begun = Instant::now();
        assert_erased(&here).await;
        sleep(FENCE_EFFECT.saturating_sub(begun.elapsed())).await;
        assert_erased(&there).await;

        // A late message of the call, and a new call, through both servers.
        let mut late = messages::from(messages::report("fenced"), &person("+15550100155"));
        late["message"]["endedReason"] = "silence-timed-out".into();
        let late = there.post_ok(late.to_string()).await;
        assert_without_sections(&mut conn, &there, &late).await;
        for (tenant, call) in [(&here, "new-here"), (&there, "new-there")] {
            let posted = post_report(tenant, call, &person("+15550100155")).await;
            assert_without_sections(&mut conn, tenant, &posted).await;
        }
        assert_eq!(keys(&mut conn, &here).await, before, "no key is made");
        one.stop().await;
        two.stop().await;
    });
}

#[test]
fn a_server_that_cannot_look_for_fences_uses_no_cached_key() {
    run(async {
        let own = OwnDatabase::create().await;
        let mut conn = own.superuser().await;
        let (one, two) = (own.server().await, own.server().await);
        let here = one.tenant().await;
        let there = here.through(&two);
        let subject_id = record_calls(&mut conn, &here).await;
        warm(&there).await;
        sqlx::query("revoke execute on function vault.look from ledger_app")
            .execute(&mut conn)
            .await
            .expect("it is revoked");
        let placed = one.store.vault().place_fence(here.tenant_id, ERASURE, &[subject_id]).await;
        placed.expect("it is fenced");
        sleep(FENCE_EFFECT).await;
        assert_erased(&there).await;
        let posted = post_report(&there, "anew", &person("+15550100155")).await;
        assert_without_sections(&mut conn, &there, &posted).await;
        one.stop().await;
        two.stop().await;
    });
}

#[test]
fn destroyed_keys_are_gone_and_none_returns() {
    run(async {
        let own = OwnDatabase::create().await;
        let mut conn = own.superuser().await;
        let server = own.server().await;
        let tenant = server.tenant().await;
        let subject_id = record_calls(&mut conn, &tenant).await;
        let (tenant_id, vault) = (tenant.tenant_id, server.store.vault());
        let wrapped: Vec<u8> =
            sqlx::query_scalar("select wrapped from vault.subject_keys where subject_id = $1")
                .bind(subject_id.0)
                .fetch_one(&mut conn)
                .await
                .expect("the wrapped key");

        for _ in 0..2 {
            vault.place_fence(tenant_id, ERASURE, &[subject_id]).await.expect("it is fenced");
        }
        assert_eq!(states(&mut conn, subject_id).await, [("fenced".to_owned(), false)]);
        let other = vault.place_fence(tenant_id, OTHER, &[subject_id]).await;
        assert!(matches!(other, Err(FenceError::OtherErasure)), "{other:?}");
        let unknown = [SubjectId(Uuid::from_u128(9))];
        let unknown = vault.place_fence(tenant_id, OTHER, &unknown).await;
        assert!(matches!(unknown, Err(FenceError::UnknownSubject)), "{unknown:?}");
        let journaled =
            journaled(&server.store, &mut conn, tenant_id, ERASURE, &[subject_id]).await;
        for _ in 0..2 {
            assert_eq!(vault.destroy_keys(&journaled).await.expect("destroyed"), 1);
        }
        assert_eq!(states(&mut conn, subject_id).await, [("destroyed".to_owned(), true)]);
        let lifted = vault.lift_fence(tenant_id, ERASURE).await;
        assert!(matches!(lifted, Err(FenceError::Destroyed)), "{lifted:?}");
        assert_erased(&tenant).await;

        // The row of a backup, a state that is set back, a further key of the same generation.
        for statement in [
            "update vault.subject_keys set state = 'active', wrapped = $2 where subject_id = $1",
            "update vault.subject_keys set state = 'restricted', wrapped = $2 where subject_id = $1",
            "update vault.subject_keys set state = 'fenced', wrapped = $2 where subject_id = $1",
            "insert into vault.subject_keys select tenant_id, subject_id, generation, 'active', epoch, $2,
                    fingerprint, created_at from vault.subject_keys where subject_id = $1",
        ] {
            let tried = sqlx::query(AssertSqlSafe(statement)).bind(subject_id.0).bind(&wrapped);
            let error = tried.execute(&mut conn).await.expect_err(statement);
            let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
            assert_eq!(code.as_deref(), Some("LG005"), "{statement}: {error}");
        }
        assert_eq!(states(&mut conn, subject_id).await, [("destroyed".to_owned(), true)]);
        server.stop().await;
    });
}

#[test]
fn a_lifted_fence_leaves_a_restricted_subject() {
    run(async {
        let own = OwnDatabase::create().await;
        let mut conn = own.superuser().await;
        let server = own.server().await;
        let tenant = server.tenant().await;
        let subject_id = record_calls(&mut conn, &tenant).await;
        let (tenant_id, vault) = (tenant.tenant_id, server.store.vault());
        vault.place_fence(tenant_id, ERASURE, &[subject_id]).await.expect("it is fenced");
        assert_erased(&tenant).await;
        for _ in 0..2 {
            vault.lift_fence(tenant_id, ERASURE).await.expect("it is lifted");
        }
        assert_eq!(states(&mut conn, subject_id).await, [("restricted".to_owned(), false)]);
        // The data are stored and shown for the rights of the person only.
        let officer = server.key(tenant_id, &["personal", "compliance"]).await;
        for (key, is_shown) in [(&tenant.key, false), (&officer, true)] {
            let (status, page) = tenant.get_with(key, "/v1/calls").await;
            assert_eq!(status, 200, "{page}");
            for call in page["data"].as_array().expect("a list") {
                let customer = &call["customer"];
                if call["provider_call_id"] == "untouched" {
                    continue;
                }
                assert_eq!(customer["name"].is_string(), is_shown, "{call}");
                assert_eq!(customer["restricted"] == true, !is_shown, "{call}");
            }
        }
        let posted = post_report(&tenant, "later", &person("+15550100155")).await;
        assert_without_sections(&mut conn, &tenant, &posted).await;
        server.stop().await;
    });
}

#[test]
fn each_erasure_ends_its_subjects_and_no_other() {
    const PERSONS: usize = 7;
    run(async {
        let own = OwnDatabase::create().await;
        let mut conn = own.superuser().await;
        let server = own.server().await;
        let bystander = server.tenant().await;
        record_calls(&mut conn, &bystander).await;
        for (step, start) in [(1, 0), (3, 2), (5, 6)] {
            let tenant = server.tenant().await;
            let mut subjects = Vec::new();
            for nth in 0..PERSONS {
                let customer = json!({ "number": format!("+1555010017{nth}"), "name": format!("Person {nth}") });
                let posted = post_report(&tenant, &format!("call-{nth}"), &customer).await;
                subjects.push(SubjectId(subject_at(&mut conn, &tenant, &posted).await));
            }
            let order = (0..PERSONS).map(|nth| (nth * step + start) % PERSONS);
            let mut is_erased = [false; PERSONS];
            for (nth, person) in order.enumerate() {
                let erasure_id = ErasureId(Uuid::from_u128(nth as u128));
                let vault = server.store.vault();
                let of = [subjects[person]];
                vault.place_fence(tenant.tenant_id, erasure_id, &of).await.expect("fenced");
                // Of every second one the keys are destroyed, of the others only fenced.
                if nth % 2 == 0 {
                    let tenant_id = tenant.tenant_id;
                    let entry =
                        journaled(&server.store, &mut conn, tenant_id, erasure_id, &of).await;
                    let keys = vault.destroy_keys(&entry).await;
                    assert_eq!(keys.expect("destroyed"), 1);
                }
                is_erased[person] = true;
                let calls = tenant.calls().await;
                assert_eq!(calls.len(), PERSONS);
                for (other, is_erased) in is_erased.iter().enumerate() {
                    let name = format!("call-{other}");
                    let call = calls.iter().find(|call| call["provider_call_id"] == name.as_str());
                    let customer = &call.expect("the call")["customer"];
                    if *is_erased {
                        assert_eq!(customer["erased"], true, "{customer}");
                        assert!(customer.get("name").is_none(), "{customer}");
                    } else {
                        assert_eq!(customer["name"], format!("Person {other}"), "{customer}");
                    }
                }
            }
        }
        warm(&bystander).await;
        server.stop().await;
    });
}
