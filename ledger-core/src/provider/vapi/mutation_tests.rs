//! Properties that hold for every mutation of a captured body.

use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;

use super::Vapi;
use super::fixtures::{kept_text, messages};
use super::mutants::{anywhere, at_parent, captured, descendants, in_place, mutated};
use crate::envelope::Draft;
use crate::event::{CallEvent, Event};
use crate::json::Json;
use crate::money::Nanos;
use crate::plausible::MAX_NANOS;
use crate::provider::{Adapter, TranslateError, Translation};

/// Maximum length of facts. Longer facts could contain personal data; names and reasons are cut to
/// 200 characters each.
const FACTS_WITHOUT_LISTS: usize = 8_000;
/// Maximum length of the facts of a tool call: an id, a name and a time. An artifact needs less.
const FACTS_PER_ENTRY: usize = 2_000;

/// Text planted into every personal value of a body.
const CANARY: &str = "canary-5550177";
/// A valid number to plant, in the spelling of facts.
const CANARY_PHONE: &str = "+15550177177";

/// Keys with personal text.
const PERSONAL: [&str; 22] = [
    "transcript",
    "summary",
    "content",
    "text",
    "email",
    "sipUri",
    "externalId",
    "recordingUrl",
    "stereoRecordingUrl",
    "stereoUrl",
    "combinedUrl",
    "assistantUrl",
    "customerUrl",
    "videoRecordingUrl",
    "successEvaluation",
    "result",
    "description",
    "phone",
    "customerName",
    "patientName",
    "phoneCallProviderId",
    "originalText",
];

/// Keys with personal data in every text below them.
const PERSONAL_BELOW: [&str; 10] = [
    "arguments",
    "parameters",
    "args",
    "structuredData",
    "structuredOutputs",
    "variableValues",
    "metadata",
    "conversation",
    "messagesOpenAIFormatted",
    "phoneCallProviderDetails",
];

/// Plants the canary into each personal value. Returns their number.
fn plant(value: &mut Json<'_>, key: &str, is_below: bool) -> usize {
    let is_below = is_below || PERSONAL_BELOW.contains(&key);
    match value {
        Json::String(text) if is_below || PERSONAL.contains(&key) => {
            // JSON inside a string stays JSON.
            let is_json = text.trim_start().starts_with(['{', '[']);
            let planted =
                if is_json { format!(r#"{{"a":"{CANARY}"}}"#) } else { CANARY.to_owned() };
            *text = planted.into();
            1
        }
        Json::Array(items) => items.iter_mut().map(|item| plant(item, key, is_below)).sum(),
        Json::Object(fields) => {
            let is_customer = key == "customer";
            let is_turn = fields.iter().any(|(key, _)| key == "role");
            fields
                .iter_mut()
                .map(|(key, value)| match (key.as_ref(), &mut *value) {
                    ("number", Json::String(text)) if is_customer => {
                        *text = CANARY_PHONE.into();
                        1
                    }
                    ("name", Json::String(text)) if is_customer => {
                        *text = CANARY.into();
                        1
                    }
                    // The name and the id of a turn's tool are facts, its text is not.
                    ("message", Json::String(text)) if is_turn => {
                        *text = CANARY.into();
                        1
                    }
                    (key, value) => plant(value, key, is_below && !is_tool_name(key)),
                })
                .sum()
        }
        _ => 0,
    }
}

/// Returns true for keys with facts in them: names and ids of tools, and roles.
fn is_tool_name(key: &str) -> bool {
    matches!(key, "role" | "name" | "id" | "toolCallId" | "tool_call_id" | "type" | "function")
}

fn translate(body: &[u8]) -> Result<Translation, TranslateError> {
    Vapi.translate(body, Some("US"))
}

/// Checks the properties of every translation.
fn check(body: &[u8]) -> TestCaseResult {
    let translation = match translate(body) {
        Ok(translation) => translation,
        Err(refused) => {
            prop_assert_eq!(translate(body).err(), Some(refused));
            return Ok(());
        }
    };
    prop_assert!(!translation.drafts.is_empty());
    for draft in &translation.drafts {
        check_facts(draft)?;
        prop_assert_eq!(&draft.correlation, &translation.drafts[0].correlation);
    }
    let again = translate(body).expect("it was translated before");
    prop_assert!(same(&translation, &again));
    // The winner of repeated keys is also the one in the canonical form.
    let canonical = translate(&translation.canonical).expect("the same JSON");
    prop_assert_eq!(&canonical.canonical, &translation.canonical);
    prop_assert_eq!(facts(&canonical), facts(&translation));
    let raw = translation.drafts[0].sections.raw.as_deref().expect("the body is kept");
    prop_assert!(Json::parse(raw).is_ok());
    prop_assert!(raw.len() <= body.len() + 9 * body.len() / 2, "what is cut leaves a short word");
    Ok(())
}

fn check_facts(draft: &Draft) -> TestCaseResult {
    let event = &draft.event;
    let known = CallEvent::TYPES.contains(&(event.event_type(), event.schema_version()));
    prop_assert!(known, "{}", event.event_type());
    let entries = match event {
        CallEvent::Ended(ended) => ended.tools.len(),
        CallEvent::RecordingAvailable(available) => available.artifacts.len(),
        _ => 0,
    };
    let facts = event.to_facts();
    prop_assert!(entries <= 1000);
    prop_assert!(facts.len() <= FACTS_WITHOUT_LISTS + entries * FACTS_PER_ENTRY, "{}", facts);
    prop_assert!(!facts.contains("\\u0000"), "{}", facts);
    let tree = Json::parse(facts.as_bytes()).expect("facts are JSON");
    prop_assert!(only_whole_numbers(&tree), "{}", facts);
    let decoded = crate::event::upcast::decode(event.event_type(), event.schema_version(), &facts);
    prop_assert!(decoded.is_ok_and(|decoded| decoded == Event::Call(event.clone())), "{}", facts);
    Ok(())
}

fn only_whole_numbers(value: &Json<'_>) -> bool {
    match value {
        Json::Number(text) => text.parse::<i64>().is_ok(),
        Json::Array(items) => items.iter().all(only_whole_numbers),
        Json::Object(fields) => fields.iter().all(|(_, value)| only_whole_numbers(value)),
        _ => true,
    }
}

fn facts(translation: &Translation) -> Vec<String> {
    translation.drafts.iter().map(|draft| draft.event.to_facts()).collect()
}

fn same(one: &Translation, two: &Translation) -> bool {
    let key = |draft: &Draft| {
        (draft.correlation.clone(), draft.dedupe.clone(), draft.occurred_at, kept_text(draft))
    };
    one.canonical == two.canonical
        && one.reply == two.reply
        && one.kind == two.kind
        && one.routing == two.routing
        && one.drafts.len() == two.drafts.len()
        && one.drafts.iter().zip(&two.drafts).all(|(one, two)| key(one) == key(two))
}

#[test]
fn the_captures_have_personal_values_to_plant_a_canary_in() {
    let mut planted = 0;
    for (name, body) in messages() {
        let mut tree = Json::parse(body.as_bytes()).expect("JSON");
        planted += plant(&mut tree, "", false);
        assert_no_canary(&tree.to_compact()).unwrap_or_else(|found| panic!("{name}: {found}"));
    }
    assert!(planted > 500, "{planted}");
}

/// Asserts that the canary is in no fact, no error and no debug output.
fn assert_no_canary(body: &[u8]) -> TestCaseResult {
    let translation = match translate(body) {
        Ok(translation) => translation,
        Err(refused) => {
            let printed = format!("{refused} {refused:?}");
            prop_assert!(!has_canary(&printed), "{}", printed);
            return Ok(());
        }
    };
    prop_assert!(!has_canary(&translation.kind));
    let printed = format!("{:?} {:?}", translation.routing, translation.reply);
    prop_assert!(!has_canary(&printed), "{}", printed);
    for draft in &translation.drafts {
        let facts = draft.event.to_facts();
        prop_assert!(!has_canary(&facts), "{}", facts);
        let printed = format!("{draft:?}");
        prop_assert!(!has_canary(&printed), "{}", printed);
        prop_assert!(printed.len() < 20_000, "the body is printed in some form: {}", printed);
    }
    let printed = format!("{translation:?}");
    prop_assert!(!has_canary(&printed), "{}", printed);
    Ok(())
}

fn has_canary(text: &str) -> bool {
    text.contains(CANARY) || text.contains(&CANARY_PHONE[1..])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn whatever_becomes_of_a_body_on_its_way_it_is_understood_or_refused(
        body in captured(), mutations in anywhere()
    ) {
        let tree = Json::parse(body.as_bytes()).expect("JSON");
        check(&mutated(tree, &mutations).to_compact())?;
    }

    #[test]
    fn no_personal_value_is_a_fact_or_printed(body in captured(), mutations in in_place()) {
        let mut tree = Json::parse(body.as_bytes()).expect("JSON");
        plant(&mut tree, "", false);
        assert_no_canary(&mutated(tree, &mutations).to_compact())?;
    }

    #[test]
    fn no_secret_is_kept_at_any_depth(
        body in captured(),
        mutations in anywhere(),
        places in prop::collection::vec((any::<prop::sample::Index>(), 0..SECRETS.len()), 1..5),
    ) {
        let tree = Json::parse(body.as_bytes()).expect("JSON");
        let mut tree = mutated(tree, &mutations);
        for (place, secret) in &places {
            add_secret(&mut tree, *place, SECRETS[*secret]);
        }
        let body = tree.to_compact();
        let planted = String::from_utf8_lossy(&body).contains(PLANTED_SECRET);
        if let Ok(translation) = translate(&body) {
            for draft in &translation.drafts {
                prop_assert!(!kept_text(draft).contains(PLANTED_SECRET), "{}", kept_text(draft));
            }
            prop_assert!(!planted || kept_text(&translation.drafts[0]).contains("[removed]"));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(800))]

    #[test]
    fn bytes_that_broke_on_the_way_are_understood_or_refused(
        body in captured(),
        flips in prop::collection::vec((any::<prop::sample::Index>(), 0..8_u32), 1..8),
        cut in prop::option::weighted(0.2, any::<prop::sample::Index>()),
        noise in prop::option::weighted(0.2, (any::<prop::sample::Index>(), any::<Vec<u8>>())),
    ) {
        let mut bytes = body.into_bytes();
        for (at, bit) in flips {
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
        }
        if let Some((at, noise)) = noise {
            let at = at.index(bytes.len());
            bytes.splice(at..at, noise);
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        check(&bytes)?;
    }
}

/// A secret value to plant under each of these names.
const PLANTED_SECRET: &str = "hush-hush-hush";
const SECRETS: [&str; 8] = [
    "secret",
    "twilioAuthToken",
    "controlUrl",
    "apiKey",
    "Authorization",
    "x-vapi-secret",
    "identity",
    "password",
];

/// Adds a secret to the parent of a node. In an array, it is added as an object.
fn add_secret(tree: &mut Json<'_>, place: prop::sample::Index, name: &'static str) {
    let below = descendants(tree);
    if below == 0 {
        return;
    }
    let secret = || (name.into(), Json::String(PLANTED_SECRET.into()));
    at_parent(tree, place.index(below), |parent, _| match parent {
        Json::Object(fields) => fields.push(secret()),
        Json::Array(items) => items.push(Json::Object(vec![secret()])),
        _ => {}
    });
}

/// Generates the text of an amount, and its nano-dollars computed by long arithmetic.
fn amount() -> impl Strategy<Value = (String, i64)> {
    (any::<bool>(), 0..9_000_000_000_i128, "[0-9]{0,18}", -9..10_i32).prop_map(
        |(is_negative, whole, fraction, exponent)| {
            let sign = if is_negative { "-" } else { "" };
            let point = if fraction.is_empty() { String::new() } else { format!(".{fraction}") };
            // The digits as an integer; the exponent moves the decimal point.
            let digits: i128 = format!("{whole}{fraction}").parse().expect("digits");
            let places = i32::try_from(fraction.len()).expect("few");
            let (text, places) = match exponent {
                0 => (format!("{sign}{whole}{point}"), places),
                // Negative exponents only: larger amounts leave the range.
                _ => {
                    let down = -exponent.abs();
                    (format!("{sign}{whole}{point}e{down}"), places - down)
                }
            };
            let nanos = shift_half_even(digits, places - 9);
            (text, i64::try_from(if is_negative { -nanos } else { nanos }).expect("in range"))
        },
    )
}

/// Returns `digits` divided by ten to the power of `places`, rounded half to even; multiplied if
/// `places` is negative.
fn shift_half_even(digits: i128, places: i32) -> i128 {
    let Ok(down) = u32::try_from(places) else {
        return digits * 10_i128.pow(places.unsigned_abs());
    };
    let unit = 10_i128.pow(down);
    let (whole, rest) = (digits / unit, digits % unit);
    match (rest * 2).cmp(&unit) {
        std::cmp::Ordering::Less => whole,
        std::cmp::Ordering::Equal => whole + whole % 2,
        std::cmp::Ordering::Greater => whole + 1,
    }
}

proptest! {
    #[test]
    fn money_is_what_its_digits_say((text, nanos) in amount(), quoted in any::<bool>()) {
        let written = if quoted { format!("\"{text}\"") } else { text.clone() };
        let body = format!(r#"{{"message":{{"type":"end-of-call-report","cost":{written}}}}}"#);
        let translation = translate(body.as_bytes()).expect("a message");
        let CallEvent::Ended(ended) = &translation.drafts[0].event else { panic!("an end") };
        let cost = ended.cost.as_ref().map(|cost| cost.total_nanos);
        let plausible = (0..=MAX_NANOS.0).contains(&nanos);
        prop_assert_eq!(cost, plausible.then_some(Nanos(nanos)), "{}", text);
    }
}
