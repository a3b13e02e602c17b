//! What people say is sealed: in no facts, no metadata and no log line.

use super::*;

#[test]
fn no_value_of_a_tool_call_is_in_the_facts_or_in_a_log_line() {
    run(async {
        let tenant = TestLedger::shared().await.tenant().await;
        let mut arguments = at("09:00", "Quillfeather Zanzibarson");
        arguments["phone"] = json!("+15550100188");
        arguments["email"] = json!("quillfeather@example.com");
        arguments["notes"] = json!("prefers the zephyrchair");
        arguments["address"] = json!("7 Larkspurlane");
        let booking = call("c", &[("t", "bookAppointment", arguments)]);
        said(&tenant, &booking).await.expect("free");
        let cancel = json!({ "name": "Quillfeather Zanzibarson", "phone": "+15550100188",
            "reason": "caught a zephyrchair" });
        said(&tenant, &call("c", &[("u", "cancelAppointment", cancel)]))
            .await
            .expect("it is found");
        let canaries = ["quillfeather", "zanzibarson", "5550100188", "zephyrchair", "larkspurlane"];
        let rows: Vec<String> = sqlx::query_scalar(
            "select facts::text || meta::text from ledger.events where tenant_id = $1",
        )
        .bind(tenant.tenant_id.0)
        .fetch_all(&mut ledger_tests::cluster::superuser().await)
        .await
        .expect("the log answers");
        assert!(rows.len() >= 4, "tool calls, an appointment and its day");
        let logged = ledger_tests::logs::logged();
        for canary in canaries {
            let is_in = |text: &String| text.to_lowercase().contains(canary);
            assert!(!rows.iter().any(is_in), "{canary} is in the facts");
            assert!(!is_in(&logged), "{canary} is in a log line");
        }
        let call = tenant.only_call().await;
        assert_eq!(call["tool_calls"][0]["arguments"]["name"], "Quillfeather Zanzibarson");
        assert_eq!(call["tool_calls"][0]["result"]["result"], booked_at("9 am"));
    });
}
