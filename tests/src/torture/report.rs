//! Findings and measurements of a run, as tables and as JSON.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use comfy_table::Table;
use serde_json::{Value, json};

use super::history::Counts;

/// Number of findings of each kind that are described in full.
const MAX_DETAILS: usize = 5;

/// The kinds of findings. Each is a violation of one guarantee of the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Check {
    /// An acknowledged webhook is missing, or a part of it is.
    Lost,
    /// One webhook is stored more than once.
    Doubled,
    /// Only a part of a webhook with an unknown result is stored: the append was not atomic.
    Torn,
    /// A refused webhook is stored.
    StoredThoughRefused,
    /// A webhook is not stored at the position in its response.
    WrongPosition,
    /// Two responses to the same webhook differ.
    AnswerChanged,
    /// A valid webhook was refused, or an invalid one accepted.
    WrongAnswer,
    /// The server responded with 500.
    InternalError,
    /// A tenant's log holds a webhook of another tenant, or an unassignable one.
    Leaked,
    /// The positions of a tenant are not 1, 2, 3 ….
    PositionsNotDense,
    /// The versions of a stream are not 1, 2, 3 … in the order of positions.
    StreamOutOfOrder,
    /// A follower read a position before its predecessor.
    FollowerHole,
    /// An event that a follower had read was changed or is missing.
    FollowerChange,
    /// A follower was delayed by a session that only holds a transaction open.
    FollowerHeldUp,
    /// The read model differs from a fold of the log.
    ReadModelDiffers,
    /// The read model halted, or does not reach the end of the log.
    ReadModelStuck,
    /// `call-ledger verify` reported an error.
    VerifyFailed,
    /// A sealed section does not open, or its content differs from what was sent.
    SectionWrong,
    /// A file contains personal data in the clear.
    PersonalInClear,
    /// The service did not recover after a fault was removed.
    NotReady,
    /// An operator's command was applied in part.
    SetUpWrong,
    /// A webhook of another tenant was refused during a fault of one tenant.
    OthersRefused,
    /// Webhooks of another tenant were slower than five times their median during a fault of one
    /// tenant.
    OthersSlowed,
}

impl Check {
    /// The name of the check in the summary, in snake case.
    pub(super) fn name(self) -> String {
        let mut name = String::new();
        for (nth, letter) in format!("{self:?}").chars().enumerate() {
            if nth > 0 && letter.is_uppercase() {
                name.push('_');
            }
            name.extend(letter.to_lowercase());
        }
        name
    }
}

/// The six categories of the verdict, each with its checks.
const VERDICTS: [(&str, &[Check]); 6] = [
    ("lost", &[Check::Lost, Check::Torn, Check::FollowerChange]),
    ("doubled", &[Check::Doubled, Check::StoredThoughRefused]),
    (
        "skipped",
        &[
            Check::PositionsNotDense,
            Check::FollowerHole,
            Check::ReadModelDiffers,
            Check::ReadModelStuck,
        ],
    ),
    ("reordered", &[Check::StreamOutOfOrder, Check::WrongPosition, Check::AnswerChanged]),
    ("leaked", &[Check::Leaked, Check::PersonalInClear]),
    ("disturbed", &[Check::OthersRefused, Check::OthersSlowed]),
];

/// The findings by check: their number, and the first few in full.
#[derive(Default)]
pub(super) struct Findings(Mutex<BTreeMap<Check, (u64, Vec<String>)>>);

impl Findings {
    fn all(&self) -> MutexGuard<'_, BTreeMap<Check, (u64, Vec<String>)>> {
        self.0.lock().expect("nothing panics while holding it")
    }

    /// Adds a finding.
    pub(super) fn add(&self, check: Check, detail: impl FnOnce() -> String) {
        let mut all = self.all();
        let (count, details) = all.entry(check).or_default();
        *count += 1;
        if details.len() < MAX_DETAILS {
            details.push(detail());
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all().is_empty()
    }

    /// Returns the checks with findings.
    pub(super) fn checks(&self) -> Vec<Check> {
        self.all().keys().copied().collect()
    }

    fn count(&self, checks: &[Check]) -> u64 {
        let all = self.all();
        checks.iter().filter_map(|check| all.get(check)).map(|(count, _)| count).sum()
    }
}

/// Measured durations of one kind.
#[derive(Debug, Clone, Default)]
pub(super) struct Times(Vec<Duration>);

impl Times {
    pub(super) fn push(&mut self, time: Duration) {
        self.0.push(time);
    }

    fn summary(&self) -> Value {
        let mut sorted = self.0.clone();
        sorted.sort();
        let milliseconds = |time: Option<&Duration>| time.map(Duration::as_millis);
        json!({
            "times": sorted.len(),
            "median_ms": milliseconds(sorted.get(sorted.len() / 2)),
            "max_ms": milliseconds(sorted.last()),
        })
    }
}

/// The result of a run.
pub(super) struct Summary {
    pub(super) seed: u64,
    pub(super) seconds: u64,
    /// Number of injections by fault.
    pub(super) faults: BTreeMap<&'static str, u64>,
    pub(super) kills: u64,
    /// Faults that could not be injected on this machine, with the reason.
    pub(super) not_run: BTreeMap<&'static str, String>,
    pub(super) counts: Counts,
    pub(super) webhooks: usize,
    /// Number of events in all logs at the end.
    pub(super) events: u64,
    pub(super) looks: u64,
    pub(super) server_ready: Times,
    pub(super) postgres_ready: Times,
}

impl Summary {
    /// Returns the summary as one JSON object.
    pub(super) fn json(&self, findings: &Findings) -> Value {
        let verdict =
            VERDICTS.map(|(word, checks)| (word.to_owned(), json!(findings.count(checks))));
        let details: Vec<Value> = findings
            .all()
            .iter()
            .map(|(check, (count, details))| {
                json!({ "check": check.name(), "count": count, "examples": details })
            })
            .collect();
        let unknown: u64 = self.counts.unknown.values().sum();
        json!({
            "ok": findings.is_empty(),
            "seed": self.seed,
            "seconds": self.seconds,
            "faults": self.faults.values().sum::<u64>(),
            "kills": self.kills,
            "by_fault": self.faults,
            "not_run": self.not_run,
            "requests": self.counts.requests,
            "webhooks": self.webhooks,
            "acknowledged": self.counts.acknowledged,
            "refused": self.counts.refused,
            "unknown": unknown,
            "unknown_because": self.counts.unknown,
            "events": self.events,
            "looks": self.looks,
            "ready_after_server_kill": self.server_ready.summary(),
            "ready_after_postgres_kill": self.postgres_ready.summary(),
            "verdict": serde_json::Map::from_iter(verdict),
            "found": details,
        })
    }

    /// Returns the summary as tables.
    pub(super) fn table(&self, findings: &Findings) -> String {
        let json = self.json(findings);
        let mut table = Table::new();
        table.set_header(["what", "figure"]);
        for key in ["seed", "seconds", "faults", "kills", "requests", "webhooks", "acknowledged"] {
            table.add_row([key.to_owned(), json[key].to_string()]);
        }
        for key in ["refused", "unknown", "events", "looks"] {
            table.add_row([key.to_owned(), json[key].to_string()]);
        }
        for key in ["ready_after_server_kill", "ready_after_postgres_kill"] {
            let times = &json[key];
            let figure = format!(
                "{} times, median {} ms, max {} ms",
                times["times"], times["median_ms"], times["max_ms"]
            );
            table.add_row([key.to_owned(), figure]);
        }
        for (word, _) in VERDICTS {
            table.add_row([word.to_owned(), json["verdict"][word].to_string()]);
        }
        let mut faults = Table::new();
        faults.set_header(["fault", "times"]);
        for (fault, times) in &self.faults {
            faults.add_row([(*fault).to_owned(), times.to_string()]);
        }
        for (fault, why) in &self.not_run {
            faults.add_row([(*fault).to_owned(), format!("not run: {why}")]);
        }
        let mut text = format!("{table}\n{faults}\n");
        for found in json["found"].as_array().into_iter().flatten() {
            let (check, count) = (&found["check"], &found["count"]);
            let _ = writeln!(text, "FOUND {check} {count} times");
            for example in found["examples"].as_array().into_iter().flatten() {
                let _ = writeln!(text, "  {}", example.as_str().unwrap_or_default());
            }
        }
        text.push_str(if findings.is_empty() { "nothing was found\n" } else { "" });
        text
    }
}
