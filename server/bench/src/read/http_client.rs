//! HTTP client that repeats a query on one connection.

use std::cell::Cell;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use chrono::TimeDelta;
use fastrand::Rng;
use reqwest::{Client, Response};
use serde_json::Value;

use super::QuerySetup;
use super::queries::{BenchQuery, QueryInputs};
use crate::latency::Latencies;
use crate::report::{Measured, as_f64};

/// Timeout of a query.
const TIMEOUT: Duration = Duration::from_mins(1);

/// Time limit for the requests of a query; slow queries are measured with fewer of them.
const TIME_LIMIT: Duration = Duration::from_secs(30);

/// HTTP client of one tenant.
pub(super) struct QueryClient {
    client: Client,
    url: String,
    api_key: String,
    people_keys: Vec<String>,
    searches: Cell<usize>,
    asking: QueryInputs,
}

impl QueryClient {
    pub(super) async fn new(url: &str, ready: QuerySetup) -> anyhow::Result<Self> {
        let client = Client::builder().timeout(TIMEOUT).build()?;
        let QuerySetup { api_key, people_keys, generated, until } = ready;
        let asking = QueryInputs {
            rng: Rng::with_seed(1),
            samples: generated.samples,
            until,
            second_page: String::new(),
            middle_page: String::new(),
        };
        let searches = Cell::new(0);
        let url = url.to_owned();
        let mut http_client = Self { client, url, api_key, people_keys, searches, asking };
        http_client.asking.second_page = http_client.cursor("").await?;
        let middle = (until - TimeDelta::days(180)).format("%Y-%m-%dT%H:%M:%SZ");
        http_client.asking.middle_page = http_client.cursor(&format!("to={middle}")).await?;
        Ok(http_client)
    }

    /// Cursor after a first page; empty if that is the last page.
    async fn cursor(&self, query: &str) -> anyhow::Result<String> {
        let response = self.send(&format!("/v1/calls?{query}"), None).await?;
        if !response.status().is_success() {
            bail!("the calls cannot be listed: {}", describe(response).await);
        }
        let page: Value = serde_json::from_slice(&response.bytes().await?)?;
        Ok(page["next_cursor"].as_str().unwrap_or_default().to_owned())
    }

    /// Measures a query with this many requests. The inner error is the server's answer if it does not
    /// support the query.
    pub(super) async fn measure(
        &mut self,
        question: &BenchQuery,
        requests: usize,
    ) -> anyhow::Result<Result<Measured, String>> {
        let (path, body) = (question.ask)(&mut self.asking);
        let first = self.send(&path, body.as_ref()).await?;
        if matches!(first.status().as_u16(), 400 | 404 | 405) {
            return Ok(Err(describe(first).await));
        }
        // PostgreSQL plans the first few executions on a connection and then keeps a plan, so these are
        // warm-up.
        let began = Instant::now();
        for _ in 0..requests / 10 {
            self.once(question).await?;
            if began.elapsed() > TIME_LIMIT {
                break;
            }
        }
        let (mut latencies, mut errors) = (Latencies::default(), 0);
        let began = Instant::now();
        for _ in 0..requests {
            let (took, is_well) = self.once(question).await?;
            latencies.record(took);
            errors += u64::from(!is_well);
            if began.elapsed() > TIME_LIMIT {
                break;
            }
        }
        let rate = as_f64(latencies.count()) / began.elapsed().as_secs_f64();
        let mut measured = Measured::new(question.what, 1, &latencies, &[rate]);
        measured.limit_ms = Some(question.limit_ms);
        measured.errors = errors;
        Ok(Ok(measured))
    }

    async fn once(&mut self, question: &BenchQuery) -> anyhow::Result<(Duration, bool)> {
        let (path, body) = (question.ask)(&mut self.asking);
        let began = Instant::now();
        let response = self.send(&path, body.as_ref()).await?;
        let is_well = response.status().is_success();
        // The body is read to its end: a client needs all of it, and the connection can be reused.
        response.bytes().await?;
        Ok((began.elapsed(), is_well))
    }

    /// The API key for a path; searches alternate between their keys.
    fn key_for(&self, path: &str) -> &str {
        if !path.contains("phone=") && !path.contains("email=") {
            return &self.api_key;
        }
        let nth = self.searches.get();
        self.searches.set(nth + 1);
        &self.people_keys[nth % self.people_keys.len()]
    }

    async fn send(&self, path: &str, body: Option<&Value>) -> anyhow::Result<Response> {
        let url = format!("{}{path}", self.url);
        let request = match body {
            None => self.client.get(url),
            Some(body) => self.client.post(url).json(body),
        };
        request.bearer_auth(self.key_for(path)).send().await.context("the server does not answer")
    }
}

/// Status, code and detail of a problem document.
async fn describe(response: Response) -> String {
    let status = response.status().as_u16();
    let problem: Value = match response.bytes().await {
        Ok(body) => serde_json::from_slice(&body).unwrap_or_default(),
        Err(_) => Value::Null,
    };
    let word = |name: &str| problem[name].as_str().unwrap_or_default().to_owned();
    format!("{status} {} {}", word("code"), word("detail")).trim().to_owned()
}
