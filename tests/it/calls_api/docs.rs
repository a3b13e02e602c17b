//! The served OpenAPI document has every route, and its page needs no network.

use ledger_tests::{TestLedger, run};
use reqwest::Client;
use serde_json::Value;

#[test]
fn the_served_document_lists_every_route_with_its_refusals() {
    run(async {
        let ledger = TestLedger::shared().await;
        let url = format!("http://{}/openapi.json", ledger.address);
        let document: Value =
            Client::new().get(url).send().await.expect("an answer").json().await.expect("JSON");
        assert!(document["openapi"].as_str().is_some_and(|version| version.starts_with("3.1")));
        let paths = document["paths"].as_object().expect("paths");
        let listed: Vec<&str> = paths.keys().map(String::as_str).collect();
        for (path, method) in [
            ("/ingest/{source_id}", "post"),
            ("/v1/calls", "get"),
            ("/v1/calls/{call_id}", "get"),
            ("/v1/calls/{call_id}/events", "get"),
            ("/healthz", "get"),
            ("/readyz", "get"),
            ("/metrics", "get"),
        ] {
            assert!(listed.contains(&path), "{path} is not in {listed:?}");
            assert!(paths[path][method].is_object(), "{method} {path}");
        }
        for (path, operations) in paths.iter().filter(|(path, _)| path.starts_with("/v1/")) {
            for (method, operation) in operations.as_object().expect("operations") {
                let security = &operation["security"];
                assert_eq!(*security, serde_json::json!([{ "api_key": [] }]), "{method} {path}");
                for status in ["401", "403", "503"] {
                    assert!(operation["responses"][status].is_object(), "{path}: {status}");
                }
                let done =
                    ["200", "201", "202", "204"].map(|status| &operation["responses"][status]);
                assert!(done.iter().any(|answer| answer.is_object()), "{method} {path}");
                // An operation with query parameters must describe the refusal of a wrong one.
                let asked = operation["parameters"].as_array().into_iter().flatten();
                let mut queried = asked.filter(|parameter| parameter["in"] == "query");
                let is_refused = operation["responses"]["400"].is_object();
                assert!(queried.next().is_none() || is_refused, "{method} {path}");
            }
        }
        let page = paths["/v1/calls"]["get"]["parameters"].as_array().expect("parameters");
        let names: Vec<_> = page.iter().filter_map(|one| one["name"].as_str()).collect();
        for name in "from to provider_call_id direction status outcome ended_reason agent_id tool \
                     min_cost_nanos phone email is_test limit cursor min_position"
            .split_whitespace()
        {
            assert!(names.contains(&name), "{name} is not in {names:?}");
        }
    });
}

#[test]
fn every_parameter_of_the_served_document_is_accepted() {
    run(async {
        let ledger = TestLedger::shared().await;
        let tenant = ledger.tenant().await;
        let key = ledger.key(tenant.tenant_id, &["read", "admin", "compliance"]).await;
        let document: Value = tenant.get("/openapi.json").await;
        let paths = document["paths"].as_object().expect("paths");
        for (path, operation) in paths.iter().filter(|(path, _)| path.starts_with("/v1/")) {
            let parameters = operation["get"]["parameters"].as_array().into_iter().flatten();
            for parameter in parameters.filter(|one| one["in"] == "query") {
                let name = parameter["name"].as_str().expect("a name");
                let path = path.replace("{call_id}", &tenant.tenant_id.to_string());
                let (status, answer) = tenant.get_with(&key, &format!("{path}?{name}=")).await;
                assert_ne!(status, 403, "{path}: which scope does it want?");
                assert_ne!(answer["code"], "unknown-parameter", "{path}: {name}");
            }
        }
    });
}

#[test]
fn the_page_of_the_contract_loads_nothing_from_other_hosts() {
    run(async {
        let ledger = TestLedger::shared().await;
        let get = async |path: &str| {
            let url = format!("http://{}{path}", ledger.address);
            let response = Client::new().get(url).send().await.expect("an answer");
            assert_eq!(response.status(), 200, "{path}");
            response.text().await.expect("text")
        };
        let page = get("/docs").await;
        let links: Vec<&str> = ["src=\"", "href=\""]
            .iter()
            .flat_map(|attribute| page.split(attribute).skip(1))
            .map(|rest| rest.split('"').next().expect("a value"))
            .collect();
        assert!(links.len() >= 3, "{page}");
        for link in links {
            assert!(!link.contains("//"), "{link} is elsewhere");
            let path = link.trim_start_matches("./");
            let text = get(&format!("/docs/{path}")).await;
            if path.ends_with("initializer.js") {
                assert!(text.contains("/openapi.json") && !text.contains("http"), "{text}");
            }
        }
    });
}
