//! The erasure journal against databases that were restored: older copies are refused by name, and
//! reconciled without a trace of the erased person.

mod certificates;
mod older;
mod wrong_journal;

use std::time::{Duration, Instant};

use ledger_core::ids::{ErasureId, Ids, SubjectId};
use ledger_store::journal::JournalEntry;
use ledger_tests::erasures::journaled;
use ledger_tests::{OwnDatabase, TestLedger, TestTenant, cluster, messages};
use reqwest::Client;
use serde_json::{Value, json};
use server::system::SystemIds;
use sqlx::{AssertSqlSafe, PgConnection};
use tokio::time::sleep;
use uuid::Uuid;

const ERASURE: ErasureId = ErasureId(Uuid::from_u128(1));
const NEXT: ErasureId = ErasureId(Uuid::from_u128(2));

/// A database with calls of two persons.
struct World {
    own: OwnDatabase,
    tenant: TestTenant,
    erased: SubjectId,
    other: SubjectId,
}

impl World {
    async fn create() -> (Self, TestLedger) {
        let own = OwnDatabase::create().await;
        let server = own.server().await;
        let tenant = server.tenant().await;
        let mut conn = own.superuser().await;
        let erased = call_of(&mut conn, &tenant, "first", "+15550100155", "Erased Person").await;
        let other = call_of(&mut conn, &tenant, "second", "+15550100156", "Other Person").await;
        tenant.settle().await;
        (Self { own, tenant, erased, other }, server)
    }

    /// A copy of the database as it is now. No server may run.
    async fn copy(&self) -> OwnDatabase {
        let name = self.own.database.get_database().expect("a name");
        let copy = format!("{name}_{}", SystemIds.random().simple());
        let statement = format!("create database {copy} template {name}");
        let created =
            sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut cluster::superuser().await).await;
        created.expect("a copy");
        let database = self.own.database.clone().database(&copy);
        OwnDatabase { database, keys: self.own.keys.clone() }
    }

    /// Erases the first person through a server: log, journal and vault.
    async fn erase(&self, server: &TestLedger, erasure_id: ErasureId) -> JournalEntry {
        let entry = self.journal(server, erasure_id).await;
        let destroyed = server.store.vault().destroy_keys(&entry).await;
        assert_eq!(destroyed.expect("destroyed"), 1);
        entry
    }

    /// [`World::erase`] up to the journal.
    async fn journal(&self, server: &TestLedger, erasure_id: ErasureId) -> JournalEntry {
        let mut conn = self.own.superuser().await;
        let (tenant_id, of) = (self.tenant.tenant_id, [self.erased]);
        let vault = server.store.vault();
        vault.place_fence(tenant_id, erasure_id, &of).await.expect("it is fenced");
        journaled(&server.store, &mut conn, tenant_id, erasure_id, &of).await
    }
}

/// Records a call of a person, and returns the subject.
async fn call_of(
    conn: &mut PgConnection,
    tenant: &TestTenant,
    call: &str,
    number: &str,
    name: &str,
) -> SubjectId {
    let customer = json!({ "number": number, "name": name });
    let body = messages::from(messages::report(call), &customer);
    let position = tenant.post_ok(body.to_string()).await["position"].as_i64();
    let subject_id = sqlx::query_scalar(
        "select subjects[1] from ledger.events where tenant_id = $1 and position = $2",
    )
    .bind(tenant.tenant_id.0)
    .bind(position.expect("it was recorded"))
    .fetch_one(conn)
    .await;
    SubjectId(subject_id.expect("it has a subject"))
}

async fn readiness(server: &TestLedger) -> (u16, Value) {
    let url = format!("http://{}/readyz", server.address);
    let answer = Client::new().get(url).send().await.expect("an answer");
    ledger_tests::ledger::status_and_json(answer).await
}

/// Asserts that a server takes no webhooks, reads no personal data, and names the fault.
async fn assert_refused(server: &TestLedger, tenant: &TestTenant, reason: &str) {
    let (status, ready) = readiness(server).await;
    assert_eq!(status, 503, "{ready}");
    assert!(ready["journal"].as_str().is_some_and(|said| said.contains(reason)), "{ready}");
    let tenant = tenant.through(server);
    let customer = json!({ "number": "+15550100155", "name": "Erased Person" });
    for call in ["first", "another"] {
        let body = messages::from(messages::report(call), &customer);
        let (status, answer) = tenant.post(body.to_string()).await;
        assert_eq!(status, 503, "{answer}");
    }
    for key in [&tenant.key, &tenant.read_key] {
        for path in ["/v1/calls", "/v1/calls?phone=%2B15550100155", "/call/first", "/v1/contacts"] {
            let (status, answer) = tenant.get_with(key, path).await;
            let text = answer.to_string();
            for personal in ["Erased", "Other Person", "5550100155"] {
                assert!(!text.contains(personal), "{path}: {text}");
            }
            assert!(status == 503 || !text.contains("name\":\""), "{path}: {status} {text}");
        }
    }
    let (status, answer) = tenant.get_with(&tenant.key, "/v1/calls").await;
    assert_eq!(status, 503, "{answer}");
}

/// Asserts that a server serves, and that the first person is erased.
async fn assert_serves(server: &TestLedger, tenant: &TestTenant) {
    let begun = Instant::now();
    loop {
        let (status, ready) = readiness(server).await;
        if status == 200 && ready["journal"] == "ok" {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(10), "{ready}");
        sleep(Duration::from_millis(100)).await;
    }
    let tenant = tenant.through(server);
    let calls = tenant.calls().await;
    let customer = |id: &str| {
        let call = calls.iter().find(|call| call["provider_call_id"] == id);
        call.unwrap_or_else(|| panic!("no call {id}"))["customer"].clone()
    };
    assert_eq!(customer("first")["erased"], true, "{}", customer("first"));
    assert!(customer("first").get("name").is_none(), "{}", customer("first"));
    assert_eq!(customer("second")["name"], "Other Person");
}

async fn states(own: &OwnDatabase, subject_id: SubjectId) -> Vec<String> {
    let states = sqlx::query_scalar(
        "select state from vault.subject_keys where subject_id = $1 order by generation",
    );
    states.bind(subject_id.0).fetch_all(&mut own.superuser().await).await.expect("the keys")
}

/// The types of the events of the subject's stream, in their order.
async fn told(own: &OwnDatabase, tenant: &TestTenant, subject_id: SubjectId) -> Vec<String> {
    let types = sqlx::query_scalar(
        "select event_type from ledger.events where tenant_id = $1 and stream_id = $2 order by position",
    );
    let types = types.bind(tenant.tenant_id.0).bind(tenant.tenant_id.subject_stream(subject_id).0);
    types.fetch_all(&mut own.superuser().await).await.expect("the log")
}
