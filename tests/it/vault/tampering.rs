//! Rows of vault and log altered directly: no section opens wrongly, nothing is reported as erased,
//! and other people's calls are not delayed.

use ledger_tests::{OwnDatabase, TestLedger, TestTenant, messages, run};
use reqwest::Client;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, PgConnection};

/// Three calls of three people, on a new server with empty caches.
async fn three_people(own: &OwnDatabase) -> (TestTenant, PgConnection) {
    let ledger = own.server().await;
    let tenant = ledger.tenant().await;
    for name in ["Ada", "Bea", "Cleo"] {
        tenant.post_ok(report(name).to_string()).await;
    }
    tenant.settle().await;
    ledger.stop().await;
    (tenant, own.superuser().await)
}

fn number(name: &str) -> &'static str {
    match name {
        "Ada" => "+15550100161",
        "Bea" => "+15550100162",
        _ => "+15550100163",
    }
}

fn report(name: &str) -> Value {
    let customer = json!({ "number": number(name), "name": name });
    messages::from(messages::report(&format!("call of {name}")), &customer)
}

/// A subquery for the subject of a person's call.
fn subject(name: &str) -> String {
    format!(
        "(select subjects[1] from ledger.events where facts ->> 'provider_call_id' = 'call of {name}')"
    )
}

async fn tamper(conn: &mut PgConnection, statement: &str) {
    let script = format!(
        "begin; alter table ledger.events disable trigger immutable; {statement};
         alter table ledger.events enable always trigger immutable; commit"
    );
    sqlx::raw_sql(AssertSqlSafe(script)).execute(conn).await.expect(statement);
}

async fn corrupt_sections(tenant: &TestTenant) -> f64 {
    let response = Client::new().get(tenant.url("/metrics")).send().await.expect("an answer");
    let text = response.text().await.expect("a text");
    let ours = text.lines().filter(|line| line.starts_with("ledger_corrupt_sections"));
    let value = |line: &str| line.rsplit(' ').next().and_then(|value| value.parse::<f64>().ok());
    ours.filter_map(value).sum()
}

fn named<'a>(calls: &'a [Value], name: &str) -> &'a Value {
    let id = format!("call of {name}");
    calls.iter().find(|call| call["provider_call_id"] == *id).expect("the call is listed")
}

/// Checks that the customer of a call is empty and not marked as erased.
fn assert_empty_customer(calls: &[Value], name: &str) {
    let customer = &named(calls, name)["customer"];
    for field in ["name", "phone", "email", "erased"] {
        assert_eq!(customer[field], Value::Null, "{name}: {customer}");
    }
}

fn assert_clear(calls: &[Value], name: &str) {
    let customer = &named(calls, name)["customer"];
    assert_eq!((&customer["name"], &customer["phone"]), (&name.into(), &number(name).into()));
}

async fn events_of(tenant: &TestTenant, calls: &[Value], name: &str) -> Vec<Value> {
    let id = named(calls, name)["call_id"].as_str().expect("an id");
    let page = tenant.get(&format!("/v1/calls/{id}/events")).await;
    page["data"].as_array().expect("a page").clone()
}

#[test]
fn a_missing_key_is_an_alarm_and_not_an_erasure() {
    run(async {
        let own = OwnDatabase::create().await;
        let (tenant, mut conn) = three_people(&own).await;
        let remove =
            format!("delete from vault.subject_keys where subject_id = {}", subject("Ada"));
        tamper(&mut conn, &remove).await;
        let ledger = own.server().await;
        let tenant = tenant.through(&ledger);
        let before = corrupt_sections(&tenant).await;
        let calls = tenant.calls().await;
        assert_empty_customer(&calls, "Ada");
        assert_clear(&calls, "Bea");
        assert!(corrupt_sections(&tenant).await > before);
        assert_eq!(
            events_of(&tenant, &calls, "Ada").await[0]["personal"],
            json!({ "corrupt": true })
        );
        assert_others_are_accepted(&tenant, &ledger).await;
        ledger.stop().await;
    });
}

#[test]
fn swapped_keys_open_nothing_and_delay_no_other_person() {
    run(async {
        let own = OwnDatabase::create().await;
        let (tenant, mut conn) = three_people(&own).await;
        let swap = format!(
            "update vault.subject_keys k set wrapped = o.wrapped
               from vault.subject_keys o
              where (k.subject_id, o.subject_id) in (({a}, {b}), ({b}, {a}))",
            a = subject("Ada"),
            b = subject("Bea"),
        );
        tamper(&mut conn, &swap).await;
        let ledger = own.server().await;
        let tenant = tenant.through(&ledger);
        let before = corrupt_sections(&tenant).await;
        let calls = tenant.calls().await;
        assert_empty_customer(&calls, "Ada");
        assert_empty_customer(&calls, "Bea");
        assert_clear(&calls, "Cleo");
        assert!(corrupt_sections(&tenant).await > before);
        assert_others_are_accepted(&tenant, &ledger).await;
        ledger.stop().await;
    });
}

/// Ada's key is corrupt: her webhooks are refused for a retry; those of others are accepted.
async fn assert_others_are_accepted(tenant: &TestTenant, ledger: &TestLedger) {
    let mut others = tokio::task::JoinSet::new();
    for nth in 0..20 {
        let customer = json!({ "number": number(if nth % 2 == 0 { "Ada" } else { "Cleo" }) });
        let body = messages::from(messages::report(&format!("later {nth}")), &customer);
        let tenant = tenant.through(ledger);
        others.spawn(async move { (nth, tenant.post(body.to_string()).await) });
    }
    for (nth, (status, answer)) in others.join_all().await {
        assert_eq!(status, if nth % 2 == 0 { 503 } else { 200 }, "{nth}: {answer}");
    }
}

#[test]
fn a_section_moved_to_another_event_does_not_open() {
    run(async {
        let own = OwnDatabase::create().await;
        let (tenant, mut conn) = three_people(&own).await;
        let transplant = "update ledger.events e set sections = o.sections, bulk = o.bulk
               from ledger.events o
              where e.facts ->> 'provider_call_id' = 'call of Bea'
                and o.facts ->> 'provider_call_id' = 'call of Ada'";
        tamper(&mut conn, transplant).await;
        let ledger = own.server().await;
        let tenant = tenant.through(&ledger);
        let calls = tenant.calls().await;
        let moved = events_of(&tenant, &calls, "Bea").await;
        assert_eq!(moved[0]["personal"], json!({ "corrupt": true }));
        assert_eq!(events_of(&tenant, &calls, "Ada").await[0]["personal"]["party"]["name"], "Ada");
        ledger.stop().await;
    });
}

#[test]
fn a_section_moved_to_another_tenant_does_not_open() {
    run(async {
        let own = OwnDatabase::create().await;
        let (tenant, mut conn) = three_people(&own).await;
        let ledger = own.server().await;
        let other = ledger.tenant().await;
        other.post_ok(report("Cleo").to_string()).await;
        other.settle().await;
        // Moves the copy in the read model together with key and subject.
        let [from, to] = [tenant.tenant_id, other.tenant_id];
        tamper(
            &mut conn,
            &format!(
                "update calls_v2.calls c set party = o.party from calls_v2.calls o
                  where c.tenant_id = '{to}' and o.tenant_id = '{from}'
                    and o.provider_call_id = 'call of Ada';
                 insert into vault.subject_keys
                 select '{to}', subject_id, generation, state, epoch, wrapped, fingerprint, created_at
                   from vault.subject_keys where tenant_id = '{from}'"
            ),
        )
        .await;
        let calls = other.calls().await;
        assert_empty_customer(&calls, "Cleo");
        ledger.stop().await;
    });
}

#[test]
fn a_party_copied_to_another_calls_row_does_not_open() {
    run(async {
        let own = OwnDatabase::create().await;
        let (tenant, mut conn) = three_people(&own).await;
        let copy = "update calls_v2.calls set party = (select party from calls_v2.calls
                      where provider_call_id = 'call of Bea')
                    where provider_call_id = 'call of Ada'";
        sqlx::raw_sql(AssertSqlSafe(copy)).execute(&mut conn).await.expect("a copy");

        let ledger = own.server().await;
        let tenant = tenant.through(&ledger);
        let calls = tenant.calls().await;
        assert_eq!(named(&calls, "Ada")["customer"]["name"], Value::Null);
        assert_eq!(named(&calls, "Ada")["customer"]["phone"], Value::Null);
        assert_eq!(named(&calls, "Bea")["customer"]["name"], "Bea");
        assert!(corrupt_sections(&tenant).await > 0.0);
        ledger.stop().await;
    });
}
