//! Results of a benchmark, for tables and JSON.

use serde::Serialize;

use crate::latency::Latencies;

/// Results of one measurement.
#[derive(Debug, Clone, Serialize)]
pub struct Measured {
    /// Description of the measured work.
    pub what: String,
    /// Number of concurrent callers.
    pub callers: usize,
    /// Number of tenants; absent if the work has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenants: Option<usize>,
    /// Number of calls in the ledger, if the measurement depends on it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calls: Option<usize>,
    /// Mean rate over all rounds.
    pub per_second: f64,
    /// Rates of the slowest and the fastest round, as a measure of the machine's noise.
    pub rounds_per_second: [f64; 2],
    /// Median latency in milliseconds.
    pub p50_ms: f64,
    /// 95th percentile of the latency, in milliseconds.
    pub p95_ms: f64,
    /// 99th percentile of the latency, in milliseconds.
    pub p99_ms: f64,
    /// Goal for the 99th percentile, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit_ms: Option<f64>,
    /// Write-ahead log per event, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wal_bytes: Option<f64>,
    /// Peak memory of the process during the measurement, in bytes, if measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peak_memory_bytes: Option<u64>,
    /// Number of successful operations; 0 if they are not counted individually.
    pub answered: u64,
    /// Number of failed operations.
    pub errors: u64,
}

impl Measured {
    /// Builds the results from the latencies of all rounds together and the rate of each round.
    #[must_use]
    pub fn new(what: &str, callers: usize, latencies: &Latencies, rounds: &[f64]) -> Self {
        let [p50_ms, p95_ms, p99_ms] = latencies.quantiles_ms([0.5, 0.95, 0.99]);
        let lowest = rounds.iter().copied().fold(f64::INFINITY, f64::min);
        let highest = rounds.iter().copied().fold(0.0, f64::max);
        Self {
            what: what.to_owned(),
            callers,
            tenants: None,
            calls: None,
            per_second: mean(rounds),
            rounds_per_second: [lowest, highest],
            p50_ms,
            p95_ms,
            p99_ms,
            limit_ms: None,
            wal_bytes: None,
            peak_memory_bytes: None,
            answered: latencies.count(),
            errors: 0,
        }
    }

    /// Results of work done once: `count` operations in this many seconds.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts of a benchmark")]
    pub fn once(what: &str, count: usize, seconds: f64) -> Self {
        Self::new(what, 1, &Latencies::default(), &[count as f64 / seconds.max(1e-9)])
    }
}

/// The arithmetic mean; 0 without values.
#[expect(clippy::cast_precision_loss, reason = "a handful of rounds")]
fn mean(values: &[f64]) -> f64 {
    if values.is_empty() { 0.0 } else { values.iter().sum::<f64>() / values.len() as f64 }
}

/// A goal and the measured value.
#[derive(Debug, Clone, Serialize)]
pub struct Goal {
    /// Description of the goal.
    pub what: String,
    /// The measured value.
    pub value: f64,
    /// `at_least` or `at_most`.
    pub bound: &'static str,
    /// The bound of the value.
    pub goal: f64,
    /// True if the value is within the bound.
    pub met: bool,
}

impl Goal {
    /// A goal with a lower bound.
    #[must_use]
    pub fn at_least(what: impl Into<String>, value: f64, goal: f64) -> Self {
        Self { what: what.into(), value, bound: "at_least", goal, met: value >= goal }
    }

    /// A goal with an upper bound.
    #[must_use]
    pub fn at_most(what: impl Into<String>, value: f64, goal: f64) -> Self {
        Self { what: what.into(), value, bound: "at_most", goal, met: value <= goal }
    }
}

/// Average cost of a webhook, projection included.
#[derive(Debug, Clone, Serialize)]
pub struct WebhookCost {
    /// Description of the load.
    pub what: String,
    /// Number of webhooks that the cost is divided by.
    pub webhooks: u64,
    /// CPU time of the server, in microseconds.
    pub server_us: f64,
    /// CPU time of all PostgreSQL processes, in microseconds.
    pub postgres_us: f64,
    /// CPU time of server and PostgreSQL together, in microseconds.
    pub total_us: f64,
    /// Write-ahead log, in bytes.
    pub wal_bytes: f64,
    /// The cost by stage; the remainder is the last entry.
    pub stages: Vec<StageCost>,
}

impl WebhookCost {
    /// Sums the stages. The write-ahead log is passed as a total, because its parts may be unknown.
    #[must_use]
    pub fn new(what: &str, webhooks: u64, stages: Vec<StageCost>, wal_bytes: f64) -> Self {
        let server_us: f64 = stages.iter().map(|stage| stage.server_us).sum();
        let postgres_us: f64 = stages.iter().map(|stage| stage.postgres_us).sum();
        let total_us = server_us + postgres_us;
        Self {
            what: what.to_owned(),
            webhooks,
            server_us,
            postgres_us,
            total_us,
            wal_bytes,
            stages,
        }
    }
}

/// A stage and its part of the cost.
#[derive(Debug, Clone, Serialize)]
pub struct StageCost {
    /// `verify`, `translate`, `vault`, `seal`, `append`, `project` or `rest`.
    pub stage: &'static str,
    /// CPU time of the server, in microseconds.
    pub server_us: f64,
    /// CPU time of the stage's PostgreSQL connections, in microseconds.
    pub postgres_us: f64,
    /// Write-ahead log of the stage's tables, in bytes, if PostgreSQL could list it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wal_bytes: Option<f64>,
}

/// All results of a benchmark.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// `append`, `ingest`, `book`, `erase`, `seal`, `rebuild`, `read` or `roll`.
    pub bench: &'static str,
    /// Number of CPUs this process may use.
    pub cores: usize,
    /// Version of PostgreSQL; absent if none is used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub postgres: Option<String>,
    /// Measurements in the order of their execution.
    pub measured: Vec<Measured>,
    /// The cost of a webhook under each load.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub costs: Vec<WebhookCost>,
    /// Goals, some relative to limits measured in the same run.
    pub goals: Vec<Goal>,
    /// Checksum of each rebuilt read model.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub checksums: Vec<String>,
    /// Queries that the server does not support, with its answer.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_there: Vec<String>,
    /// Peak memory of the measured process, in bytes.
    pub peak_memory_bytes: u64,
}

impl Report {
    /// An empty report of this process.
    #[must_use]
    pub fn new(bench: &'static str) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let peak_memory_bytes = peak_memory(std::process::id());
        Self {
            bench,
            cores,
            postgres: None,
            measured: Vec::new(),
            costs: Vec::new(),
            goals: Vec::new(),
            checksums: Vec::new(),
            not_there: Vec::new(),
            peak_memory_bytes,
        }
    }
}

/// Resets the peak memory of this process, so that [`peak_memory`] covers only later work. If the system
/// refuses, the peak remains that of the whole run.
pub fn forget_peak_memory() {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

/// Peak memory of a process in bytes; 0 if the system does not report it.
#[must_use]
pub fn peak_memory(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse().ok());
    kilobytes.unwrap_or(0_u64) * 1024
}

/// Converts a count for a division.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "counts of a benchmark")]
pub fn as_f64(count: u64) -> f64 {
    count as f64
}

/// Converts bytes to megabytes, the unit of the goals.
#[must_use]
pub fn megabytes(bytes: u64) -> f64 {
    as_f64(bytes) / 1e6
}
