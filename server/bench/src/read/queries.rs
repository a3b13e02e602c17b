//! The queries of the benchmark as data: lists with each filter, sums, breakdowns and time series.
//!
//! A query with a filter of many values, such as persons, calls or months, uses another value for each
//! request.

use std::fmt::Write;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use fastrand::Rng;
use serde_json::{Value, json};

use crate::calls::{ASSISTANTS, NUMBERS, Sample, TOOLS, number};

/// Limits of the 99th percentile, in milliseconds.
const PAGE: f64 = 20.0;
const SUMMARY: f64 = 50.0;
const PARTS: f64 = 100.0;

/// A person and an id that occur in no call.
const UNKNOWN_CALLER: u32 = 99_999;
const UNKNOWN_ID: &str = "00000000-0000-4000-8000-000000000000";

/// A query that is repeated.
pub(super) struct BenchQuery {
    pub(super) what: &'static str,
    pub(super) limit_ms: f64,
    /// Returns path with query string, and the body of a POST.
    pub(super) ask: fn(&mut QueryInputs) -> (String, Option<Value>),
}

/// State from which queries are built.
pub(super) struct QueryInputs {
    pub(super) rng: Rng,
    pub(super) samples: Vec<Sample>,
    /// End of the generated period of a year.
    pub(super) until: DateTime<Utc>,
    /// Cursors of the first page and of one in the middle.
    pub(super) second_page: String,
    pub(super) middle_page: String,
}

impl QueryInputs {
    fn sample(&mut self) -> &Sample {
        let nth = self.rng.usize(..self.samples.len());
        &self.samples[nth]
    }

    /// Number of a known caller; frequent callers are selected more often.
    fn phone(&mut self) -> String {
        let known = (0..8).find_map(|_| self.sample().phone.clone());
        known.unwrap_or_else(|| number(0))
    }

    /// A random period of some days within the year.
    fn days(&mut self, days: i64) -> String {
        let back = self.rng.i64(0..365 - days);
        span(self.until - TimeDelta::days(back + days), self.until - TimeDelta::days(back))
    }

    fn last_days(&self, days: i64) -> String {
        span(self.until - TimeDelta::days(days), self.until)
    }
}

fn span(from: DateTime<Utc>, to: DateTime<Utc>) -> String {
    format!("from={}&to={}", time(from), time(to))
}

fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// Percent-encodes a query value, except for unreserved characters.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            write!(out, "%{byte:02X}").expect("a text takes what is written to it");
        }
    }
    out
}

fn calls(query: impl AsRef<str>) -> (String, Option<Value>) {
    (format!("/v1/calls?{}", query.as_ref()), None)
}

fn summary(query: impl AsRef<str>) -> (String, Option<Value>) {
    (format!("/v1/analytics/summary?{}", query.as_ref()), None)
}

fn breakdown(by: &str, query: impl AsRef<str>) -> (String, Option<Value>) {
    (format!("/v1/analytics/breakdown?by={by}&{}", query.as_ref()), None)
}

fn series(query: impl AsRef<str>) -> (String, Option<Value>) {
    (format!("/v1/analytics/timeseries?{}", query.as_ref()), None)
}

const fn page(
    what: &'static str,
    ask: fn(&mut QueryInputs) -> (String, Option<Value>),
) -> BenchQuery {
    BenchQuery { what, limit_ms: PAGE, ask }
}

const fn sums(
    what: &'static str,
    ask: fn(&mut QueryInputs) -> (String, Option<Value>),
) -> BenchQuery {
    BenchQuery { what, limit_ms: SUMMARY, ask }
}

const fn parts(
    what: &'static str,
    ask: fn(&mut QueryInputs) -> (String, Option<Value>),
) -> BenchQuery {
    BenchQuery { what, limit_ms: PARTS, ask }
}

/// All queries. Filters are tested with a frequent value, a rare one, and one that matches no call.
pub(super) const QUERIES: &[BenchQuery] = &[
    page("calls", |_| calls("")),
    page("calls, second page", |asking| calls(format!("cursor={}", asking.second_page))),
    page("calls, page in the middle", |asking| calls(format!("cursor={}", asking.middle_page))),
    page("calls, a day", |asking| calls(asking.days(1))),
    page("calls, a month", |asking| calls(asking.days(30))),
    page("calls, a time without any", |_| {
        calls("from=1990-01-01T00:00:00Z&to=1990-02-01T00:00:00Z")
    }),
    page("calls, provider_call_id", |asking| {
        calls(format!("provider_call_id={}", asking.sample().provider_call_id))
    }),
    page("calls, provider_call_id of none", |_| calls(format!("provider_call_id={UNKNOWN_ID}"))),
    page("calls, direction common", |_| calls("direction=inbound")),
    page("calls, direction rare", |_| calls("direction=web")),
    page("calls, status common", |_| calls("status=ended")),
    page("calls, status rare", |_| calls("status=in_progress")),
    page("calls, status of none", |_| calls("status=queued")),
    page("calls, outcome common", |_| calls("outcome=customer_hung_up")),
    page("calls, outcome rare", |_| calls("outcome=busy")),
    page("calls, outcome of hardly any", |_| calls("outcome=unknown")),
    page("calls, ended_reason common", |_| calls("ended_reason=customer-ended-call")),
    page("calls, ended_reason rare", |_| {
        calls("ended_reason=call.in-progress.error-vapifault-worker-died")
    }),
    page("calls, ended_reason of none", |_| calls("ended_reason=nobody-ever-said-so")),
    page("calls, agent_id common", |_| calls(format!("agent_id={}", ASSISTANTS[0]))),
    page("calls, agent_id rare", |_| calls(format!("agent_id={}", ASSISTANTS[2]))),
    page("calls, agent_id of none", |_| calls(format!("agent_id={UNKNOWN_ID}"))),
    page("calls, tool common", |_| calls(format!("tool={}", TOOLS[0]))),
    page("calls, tool rare", |_| calls(format!("tool={}", TOOLS[3]))),
    page("calls, tool of none", |_| calls("tool=neverUsed")),
    page("calls, min_cost_nanos low", |_| calls("min_cost_nanos=10000000")),
    page("calls, min_cost_nanos high", |_| calls("min_cost_nanos=3840000000")),
    page("calls, min_cost_nanos of none", |_| calls("min_cost_nanos=900000000000")),
    page("calls, phone of whoever rings most", |_| calls(format!("phone={}", escaped(&number(0))))),
    page("calls, phone", |asking| calls(format!("phone={}", escaped(&asking.phone())))),
    page("calls, phone of nobody", |_| {
        calls(format!("phone={}", escaped(&number(UNKNOWN_CALLER))))
    }),
    page("calls, email", |asking| {
        let caller = asking.rng.u32(..7) * 7;
        calls(format!("email={}", escaped(&format!("person.{caller}@example.com"))))
    }),
    page("calls, email of nobody", |_| calls("email=nobody%40example.com")),
    page("calls, is_test", |_| calls("is_test=true")),
    page("calls, not is_test", |_| calls("is_test=false")),
    page("calls, has_appointment", |_| calls("has_appointment=true")),
    page("calls, tag", |_| calls("tag=nobody-tagged-it")),
    page("calls, disposition", |_| calls("disposition=nobody-said-so")),
    page("calls, several filters in a month", |asking| {
        let month = asking.days(30);
        calls(format!("{month}&direction=inbound&outcome=completed&agent_id={}", ASSISTANTS[0]))
    }),
    page("calls, several rare filters", |_| {
        calls(format!("tool={}&outcome=failed&direction=web", TOOLS[3]))
    }),
    page("calls, a person and a rare outcome", |_| {
        calls(format!("phone={}&outcome=busy", escaped(&number(0))))
    }),
    page("Vapi's GET /call", |_| ("/call?limit=100".into(), None)),
    page("Vapi's GET /call of an assistant", |asking| {
        let before = time(asking.until - TimeDelta::days(asking.rng.i64(0..300)));
        let assistant = ASSISTANTS[1];
        (format!("/call?limit=100&assistantId={assistant}&createdAtLt={before}"), None)
    }),
    page("Vapi's GET /call of a number", |_| {
        (format!("/call?limit=100&phoneNumberId={}", NUMBERS[1]), None)
    }),
    sums("summary", |_| summary("")),
    sums("summary, last 30 days", |asking| summary(asking.last_days(30))),
    sums("summary, 30 days beside those before", |asking| {
        summary(format!("{}&compare=previous", asking.days(30)))
    }),
    sums("summary, another time zone", |asking| {
        summary(format!("{}&timezone=Asia/Kolkata", asking.days(30)))
    }),
    sums("summary, direction", |_| summary("direction=inbound")),
    sums("summary, agent_id", |_| summary(format!("agent_id={}", ASSISTANTS[0]))),
    sums("summary, outcome", |_| summary("outcome=completed")),
    sums("summary, ended_reason", |_| summary("ended_reason=customer-ended-call")),
    sums("summary, tool", |_| summary(format!("tool={}", TOOLS[0]))),
    sums("summary, tests", |_| summary("is_test=true")),
    sums("summary, tests and others", |_| summary("is_test=any")),
    sums("summary, several filters in a month", |asking| {
        let month = asking.days(30);
        summary(format!("{month}&direction=inbound&outcome=completed&agent_id={}", ASSISTANTS[0]))
    }),
    sums("summary, phone", |asking| summary(format!("phone={}", escaped(&asking.phone())))),
    sums("summary, min_cost_nanos", |_| summary("min_cost_nanos=3840000000")),
    parts("breakdown by ended_reason", |_| breakdown("ended_reason", "")),
    parts("breakdown by ended_reason, 30 days", |asking| {
        breakdown("ended_reason", asking.days(30))
    }),
    parts("breakdown by ended_reason, agent_id", |_| {
        breakdown("ended_reason", format!("agent_id={}", ASSISTANTS[0]))
    }),
    parts("breakdown by outcome", |_| breakdown("outcome", "")),
    parts("breakdown by tool", |_| breakdown("tool", "")),
    parts("breakdown by tool, outcome", |_| breakdown("tool", "outcome=completed")),
    parts("breakdown by agent_id", |_| breakdown("agent_id", "")),
    parts("breakdown by direction", |_| breakdown("direction", "")),
    parts("breakdown by service_type", |_| breakdown("service_type", "")),
    parts("breakdown by duration_bucket", |_| breakdown("duration_bucket", "")),
    parts("breakdown by hour", |_| breakdown("hour", "")),
    parts("breakdown by weekday", |_| breakdown("weekday", "")),
    parts("breakdown by heatmap", |_| breakdown("heatmap", "")),
    parts("breakdown by contact", |_| breakdown("contact", "")),
    parts("breakdown by contact, 30 days", |asking| breakdown("contact", asking.days(30))),
    parts("breakdown by cost_part", |_| breakdown("cost_part", "")),
    parts("timeseries by hour, a week", |asking| {
        series(format!("interval=hour&{}", asking.days(7)))
    }),
    parts("timeseries by day, a year", |asking| {
        series(format!("interval=day&{}", asking.last_days(365)))
    }),
    parts("timeseries by week, a year", |asking| {
        series(format!("interval=week&{}", asking.last_days(365)))
    }),
    parts("timeseries by month, a year", |asking| {
        series(format!("interval=month&{}", asking.last_days(365)))
    }),
    parts("timeseries by day and outcome, 30 days", |asking| {
        series(format!("interval=day&group_by=outcome&{}", asking.days(30)))
    }),
    parts("timeseries by day and agent_id, a year", |asking| {
        series(format!("interval=day&group_by=agent_id&{}", asking.last_days(365)))
    }),
    parts("timeseries by month and ended_reason, a year", |asking| {
        series(format!("interval=month&group_by=ended_reason&{}", asking.last_days(365)))
    }),
    parts("timeseries by week and direction, a year", |asking| {
        series(format!("interval=week&group_by=direction&{}", asking.last_days(365)))
    }),
    parts("funnel", |_| ("/v1/analytics/funnel".into(), None)),
    parts("agents", |_| ("/v1/agents".into(), None)),
    parts("usage of a month", |asking| {
        (format!("/v1/usage?month={}", asking.until.format("%Y-%m")), None)
    }),
    parts("Vapi's POST /analytics", |asking| {
        let (start, end) = (asking.until - TimeDelta::days(30), asking.until);
        let range =
            json!({ "step": "day", "start": time(start), "end": time(end), "timezone": "UTC" });
        let operations = json!([
            { "operation": "sum", "column": "cost" },
            { "operation": "count", "column": "id" },
            { "operation": "avg", "column": "duration" },
        ]);
        let query = json!({
            "table": "call", "name": "calls", "groupBy": ["endedReason"],
            "operations": operations, "timeRange": range,
        });
        ("/analytics".into(), Some(json!({ "queries": [query] })))
    }),
];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_question_has_a_name_of_its_own() {
        let names: HashSet<&str> = QUERIES.iter().map(|question| question.what).collect();
        assert_eq!(names.len(), QUERIES.len());
    }

    #[test]
    fn a_value_is_escaped_where_it_must_be() {
        assert_eq!(escaped("+1 a-b@example.com"), "%2B1%20a-b%40example.com");
    }
}
