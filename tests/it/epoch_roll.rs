//! Rolls of epochs: what is found and opens stays so, and what was destroyed stays so in older copies.

mod due;
mod faults;
mod traffic;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::Duration;

use aws_lc_rs::aead::{Aad, Nonce};
use ledger_core::identity::{Handle, normal_name};
use ledger_core::ids::{ErasureId, KeyId, SubjectId, TenantId};
use ledger_store::command_answers::{Claimed, RepeatableRequest};
use ledger_store::roll::{RollError, RolledEpoch};
use ledger_store::vault::HandleMatches;
use ledger_store::{Store, TenantTx};
use ledger_tests::erasures::journaled;
use ledger_tests::{OwnDatabase, TestLedger, TestTenant, messages, run};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, PgConnection};
use uuid::Uuid;

const ERASURE: ErasureId = ErasureId(Uuid::from_u128(1));
const PERSONS: usize = 12;

/// The person with a number; neighbours share a word of their names.
fn person(nth: usize) -> Value {
    json!({ "number": number(nth), "name": name(nth), "email": email(nth) })
}

fn number(nth: usize) -> String {
    format!("+155501{nth:05}")
}

fn name(nth: usize) -> String {
    format!("Person{nth} Family{}", nth / 2)
}

fn email(nth: usize) -> String {
    format!("person{nth}@example.com")
}

fn handles(nth: usize) -> [Handle; 2] {
    [Handle::phone(&number(nth), None), Handle::email(&email(nth)).expect("an address")]
}

async fn call(tenant: &TestTenant, id: &str, customer: &Value) {
    let report = messages::from(messages::report(id), customer);
    let answer = tenant.post_ok(report.to_string()).await;
    assert_eq!(answer["status"], "recorded", "{answer}");
}

/// Records a call of each person, a call of nobody, and a second call of a few.
async fn record(tenant: &TestTenant) {
    for nth in 0..PERSONS {
        call(tenant, &format!("call-{nth}"), &person(nth)).await;
    }
    call(tenant, "nobody", &json!({})).await;
    for nth in 0..3 {
        call(tenant, &format!("again-{nth}"), &json!({ "number": number(nth) })).await;
    }
}

/// Everything that is found of a person.
type Found = (Vec<HandleMatches>, BTreeSet<SubjectId>, BTreeSet<SubjectId>);

async fn found(store: &Store, tenant_id: TenantId, nth: usize) -> Found {
    let mut matches = Vec::new();
    let mut with = BTreeSet::new();
    for handle in handles(nth) {
        matches.push(store.vault().find(tenant_id, &handle).await.expect("it is looked up"));
        with.extend(store.vault().contacts_with(tenant_id, &handle).await.expect("looked up"));
    }
    let name = normal_name(&name(nth)).expect("a name");
    let named = store.vault().contacts_named(tenant_id, &name).await.expect("it is looked up");
    (matches, with, named.into_iter().collect())
}

async fn all_found(store: &Store, tenant_id: TenantId) -> BTreeMap<usize, Found> {
    let mut all = BTreeMap::new();
    for nth in 0..PERSONS {
        all.insert(nth, found(store, tenant_id, nth).await);
    }
    all
}

fn contact(found: &Found) -> SubjectId {
    let (matches, with, named) = found;
    let contact = matches[0].contacts[0];
    assert!(with.contains(&contact) && named.contains(&contact));
    contact
}

/// Names of the customers by call, as read with scope `personal`.
async fn customers(tenant: &TestTenant) -> BTreeMap<String, Value> {
    let calls = tenant.calls().await;
    let text = |call: &Value| call["provider_call_id"].as_str().expect("an id").to_owned();
    calls.iter().map(|call| (text(call), call["customer"]["name"].clone())).collect()
}

/// Rows of a tenant that name an epoch below a number and are not of a destroyed key.
async fn rows_below(conn: &mut PgConnection, tenant_id: TenantId, epoch: i32) -> i64 {
    sqlx::query_scalar(
        "select (select count(*) from vault.subject_keys
                  where tenant_id = $1 and epoch < $2 and state <> 'destroyed')
              + (select count(*) from vault.handles where tenant_id = $1 and epoch < $2)
              + (select count(*) from vault.call_subjects where tenant_id = $1 and epoch < $2)
              + (select count(*) from vault.contacts
                  where tenant_id = $1 and name_epoch < $2 and name_index is not null)
              + (select count(*) from vault.contact_handles
                  where tenant_id = $1 and name_epoch < $2 and name_index <> '')
              + (select count(*) from vault.contact_names where tenant_id = $1 and epoch < $2)",
    )
    .bind(tenant_id.0)
    .bind(epoch)
    .fetch_one(conn)
    .await
    .expect("a count")
}

/// Names of the key files of a tenant.
fn files(own: &OwnDatabase, tenant_id: TenantId) -> BTreeSet<String> {
    let dir = own.keys.join("keyring").join(tenant_id.to_string());
    let entries = fs::read_dir(dir).expect("a directory");
    let names = entries.map(|entry| entry.expect("an entry").file_name());
    names.map(|name| name.into_string().expect("a name")).collect()
}

async fn roll(ledger: &TestLedger, tenant_id: TenantId) -> RolledEpoch {
    ledger.store.roll_epoch(tenant_id).await.expect("it is rolled")
}

async fn execute(conn: &mut PgConnection, statement: &str) {
    sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).execute(conn).await.expect(statement);
}

#[test]
fn living_persons_are_found_and_open_after_each_roll_and_older_keys_of_nobody_do() {
    run(async {
        let own = OwnDatabase::create().await;
        let mut conn = own.superuser().await;
        let server = own.server().await;
        let tenant = server.tenant().await;
        let tenant_id = tenant.tenant_id;
        record(&tenant).await;
        let before = all_found(&server.store, tenant_id).await;
        let names = customers(&tenant).await;
        let erased = contact(&before[&4]);
        let copies: Vec<(Uuid, Vec<u8>)> = sqlx::query_as(
            "select subject_id, wrapped from vault.subject_keys where tenant_id = $1",
        )
        .bind(tenant_id.0)
        .fetch_all(&mut conn)
        .await
        .expect("the keys");

        let vault = server.store.vault();
        vault.place_fence(tenant_id, ERASURE, &[erased]).await.expect("it is fenced");
        vault.wait_until_fenced(server.store.clock().now()).await.expect("everywhere");
        let entry = journaled(&server.store, &mut conn, tenant_id, ERASURE, &[erased]).await;
        vault.destroy_keys(&entry).await.expect("it is destroyed");
        for epoch in 2..=3 {
            let rolled = roll(&server, tenant_id).await;
            assert_eq!((rolled.destroyed, rolled.current), (epoch - 1, epoch));
            assert_eq!(usize::try_from(rolled.subjects), Ok(copies.len() - 1));
            assert_eq!(rows_below(&mut conn, tenant_id, epoch).await, 0);
            assert!(
                files(&own, tenant_id)
                    == ["destroyed.log", "digest.key", "lookup.key", &format!("{epoch}.tek")]
                        .map(str::to_owned)
                        .into()
            );
            let after = all_found(&server.store, tenant_id).await;
            let mut expected = before.clone();
            // The neighbour has a word of the name in common, and not the other one.
            expected.insert(4, (vec![HandleMatches::default(); 2], [].into(), [].into()));
            assert_eq!(after, expected);
            let mut expected = names.clone();
            expected.insert("call-4".to_owned(), Value::Null);
            assert_eq!(customers(&tenant).await, expected);
        }
        assert_older_copies_do_not_open(&own, tenant_id, &copies).await;
        let log = own.keys.join("keyring").join(tenant_id.to_string()).join("destroyed.log");
        let log = fs::read_to_string(log).expect("a list");
        let epochs: Vec<Value> =
            log.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        assert_eq!((&epochs[0]["epoch"], &epochs[1]["epoch"]), (&json!(1), &json!(2)), "{log}");

        // A restarted server reads the same, and knows its callers.
        server.stop().await;
        let server = own.server().await;
        let tenant = tenant.through(&server);
        call(&tenant, "later", &person(5)).await;
        assert_eq!(found(&server.store, tenant_id, 5).await, before[&5]);
        // A new call from the number of the erased person is of a new person.
        call(&tenant, "anew", &person(4)).await;
        assert_ne!(contact(&found(&server.store, tenant_id, 4).await), erased);
        server.stop().await;
    });
}

/// Tries the wrapped keys of an older copy with the key that is left, under the name of each epoch.
async fn assert_older_copies_do_not_open(
    own: &OwnDatabase,
    tenant_id: TenantId,
    copies: &[(Uuid, Vec<u8>)],
) {
    let keyring = own.keyring();
    assert!(
        keyring.epoch(tenant_id, 1).await.is_err() && keyring.epoch(tenant_id, 2).await.is_err()
    );
    let keys = keyring.epoch(tenant_id, 3).await.expect("the key in use");
    let mut conn = own.superuser().await;
    let now: Vec<(Uuid, Vec<u8>)> = sqlx::query_as(
        "select subject_id, wrapped from vault.subject_keys where tenant_id = $1 and wrapped is not null",
    )
    .bind(tenant_id.0)
    .fetch_all(&mut conn)
    .await
    .expect("the keys");
    let opens = |(subject, wrapped): &(Uuid, Vec<u8>), epoch: i32| {
        let (nonce, body) = wrapped.split_at(12);
        let nonce = Nonce::try_assume_unique_for_key(nonce).expect("12 bytes");
        let aad = [
            b"CLW1".as_slice(),
            tenant_id.0.as_bytes(),
            subject.as_bytes(),
            &1_i32.to_be_bytes(),
            &epoch.to_be_bytes(),
        ]
        .concat();
        keys.wrapping().open_in_place(nonce, Aad::from(aad), &mut body.to_vec()).is_ok()
    };
    assert!(now.iter().all(|row| opens(row, 3)), "the rows of today open");
    assert!(!copies.iter().any(|row| (1..=3).any(|epoch| opens(row, epoch))));
}

#[test]
fn one_of_two_rolls_at_once_wins_and_another_tenant_is_untouched() {
    run(async {
        let own = OwnDatabase::create().await;
        let mut conn = own.superuser().await;
        let (one, two) = (own.server().await, own.server().await);
        let (tenant, other) = (one.tenant().await, one.tenant().await);
        record(&tenant).await;
        record(&other).await;
        let before = all_found(&one.store, tenant.tenant_id).await;
        let others = (rows_of(&mut conn, &other).await, files(&own, other.tenant_id));
        let (first, second) = tokio::join!(
            one.store.roll_epoch(tenant.tenant_id),
            two.store.roll_epoch(tenant.tenant_id)
        );
        let both = [first, second];
        let refused = both.iter().filter(|one| matches!(one, Err(RollError::Running))).count();
        let rolled = both.iter().filter(|one| one.is_ok()).count();
        assert_eq!((rolled, refused), (1, 1), "{both:?}");
        assert_eq!(all_found(&two.store, tenant.tenant_id).await, before);
        assert_eq!((rows_of(&mut conn, &other).await, files(&own, other.tenant_id)), others);
        let installation = one.store.roll_epoch(TenantId::INSTALLATION).await;
        assert!(matches!(installation, Err(RollError::Installation)), "{installation:?}");
        let unknown = one.store.roll_epoch(TenantId(Uuid::from_u128(9))).await;
        assert!(matches!(unknown, Err(RollError::UnknownTenant)), "{unknown:?}");
        one.stop().await;
        two.stop().await;
    });
}

/// Rows of a tenant in the vault, with their places.
async fn rows_of(conn: &mut PgConnection, tenant: &TestTenant) -> Vec<String> {
    let tables = ["epochs", "subject_keys", "handles", "contacts", "contact_handles"];
    let each = tables.map(|table| {
        format!("select '{table}' || t.ctid || t from vault.{table} t where tenant_id = $1")
    });
    sqlx::query_scalar(AssertSqlSafe(each.join(" union all ") + " order by 1"))
        .bind(tenant.tenant_id.0)
        .fetch_all(conn)
        .await
        .expect("the vault")
}

#[test]
fn secrets_of_sources_and_kept_answers_outlive_a_roll() {
    run(async {
        let own = OwnDatabase::create().await;
        let (one, two) = (own.server().await, own.server().await);
        let tenant = one.tenant().await;
        let there = tenant.through(&two);
        call(&there, "before", &person(0)).await;
        let request = RepeatableRequest {
            tenant_id: tenant.tenant_id,
            key_id: KeyId(Uuid::from_u128(1)),
            idempotency_key: b"once",
            content: b"a request",
        };
        let lease = Duration::from_secs(30);
        let claimed = one.store.claim_command(&request, &[7; 32], lease).await.expect("a claim");
        let Claimed::Run(claim) = claimed else { panic!("it is new") };
        let open = RepeatableRequest { idempotency_key: b"twice", ..request };
        let short = Duration::ZERO;
        let claimed = one.store.claim_command(&open, &[8; 32], short).await.expect("a claim");
        assert!(matches!(claimed, Claimed::Run(_)));
        one.store.store_answer(&claim, b"the answer").await.expect("it is stored");

        roll(&two, tenant.tenant_id).await;
        for server in [&one, &two] {
            let again =
                server.store.claim_command(&request, &[9; 32], lease).await.expect("a claim");
            let Claimed::Answered(answer) = again else { panic!("it was answered") };
            assert_eq!(answer.as_slice(), b"the answer");
        }
        let again = two.store.claim_command(&open, &[9; 32], lease).await.expect("a claim");
        let Claimed::Run(claim) = again else { panic!("it was interrupted") };
        assert_eq!(claim.seed.as_slice(), [8; 32], "the seed of the first run");
        one.stop().await;
        two.stop().await;

        let server = own.server().await;
        call(&tenant.through(&server), "after", &person(0)).await;
        server.stop().await;
    });
}

#[test]
fn a_fenced_key_is_neither_moved_nor_lost_and_the_roll_waits_for_its_destruction() {
    run(async {
        let own = OwnDatabase::create().await;
        let mut conn = own.superuser().await;
        let server = own.server().await;
        let tenant = server.tenant().await;
        record(&tenant).await;
        let erased = contact(&found(&server.store, tenant.tenant_id, 1).await);
        let vault = server.store.vault();
        vault.place_fence(tenant.tenant_id, ERASURE, &[erased]).await.expect("it is fenced");
        let before = (rows_of(&mut conn, &tenant).await, files(&own, tenant.tenant_id));
        let refused = server.store.roll_epoch(tenant.tenant_id).await;
        assert!(matches!(refused, Err(RollError::Fenced { keys: 1 })), "{refused:?}");
        assert_eq!(rows_of(&mut conn, &tenant).await, before.0);
        let entry = journaled(&server.store, &mut conn, tenant.tenant_id, ERASURE, &[erased]).await;
        vault.destroy_keys(&entry).await.expect("it is destroyed");
        let rolled = roll(&server, tenant.tenant_id).await;
        assert_eq!((rolled.destroyed, rolled.current), (1, 2));
        server.stop().await;
    });
}

#[test]
fn rows_are_refused_under_an_epoch_that_is_not_live() {
    run(async {
        let own = OwnDatabase::create().await;
        let server = own.server().await;
        let tenant = server.tenant().await;
        record(&tenant).await;
        roll(&server, tenant.tenant_id).await;
        // As a server of the previous release writes that has cached the old epoch.
        let mut tx = TenantTx::begin(server.store.app(), tenant.tenant_id).await.expect("begun");
        let added = sqlx::query(
            "select vault.add_subjects(array[$1::uuid], array[1], now(), array[1], array[gen_random_uuid()],
               array['phone'], array['\\x00'::bytea], '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}',
               '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}')",
        )
        .bind(tenant.tenant_id.0)
        .execute(tx.conn())
        .await
        .expect_err("the epoch is not live");
        let code = added.as_database_error().and_then(sqlx::error::DatabaseError::code);
        assert_eq!(code.as_deref(), Some("LG006"), "{added}");
        server.stop().await;
    });
}
