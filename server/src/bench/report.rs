//! What a benchmark found, for a table and for JSON.

use serde::Serialize;

use super::Latencies;

/// One measurement.
#[derive(Debug, Clone, Serialize)]
pub struct Measured {
    /// What was done.
    pub what: String,
    /// How many did it at once.
    pub callers: usize,
    /// Spread over how many tenants; absent where there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenants: Option<usize>,
    /// Among how many calls, where that is what grows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calls: Option<usize>,
    /// How many a second, over all rounds.
    pub per_second: f64,
    /// The slowest and the fastest round: how far the machine's noise reaches.
    pub rounds_per_second: [f64; 2],
    /// The median, in milliseconds.
    pub p50_ms: f64,
    /// 95 of 100 were not slower, in milliseconds.
    pub p95_ms: f64,
    /// 99 of 100 were not slower, in milliseconds.
    pub p99_ms: f64,
    /// What the 99 of 100 should not exceed, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit_ms: Option<f64>,
    /// Write-ahead log per event, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wal_bytes: Option<f64>,
    /// The most memory the process held meanwhile, in bytes, where that was looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peak_memory_bytes: Option<u64>,
    /// How many ended as they should; 0 where they are not counted one by one.
    pub answered: u64,
    /// How many ended otherwise than they should.
    pub errors: u64,
}

impl Measured {
    /// From the latencies of all rounds together and each round's rate.
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

    /// Something done once, so many in so many seconds.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts of a benchmark")]
    pub fn once(what: &str, count: usize, seconds: f64) -> Self {
        Self::new(what, 1, &Latencies::default(), &[count as f64 / seconds.max(1e-9)])
    }
}

/// The arithmetic mean; 0 of none.
#[expect(clippy::cast_precision_loss, reason = "a handful of rounds")]
fn mean(values: &[f64]) -> f64 {
    if values.is_empty() { 0.0 } else { values.iter().sum::<f64>() / values.len() as f64 }
}

/// A figure to reach, and what was reached.
#[derive(Debug, Clone, Serialize)]
pub struct Goal {
    /// What must hold.
    pub what: String,
    /// What was measured.
    pub value: f64,
    /// `at_least` or `at_most`.
    pub bound: &'static str,
    /// The bound.
    pub goal: f64,
    /// Whether it held in this run.
    pub met: bool,
}

impl Goal {
    /// A figure that must not be smaller.
    #[must_use]
    pub fn at_least(what: impl Into<String>, value: f64, goal: f64) -> Self {
        Self { what: what.into(), value, bound: "at_least", goal, met: value >= goal }
    }

    /// A figure that must not be larger.
    #[must_use]
    pub fn at_most(what: impl Into<String>, value: f64, goal: f64) -> Self {
        Self { what: what.into(), value, bound: "at_most", goal, met: value <= goal }
    }
}

/// What one of many webhooks cost, with the read models caught up.
#[derive(Debug, Clone, Serialize)]
pub struct Cost {
    /// What was done.
    pub what: String,
    /// How many webhooks share the cost.
    pub webhooks: u64,
    /// Processor time of the server, in microseconds.
    pub server_us: f64,
    /// Processor time of all of PostgreSQL's processes, in microseconds.
    pub postgres_us: f64,
    /// Both.
    pub total_us: f64,
    /// Write-ahead log, in bytes.
    pub wal_bytes: f64,
    /// The same by stage; what is no stage's comes last.
    pub stages: Vec<StageCost>,
}

impl Cost {
    /// From its parts. The write-ahead log is told as a whole, because its parts may not be known.
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

/// One stage's part of it.
#[derive(Debug, Clone, Serialize)]
pub struct StageCost {
    /// `verify`, `translate`, `vault`, `seal`, `append`, `project` or `rest`.
    pub stage: &'static str,
    /// Processor time of the server, in microseconds.
    pub server_us: f64,
    /// Processor time of the PostgreSQL connections that work for it, in microseconds.
    pub postgres_us: f64,
    /// Write-ahead log of its tables, in bytes, where PostgreSQL could list it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wal_bytes: Option<f64>,
}

/// Everything one benchmark found.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// `append`, `ingest`, `seal`, `rebuild` or `read`.
    pub bench: &'static str,
    /// Processors this process may use.
    pub cores: usize,
    /// The server's version, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub postgres: Option<String>,
    /// The measurements.
    pub measured: Vec<Measured>,
    /// What a webhook cost.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub costs: Vec<Cost>,
    /// The figures to reach; limits measured in the same run.
    pub goals: Vec<Goal>,
    /// What each read model that was rebuilt comes to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub checksums: Vec<String>,
    /// What was asked for and is not there, with the answer.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_there: Vec<String>,
    /// The most memory the measured process held, in bytes.
    pub peak_memory_bytes: u64,
}

impl Report {
    /// A report of this process.
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

/// Forgets the most memory this process has held, so that [`peak_memory`] speaks of what comes next.
/// Where the system refuses, the peak stays that of the whole run.
pub fn forget_peak_memory() {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

/// The most memory a process has held, in bytes; 0 when the system does not say.
#[must_use]
pub fn peak_memory(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse().ok());
    kilobytes.unwrap_or(0_u64) * 1024
}

/// A count, to be divided.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "counts of a benchmark")]
pub fn as_f64(count: u64) -> f64 {
    count as f64
}

/// Bytes as the megabytes that goals are stated in.
#[must_use]
pub fn megabytes(bytes: u64) -> f64 {
    as_f64(bytes) / 1e6
}
