//! The senders: each sends one webhook at a time over HTTP, records the response, and repeats some.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use reqwest::{Client, Response};
use serde_json::Value;
use tokio::sync::RwLock;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::history::{Acknowledgement, History, Outcome};
use super::workload::{Webhook, Workload};
use super::world::World;

/// Request timeout: longer than a normal response, shorter than the server's own timeouts, so some
/// responses are lost.
const TIMEOUT: Duration = Duration::from_secs(3);
/// Pause between two webhooks of one sender, in milliseconds: leaves capacity for the faults.
const PAUSE_MS: u64 = 12;
/// Pause after a webhook with an unknown result, in milliseconds.
const BACKOFF_MS: u64 = 60;

/// Number of tasks that send unknown webhooks again at the end.
const RETRY_TASKS: usize = 6;

/// The state shared by the senders.
pub(super) struct Sending {
    pub(super) world: Arc<World>,
    pub(super) workload: Workload,
    pub(super) history: History,
    /// Read-locked while a webhook is in flight; a write lock waits until none is.
    pub(super) gate: RwLock<()>,
    pub(super) is_over: AtomicBool,
}

impl Sending {
    /// Sends webhooks until the run is over.
    ///
    /// # Errors
    /// If the workload cannot be generated.
    pub(super) async fn run(self: Arc<Self>, nth: usize, seed: u64) -> anyhow::Result<()> {
        let mut dice = fastrand::Rng::with_seed(seed ^ (0x5EED << 8) ^ nth as u64);
        let client = client();
        while !self.is_over.load(Ordering::Relaxed) {
            let outcome = {
                let _open = self.gate.read().await;
                let webhook = self.choose(&mut dice).await?;
                // Nine of ten unknown webhooks are sent again; the others stay unknown.
                let again = dice.u8(..10) != 0;
                let server = dice.usize(..self.world.servers.len());
                self.send(&client, server, &webhook, again).await
            };
            let pause = if matches!(outcome, Outcome::Unknown(_)) { BACKOFF_MS } else { PAUSE_MS };
            tokio::time::sleep(Duration::from_millis(dice.u64(..2 * pause))).await;
        }
        Ok(())
    }

    async fn choose(&self, dice: &mut fastrand::Rng) -> anyhow::Result<Arc<Webhook>> {
        let old = match dice.u8(..100) {
            0..40 => self.history.next_retry(),
            40..48 => self.history.any_recent(dice),
            _ => None,
        };
        match old {
            Some(old) => Ok(old),
            None => Ok(Arc::new(self.workload.next(&self.world).await?)),
        }
    }

    /// Sends one webhook to a server and records the result.
    pub(super) async fn send(
        &self,
        client: &Client,
        server: usize,
        webhook: &Arc<Webhook>,
        again: bool,
    ) -> Outcome {
        self.history.invoke(webhook);
        let address = self.world.servers[server].proxy.address();
        let sent = client
            .post(format!("http://{address}/ingest/{}", webhook.source.source_id))
            .header("x-vapi-secret", &webhook.source.secret)
            .header("content-type", "application/json")
            .body(webhook.body.clone())
            .send()
            .await;
        let outcome = match sent {
            Ok(response) => read(response).await,
            Err(error) => Outcome::Unknown(why(&error)),
        };
        self.history.complete(webhook, &outcome, again);
        outcome
    }

    /// Sends webhooks with an unknown result again, until none is left or `timeout` ends. Returns
    /// how many are left.
    pub(super) async fn retry_unknown(self: &Arc<Self>, timeout: Duration) -> usize {
        let mut retrying = JoinSet::new();
        for nth in 0..RETRY_TASKS {
            let (sending, until) = (Arc::clone(self), Instant::now() + timeout);
            retrying.spawn(async move { sending.retry(nth, until).await });
        }
        retrying.join_all().await;
        std::iter::from_fn(|| self.history.next_retry()).count()
    }

    async fn retry(&self, nth: usize, until: Instant) {
        let client = client();
        while Instant::now() < until
            && let Some(webhook) = self.history.next_retry()
        {
            self.send(&client, nth % self.world.servers.len(), &webhook, true).await;
        }
    }
}

fn client() -> Client {
    Client::builder().timeout(TIMEOUT).build().expect("nothing but a time is asked for")
}

/// Classifies a response.
async fn read(response: Response) -> Outcome {
    let status = response.status().as_u16();
    let last = response.headers().get("ledger-position");
    let last: Option<i64> = last.and_then(|value| value.to_str().ok()?.parse().ok());
    let body: Value = match response.json().await {
        Ok(body) => body,
        Err(_) if status < 400 => return Outcome::Unknown("answer broken off"),
        Err(_) => Value::Null,
    };
    match (status, body["status"].as_str(), last) {
        (200, Some("ignored"), _) => Outcome::Done(Acknowledgement::Ignored),
        (202, Some("quarantined"), _) => Outcome::Done(Acknowledgement::Quarantined),
        (200, _, Some(last)) => {
            Outcome::Done(Acknowledgement::Stored { first: body["position"].as_i64(), last })
        }
        // A tool call was answered "nothing was done"; the event may be stored all the same.
        (200, ..) => Outcome::Unknown("voice answered without a position"),
        (500, ..) => Outcome::Unknown("500"),
        (503, ..) => Outcome::Unknown("503"),
        (408 | 429 | 501.., ..) => Outcome::Unknown("another error of the server"),
        _ => Outcome::Refused(status),
    }
}

fn why(error: &reqwest::Error) -> &'static str {
    if error.is_timeout() {
        "no answer in time"
    } else if error.is_connect() {
        "not connected"
    } else {
        "connection lost"
    }
}
