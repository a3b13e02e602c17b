//! A field case: the format of its fixture, its execution, and the comparison of the responses.

use ledger_tests::fixtures;
use ledger_tests::ledger::{TestLedger, TestTenant, status_and_json};
use serde::Deserialize;
use serde_json::{Value, json};

/// The fixture of a case. `why` and `source` are documentation.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case {
    why: String,
    #[serde(rename = "source")]
    _source: Option<String>,
    tenant: Place,
    webhooks: Vec<Webhook>,
    reads: Vec<Read>,
    asserts: Vec<Assert>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Place {
    timezone: String,
    country: Option<String>,
}

/// A webhook: exact text, the standard report with changes, or a complete body.
#[derive(Deserialize)]
#[serde(untagged)]
enum Webhook {
    Raw {
        raw: String,
    },
    /// The standard report for the call `report`, with `message` and `call` merged into it; null
    /// removes a field.
    Report {
        report: String,
        #[serde(default)]
        message: Value,
        #[serde(default)]
        call: Value,
    },
    Body(Value),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Read {
    get: Option<String>,
    post: Option<String>,
    #[serde(default)]
    body: Value,
    /// The required status of the response; 200 by default.
    status: Option<u16>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Assert {
    read: usize,
    /// Keys and indices separated by dots; `*` matches every element. Empty means the whole
    /// response.
    path: String,
    #[serde(flatten)]
    rule: Rule,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Rule {
    Equals(Value),
    OneOf(Vec<Value>),
    Length(usize),
    SameSet(Vec<Value>),
    AtLeast(f64),
    AtMost(f64),
    StartsWith(String),
}

impl Case {
    pub(crate) fn load(name: &str) -> Self {
        serde_json::from_slice(&fixtures::bytes(name))
            .unwrap_or_else(|error| panic!("fixture {name}: {error}"))
    }

    /// Runs the case against a new tenant; returns the failures.
    pub(crate) async fn play(&self, ledger: &TestLedger) -> Vec<String> {
        let country = self.tenant.country.as_deref();
        let tenant = ledger.tenant_with(country.unwrap_or_default(), &self.tenant.timezone).await;
        let mut failures = Vec::new();
        for (nth, webhook) in self.webhooks.iter().enumerate() {
            let (status, answer) = tenant.post(webhook.text()).await;
            if status != 200 {
                failures.push(format!("webhook {nth}: {status} {answer}"));
            }
        }
        tenant.settle().await;
        let mut answers = Vec::new();
        for (nth, read) in self.reads.iter().enumerate() {
            let (status, answer) = read.ask(&tenant, &answers).await;
            if status != read.status.unwrap_or(200) {
                failures.push(format!("read {nth}: {status} {answer}"));
            }
            answers.push(answer);
        }
        failures.extend(self.asserts.iter().filter_map(|assert| assert.failure(&answers)));
        if !failures.is_empty() {
            failures.push(format!("rule: {}", self.why));
        }
        failures
    }
}

impl Webhook {
    fn text(&self) -> String {
        match self {
            Self::Raw { raw } => raw.clone(),
            Self::Body(body) => body.to_string(),
            Self::Report { report, message, call } => {
                let mut report_body = usual_report(report);
                lay_over(&mut report_body["call"], call);
                lay_over(&mut report_body, message);
                json!({ "message": report_body }).to_string()
            }
        }
    }
}

/// A report of a call of one minute that cost ten cents.
fn usual_report(call_id: &str) -> Value {
    json!({
        "type": "end-of-call-report",
        "call": {
            "id": call_id, "orgId": "org-1", "type": "inboundPhoneCall", "status": "ringing",
            "createdAt": "2026-03-10T15:00:00.000Z", "updatedAt": "2026-03-10T15:00:00.000Z",
            "assistantId": "as-1", "phoneNumberId": "pn-1",
            "customer": { "number": "+15550100101" },
        },
        "endedReason": "customer-ended-call",
        "startedAt": "2026-03-10T15:00:02.000Z",
        "endedAt": "2026-03-10T15:01:02.000Z",
        "cost": 0.1,
        "timestamp": 1_773_154_865_000_i64,
    })
}

fn lay_over(known: &mut Value, changes: &Value) {
    for (key, value) in changes.as_object().into_iter().flatten() {
        let known = known.as_object_mut().expect("changes are laid over an object");
        if value.is_null() {
            known.remove(key);
        } else {
            known.insert(key.clone(), value.clone());
        }
    }
}

impl Read {
    async fn ask(&self, tenant: &TestTenant, answers: &[Value]) -> (u16, Value) {
        match (&self.get, &self.post) {
            (Some(path), None) => tenant.get_with(&tenant.key, &filled(path, answers)).await,
            (None, Some(path)) => {
                let url = tenant.url(&filled(path, answers));
                let request = reqwest::Client::new().post(url).bearer_auth(&tenant.key);
                status_and_json(request.json(&self.body).send().await.expect("an answer")).await
            }
            _ => panic!("a read is a get or a post"),
        }
    }
}

/// Replaces each `{{n:path}}` in a path with that value of response `n`.
fn filled(path: &str, answers: &[Value]) -> String {
    let mut text = path.to_owned();
    while let Some((before, rest)) = text.split_once("{{") {
        let (reference, after) = rest.split_once("}}").expect("a reference ends");
        let (nth, place) = reference.split_once(':').expect("a reference names an answer");
        let value = at(&answers[nth.parse::<usize>().expect("a number")], place);
        let value = value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
        text = format!("{before}{value}{after}");
    }
    text
}

fn at(value: &Value, path: &str) -> Value {
    let Some((key, rest)) = path.split_once('.').or((!path.is_empty()).then_some((path, "")))
    else {
        return value.clone();
    };
    if key == "*" {
        return value.as_array().into_iter().flatten().map(|each| at(each, rest)).collect();
    }
    let inner = match key.parse::<usize>() {
        Ok(index) if value.is_array() => value.get(index),
        _ => value.get(key),
    };
    at(inner.unwrap_or(&Value::Null), rest)
}

impl Assert {
    fn failure(&self, answers: &[Value]) -> Option<String> {
        let value = at(&answers[self.read], &self.path);
        let holds = match &self.rule {
            Rule::Equals(wanted) => value == *wanted,
            Rule::OneOf(wanted) => wanted.contains(&value),
            Rule::Length(wanted) => value.as_array().is_some_and(|all| all.len() == *wanted),
            Rule::SameSet(wanted) => value.as_array().is_some_and(|all| set(all) == set(wanted)),
            Rule::AtLeast(wanted) => value.as_f64().is_some_and(|value| value >= *wanted),
            Rule::AtMost(wanted) => value.as_f64().is_some_and(|value| value <= *wanted),
            Rule::StartsWith(wanted) => {
                value.as_str().is_some_and(|text| text.starts_with(wanted.as_str()))
            }
        };
        (!holds).then(|| format!("read {} at {}: got {value}", self.read, self.path))
    }
}

fn set(values: &[Value]) -> Vec<String> {
    let mut texts: Vec<String> = values.iter().map(ToString::to_string).collect();
    texts.sort();
    texts
}
