//! Every metric with its help text, and the two exposition formats.

use axum::http::HeaderMap;
use axum::http::header::ACCEPT;

/// Type of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Counter,
    Gauge,
    Histogram,
}

use Kind::{Counter, Gauge, Histogram};

/// All metrics. A test finds a metric without a `HELP` line, which is one missing here.
const METRICS: &[(&str, Kind, &str)] = &[
    ("ledger_webhooks_total", Counter, "Webhooks to known sources, each once, by outcome."),
    (
        "ledger_http_request_seconds",
        Histogram,
        "Time from the head of a request to the head of its answer.",
    ),
    ("ledger_append_batch_requests", Histogram, "Requests that share one commit."),
    ("ledger_command_group_commands", Histogram, "Commands that are decided together."),
    (
        "ledger_append_set_apart_total",
        Counter,
        "Times a tenant was set apart because its row was locked by another session.",
    ),
    (
        "ledger_tenant_busy_total",
        Counter,
        "Requests refused because their tenant has too many under way.",
    ),
    (
        "ledger_sections_left_out_total",
        Counter,
        "Answers that ended at their budget of opened bytes.",
    ),
    (
        "ledger_stage_cpu_seconds",
        Gauge,
        "Processor time of the server by stage of a webhook, when it is measured.",
    ),
    ("ledger_projected_events_total", Counter, "Events folded into a read model."),
    ("ledger_projection_lag_events", Gauge, "Events in the logs that are not in the read model."),
    (
        "ledger_projection_lag_seconds",
        Gauge,
        "Age of the oldest event that is not in the read model.",
    ),
    (
        "ledger_projection_parked_keys",
        Gauge,
        "Calls that wait behind an event that could not be folded.",
    ),
    (
        "ledger_projection_stalled_tenants",
        Gauge,
        "Tenants whose read model is behind and has not moved for 30 seconds.",
    ),
    (
        "ledger_projection_halted_tenants",
        Gauge,
        "Tenants whose read model met an event that this build cannot read.",
    ),
    (
        "ledger_projection_rebuild_ratio",
        Gauge,
        "Share of the logs that is in the version being built; 1 when none is.",
    ),
    ("ledger_parked_events_total", Counter, "Events that could not be folded and were parked."),
    ("ledger_quarantine_waiting", Gauge, "Webhooks that wait because their tenant is unknown."),
    ("ledger_ready", Gauge, "Whether a part is ready (1) or not (0)."),
    (
        "ledger_access_denied_total",
        Counter,
        "Requests refused for a missing or wrong proof or scope.",
    ),
    (
        "ledger_follow_ups_total",
        Counter,
        "Tool calls with an unknown outcome, by what became of them.",
    ),
    (
        "ledger_erasures_open",
        Gauge,
        "Erasures that have not ended, by the elapsed share of their term.",
    ),
    ("ledger_erasure_steps_total", Counter, "Steps of erasures that this server recorded."),
    ("ledger_erasure_failures_total", Counter, "Failed attempts to continue an erasure, by code."),
    ("ledger_erasure_findings_total", Counter, "Findings of verifications of erasures."),
    ("ledger_epoch_rolls_total", Counter, "Rolls of the epochs of tenants, by outcome."),
    ("ledger_epoch_age_seconds", Gauge, "Age of the oldest epoch in use."),
    (
        "ledger_corrupt_sections_total",
        Counter,
        "Sealed sections that do not open though their key is there.",
    ),
    (
        "ledger_connections_closed_early_total",
        Counter,
        "Connections without a request that were closed to make a place for others.",
    ),
    (
        "ledger_connections_refused_total",
        Counter,
        "Connections refused because all places, or those of their address, were taken.",
    ),
    ("ledger_worker_running", Gauge, "Whether a background task runs (1) or not (0)."),
    (
        "ledger_worker_restarts_total",
        Counter,
        "Restarts of a background task that ended unexpectedly.",
    ),
    (
        "ledger_backup_verified_timestamp_seconds",
        Gauge,
        "End of the last verification of a backup that found nothing; 0 if there was none.",
    ),
    ("ledger_backups_total", Counter, "Scheduled backups, by outcome."),
    ("ledger_wal_archive_bytes", Gauge, "Size of the archived write-ahead log."),
    (
        "ledger_wal_archive_failing",
        Gauge,
        "Whether the write-ahead log cannot be archived or has a gap (1) or not (0).",
    ),
    ("ledger_disk_free_bytes", Gauge, "Free space of the file system that holds a directory."),
    ("ledger_disk_size_bytes", Gauge, "Size of the file system that holds a directory."),
];

/// Registers the `HELP` texts with the recorder.
pub(super) fn describe() {
    for (name, kind, help) in METRICS {
        match kind {
            Counter => metrics::describe_counter!(*name, *help),
            Gauge => metrics::describe_gauge!(*name, *help),
            Histogram => metrics::describe_histogram!(*name, *help),
        }
    }
}

/// Exposition format of the metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Prometheus text format, version 0.0.4.
    Text,
    /// OpenMetrics 1.0.
    OpenMetrics,
}

impl Form {
    /// Selects the format by the `Accept` header: OpenMetrics if accepted and text is not preferred.
    #[must_use]
    pub fn accepted(headers: &HeaderMap) -> Self {
        let values = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
        let (mut open, mut text) = (0.0_f32, 0.0_f32);
        for range in values.flat_map(|value| value.split(',')) {
            let mut parts = range.split(';').map(str::trim);
            let media = parts.next().unwrap_or_default().to_ascii_lowercase();
            let weight = parts
                .find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")))
                .map_or(1.0, |weight| weight.parse().unwrap_or(0.0));
            match media.as_str() {
                "application/openmetrics-text" => open = open.max(weight),
                "text/plain" => text = text.max(weight),
                _ => {}
            }
        }
        if open > 0.0 && open >= text { Self::OpenMetrics } else { Self::Text }
    }

    /// The media type for `Content-Type`.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    /// Converts the rendered text of the recorder into this format.
    #[must_use]
    pub fn write(self, rendered: String) -> String {
        match self {
            Self::Text => rendered,
            Self::OpenMetrics => open_metrics(&rendered),
        }
    }
}

/// Converts Prometheus text to OpenMetrics: counter families lose `_total`, empty lines are removed, and `#
/// EOF` ends the text.
fn open_metrics(text: &str) -> String {
    let mut open = String::with_capacity(text.len() + 8);
    for line in text.lines().filter(|line| !line.is_empty()) {
        match family(line) {
            Some((keyword, name, rest)) if is_counter(name) => {
                let name = name.strip_suffix("_total").unwrap_or(name);
                open.extend([keyword, name, " ", rest]);
            }
            _ => open.push_str(line),
        }
        open.push('\n');
    }
    open.push_str("# EOF\n");
    open
}

/// Splits a `# HELP` or `# TYPE` line into keyword, metric name and the rest.
fn family(line: &str) -> Option<(&str, &str, &str)> {
    let keyword = ["# HELP ", "# TYPE "].into_iter().find(|keyword| line.starts_with(keyword))?;
    let (name, rest) = line[keyword.len()..].split_once(' ')?;
    Some((keyword, name, rest))
}

/// Every counter of this product ends in `_total`, and no other metric does.
fn is_counter(name: &str) -> bool {
    name.ends_with("_total")
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn counters_are_families_and_the_end_is_marked() {
        let rendered = "# HELP ledger_webhooks_total Webhooks.\n# TYPE ledger_webhooks_total counter\n\
                        ledger_webhooks_total 4\n\n# TYPE ledger_ready gauge\nledger_ready 1\n";
        let expected = "# HELP ledger_webhooks Webhooks.\n# TYPE ledger_webhooks counter\n\
                        ledger_webhooks_total 4\n# TYPE ledger_ready gauge\nledger_ready 1\n# EOF\n";
        assert_eq!(Form::OpenMetrics.write(rendered.to_owned()), expected);
        assert_eq!(Form::Text.write(rendered.to_owned()), rendered);
    }

    #[test]
    fn counters_and_only_counters_end_in_total_and_units_are_base_units() {
        for (name, kind, help) in METRICS {
            assert_eq!(name.ends_with("_total"), *kind == Counter, "{name}");
            assert!(!name.contains("_ms") && !name.contains("_kb"), "{name}");
            assert!(help.ends_with('.') && !help.contains(['\n', '"', '\\']), "{name}");
        }
    }

    #[test]
    fn the_form_is_the_one_that_is_asked_for() {
        let prometheus = "application/openmetrics-text;version=1.0.0;q=0.5,\
                          application/openmetrics-text;version=0.0.1;q=0.4,\
                          text/plain;version=0.0.4;q=0.2,*/*;q=0.1";
        for (accept, form) in [
            (None, Form::Text),
            (Some(""), Form::Text),
            (Some("*/*"), Form::Text),
            (Some("text/plain"), Form::Text),
            (Some("text/html,application/xhtml+xml,*/*;q=0.8"), Form::Text),
            (Some("application/openmetrics-text"), Form::OpenMetrics),
            (Some("Application/OpenMetrics-Text; version=1.0.0"), Form::OpenMetrics),
            (Some(prometheus), Form::OpenMetrics),
            (Some("application/openmetrics-text;q=0.1, text/plain;q=0.9"), Form::Text),
            (Some("application/openmetrics-text;q=0"), Form::Text),
            (Some("application/openmetrics-text;q=x"), Form::Text),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(accept) = accept {
                headers.insert(ACCEPT, HeaderValue::from_static(accept));
            }
            assert_eq!(Form::accepted(&headers), form, "{accept:?}");
        }
    }
}
