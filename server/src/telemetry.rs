//! Logs and metrics. Log lines are compact on a terminal and JSON otherwise; neither contains bodies,
//! personal data or secrets.

mod metrics;

use std::io::IsTerminal;
use std::sync::OnceLock;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;

pub use self::metrics::Form;

/// Starts logging to standard error. `RUST_LOG` overrides the filter; `default` is used without it.
pub fn start_logs(default: &str) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = if std::io::stderr().is_terminal() {
        logs.compact().try_init()
    } else {
        logs.json().flatten_event(true).with_current_span(true).with_span_list(false).try_init()
    };
    // A second start in one process, as in tests, keeps the first subscriber.
    drop(started);
}

/// Histogram buckets in seconds, from a cached read to a timeout.
const SECONDS: &[f64] =
    &[0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0];

/// Interval at which samples are aggregated into their histograms. Without it they accumulate between
/// scrapes.
const UPKEEP: std::time::Duration = std::time::Duration::from_secs(5);

/// Aggregates samples into histograms until the task is aborted.
pub async fn metrics_upkeep(metrics: PrometheusHandle) {
    loop {
        tokio::time::sleep(UPKEEP).await;
        metrics.run_upkeep();
    }
}

/// Histogram buckets for the number of requests in a commit and of commands in a group.
const REQUESTS: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0];

/// Returns the recorder of the process's metrics; installed on the first call.
///
/// # Panics
/// When another metrics recorder is already installed in this process.
pub fn metrics() -> PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    HANDLE
        .get_or_init(|| {
            PrometheusBuilder::new()
                .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), SECONDS)
                .expect("the buckets are not empty")
                .set_buckets_for_metric(Matcher::Suffix("_requests".into()), REQUESTS)
                .expect("the buckets are not empty")
                .set_buckets_for_metric(Matcher::Suffix("_commands".into()), REQUESTS)
                .expect("the buckets are not empty")
                .install_recorder()
                .inspect(|_| {
                    self::metrics::describe();
                    init_counters();
                })
                .expect("nothing else records metrics in this process")
        })
        .clone()
}

/// Initializes counters to zero: a counter that first appears with its first fault has no rate to alert on.
fn init_counters() {
    for reason in [
        "signature-missing",
        "signature-invalid",
        "signature-expired",
        "signature-repeated",
        "scope-missing",
        "installation-key-required",
    ] {
        ::metrics::counter!("ledger_access_denied_total", "reason" => reason).increment(0);
    }
    for outcome in ["task", "recorded", "refused", "overflow", "shutdown"] {
        ::metrics::counter!("ledger_follow_ups_total", "outcome" => outcome).increment(0);
    }
    for step in ledger_core::erasure::Step::ALL {
        ::metrics::counter!("ledger_erasure_steps_total", "step" => step.as_str()).increment(0);
    }
    ::metrics::counter!("ledger_erasure_failures_total", "code" => "timed-out").increment(0);
    ::metrics::counter!("ledger_erasure_findings_total").increment(0);
    for outcome in ledger_app::epochs::OUTCOMES {
        ::metrics::counter!("ledger_epoch_rolls_total", "outcome" => outcome).increment(0);
    }
    for section in ["party", "tool_io", "conversation", "raw", "details", "task"] {
        ::metrics::counter!("ledger_corrupt_sections_total", "section" => section).increment(0);
    }
    for counter in [
        "ledger_append_set_apart_total",
        "ledger_tenant_busy_total",
        "ledger_sections_left_out_total",
    ] {
        ::metrics::counter!(counter).increment(0);
    }
    for projector in projections::all() {
        ::metrics::counter!("ledger_projected_events_total", "projection" => projector.name())
            .increment(0);
        ::metrics::counter!("ledger_parked_events_total", "projection" => projector.name())
            .increment(0);
    }
    ::metrics::counter!("ledger_connections_refused_total").increment(0);
    ::metrics::counter!("ledger_connections_closed_early_total").increment(0);
}
