//! The routes of `/v1`, from the OpenAPI document of the server.

use reqwest::Method;
use serde_json::Value;

/// The required scope of each route, which its declaration must equal. A route without an entry fails the tests.
const KNOWN: &[(&str, &str, &str)] = &[
    ("get", "/v1/agents", "read"),
    ("get", "/v1/analytics/breakdown", "read"),
    ("get", "/v1/analytics/funnel", "read"),
    ("get", "/v1/analytics/summary", "read"),
    ("get", "/v1/analytics/timeseries", "read"),
    ("get", "/v1/appointments", "read"),
    ("post", "/v1/appointments", "write"),
    ("get", "/v1/appointments/{appointment_id}", "read"),
    ("post", "/v1/appointments/{appointment_id}/cancel", "write"),
    ("post", "/v1/appointments/{appointment_id}/complete", "write"),
    ("post", "/v1/appointments/{appointment_id}/confirm", "write"),
    ("post", "/v1/appointments/{appointment_id}/no-show", "write"),
    ("post", "/v1/appointments/{appointment_id}/reschedule", "write"),
    ("get", "/v1/availability", "read"),
    ("get", "/v1/contacts", "read"),
    ("post", "/v1/contacts", "write"),
    ("get", "/v1/contacts/{contact_id}", "read"),
    ("patch", "/v1/contacts/{contact_id}", "write"),
    ("get", "/v1/contacts/{contact_id}/timeline", "read"),
    ("post", "/v1/contacts/{contact_id}/merge", "write"),
    ("post", "/v1/contacts/{contact_id}/handles", "write"),
    ("delete", "/v1/contacts/{contact_id}/handles/{kind}", "write"),
    ("get", "/v1/calls", "read"),
    ("get", "/v1/calls/{call_id}", "read"),
    ("get", "/v1/calls/{call_id}/events", "read"),
    ("patch", "/v1/calls/{call_id}/campaign", "write"),
    ("put", "/v1/calls/{call_id}/context", "write"),
    ("post", "/v1/calls/{call_id}/disposition", "write"),
    ("post", "/v1/calls/{call_id}/escalate", "write"),
    ("post", "/v1/calls/{call_id}/notes", "write"),
    ("patch", "/v1/calls/{call_id}/notes/{note_id}", "write"),
    ("delete", "/v1/calls/{call_id}/notes/{note_id}", "write"),
    ("post", "/v1/calls/{call_id}/score", "write"),
    ("post", "/v1/calls/{call_id}/tags", "write"),
    ("delete", "/v1/calls/{call_id}/tags/{tag}", "write"),
    ("post", "/v1/calls/{call_id}/test", "write"),
    ("get", "/v1/due", "read"),
    ("post", "/v1/subjects/{subject_id}/export", "compliance"),
    ("get", "/v1/exports/{export_id}", "compliance"),
    ("get", "/v1/exports/{export_id}/file", "compliance"),
    ("get", "/v1/retention/due", "compliance"),
    ("get", "/v1/tasks", "read"),
    ("post", "/v1/tasks", "write"),
    ("post", "/v1/tasks/{task_id}/cancel", "write"),
    ("post", "/v1/tasks/{task_id}/done", "write"),
    ("get", "/v1/erasures", "compliance"),
    ("get", "/v1/erasures/{erasure_id}", "compliance"),
    ("get", "/v1/erasures/{erasure_id}/certificate", "compliance"),
    ("post", "/v1/erasures/{erasure_id}/extend", "compliance"),
    ("post", "/v1/erasures/{erasure_id}/refuse", "compliance"),
    ("post", "/v1/subjects/lookup", "compliance"),
    ("get", "/v1/subjects/{subject_id}", "compliance"),
    ("post", "/v1/subjects/{subject_id}/erasure", "compliance"),
    ("post", "/v1/subjects/{subject_id}/holds", "compliance"),
    ("delete", "/v1/subjects/{subject_id}/holds/{hold_id}", "compliance"),
    ("post", "/v1/subjects/{subject_id}/restriction", "compliance"),
    ("delete", "/v1/subjects/{subject_id}/restriction", "compliance"),
    ("get", "/v1/ledger/public-key", "read"),
    ("get", "/v1/parked", "admin"),
    ("post", "/v1/parked/{parked_id}/drop", "admin"),
    ("post", "/v1/parked/{parked_id}/retry", "admin"),
    ("get", "/v1/projections", "admin"),
    ("post", "/v1/projections/{name}/cancel", "admin"),
    ("get", "/v1/projections/{name}/diff", "admin"),
    ("post", "/v1/projections/{name}/promote", "admin"),
    ("post", "/v1/projections/{name}/rebuild", "admin"),
    ("post", "/v1/projections/{name}/rollback", "admin"),
    ("get", "/v1/quarantine", "admin"),
    ("post", "/v1/quarantine/{quarantine_id}/replay", "admin"),
    ("get", "/v1/sources", "admin"),
    ("post", "/v1/sources", "admin"),
    ("patch", "/v1/sources/{source_id}", "admin"),
    ("post", "/v1/sources/{source_id}/disable", "admin"),
    ("post", "/v1/sources/{source_id}/enable", "admin"),
    ("post", "/v1/sources/{source_id}/rotate-secret", "admin"),
    ("get", "/v1/keys", "admin"),
    ("post", "/v1/keys", "admin"),
    ("delete", "/v1/keys/{key_id}", "admin"),
    ("get", "/v1/deliveries/in", "admin"),
    ("get", "/v1/webhook-metrics/queue-health", "admin"),
    ("get", "/v1/webhook-metrics/delivery-stats", "admin"),
    ("get", "/v1/webhook-metrics/recent-failures", "admin"),
    ("get", "/v1/webhook-metrics/dead-letter-queue", "admin"),
    ("post", "/v1/webhook-metrics/retry-failed/{id}", "admin"),
    ("get", "/v1/usage", "read"),
    ("get", "/v1/tenant", "admin"),
    ("patch", "/v1/tenant", "admin"),
    ("get", "/v1/settings/{name}", "admin"),
    ("put", "/v1/settings/{name}", "admin"),
];

/// Routes without a key: probes, and webhooks, which have their own authentication.
const OPEN: &[&str] = &["/healthz", "/readyz", "/metrics", "/ingest/{source_id}"];

/// Vapi's dialect has Vapi's refusals, so it has separate tests: `tests/it/vapi_dialect`.
const DIALECT: &[&str] = &["/call", "/call/{id}", "/analytics"];

const SCOPES: &[&str] = &["read", "personal", "write", "compliance", "admin"];

/// A route with the scope it needs.
pub(super) struct Route {
    pub(super) method: Method,
    pub(super) template: String,
    pub(super) scope: &'static str,
}

impl Route {
    /// Returns the path, with the id of an object if it takes one.
    pub(super) fn path(&self, call_id: &str) -> String {
        let ids = [
            "{call_id}",
            "{appointment_id}",
            "{contact_id}",
            "{task_id}",
            "{quarantine_id}",
            "{parked_id}",
            "{key_id}",
            "{source_id}",
            "{note_id}",
            "{subject_id}",
            "{erasure_id}",
            "{hold_id}",
            "{tag}",
            "{id}",
        ];
        let path = self.template.replace("{name}", "calls").replace("{kind}", "phone");
        ids.iter().fold(path, |path, id| path.replace(id, call_id))
    }

    /// Returns whether the path takes the id of an object that every tenant has, and needs no body.
    /// Quarantine has no tenant; keys, parked events and changes of calls have separate tests.
    pub(super) fn names_an_object(&self) -> bool {
        self.method == Method::GET && self.template.contains("{call_id}")
    }

    /// Returns the scopes that do not allow this route.
    pub(super) fn other_scopes(&self) -> &'static [&'static str] {
        match self.scope {
            // `personal` includes `read`.
            "read" => &SCOPES[2..],
            "admin" => &SCOPES[..4],
            "compliance" => &["read", "personal", "write", "admin"],
            "write" => &["read", "personal", "compliance", "admin"],
            "compliance" => &["read", "personal", "write", "admin"],
            _ => panic!("which scopes do not open {}?", self.template),
        }
    }
}

/// Returns every route of `/v1`.
///
/// # Panics
/// If the document has a route without an entry here, or an entry has no route.
pub(super) fn v1_routes() -> Vec<Route> {
    let (_, document) = server::router::router_and_openapi();
    let document = serde_json::to_value(document).expect("a document is plain data");
    let paths = document["paths"].as_object().expect("a document has paths");
    let mut routes = Vec::new();
    for (template, operations) in paths {
        if OPEN.contains(&template.as_str()) || DIALECT.contains(&template.as_str()) {
            continue;
        }
        assert!(template.starts_with("/v1/"), "{template}: does it need a key?");
        for (method, operation) in operations.as_object().expect("a path has operations") {
            routes.push(route(method, template, operation));
        }
    }
    assert_eq!(routes.len(), KNOWN.len(), "a route is gone");
    routes
}

fn route(method: &str, template: &str, operation: &Value) -> Route {
    let known = KNOWN.iter().find(|known| (known.0, known.1) == (method, template));
    let Some((_, _, scope)) = known else {
        panic!("{method} {template} is new: say in tests/it/tenancy/routes.rs how it is called");
    };
    assert_eq!(operation["security"], serde_json::json!([{ "api_key": [] }]), "{template}");
    assert_eq!(operation["x-required-scope"], *scope, "{template}");
    Route {
        method: method.to_uppercase().parse().expect("a method"),
        template: template.to_owned(),
        scope,
    }
}
