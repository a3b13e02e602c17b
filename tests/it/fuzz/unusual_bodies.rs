//! Unusual bodies: deep, long, with repeated keys, in other encodings, compressed.

use ledger_tests::fixtures::Message;
use ledger_tests::ledger::status_and_json;
use ledger_tests::{TestLedger, TestTenant, run};
use serde_json::{Value, json};

use super::assert_healthy;
use crate::bad_input::problem;

const DEEP: usize = 100_000;
const MEGABYTE: usize = 1 << 20;

async fn refused(tenant: &TestTenant, body: Vec<u8>, code: &str) {
    let answer = tenant.webhook(body).send().await.expect("an answer");
    problem(answer, 400, code).await;
}

#[test]
fn too_deep_json_is_refused_and_deep_text_is_stored() {
    run(async {
        let ledger = TestLedger::shared().await;
        let tenant = ledger.tenant().await;
        let mixed = (0..DEEP).map(|nth| if nth % 2 == 0 { "[" } else { "{\"a\":" });
        let mixed: String = mixed.collect();
        for deep in [
            "[".repeat(DEEP),
            "{\"a\":".repeat(DEEP),
            mixed,
            format!("{}{}", "[".repeat(DEEP), "]".repeat(DEEP)),
        ] {
            for body in [
                deep.clone(),
                Message::report("c-1").field("structuredData", &deep).body(),
                Message::report("c-1").call_field("metadata", &deep).body(),
            ] {
                refused(&tenant, body.into(), "body-too-deep").await;
            }
            // Inside a string the depth has no effect.
            let call = json!([{ "id": "t-1", "function": { "name": "book", "arguments": deep } }]);
            let body = Message::new("tool-calls", "c-1").field("toolCallList", call).body();
            let answer = tenant.post_ok(body).await;
            assert!(answer["results"][0]["error"].is_string(), "{answer}");
        }
        let call = tenant.only_call().await;
        // One id with four different arguments.
        let calls = call["tool_calls"].as_array().expect("a list");
        assert_eq!(calls.len(), 4);
        let first = "[".repeat(DEEP);
        assert!(calls.iter().any(|call| call["arguments"] == first.as_str()), "as it came");
        assert_healthy(ledger, &tenant).await;
    });
}

#[test]
fn a_megabyte_in_any_field_is_stored_and_enlarges_no_fact() {
    run(async {
        let ledger = TestLedger::shared().await;
        let tenant = ledger.tenant().await;
        let long = "x".repeat(MEGABYTE);
        let text = json!(long);
        let bodies = [
            Message::report("c-1").field("summary", &text).body(),
            Message::report("c-2").field(&long, 1).body(),
            Message::report("c-3")
                .field("endedReason", &text)
                .call_field("assistantId", &text)
                .body(),
            Message::new(&long, "c-4").body(),
            Message::report(&long).body(),
            Message::tools("c-5", &[("t-1", &long)]).body(),
            Message::new("status-update", "c-6").field("status", &text).body(),
            Message::report("c-7").field("cost", "1".repeat(MEGABYTE)).body(),
            Message::report("c-8")
                .field("cost", "1e999999999999")
                .field("timestamp", "-1e-99999")
                .body(),
            Message::report("c-9")
                .field("messages", json!([{ "role": "user", "message": long, "time": 1e300 }]))
                .body(),
        ];
        let count = bodies.len();
        for body in bodies {
            tenant.post_ok(body).await;
        }
        let sizes: Vec<i32> = sqlx::query_scalar(
            "select octet_length(facts::text) + octet_length(meta::text) from ledger.events
              where tenant_id = $1 and stream_kind not in ('tenant', 'access')",
        )
        .bind(tenant.tenant_id.0)
        .fetch_all(&mut ledger_tests::cluster::superuser().await)
        .await
        .expect("the log answers");
        assert_eq!(sizes.len(), count);
        assert!(sizes.iter().all(|size| *size < 2_000), "{sizes:?}");
        for call in tenant.calls().await {
            let path = format!("/v1/calls/{}", call["call_id"].as_str().expect("an id"));
            let shown = tenant.get(&path).await;
            if shown["provider_call_id"] == "c-1" {
                assert_eq!(shown["summary"], text);
            }
        }
        assert_healthy(ledger, &tenant).await;
    });
}

#[test]
fn a_hundred_thousand_keys_are_stored_and_more_than_the_memory_limit_are_refused() {
    run(async {
        let ledger = TestLedger::shared().await;
        let tenant = ledger.tenant().await;
        let keys = (0..100_000)
            .fold(Message::report("c-1").field("cost", "0.07"), |message, nth| {
                message.field(&format!("k{nth}"), nth)
            });
        tenant.post_ok(keys.body()).await;
        assert_eq!(tenant.only_call().await["cost_cents"], 7);
        for many in ["0,", "[],", "{},", "\"\",", "null,"] {
            let many = many.repeat(300_000);
            let body = Message::report("c-2").field("of", format!("[{many}0]")).body();
            refused(&tenant, body.into(), "body-too-complex").await;
        }
        assert_healthy(ledger, &tenant).await;
    });
}

#[test]
fn the_last_of_repeated_json_keys_counts_everywhere() {
    run(async {
        let tenant = TestLedger::shared().await.tenant().await;
        let doubled = r#"{"message":{"type":"hang","type":"end-of-call-report","cost":9,"cost":0.07,
            "summary":"first","summary":"second","analysis":{"summary":"third"},
            "endedReason":"hangup","endedReason":"voicemail",
            "call":{"id":"other"},"call":{"id":"c-0","id":"c-1"},
            "customer":{"number":"+15550100001"},"customer":{"number":"+15550100002"}}}"#;
        let single = r#"{"message":{"type":"end-of-call-report","cost":0.07,"summary":"second",
            "analysis":{"summary":"third"},"endedReason":"voicemail","call":{"id":"c-1"},
            "customer":{"number":"+15550100002"}}}"#;
        assert_eq!(tenant.post_ok(doubled).await["status"], "recorded");
        // Both spellings are one content, so they must be read the same.
        assert_eq!(tenant.post_ok(single).await["status"], "duplicate");
        let call = tenant.only_call().await;
        assert_eq!(call["provider_call_id"], "c-1");
        assert_eq!(call["cost_cents"], 7);
        assert_eq!(call["summary"], "second");
        assert_eq!(call["ended_reason"], "voicemail");
        assert_eq!(call["customer"]["phone"], "+15550100002");
        let found = tenant.get("/v1/calls?phone=%2B15550100001").await;
        assert_eq!(found["data"], json!([]));
    });
}

#[test]
fn other_text_encodings_are_refused_with_a_code() {
    run(async {
        let tenant = TestLedger::shared().await.tenant().await;
        let body = Message::report("c-1").body();
        let utf16 = |order: fn(u16) -> [u8; 2]| -> Vec<u8> {
            body.encode_utf16().flat_map(order).collect()
        };
        let after = |mark: &[u8], body: &[u8]| [mark, body].concat();
        let bodies = [
            (after(b"\xFF\xFE", &utf16(u16::to_le_bytes)), "body-not-utf8"),
            (after(b"\xFE\xFF", &utf16(u16::to_be_bytes)), "body-not-utf8"),
            (utf16(u16::to_le_bytes), "body-not-json"),
            (utf16(u16::to_be_bytes), "body-not-json"),
            (after(b"\0", body.as_bytes()), "body-not-json"),
            (after(body.as_bytes(), b"\0"), "body-not-json"),
            // An unpaired surrogate as three bytes, NUL as two, a character beyond Unicode, and
            // Latin-1.
            (b"{\"type\":\"\xED\xA0\x80\"}".to_vec(), "body-not-utf8"),
            (b"{\"type\":\"\xC0\x80\"}".to_vec(), "body-not-utf8"),
            (b"{\"type\":\"\xF4\x90\x80\x80\"}".to_vec(), "body-not-utf8"),
            (b"{\"type\":\"caf\xE9\"}".to_vec(), "body-not-utf8"),
        ];
        for (body, code) in bodies {
            refused(&tenant, body, code).await;
        }
        assert!(tenant.recorded().await.is_empty());
    });
}

#[test]
fn nul_and_unpaired_surrogates_in_names_are_stored_safely() {
    run(async {
        let ledger = TestLedger::shared().await;
        let tenant = ledger.tenant().await;
        let body = r#"{"message":{"ty\u0000pe":"a","type":"end\u0000-of-call-report","\ud800":1,
            "\u0000":{"\udfff":"\u0000"},"call":{"id":"c-1","\u0000id":"c-2"},
            "structuredData":{"\u0000":"\ud83d"},"toolCalls":[{"id":"\u0000","name":"\u0000"}]}}"#;
        tenant.post_ok(body).await;
        let recorded = tenant.recorded().await;
        assert_eq!(recorded, [("call".to_owned(), "call.ended".to_owned())]);
        assert_healthy(ledger, &tenant).await;
    });
}

/// Builds a gzip file of zeros that expands a thousandfold: one literal, then repetitions of 258
/// bytes in thirteen bits each, in the fixed code.
fn gzip_bomb(repetitions: usize) -> Vec<u8> {
    let mut bits: Vec<bool> = Vec::new();
    let mut put = |code: u32, len: u32| bits.extend((0..len).rev().map(|bit| code >> bit & 1 == 1));
    // The last block, in the fixed code (its type is written from the low bit), then a zero byte.
    put(0b1_10, 3);
    put(0b0011_0000, 8);
    for _ in 0..repetitions {
        put(0b1100_0101, 8);
        put(0, 5);
    }
    put(0, 7);
    let mut bytes = vec![0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 255];
    let byte = |bits: &[bool]| bits.iter().rev().fold(0_u8, |byte, bit| byte << 1 | u8::from(*bit));
    bytes.extend(bits.chunks(8).map(byte));
    let size = u32::try_from(1 + 258 * repetitions).expect("below 4 GB");
    // The checksum is never read.
    [bytes, vec![0; 4], size.to_le_bytes().to_vec()].concat()
}

#[test]
fn a_compressed_body_is_not_decompressed() {
    run(async {
        let ledger = TestLedger::shared().await;
        let tenant = ledger.tenant().await;
        let bomb = gzip_bomb(2_000_000);
        assert!(bomb.len() < 3_500_000, "half a gigabyte in {}", bomb.len());
        let zlib = [&[0x78, 0x9C], &bomb[10..]].concat();
        for (encoding, body) in
            [("gzip", &bomb), ("deflate", &zlib), ("br", &zlib), ("x-made-up, gzip", &bomb)]
        {
            let request = tenant.webhook(body.clone()).header("content-encoding", encoding);
            let response = request.send().await.expect("an answer");
            assert_eq!(response.headers()["accept-encoding"], "identity");
            problem(response, 415, "unsupported-content-encoding").await;
            let plain = tenant.webhook(body.clone()).send().await.expect("an answer");
            problem(plain, 400, "body-not-utf8").await;
        }
        // A proxy that decompresses and keeps the header does no harm.
        let request = tenant.webhook(Message::report("c-1").body());
        let request = request.header("content-encoding", "gzip");
        let (status, answer) = status_and_json(request.send().await.expect("an answer")).await;
        assert_eq!((status, &answer["status"]), (200, &Value::from("recorded")));
        assert_healthy(ledger, &tenant).await;
    });
}
