//! Phone numbers from the webhook to the filter: each spelling of a number finds it, and no other
//! number does.

use ledger_tests::fixtures::Message;
use ledger_tests::{TestLedger, TestTenant, run};
use serde_json::{Value, json};

async fn call_from(tenant: &TestTenant, call: &str, number: &str) {
    let report = Message::report(call).field("customer", json!({ "number": number }));
    tenant.post_ok(report.body()).await;
}

async fn found(tenant: &TestTenant, query: &str) -> Vec<String> {
    tenant.settle().await;
    let page = tenant.get(&format!("/v1/calls?{query}")).await;
    let id = |call: &Value| call["provider_call_id"].as_str().expect("an id").to_owned();
    let mut ids: Vec<String> = page["data"].as_array().expect("a page").iter().map(id).collect();
    ids.sort();
    ids
}

async fn people(tenant: &TestTenant) -> Value {
    tenant.settle().await;
    tenant.get("/v1/analytics/summary").await["unique_contacts"].clone()
}

/// Spellings of one number, percent-encoded for the query.
const SPELLINGS: [(&str, &str); 7] = [
    ("+15550100141", "%2B15550100141"),
    ("\u{202A}+15550100141\u{202C}", "%E2%80%AA%2B15550100141%E2%80%AC"),
    ("\u{2068}+1\u{A0}555\u{A0}010\u{A0}0141\u{2069}", "%2B1%C2%A0555%C2%A0010%C2%A00141"),
    ("+1\u{2011}555\u{2013}010\u{2009}0141", "%2B1%E2%80%91555%E2%80%93010%E2%80%890141"),
    (
        "+\u{661}\u{665}\u{665}\u{665}\u{660}\u{661}\u{660}\u{660}\u{661}\u{664}\u{661}",
        "%2B%D9%A1%D9%A5%D9%A5%D9%A5%D9%A0%D9%A1%D9%A0%D9%A0%D9%A1%D9%A4%D9%A1",
    ),
    ("tel:+1-555-010-0141", "tel:%2B1-555-010-0141"),
    ("whatsapp:+15550100141", "whatsapp:%2B15550100141"),
];

#[test]
fn one_number_in_every_spelling_is_one_contact_and_matches_the_same_filter() {
    run(async {
        let tenant = TestLedger::shared().await.tenant().await;
        for (nth, (number, _)) in SPELLINGS.iter().enumerate() {
            call_from(&tenant, &format!("c-{nth}"), number).await;
        }
        assert_eq!(people(&tenant).await, 1);
        for (number, query) in SPELLINGS {
            assert_eq!(found(&tenant, &format!("phone={query}")).await.len(), 7, "{number:?}");
        }
    });
}

#[test]
fn an_unencoded_plus_matches_the_number_or_is_refused_with_the_reason() {
    run(async {
        let tenant = TestLedger::shared().await.tenant_in_country("GB").await;
        call_from(&tenant, "p", "+15550100151").await;
        call_from(&tenant, "n", "07700 900123").await;
        assert_eq!(found(&tenant, "phone=+15550100151").await, ["p"]);
        assert_eq!(found(&tenant, "phone=%2015550100151").await, ["p"]);
        assert_eq!(found(&tenant, "phone=+44%207700%20900123").await, ["n"]);
        assert_eq!(found(&tenant, "phone=07700900123").await, ["n"]);
        for query in ["phone=+07700900123", "phone=+1"] {
            let (status, problem) =
                tenant.get_with(&tenant.key, &format!("/v1/calls?{query}")).await;
            assert_eq!(status, 400, "{query}");
            let detail = problem["errors"][0]["detail"].as_str().expect("a detail");
            assert!(detail.contains("%2B"), "{detail}");
        }
    });
}

#[test]
fn each_call_with_a_withheld_number_counts_as_one_person() {
    run(async {
        for number in ["266696687", "+266696687", "86282452253", "7378742883", "anonymous"] {
            for country in ["DE", "US", "CN"] {
                let tenant = TestLedger::shared().await.tenant_in_country(country).await;
                for nth in 0..3 {
                    call_from(&tenant, &format!("a{nth}"), number).await;
                }
                assert_eq!(people(&tenant).await, 3, "{number} in {country}");
                let (status, _) =
                    tenant.get_with(&tenant.key, &format!("/v1/calls?phone={number}")).await;
                assert_eq!(status, 400, "{number} in {country}");
            }
        }
    });
}

#[test]
fn a_number_in_e164_is_returned_unchanged_and_found() {
    run(async {
        let tenant = TestLedger::shared().await.tenant().await;
        call_from(&tenant, "r", "+78121234567").await;
        tenant.settle().await;
        assert_eq!(tenant.only_call().await["customer"]["phone"], "+78121234567");
        assert_eq!(tenant.get("/call/r").await["customer"]["number"], "+78121234567");
        assert_eq!(found(&tenant, "phone=%2B78121234567").await, ["r"]);
        let (_, page) = tenant.get_with(&tenant.key, "/v1/calls?phone=%2B7121234567").await;
        assert_ne!(page["data"].as_array().map(Vec::len), Some(1), "another number");
    });
}

#[test]
fn a_national_number_is_of_the_tenants_country_or_stored_unchanged() {
    run(async {
        for (country, number, shown) in [
            ("IN", "9123456789", "+919123456789"),
            ("GB", "15550100141", "15550100141"),
            ("DE", "4915100000000000", "4915100000000000"),
            ("US", "15550100141", "+15550100141"),
            ("", "7700900123", "7700900123"),
            ("", "2125550123", "2125550123"),
            ("", "+442079460018", "+442079460018"),
        ] {
            let tenant = TestLedger::shared().await.tenant_in_country(country).await;
            call_from(&tenant, "n", number).await;
            tenant.settle().await;
            assert_eq!(tenant.only_call().await["customer"]["phone"], shown, "{country}");
            let is_read = shown.starts_with('+');
            let presence = if is_read { "valid" } else { "invalid" };
            assert_eq!(tenant.facts_of("call.ended").await[0]["party"]["phone"], presence);
        }
    });
}
