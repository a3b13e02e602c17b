//! Response headers, CORS, the separate address for operations, and the audit trail of a flood.

use std::net::SocketAddr;
use std::sync::Arc;

use ledger_tests::{OwnDatabase, TestLedger, messages, run};
use reqwest::{Client, Method, Response};
use serde_json::Value;
use server::limits::Limits;
use server::service::{NetworkSettings, Service};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::send;

fn header<'a>(answer: &'a Response, name: &str) -> &'a str {
    answer.headers().get(name).map_or("", |value| value.to_str().expect("a text"))
}

#[test]
fn every_response_forbids_caching_sniffing_and_framing() {
    run(async {
        let ledger = TestLedger::shared().await;
        let tenant = ledger.tenant().await;
        let admin = ledger.key(tenant.tenant_id, &["admin"]).await;
        tenant.post_ok(messages::report("headers").to_string()).await;
        tenant.settle().await;
        let get =
            async |path: &str| tenant.request(&tenant.key, path).send().await.expect("an answer");
        let body = "{\"provider\":\"vapi\"}";
        let answers = [
            get("/v1/calls").await,
            get("/call").await,
            get("/v1/nowhere").await,
            get("/openapi.json").await,
            get("/healthz").await,
            get("/metrics").await,
            send(&tenant, &admin, Method::POST, "/v1/sources", body).await,
            send(&tenant, &admin, Method::POST, "/v1/keys", "{\"scopes\":[\"admin\"]}").await,
            send(&tenant, "wrong", Method::GET, "/v1/calls", "").await,
            tenant.webhook("not json").send().await.expect("an answer"),
        ];
        for answer in &answers {
            let (url, status) = (answer.url(), answer.status());
            assert_eq!(header(answer, "cache-control"), "no-store", "{url} {status}");
            let policy = header(answer, "content-security-policy");
            assert_eq!(policy, "default-src 'none'; frame-ancestors 'none'", "{url} {status}");
        }
        let page = get("/docs/").await;
        assert!(header(&page, "content-type").starts_with("text/html"));
        let policy = header(&page, "content-security-policy");
        assert!(policy.contains("default-src 'none'; script-src 'self';"), "{policy}");
        assert!(!policy.contains("unsafe-eval") && policy.contains("frame-ancestors 'none'"));
        let script = get("/docs/swagger-ui-bundle.js").await;
        assert_eq!(script.status(), 200);
        for answer in answers.iter().chain([&page, &script]) {
            for (name, value) in [
                ("x-content-type-options", "nosniff"),
                ("referrer-policy", "no-referrer"),
                ("x-frame-options", "DENY"),
                ("cross-origin-resource-policy", "same-origin"),
            ] {
                assert_eq!(header(answer, name), value, "{name} of {}", answer.url());
            }
        }
        // The content security policy of the page forbids inline scripts.
        let text = page.text().await.expect("a page");
        assert!(!text.contains("<script>") && !text.contains("onload="), "{text}");
    });
}

#[test]
fn a_head_that_cannot_be_read_is_answered_with_the_same_headers() {
    run(async {
        let ledger = TestLedger::shared().await;
        let many = "x-many: 1\r\n".repeat(200);
        for (rest, status) in [(many.as_str(), "431"), ("x y: 1\r\n", "400")] {
            let request = format!("GET /healthz HTTP/1.1\r\nhost: example.com\r\n{rest}\r\n");
            let mut stream = TcpStream::connect(ledger.address).await.expect("a connection");
            stream.write_all(request.as_bytes()).await.expect("it is open");
            let mut heard = Vec::new();
            stream.read_to_end(&mut heard).await.expect("it closes");
            let heard = String::from_utf8(heard).expect("a text");
            assert!(heard.starts_with(&format!("HTTP/1.1 {status} ")), "{heard}");
            for header in [
                "\r\nx-request-id: ",
                "\r\nx-content-type-options: nosniff\r\n",
                "\r\ncache-control: no-store\r\n",
            ] {
                assert!(heard.contains(header), "{header} in {heard}");
            }
            let url = format!("http://{}/metrics", ledger.address);
            let metrics =
                reqwest::get(url).await.expect("an answer").text().await.expect("metrics");
            let counted = format!(
                "ledger_http_request_seconds_count{{route=\"unread\",status=\"{status}\"}}"
            );
            assert!(metrics.contains(&counted), "{metrics}");
        }
    });
}

#[test]
fn a_long_method_and_a_long_path_are_not_in_the_log() {
    run(async {
        let ledger = TestLedger::shared().await;
        let tenant = ledger.tenant().await;
        let method = Method::from_bytes("M".repeat(10_000).as_bytes()).expect("a method");
        let answer = send(&tenant, &tenant.key, method, "/v1/calls", "").await;
        assert_eq!(answer.status(), 405);
        let path = format!("/v1/{}", "p".repeat(20_000));
        let answer = send(&tenant, &tenant.key, Method::GET, &path, "").await;
        assert_eq!(answer.status(), 404);
        let logged = ledger_tests::logs::logged();
        assert!(!logged.contains(&"M".repeat(1_000)), "the log repeats no such method");
        assert!(!logged.contains(&"p".repeat(1_000)), "and no such path");
    });
}

async fn preflight(address: SocketAddr, origin: &str, path: &str) -> Response {
    Client::new()
        .request(Method::OPTIONS, format!("http://{address}{path}"))
        .header("origin", origin)
        .header("access-control-request-method", "PATCH")
        .header("access-control-request-headers", "authorization,content-type,idempotency-key")
        .send()
        .await
        .expect("an answer")
}

#[test]
fn cors_allows_the_configured_origins_only() {
    run(async {
        const OURS: &str = "https://dashboard.example.com";
        let own = OwnDatabase::create().await;
        let ledger = own.server().await;
        let tenant = ledger.tenant().await;
        let limits = Limits::with_max_body(5_000_000);
        let outside = NetworkSettings {
            cors_origins: vec![OURS.into(), "http://localhost:3000".into()],
            ..NetworkSettings::at(SocketAddr::from(([127, 0, 0, 1], 0)))
        };
        let open = Service::start_with_network(limits, Arc::clone(&ledger.store), &outside);
        let open = open.await.expect("it starts");

        let allowed = preflight(open.address, OURS, "/v1/sources/x").await;
        assert_eq!(allowed.status(), 200);
        assert_eq!(header(&allowed, "access-control-allow-origin"), OURS);
        assert!(header(&allowed, "access-control-allow-methods").contains("PATCH"));
        let headers = header(&allowed, "access-control-allow-headers").to_ascii_lowercase();
        assert!(headers.contains("authorization") && headers.contains("idempotency-key"));
        assert_eq!(header(&allowed, "access-control-allow-credentials"), "");
        assert_eq!(header(&allowed, "x-request-id").len(), 36, "it is a request like any other");
        assert_eq!(header(&allowed, "x-content-type-options"), "nosniff");
        let metrics = Client::new().get(format!("http://{}/metrics", open.address)).send().await;
        let metrics = metrics.expect("an answer").text().await.expect("metrics");
        let counted = "ledger_http_request_seconds_count{route=\"preflight\",status=\"200\"}";
        assert!(metrics.contains(counted), "{metrics}");
        for origin in [
            "https://evil.example.com",
            "http://dashboard.example.com",
            "https://dashboard.example.com.evil.example",
            "https://dashboard.example.com:8443",
            "http://localhost:3001",
            "null",
        ] {
            let refused = preflight(open.address, origin, "/v1/calls").await;
            assert_eq!(header(&refused, "access-control-allow-origin"), "", "{origin}");
        }
        let ask = async |key: &str| -> Response {
            let url = format!("http://{}/v1/calls", open.address);
            let request = Client::new().get(url).header("origin", OURS).bearer_auth(key);
            request.send().await.expect("an answer")
        };
        // CORS headers are also on refusals.
        for (key, status) in [(tenant.key.as_str(), 200), ("wrong", 401)] {
            let answer = ask(key).await;
            assert_eq!(answer.status(), status);
            assert_eq!(header(&answer, "access-control-allow-origin"), OURS);
            assert!(header(&answer, "vary").to_ascii_lowercase().contains("origin"));
            let exposed = header(&answer, "access-control-expose-headers");
            assert!(exposed.contains("ledger-position") && exposed.contains("x-request-id"));
        }
        let closed = preflight(ledger.address, OURS, "/v1/calls").await;
        assert_eq!(header(&closed, "access-control-allow-origin"), "", "none by default");
        open.stop().await.expect("it drains");
        ledger.stop().await;
    });
}

#[test]
fn readiness_and_metrics_can_use_a_separate_address() {
    run(async {
        let own = OwnDatabase::create().await;
        let ledger = own.server().await;
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let outside = NetworkSettings { ops_listen: Some(any), ..NetworkSettings::at(any) };
        let limits = Limits::with_max_body(5_000_000);
        let apart = Service::start_with_network(limits, Arc::clone(&ledger.store), &outside);
        let apart = apart.await.expect("it starts");
        let operations = apart.ops_address.expect("it has one");
        let status = async |address: SocketAddr, path: &str| {
            let answer = reqwest::get(format!("http://{address}{path}")).await;
            answer.expect("an answer").status().as_u16()
        };
        for (path, here, there) in [
            ("/healthz", 200, 200),
            ("/readyz", 404, 200),
            ("/metrics", 404, 200),
            ("/v1/calls", 401, 404),
            ("/docs/", 200, 404),
            ("/openapi.json", 200, 404),
        ] {
            assert_eq!(status(apart.address, path).await, here, "{path} beside the API");
            assert_eq!(status(operations, path).await, there, "{path} of operations");
        }
        let document = reqwest::get(format!("http://{}/openapi.json", apart.address)).await;
        let document: Value = document.expect("an answer").json().await.expect("JSON");
        assert!(document["paths"].get("/metrics").is_none(), "it is not served there");
        apart.stop().await.expect("it drains");
        assert!(reqwest::get(format!("http://{operations}/healthz")).await.is_err());
        ledger.stop().await;
    });
}
