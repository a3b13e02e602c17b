//! The OpenAPI document for client generators: each operation has a unique id, each response a
//! description, and each enumeration its values.

use std::collections::{BTreeMap, BTreeSet};

use ledger_tests::{TestLedger, messages, run};
use reqwest::Client;
use serde_json::{Value, json};

/// Operation ids that client generators use. An id in use is never removed.
const STABLE: &[(&str, &str, &str)] = &[
    ("receive_webhook", "post", "/ingest/{source_id}"),
    ("get_health", "get", "/healthz"),
    ("get_readiness", "get", "/readyz"),
    ("get_metrics", "get", "/metrics"),
    ("list_calls", "get", "/v1/calls"),
    ("get_call", "get", "/v1/calls/{call_id}"),
    ("list_call_events", "get", "/v1/calls/{call_id}/events"),
    ("list_agents", "get", "/v1/agents"),
    ("get_analytics_summary", "get", "/v1/analytics/summary"),
    ("get_analytics_timeseries", "get", "/v1/analytics/timeseries"),
    ("get_analytics_breakdown", "get", "/v1/analytics/breakdown"),
    ("get_analytics_funnel", "get", "/v1/analytics/funnel"),
    ("get_usage", "get", "/v1/usage"),
    ("list_sources", "get", "/v1/sources"),
    ("create_source", "post", "/v1/sources"),
    ("list_keys", "get", "/v1/keys"),
    ("create_key", "post", "/v1/keys"),
    ("revoke_key", "delete", "/v1/keys/{key_id}"),
    ("list_parked_events", "get", "/v1/parked"),
    ("retry_parked_event", "post", "/v1/parked/{parked_id}/retry"),
    ("drop_parked_event", "post", "/v1/parked/{parked_id}/drop"),
    ("list_quarantine", "get", "/v1/quarantine"),
    ("replay_quarantined_message", "post", "/v1/quarantine/{quarantine_id}/replay"),
    ("list_incoming_deliveries", "get", "/v1/deliveries/in"),
    ("get_queue_health", "get", "/v1/webhook-metrics/queue-health"),
    ("get_delivery_stats", "get", "/v1/webhook-metrics/delivery-stats"),
    ("list_recent_failures", "get", "/v1/webhook-metrics/recent-failures"),
    ("list_dead_letters", "get", "/v1/webhook-metrics/dead-letter-queue"),
    ("retry_dead_letter", "post", "/v1/webhook-metrics/retry-failed/{id}"),
    ("list_projections", "get", "/v1/projections"),
    ("diff_projection", "get", "/v1/projections/{name}/diff"),
    ("rebuild_projection", "post", "/v1/projections/{name}/rebuild"),
    ("promote_projection", "post", "/v1/projections/{name}/promote"),
    ("rollback_projection", "post", "/v1/projections/{name}/rollback"),
    ("cancel_projection_rebuild", "post", "/v1/projections/{name}/cancel"),
    ("vapi_list_calls", "get", "/call"),
    ("vapi_get_call", "get", "/call/{id}"),
    ("vapi_query_analytics", "post", "/analytics"),
];

async fn document() -> Value {
    let url = format!("http://{}/openapi.json", TestLedger::shared().await.address);
    Client::new().get(url).send().await.expect("an answer").json().await.expect("JSON")
}

/// Returns every operation with its path and method.
fn operations(document: &Value) -> Vec<(&str, &str, &Value)> {
    let paths = document["paths"].as_object().expect("paths");
    let methods = |(path, item): (&'_ String, &'_ Value)| {
        let path = path.clone();
        item.as_object()
            .into_iter()
            .flatten()
            .map(|(method, _)| (path.clone(), method.clone()))
            .collect::<Vec<_>>()
    };
    let all: BTreeSet<(String, String)> = paths.iter().flat_map(methods).collect();
    let shown = |(path, method): (String, String)| {
        let (path, item) = paths.get_key_value(&path).expect("a path");
        let (method, operation) =
            item.as_object().expect("an item").get_key_value(&method).expect("a method");
        (method.as_str(), path.as_str(), operation)
    };
    all.into_iter().map(shown).collect()
}

#[test]
fn every_operation_has_a_unique_stable_id_of_verb_and_noun() {
    run(async {
        let document = document().await;
        let mut known: BTreeMap<&str, String> = BTreeMap::new();
        for (method, path, operation) in operations(&document) {
            let id = operation["operationId"].as_str().unwrap_or_default();
            let is_spoken = id.split('_').count() >= 2
                && id.split('_').all(|word| {
                    !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase())
                });
            assert!(is_spoken, "{method} {path}: {id} is no verb and noun");
            let is_dialect = ["/call", "/call/{id}", "/analytics"].contains(&path);
            assert_eq!(id.starts_with("vapi_"), is_dialect, "{method} {path}: {id}");
            let other = known.insert(id, format!("{method} {path}"));
            assert_eq!(other, None, "{method} {path}: {id} is another operation's");
        }
        for (id, method, path) in STABLE {
            assert_eq!(known.get(id).map(String::as_str), Some(&*format!("{method} {path}")));
        }
    });
}

#[test]
fn every_response_parameter_and_tag_has_a_description() {
    run(async {
        let document = document().await;
        let is_text = |value: &Value| value.as_str().is_some_and(|text| !text.trim().is_empty());
        let declared: BTreeSet<&str> = document["tags"]
            .as_array()
            .expect("tags are declared")
            .iter()
            .inspect(|tag| assert!(is_text(&tag["description"]), "{tag}"))
            .filter_map(|tag| tag["name"].as_str())
            .collect();
        for (method, path, operation) in operations(&document) {
            let at = format!("{method} {path}");
            for word in ["summary", "description"] {
                assert!(is_text(&operation[word]), "{at} has no {word}");
            }
            assert!(
                !operation["summary"].to_string().contains("\\n"),
                "{at}: a summary is one line"
            );
            assert!(operation["security"].is_array(), "{at}: who may ask is not said");
            let tags = operation["tags"].as_array().expect("tags");
            assert!(!tags.is_empty(), "{at} has no tag");
            for tag in tags.iter().filter_map(Value::as_str) {
                assert!(declared.contains(tag), "{at}: the tag {tag} is not declared");
            }
            for (status, response) in operation["responses"].as_object().expect("responses") {
                assert!(is_text(&response["description"]), "{at}: {status} is not described");
            }
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                assert!(is_text(&parameter["description"]), "{at}: {parameter}");
                assert!(!parameter["schema"].to_string().contains("null"), "{at}: {parameter}");
            }
        }
    });
}

#[test]
fn the_document_has_licence_contact_and_servers() {
    run(async {
        let document = document().await;
        for place in ["/info/license/name", "/info/contact/name", "/servers/0/url"] {
            let text_at = document.pointer(place).and_then(Value::as_str);
            assert!(text_at.is_some_and(|text| !text.is_empty()), "{place}");
        }
        for open in ["/healthz", "/readyz", "/metrics"] {
            assert_eq!(document["paths"][open]["get"]["security"], json!([]), "{open}");
        }
        let metrics = &document["paths"]["/metrics"]["get"]["responses"]["200"]["content"];
        assert!(metrics["text/plain"].is_object(), "{metrics}");
    });
}

#[test]
fn a_cursor_of_one_list_is_refused_by_another() {
    run(async {
        let tenant = TestLedger::shared().await.tenant().await;
        for nth in 1..=2 {
            let customer = json!({ "number": format!("+1555010010{nth}"), "name": "Anna Example" });
            let report = messages::from(messages::report(&format!("c-{nth}")), &customer);
            tenant.post_ok(report.to_string()).await;
        }
        tenant.settle().await;
        let lists = ["/v1/calls", "/v1/contacts"];
        let others = ["/v1/appointments", "/v1/tasks", "/v1/due"];
        for list in lists {
            let page = tenant.get(&format!("{list}?limit=1")).await;
            let cursor = page["next_cursor"].as_str().expect("there is more").to_owned();
            for path in lists.into_iter().chain(others) {
                let path = format!("{path}?cursor={cursor}");
                let (status, answer) = tenant.get_with(&tenant.key, &path).await;
                if path.starts_with(list) {
                    assert_eq!(status, 200, "{answer}");
                    continue;
                }
                assert_eq!((status, &answer["code"]), (400, &json!("invalid-parameter")), "{path}");
                assert_eq!(answer["errors"][0]["pointer"], "/cursor", "{path}: {answer}");
            }
        }
    });
}

/// Returns the values that a schema allows, at any depth.
fn words<'d>(document: &'d Value, schema: &'d Value) -> Vec<&'d str> {
    if let Some(name) = schema["$ref"].as_str().and_then(|path| path.strip_prefix('#')) {
        return words(document, document.pointer(name).expect("a schema"));
    }
    let choices = schema["oneOf"].as_array().into_iter().flatten();
    let own = schema["enum"].as_array().into_iter().flatten().filter_map(Value::as_str);
    own.chain(choices.flat_map(|choice| words(document, choice))).collect()
}

#[test]
fn a_fixed_list_of_values_is_an_enum_in_requests_and_responses() {
    run(async {
        let document = document().await;
        let outcomes = [
            "completed",
            "customer_hung_up",
            "no_answer",
            "voicemail",
            "busy",
            "transferred",
            "silence",
            "failed",
            "unknown",
        ];
        let wanted: [(&str, &str, &[&str]); 8] = [
            ("/v1/calls", "direction", &["inbound", "outbound", "web"]),
            ("/v1/calls", "status", &["queued", "ringing", "in_progress", "forwarding", "ended"]),
            ("/v1/calls", "outcome", &outcomes),
            ("/v1/calls", "is_test", &["true", "false", "any"]),
            ("/v1/analytics/summary", "outcome", &outcomes),
            ("/v1/analytics/summary", "is_test", &["true", "false", "any"]),
            ("/v1/analytics/timeseries", "interval", &["hour", "day", "week", "month"]),
            (
                "/v1/analytics/timeseries",
                "group_by",
                &["direction", "agent_id", "ended_reason", "outcome", "campaign", "call_type"],
            ),
        ];
        for (path, name, wanted) in wanted {
            let mut parameters =
                document["paths"][path]["get"]["parameters"].as_array().expect("parameters").iter();
            let parameter = parameters.find(|one| one["name"] == name).expect("a parameter");
            assert_eq!(words(&document, &parameter["schema"]), wanted, "{path} {name}");
        }
        let schemas = &document["components"]["schemas"];
        for (schema, field, word) in [
            ("CallView", "direction", "inbound"),
            ("CallView", "status", "in_progress"),
            ("CallView", "outcome", "customer_hung_up"),
            ("MessageView", "role", "assistant"),
            ("RecordingView", "kind", "stereo"),
            ("VapiCall", "type", "inboundPhoneCall"),
            ("VapiCall", "status", "in-progress"),
            ("Readiness", "status", "not_ready"),
            ("DeliveryView", "outcome", "quarantined"),
        ] {
            let field = &schemas[schema]["properties"][field];
            assert!(words(&document, field).contains(&word), "{schema}: {word} is not in {field}");
        }
        for (method, path, operation) in operations(&document) {
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                let pattern = parameter["schema"]["pattern"].as_str().unwrap_or_default();
                let is_list = pattern.starts_with("^(") && !pattern.contains(['[', '\\', '{']);
                assert!(!is_list, "{method} {path}: {pattern} is a list of words");
            }
        }
    });
}
