//! Card verification codes, PINs and magnetic stripe data are cut from a message before any of it is stored; the
//! facts name class and place. Readers without scope `personal` get redacted texts.

use ledger_tests::{TestLedger, TestTenant, run};
use serde_json::{Value, json};

const ONES: [&str; 10] =
    ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];

/// Questions and answers with a code of three digits; `{}` is the code.
const CODES: [&[&str]; 10] = [
    &["What's the CVV on your card?", "It's {}."],
    &["And the three digits on the back of the card?", "Um, let me see.", "Sure.", "{}"],
    &["May I have the security code of your Visa?", "yes {} I think", "Thank you, so {}?"],
    &["my card is 4111 1111 1111 1111, expires 04/27, cvv {}"],
    &["What is the card verification number?", "that would be {}"],
    &["please charge my debit card, the code on the back is {}"],
    &["CVC?", "{}"],
    &["I have a CVC2 of {} here"],
    &["is {} the cvv"],
    &["expiry date and CVV, please", "04/27 and {}"],
];
/// The same with a PIN of four digits.
const PINS: [&[&str]; 5] = [
    &["What is your PIN?", "{}"],
    &["my pin is {}"],
    &["please enter your pin number", "okay", "it's {}"],
    &["{} that's my pin"],
    &["the PIN for the card is {} by the way"],
];

/// A conversation with a value, and the texts that must not be stored.
struct Case {
    turns: Vec<String>,
    class: &'static str,
    forbidden: Vec<String>,
}

fn speak(digits: &str) -> String {
    let words = digits.bytes().map(|digit| ONES[usize::from(digit - b'0')]);
    words.collect::<Vec<_>>().join(" ")
}

/// 500 cases: codes and PINs written and spoken, and stripes.
fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for nth in 0..17 {
        // No year, no time and no other number of the messages.
        let code = format!("{}", 301 + 43 * nth);
        let pin = format!("{}", 4_107 + 331 * nth);
        for (class, value, templates) in [("card_code", code, &CODES[..]), ("pin", pin, &PINS[..])]
        {
            for template in templates {
                for value in [value.clone(), speak(&value)] {
                    let turns = template.iter().map(|turn| turn.replace("{}", &value)).collect();
                    cases.push(Case { turns, class, forbidden: vec![value] });
                }
            }
        }
        let track = format!(";4111111111111111=2512101{:09}?", 83_310_000 + nth);
        let turns = vec![format!("the reader says {track} now")];
        cases.push(Case {
            turns,
            class: "track",
            forbidden: vec![format!("{:09}", 83_310_000 + nth)],
        });
    }
    assert!(cases.len() >= 500);
    cases
}

/// A report with the conversation in each of the places that the platform copies it to.
fn report(nth: usize, case: &Case) -> Value {
    let role = |nth: usize| if nth.is_multiple_of(2) { "bot" } else { "user" };
    let turns = || case.turns.iter().enumerate();
    let messages: Vec<Value> =
        turns().map(|(nth, text)| json!({ "role": role(nth), "message": text, "time": 1_793_610_000_000_i64 })).collect();
    let formatted: Vec<Value> =
        turns().map(|(nth, text)| json!({ "role": role(nth), "content": text })).collect();
    let transcript: Vec<String> = turns()
        .map(|(nth, text)| format!("{}: {text}", if nth % 2 == 0 { "AI" } else { "User" }))
        .collect();
    let value = &case.forbidden[0];
    let field = match case.class {
        "card_code" => json!({ "cvv": value }),
        "pin" => json!({ "card_pin": value }),
        _ => json!({ "track2": format!("4111111111111111=2512101{value}") }),
    };
    json!({ "message": {
        "type": "end-of-call-report",
        "call": { "id": format!("case-{nth}"), "metadata": field },
        "transcript": transcript.join("\n"),
        "analysis": { "structuredData": field },
        "artifact": {
            "messages": messages,
            "messagesOpenAIFormatted": formatted,
            "transcript": transcript.join("\n"),
        },
        "toolCallList": [{ "id": "t-1", "type": "function",
                           "function": { "name": "pay", "arguments": field.to_string() } }],
    } })
}

/// Whether a text has a value as words of its own.
fn has(text: &str, value: &str) -> bool {
    let words = |text: &str| -> Vec<String> {
        text.split(|c: char| !c.is_alphanumeric())
            .filter(|word| !word.is_empty())
            .map(str::to_owned)
            .collect()
    };
    let (text, value) = (words(text), words(value));
    text.windows(value.len()).any(|window| window == value)
}

/// The events of all calls with their opened sections.
async fn events(tenant: &TestTenant) -> Vec<(String, Vec<Value>)> {
    let mut all = Vec::new();
    let mut path = "/v1/calls?limit=200".to_owned();
    loop {
        let page = tenant.get(&path).await;
        for call in page["data"].as_array().expect("a page") {
            let id = call["call_id"].as_str().expect("an id");
            let events = tenant.get(&format!("/v1/calls/{id}/events?limit=200")).await;
            let events = events["data"].as_array().expect("a page").clone();
            all.push((call["provider_call_id"].as_str().expect("an id").to_owned(), events));
        }
        let Some(cursor) = page["next_cursor"].as_str() else { return all };
        path = format!("/v1/calls?limit=200&cursor={cursor}");
    }
}

#[test]
fn no_code_pin_or_stripe_is_in_what_is_stored() {
    run(async {
        let tenant = TestLedger::shared().await.tenant().await;
        let cases = cases();
        for (nth, case) in cases.iter().enumerate() {
            let body = report(nth, case).to_string();
            tenant.post_ok(body.clone()).await;
            // The same delivery again is known.
            if nth % 50 == 0 {
                assert_eq!(tenant.post_ok(body).await["status"], "duplicate");
            }
        }
        tenant.settle().await;
        let stored = events(&tenant).await;
        assert_eq!(stored.len(), cases.len());
        for (call, events) in stored {
            let nth: usize = call.strip_prefix("case-").expect("a case").parse().expect("a number");
            let case = &cases[nth];
            let mut classes = Vec::new();
            for event in &events {
                let personal = event["personal"].to_string();
                assert!(personal.contains("raw") || events.len() > 1, "{personal}");
                for value in &case.forbidden {
                    assert!(!has(&personal, value), "{value} in {personal}");
                    assert!(!has(&event["facts"]["removed"].to_string(), value));
                }
                for removed in event["facts"]["removed"].as_array().into_iter().flatten() {
                    classes.push(removed["class"].as_str().expect("a class").to_owned());
                    assert!(removed["count"].as_u64() >= Some(1));
                }
            }
            assert!(classes.iter().any(|class| class == case.class), "{nth}: {classes:?}");
        }
    });
}

const NAME: &str = "Anna Kowalski";

fn conversation() -> Value {
    json!({ "message": {
        "type": "end-of-call-report",
        "call": { "id": "redacted-1", "customer": { "number": "+15550100143", "name": NAME } },
        "transcript": format!("User: this is {NAME}, call me at 415-555-0143"),
        "summary": format!("{NAME} takes metformin and asked to be called at (415) 555-0143."),
        "artifact": {
            "recordingUrl": "https://files.example/r.wav",
            "messages": [
                { "role": "bot", "message": "What is your card number?", "time": 1_793_610_000_000_i64 },
                { "role": "user", "message": "four one one one, one one one one", "time": 1_793_610_001_000_i64 },
                { "role": "bot", "message": "okay", "time": 1_793_610_002_000_i64 },
                { "role": "user", "message": "one one one one one one one one", "time": 1_793_610_003_000_i64 },
                { "role": "user", "message": "my order is 4155552671", "time": 1_793_610_004_000_i64 },
            ],
        },
        "analysis": { "structuredData": { "patientName": NAME, "email": "anna@example.com", "visits": 3 } },
    } })
}

#[test]
fn a_reader_without_scope_personal_gets_redacted_texts() {
    run(async {
        let tenant = TestLedger::shared().await.tenant().await;
        tenant.post_ok(conversation().to_string()).await;
        let call = tenant.only_call().await;
        let path = format!("/v1/calls/{}", call["call_id"].as_str().expect("an id"));
        assert_eq!(call["messages"][1]["text"], "four one one one, one one one one");

        let (status, redacted) = tenant.get_with(&tenant.read_key, &path).await;
        assert_eq!(status, 200, "{redacted}");
        assert_eq!(redacted["transcript"], "User: this is [name], call me at [phone]");
        assert_eq!(
            redacted["summary"],
            "[name] takes [medication] and asked to be called at [phone]."
        );
        let texts: Vec<&str> = redacted["messages"]
            .as_array()
            .expect("turns")
            .iter()
            .filter_map(|turn| turn["text"].as_str())
            .collect();
        // What is said between two parts of a number is replaced with them.
        assert_eq!(
            texts,
            ["What is your card number?", "[card]", "[card]", "[card]", "my order is 4155552671"]
        );
        assert_eq!(
            redacted["structured_data"],
            json!({ "patientName": "[name]", "email": "[email]", "visits": 3 })
        );
        assert_eq!(redacted["recordings"], Value::Null);
        assert_eq!(redacted["customer"]["name"], Value::Null);
        assert_eq!(redacted["customer"]["phone"], "•••43");

        // A reader with the scope gets the same on request.
        let (_, on_request) = tenant.get_with(&tenant.key, &format!("{path}?redact=true")).await;
        assert_eq!(on_request, redacted);
        let (status, _) = tenant.get_with(&tenant.key, &format!("{path}?redact=maybe")).await;
        assert_eq!(status, 400);
        // Events are not shown redacted.
        let (_, events) = tenant.get_with(&tenant.read_key, &format!("{path}/events")).await;
        assert_eq!(events["data"][0]["personal"], Value::Null);
    });
}
