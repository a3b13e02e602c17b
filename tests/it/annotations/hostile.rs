//! Absurd and hostile values: refused by field, or stored as they are.

use ledger_core::text::HIDDEN;

use super::*;

/// Checks that a body is refused about a field, without the value in the answer.
async fn refused_field(one: &Annotated, method: Method, rest: &str, body: Value, field: &str) {
    let answer = one.refused(method, rest, &body, (422, "invalid-field")).await;
    assert_eq!(answer["errors"][0]["pointer"], format!("/{field}"), "{rest}: {answer}");
}

#[test]
fn a_text_that_is_no_tag_is_refused() {
    run(async {
        let one = Annotated::ended(TestLedger::shared().await).await;
        for tag in [
            "<script>alert(1)</script>",
            "\u{202e}piv",
            "a\u{0}b",
            "",
            " ",
            "+15550100123",
            "tel:15550199999",
            "john 15550199",
            "anna@example.com",
            "a/b",
            &"x".repeat(41),
        ] {
            refused_field(&one, Method::POST, "tags", json!({ "tag": tag }), "tag").await;
            let body = json!({ "tag": "vip", "category": tag });
            refused_field(&one, Method::POST, "tags", body, "category").await;
            let body = json!({ "disposition": tag });
            refused_field(&one, Method::POST, "disposition", body, "disposition").await;
        }
        for tag in [json!(7), json!(null), json!(["vip"])] {
            refused_field(&one, Method::POST, "tags", json!({ "tag": tag }), "tag").await;
        }
        refused_field(&one, Method::DELETE, "tags/%3Cb%3E", Value::Null, "tag").await;
        assert_eq!(one.shown().await["tags"], json!([]));
        let rueckruf = one.post("tags", &json!({ "tag": "R\u{fc}ckruf" })).await;
        assert_eq!(rueckruf["tags"][0]["tag"], "r\u{fc}ckruf");
        let (gone, _) = one.change(Method::DELETE, "tags/R%C3%BCckruf", &Value::Null).await;
        assert_eq!(gone["tags"], json!([]));
    });
}

#[test]
fn a_note_has_bounded_text_without_characters_that_hide_or_reorder_others() {
    run(async {
        let one = Annotated::ended(TestLedger::shared().await).await;
        for text in ["a\u{0}b", "\u{202e}abc", "", "\u{1b}[31m", &"x".repeat(4_001)] {
            refused_field(&one, Method::POST, "notes", json!({ "text": text }), "text").await;
            if text.len() < 4_000 {
                let body = json!({ "reason": text });
                refused_field(&one, Method::POST, "escalate", body, "reason").await;
            }
        }
        refused_field(&one, Method::POST, "notes", json!({}), "text").await;
        let body = json!({ "text": "x", "kind": "gossip" });
        refused_field(&one, Method::POST, "notes", body, "kind").await;
        let body = json!({ "text": "x", "visibility": "everyone" });
        refused_field(&one, Method::POST, "notes", body, "visibility").await;
        let body = json!({ "text": "x", "author": "key:1" });
        one.refused(Method::POST, "notes", &body, (422, "unknown-field")).await;
        let large = json!({ "text": "x".repeat(1 << 20) });
        one.refused(Method::POST, "notes", &large, (413, "body-too-large")).await;
        // Markup and letters of any direction are text.
        let text = "<img src=x onerror=alert(1)> \u{5e0}\u{5d5}\u{5e2}\u{5d4} \u{1f44d}\n2nd line";
        one.post("notes", &json!({ "text": text })).await;
        assert_eq!(one.shown().await["notes"][0]["text"], text);
    });
}

#[test]
fn a_score_an_attempt_and_a_mark_have_their_forms() {
    run(async {
        let one = Annotated::ended(TestLedger::shared().await).await;
        for score in [json!(0), json!(6), json!(-1), json!(2.5), json!("3"), json!(u64::MAX)] {
            refused_field(&one, Method::POST, "score", json!({ "score": score }), "score").await;
            let body = json!({ "attempt": if score == json!(6) { json!(1_001) } else { score } });
            refused_field(&one, Method::PATCH, "campaign", body, "attempt").await;
        }
        for mark in [json!(null), json!(1), json!("true")] {
            refused_field(&one, Method::POST, "test", json!({ "is_test": mark }), "is_test").await;
        }
        let long = "x".repeat(65);
        for campaign in ["Call Anna back", "15550100123", "tel15550199999", "<b>", &long] {
            let body = json!({ "campaign": campaign });
            refused_field(&one, Method::PATCH, "campaign", body, "campaign").await;
        }
        let body = json!({ "call_type": "tel:15550199999" });
        refused_field(&one, Method::PATCH, "campaign", body, "call_type").await;
        let uuid = json!({ "campaign": "5f2d7c1e-8a44-5b0e-9d1f-3c6a2b7e4d10" });
        assert_eq!(
            one.change(Method::PATCH, "campaign", &uuid).await.0["campaign"],
            uuid["campaign"]
        );
        assert_eq!(one.shown().await["score"], Value::Null);
    });
}

#[test]
fn a_context_is_a_bounded_document() {
    run(async {
        let one = Annotated::ended(TestLedger::shared().await).await;
        let nested = |levels| (0..levels).fold(json!(1), |inner, _| json!([inner]));
        let many: serde_json::Map<_, _> = (0..201).map(|nth| (nth.to_string(), json!(1))).collect();
        for body in [
            json!({ "note": "x".repeat(8 << 10) }),
            // The context is a level itself.
            json!({ "note": nested(8) }),
            json!({ "": 1 }),
            json!({ "a\u{0}b": 1 }),
            json!({ "x".repeat(65): 1 }),
            json!({ "note": ["a\u{0}b"] }),
            Value::Object(many),
        ] {
            one.refused(Method::PUT, "context", &body, (422, "invalid-field")).await;
        }
        one.refused(Method::PUT, "context", &json!([1]), (400, "body-not-json")).await;
        one.change(Method::PUT, "context", &json!({ "note": nested(7) })).await;
        let mut context = json!({ "a name": "<b>\u{5e0}</b>\n", "n": 1.5, "big": 1e300 });
        context["list"] = json!([null, { "a": null }]);
        one.change(Method::PUT, "context", &context).await;
        assert_eq!(one.shown().await["context"]["fields"], context);
        one.change(Method::PUT, "context", &json!({})).await;
        assert_eq!(one.shown().await["context"]["fields"], json!({}));
    });
}

#[test]
fn a_fault_of_a_context_has_its_own_sentence() {
    run(async {
        let one = Annotated::ended(TestLedger::shared().await).await;
        for (body, sentence) in [
            (json!({ " ": 1 }), "the name of a field is empty"),
            (
                json!({ "a\u{0}b": 1 }),
                "a name is wrong: it holds a control character, an invisible character or a mark of direction",
            ),
            (json!({ "note": ["a\u{0}b"] }), HIDDEN),
            (json!({ "note": { "a\u{202e}": "b" } }), HIDDEN),
            (json!({ "note": [["a\u{2066}b"]] }), HIDDEN),
        ] {
            let answer = one.refused(Method::PUT, "context", &body, (422, "invalid-field")).await;
            assert_eq!(answer["errors"][0]["detail"], sentence, "{answer}");
        }
    });
}

#[test]
fn a_number_of_a_context_that_would_not_be_kept_is_refused_by_field() {
    run(async {
        let one = Annotated::ended(TestLedger::shared().await).await;
        let put = async |body: &str| {
            let request = Client::new().put(one.tenant.url(&one.path("context")));
            let request = request.bearer_auth(&one.key).body(body.to_owned());
            request.send().await.expect("an answer")
        };
        for (body, pointer) in [
            (r#"{"a":12345678901234567890123}"#, "/a"),
            (r#"{"b":1,"a":{"c":[-12345678901234567890123]}}"#, "/a"),
            (r#"{"a":0.12345678901234567890123}"#, "/a"),
            (r#"{"a":0.12345678901234567}"#, "/a"),
            (r#"{"a":1e-400}"#, "/a"),
            (r#"{"Anna Example":12345678901234567890123}"#, "/"),
        ] {
            let answer = problem(put(body).await, 422, "invalid-field").await;
            assert_eq!(answer["errors"][0]["pointer"], pointer, "{body}: {answer}");
        }
        // Each is the shortest text of a number, as programs write it.
        let kept = r#"{"a":18446744073709551615,"b":[-9223372036854775808,0.1,1e+300],"c":[0.30000000000000004,2.2250738585072014e-308,5e-324,-4.35,1.7976931348623157e+308,0.12345678901234568,9007199254740992.0,31.245270191439438,121.48791951161945]}"#;
        assert_eq!(put(kept).await.status().as_u16(), 200);
        one.tenant.settle().await;
        let path = format!("/v1/calls/{}", one.call);
        let response = one.tenant.request(&one.key, &path).send().await.expect("an answer");
        let text = response.text().await.expect("a body");
        for number in kept.split(|c: char| !c.is_ascii_digit() && !"+-.e".contains(c)) {
            assert!(text.contains(number), "{number}: {text}");
        }
    });
}

#[test]
fn a_call_has_a_bounded_number_of_tags() {
    run(async {
        let one = Annotated::ended(TestLedger::shared().await).await;
        for nth in 0..50 {
            one.post("tags", &json!({ "tag": format!("tag-{nth}") })).await;
        }
        let body = json!({ "tag": "one-more" });
        one.refused(Method::POST, "tags", &body, (409, "too-many-annotations")).await;
        one.change(Method::DELETE, "tags/tag-7", &Value::Null).await;
        one.post("tags", &body).await;
        assert_eq!(one.shown().await["tags"].as_array().map(Vec::len), Some(50));
    });
}
