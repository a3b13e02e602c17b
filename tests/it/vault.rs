//! People in the vault: identity, keys, and the remaining data after a key is destroyed.

mod batches;
mod export;
mod fences;
mod key_files;
mod keyring;
mod processes;
mod tampering;

use ledger_tests::{OwnDatabase, TestLedger, TestTenant, cluster, messages, run};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, PgConnection};
use uuid::Uuid;

/// A customer of the tests in this module.
fn person(number: &str) -> Value {
    json!({ "number": number, "name": "Vault Person", "email": "Vault.Person@Example.com" })
}

async fn post_report(tenant: &TestTenant, call: &str, customer: &Value) -> Value {
    let body = messages::from(messages::status(call, "in-progress"), customer);
    tenant.post_ok(body.to_string()).await
}

/// Returns the subject of the sections of the event at a position.
async fn subject_at(conn: &mut PgConnection, tenant: &TestTenant, answer: &Value) -> Uuid {
    sqlx::query_scalar(
        "select subjects[1] from ledger.events where tenant_id = $1 and position = $2",
    )
    .bind(tenant.tenant_id.0)
    .bind(answer["position"].as_i64().expect("it was recorded"))
    .fetch_one(conn)
    .await
    .expect("it has a subject")
}

/// Returns every row of the tenant in the vault with its physical location.
async fn vault_rows(conn: &mut PgConnection, tenant: &TestTenant) -> Vec<String> {
    let tables = [
        "epochs",
        "subject_keys",
        "handles",
        "contacts",
        "contact_handles",
        "call_subjects",
        "links",
    ];
    let each = tables.map(|table| {
        format!(
            "select '{table}' || t.ctid || t.xmin || t from vault.{table} t where tenant_id = $1"
        )
    });
    sqlx::query_scalar(AssertSqlSafe(each.join(" union all ") + " order by 1"))
        .bind(tenant.tenant_id.0)
        .fetch_all(conn)
        .await
        .expect("the vault")
}

async fn keys(conn: &mut PgConnection, tenant: &TestTenant) -> i64 {
    sqlx::query_scalar("select count(*) from vault.subject_keys where tenant_id = $1")
        .bind(tenant.tenant_id.0)
        .fetch_one(conn)
        .await
        .expect("the vault")
}

#[test]
fn a_returning_caller_has_the_same_subject_and_key() {
    run(async {
        let tenant = TestLedger::shared().await.tenant().await;
        let mut conn = cluster::superuser().await;
        let first = post_report(&tenant, "first", &person("+15550100150")).await;
        let before = vault_rows(&mut conn, &tenant).await;
        // The same report again: nothing is written.
        let report = messages::from(messages::report("first"), &person("+15550100150"));
        tenant.post_ok(report.to_string()).await;
        assert_eq!(vault_rows(&mut conn, &tenant).await, before);
        // Another call of the same person: nothing is written either.
        let again = post_report(&tenant, "second", &json!({ "number": "+1 (555) 010-0150" })).await;
        assert_eq!(vault_rows(&mut conn, &tenant).await, before);
        let subjects = [
            subject_at(&mut conn, &tenant, &first).await,
            subject_at(&mut conn, &tenant, &again).await,
        ];
        assert_eq!(subjects[0], subjects[1]);
    });
}

#[test]
fn a_contact_is_found_by_number_and_by_e_mail() {
    run(async {
        let tenant = TestLedger::shared().await.tenant().await;
        let mut conn = cluster::superuser().await;
        let both = post_report(&tenant, "both", &person("+15550100151")).await;
        let by_mail =
            post_report(&tenant, "mail", &json!({ "email": "vault.person@example.com" })).await;
        let by_number = post_report(&tenant, "number", &json!({ "number": "+15550100151" })).await;
        let subject = subject_at(&mut conn, &tenant, &both).await;
        assert_eq!(subject_at(&mut conn, &tenant, &by_mail).await, subject);
        assert_eq!(subject_at(&mut conn, &tenant, &by_number).await, subject);
        tenant.settle().await;
        let by_contact = format!("contact_id={subject}");
        for (filter, calls) in
            [("phone=%2B15550100151", 2), ("email=VAULT.person%40example.com", 2), (&by_contact, 3)]
        {
            let page = tenant.get(&format!("/v1/calls?{filter}")).await;
            assert_eq!(page["data"].as_array().map(Vec::len), Some(calls), "{filter}");
        }
        // An invalid number and address match no contact and link no contacts.
        let odd = json!({ "number": "unknown", "email": "not an address" });
        let first = post_report(&tenant, "odd-1", &odd).await;
        let second = post_report(&tenant, "odd-2", &odd).await;
        let subjects = [
            subject_at(&mut conn, &tenant, &first).await,
            subject_at(&mut conn, &tenant, &second).await,
        ];
        assert_ne!(subjects[0], subjects[1]);
    });
}

#[test]
fn a_call_without_a_person_keeps_its_own_subject_when_a_person_appears() {
    run(async {
        let tenant = TestLedger::shared().await.tenant().await;
        let mut conn = cluster::superuser().await;
        let nobody = tenant.post_ok(messages::status("web", "in-progress").to_string()).await;
        let same = tenant.post_ok(messages::status("web", "forwarding").to_string()).await;
        let own = subject_at(&mut conn, &tenant, &nobody).await;
        assert_eq!(subject_at(&mut conn, &tenant, &same).await, own);
        let other = tenant.post_ok(messages::status("other", "in-progress").to_string()).await;
        assert_ne!(subject_at(&mut conn, &tenant, &other).await, own);

        let somebody = post_report(&tenant, "web", &person("+15550100152")).await;
        let person = subject_at(&mut conn, &tenant, &somebody).await;
        assert_ne!(person, own, "a person is not a call");
        let late = tenant.post_ok(messages::status("web", "ended").to_string()).await;
        assert_eq!(subject_at(&mut conn, &tenant, &late).await, own);
        tenant.settle().await;
        let calls = tenant.calls().await;
        let contact = |id: &str| {
            let call = calls.iter().find(|call| call["provider_call_id"] == id);
            call.expect("a call")["customer"]["contact_id"].clone()
        };
        assert_eq!((contact("web"), contact("other")), (json!(person), Value::Null));
    });
}

#[test]
fn tenants_share_no_subject_no_key_and_no_blind_index() {
    run(async {
        let ledger = TestLedger::shared().await;
        let (one, two) = (ledger.tenant().await, ledger.tenant().await);
        for tenant in [&one, &two] {
            post_report(tenant, "the same call", &person("+15550100153")).await;
        }
        let shared: i64 = sqlx::query_scalar(
            "select (select count(*) from vault.handles a join vault.handles b
                       on a.blind_index = b.blind_index or a.handle_id = b.handle_id
                      where a.tenant_id = $1 and b.tenant_id = $2)
                  + (select count(*) from vault.subject_keys a join vault.subject_keys b
                       on a.fingerprint = b.fingerprint or a.wrapped = b.wrapped
                      where a.tenant_id = $1 and b.tenant_id = $2)
                  + (select count(*) from vault.epochs a join vault.epochs b
                       on a.check_value = b.check_value
                      where a.tenant_id = $1 and b.tenant_id = $2)",
        )
        .bind(one.tenant_id.0)
        .bind(two.tenant_id.0)
        .fetch_one(&mut cluster::superuser().await)
        .await
        .expect("the vault");
        assert_eq!(shared, 0);
    });
}

#[test]
fn two_servers_with_a_new_person_at_once_create_one_subject() {
    run(async {
        let own = OwnDatabase::create().await;
        let (here, there) = (own.server().await, own.server().await);
        let tenant = here.tenant().await;
        let beside = tenant.through(&there);
        let mut conn = own.superuser().await;
        for nth in 0..20_i64 {
            let number = json!({ "number": format!("+155501001{nth:02}") });
            let calls = [format!("here-{nth}"), format!("there-{nth}")];
            let (one, two) = tokio::join!(
                post_report(&tenant, &calls[0], &number),
                post_report(&beside, &calls[1], &number)
            );
            let person = subject_at(&mut conn, &tenant, &one).await;
            assert_eq!(subject_at(&mut conn, &tenant, &two).await, person, "round {nth}");
            let contacts: i64 =
                sqlx::query_scalar("select count(*) from vault.contacts where tenant_id = $1")
                    .bind(tenant.tenant_id.0)
                    .fetch_one(&mut conn)
                    .await
                    .expect("the vault");
            assert_eq!(contacts, nth + 1, "round {nth}");
        }
        here.stop().await;
        there.stop().await;
    });
}

#[test]
fn a_restarted_server_opens_older_sections() {
    run(async {
        let own = OwnDatabase::create().await;
        let first = own.server().await;
        let tenant = first.tenant().await;
        post_report(&tenant, "kept", &person("+15550100154")).await;
        first.stop().await;

        let second = own.server().await;
        let tenant = tenant.through(&second);
        let call = tenant.only_call().await;
        assert_eq!(call["customer"]["name"], "Vault Person");
        assert_eq!(call["customer"]["phone"], "+15550100154");
        assert_eq!(call["customer"]["email"], "Vault.Person@Example.com");
        let again = post_report(&tenant, "kept", &person("+15550100154")).await;
        assert_eq!(again["status"], "duplicate");
        second.stop().await;
    });
}

#[test]
fn a_fenced_person_is_erased_everywhere_and_never_sealed_again() {
    for fence in ["state = 'fenced'", "state = 'destroyed', wrapped = null"] {
        run(async {
            let own = OwnDatabase::create().await;
            let first = own.server().await;
            let tenant = first.tenant().await;
            post_report(&tenant, "fenced", &person("+15550100155")).await;
            let report = messages::from(messages::report("fenced"), &person("+15550100155"));
            tenant.post_ok(report.to_string()).await;
            post_report(
                &tenant,
                "untouched",
                &json!({ "number": "+15550100156", "name": "Other" }),
            )
            .await;
            tenant.settle().await;
            first.stop().await;
            let mut conn = own.superuser().await;
            let fenced = sqlx::query(AssertSqlSafe(format!(
                "update vault.subject_keys k set {fence}
                  where subject_id = (select subjects[1] from ledger.events
                                       where event_type = 'call.ended')"
            )));
            assert_eq!(fenced.execute(&mut conn).await.expect("an update").rows_affected(), 1);

            let second = own.server().await;
            let tenant = tenant.through(&second);
            assert_erased(&tenant).await;
            let before = (keys(&mut conn, &tenant).await, vault_rows(&mut conn, &tenant).await);
            let mut later = messages::from(messages::report("fenced"), &person("+15550100155"));
            later["message"]["endedReason"] = "silence-timed-out".into();
            let late = tenant.post_ok(later.to_string()).await;
            assert_eq!(late["status"], "recorded");
            tenant.settle().await;
            assert_without_sections(&mut conn, &tenant, &late).await;
            assert_eq!(
                (keys(&mut conn, &tenant).await, vault_rows(&mut conn, &tenant).await),
                before
            );
            assert_erased(&tenant).await;

            // Under another name the call is still of the fenced subject.
            let renamed =
                post_report(&tenant, "fenced", &json!({ "email": "other@example.com" })).await;
            assert_without_sections(&mut conn, &tenant, &renamed).await;
            assert_eq!(
                (keys(&mut conn, &tenant).await, vault_rows(&mut conn, &tenant).await),
                before
            );

            // A new call of the person is recorded without sections.
            let anew = post_report(&tenant, "anew", &person("+15550100155")).await;
            assert_without_sections(&mut conn, &tenant, &anew).await;
            assert_eq!(keys(&mut conn, &tenant).await, before.0);
            second.stop().await;
        });
    }
}

async fn assert_without_sections(conn: &mut PgConnection, tenant: &TestTenant, answer: &Value) {
    let (is_bare, is_said): (bool, bool) = sqlx::query_as(
        "select sections is null and bulk is null, coalesce((meta ->> 'erased')::boolean, false)
           from ledger.events where tenant_id = $1 and position = $2",
    )
    .bind(tenant.tenant_id.0)
    .bind(answer["position"].as_i64().expect("it was recorded"))
    .fetch_one(conn)
    .await
    .expect("the event");
    assert!(is_bare && is_said);
}

/// Checks that the fenced call is marked as erased in every view, and the other call is unchanged.
async fn assert_erased(tenant: &TestTenant) {
    let calls = tenant.calls().await;
    let find = |id: &str| {
        let call = calls.iter().find(|call| call["provider_call_id"] == id);
        call.unwrap_or_else(|| panic!("no call {id}")).clone()
    };
    assert_eq!(find("untouched")["customer"]["name"], "Other");
    let call = find("fenced");
    let erased = json!({ "contact_id": call["customer"]["contact_id"], "erased": true });
    assert!(call["customer"]["contact_id"].is_string(), "an erased person is still one");
    assert_eq!(call["customer"], erased, "in the list");
    let path = format!("/v1/calls/{}", call["call_id"].as_str().expect("an id"));
    let (_, masked) = tenant.get_with(&tenant.read_key, &path).await;
    assert_eq!(masked["customer"], erased, "masked");
    let detail = tenant.get(&path).await;
    assert_eq!(detail["customer"], erased, "in the detail");
    for said in ["transcript", "summary", "structured_data"] {
        assert_eq!(detail[said], Value::Null);
    }
    assert_eq!(detail["messages"], json!([]));
    assert_eq!(detail["cost_nanos"], 108_800_000, "facts stay");
    let dialect = tenant.get("/call/fenced").await;
    assert_eq!(dialect["customer"], json!({ "erased": true }), "in another dialect");
    for said in ["transcript", "summary", "messages", "analysis", "artifact"] {
        assert_eq!(dialect[said], Value::Null);
    }
    let events = tenant.get(&format!("{path}/events")).await;
    for event in events["data"].as_array().expect("a page") {
        assert!([json!({ "erased": true }), json!({})].contains(&event["personal"]), "{event}");
    }
    assert_eq!(events["data"][0]["personal"], json!({ "erased": true }));
}
