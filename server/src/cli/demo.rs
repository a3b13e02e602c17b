//! `demo`: generated traffic through the real webhooks.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use chrono::{DurationRound, TimeDelta};
use indicatif::{ProgressBar, ProgressStyle};
use ledger_app::api_key::new_key;
use ledger_core::ids::TenantId;
use ledger_core::provider::Provider;
use ledger_core::scope::Scope;
use ledger_store::Store;
use ledger_store::source::NewSource;
use ledger_store::tenants::NewTenant;
use serde_json::{Value, json};

use super::exit::ExitStatus;
use super::output;

use crate::config::{Config, Output};
use crate::demo::sender::{WebhookTarget, count_appointments, play, read_back};
use crate::instance::Instance;
use crate::service::Service;
use crate::system::fresh_secret;
use ledger_app::shutdown::shutdown_signal;
use webhook_traffic::{Clinic, TrafficPlan, Truth, clinics, traffic};

const CATCH_UP: Duration = Duration::from_mins(2);

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  call-ledger demo                      serves afterwards, and prints what to try
  call-ledger demo --calls 2000 --exit  ends when the traffic is in the read models")]
pub(super) struct Args {
    /// Number of calls of both clinics together
    #[arg(long, default_value_t = 400, value_parser = clap::value_parser!(u32).range(2..=100_000))]
    calls: u32,
    /// Number of days before now over which the calls are spread
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=3_650))]
    days: u32,
    /// Seed of the generated traffic: the same seed, the same calls
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// Listen address [default: 127.0.0.1:8080, with --exit any free port]
    #[arg(long, env = "CALL_LEDGER_LISTEN", value_name = "ADDRESS")]
    pub(super) listen: Option<SocketAddr>,
    /// Exit when the traffic is in the read models
    #[arg(long)]
    exit: bool,
}

/// A clinic with its tenant, key and source.
struct DemoTenant {
    clinic: Clinic,
    tenant_id: TenantId,
    is_new: bool,
    api_key: String,
    target: WebhookTarget,
}

pub(super) async fn run(config: &Config, args: &Args) -> anyhow::Result<ExitStatus> {
    let instance = Instance::open(config).await?;
    let played = serve(config, args, &instance).await;
    let closed = instance.close().await;
    played?;
    closed?;
    Ok(ExitStatus::Success)
}

/// Sends the traffic through a server of this process, and serves afterwards unless `--exit` is
/// given.
async fn serve(config: &Config, args: &Args, instance: &Instance) -> anyhow::Result<()> {
    let listen = match args.listen {
        None if args.exit => SocketAddr::from(([127, 0, 0, 1], 0)),
        _ => config.listen,
    };
    let store = Arc::clone(&instance.store);
    let service = Service::start(store, listen, config.max_body_bytes).await?;
    let play = async {
        play_traffic(config, args, &instance.store, service.address).await?;
        if args.exit { Ok(()) } else { std::future::pending().await }
    };
    let played = tokio::select! {
        played = play => played,
        signal = shutdown_signal() => {
            eprintln!("draining; Ctrl-C again stops at once");
            signal.map_err(anyhow::Error::from)
        }
    };
    let stopped = service.stop().await;
    played?;
    stopped
}

async fn play_traffic(
    config: &Config,
    args: &Args,
    store: &Store,
    address: SocketAddr,
) -> anyhow::Result<()> {
    let base = format!("http://{address}");
    let mut tenants = Vec::new();
    for clinic in clinics() {
        tenants.push(set_up(store, clinic, &base).await?);
    }
    let until = store.clock().now().duration_trunc(TimeDelta::hours(1))?;
    let plan = TrafficPlan { calls: args.calls, days: args.days, seed: args.seed, until };
    let traffic = traffic(&plan);
    let bar = progress_bar(traffic.deliveries.len() as u64);
    let targets: Vec<WebhookTarget> = tenants.iter().map(|tenant| tenant.target.clone()).collect();
    let sent = traffic.deliveries.len();
    let responses = play(&targets, traffic.deliveries, || bar.tick()).await?;
    bar.finish();
    eprintln!(
        "{sent} webhooks: {} taken, {} known already, {} telemetry not kept",
        responses.taken, responses.duplicates, responses.ignored
    );
    wait_until_projected(store).await?;
    report(config, args, store, &base, &tenants, &traffic.truth).await
}

/// Creates the clinic's tenant, or reuses that of an earlier demo, with a fresh source and API key.
async fn set_up(store: &Store, clinic: Clinic, base: &str) -> anyhow::Result<DemoTenant> {
    let known = store.tenants().await?.into_iter().find(|tenant| tenant.slug == clinic.slug);
    let (tenant_id, is_new) = match known {
        Some(known) => (known.tenant_id, false),
        None => {
            let new = NewTenant {
                slug: clinic.slug.into(),
                name: clinic.name.into(),
                timezone: clinic.timezone.into(),
                country: clinic.country.into(),
            };
            (store.create_tenant(&new).await?, true)
        }
    };
    let secret = fresh_secret();
    let source_id = store
        .create_source(&NewSource {
            tenant_id,
            provider: Provider::Vapi,
            secret: &secret,
            name: Some("demo"),
            record_all: false,
            assistant_id: None,
            tools: None,
        })
        .await?;
    let api_key = new_key(tenant_id);
    let scopes = [Scope::Read, Scope::Personal, Scope::Write, Scope::Admin];
    store.create_api_key(tenant_id, &api_key, &scopes, Some("demo")).await?;
    let target = WebhookTarget { url: format!("{base}/ingest/{source_id}"), secret };
    Ok(DemoTenant { clinic, tenant_id, is_new, api_key, target })
}

async fn wait_until_projected(store: &Store) -> anyhow::Result<()> {
    let deadline = Instant::now() + CATCH_UP;
    loop {
        let progress = projections::progress(store.projector()).await?;
        if !progress.is_empty() && progress.iter().all(|one| one.lag_events == 0) {
            return Ok(());
        }
        if progress.iter().any(|one| one.halted > 0) || Instant::now() > deadline {
            bail!("the read models did not catch up; call-ledger projection list shows where");
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Reads the calls back through the API and compares them with what was sent.
async fn report(
    config: &Config,
    args: &Args,
    store: &Store,
    base: &str,
    tenants: &[DemoTenant],
    truth: &[Truth; 2],
) -> anyhow::Result<()> {
    let mut read = Vec::new();
    for (tenant, truth) in tenants.iter().zip(truth) {
        let (calls, cost_nanos) =
            read_back(base, &tenant.api_key).await.context("the API could not be read")?;
        if tenant.is_new && (calls, cost_nanos) != (truth.calls, truth.cost_nanos) {
            bail!(
                "{}: the ledger shows {calls} calls and {cost_nanos} nano-dollars, sent were {} and {}",
                tenant.clinic.slug,
                truth.calls,
                truth.cost_nanos
            );
        }
        let appointments = count_appointments(base, &tenant.api_key).await;
        let appointments = appointments.context("the API could not be read")?;
        read.push((calls, cost_nanos, appointments));
    }
    // Reading personal data is audited, which appends events.
    wait_until_projected(store).await?;
    let known = store.tenants().await?;
    let mut rows = Vec::new();
    for (tenant, (calls, cost_nanos, appointments)) in tenants.iter().zip(read) {
        let events =
            known.iter().find(|one| one.tenant_id == tenant.tenant_id).map_or(0, |one| one.events);
        rows.push(json!({
            "slug": tenant.clinic.slug,
            "tenant_id": tenant.tenant_id,
            "api_key": tenant.api_key,
            "calls": calls,
            "appointments": appointments,
            "cost_nanos": cost_nanos,
            "events": events,
        }));
    }
    let sum = |name: &str| rows.iter().filter_map(|row| row[name].as_u64()).sum::<u64>();
    let shown = json!({
        "url": base,
        "tenant_id": rows[0]["tenant_id"],
        "api_key": rows[0]["api_key"],
        "calls": sum("calls"),
        "appointments": sum("appointments"),
        "events": sum("events"),
        "tenants": rows,
    });
    match config.output {
        Output::Json => output::print_line(shown),
        Output::Table => {
            // With `--exit` the server has stopped; a later `serve` uses the configured address.
            let base =
                if args.exit { format!("http://{}", config.listen) } else { base.to_owned() };
            print_summary(config, &base, &shown["tenants"], args.exit)
        }
    }
}

/// Returns a command line with the options of this run, ready to copy.
fn command(config: &Config, words: &str) -> String {
    let default = Config::default();
    let mut line = String::from("call-ledger");
    if config.database_url.is_some() {
        // The URL may contain a password, so a variable is printed instead.
        line.push_str(" --database-url \"$DATABASE_URL\"");
    }
    if config.data_dir != default.data_dir {
        let dir = config.data_dir.display().to_string();
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+".contains(c);
        if dir.chars().all(is_plain) {
            line.extend([" --data-dir ", &dir]);
        } else {
            line.extend([" --data-dir '", &dir.replace('\'', "'\\''"), "'"]);
        }
    }
    line.extend([" ", words]);
    if words == "serve" && config.listen != default.listen {
        line.extend([" --listen ", &config.listen.to_string()]);
    }
    line
}

fn print_summary(
    config: &Config,
    base: &str,
    tenants: &Value,
    has_ended: bool,
) -> anyhow::Result<()> {
    let rows = tenants.as_array().cloned().unwrap_or_default();
    let columns = ["slug", "calls", "appointments", "cost_nanos", "events", "tenant_id"];
    output::list(Output::Table, &columns, &rows)?;
    let mut lines: Vec<String> = rows
        .iter()
        .map(|row| format!("key for {}: {}", text(&row["slug"]), text(&row["api_key"])))
        .collect();
    let key = rows.first().map(|row| text(&row["api_key"])).unwrap_or_default();
    lines.push("\nTry:".into());
    if has_ended {
        lines.push(format!("  {}", command(config, "serve")));
    }
    lines.extend([
        format!("  curl -H 'Authorization: Bearer {key}' '{base}/v1/calls?limit=3'"),
        format!("  curl -H 'Authorization: Bearer {key}' '{base}/v1/calls?outcome=voicemail'"),
        format!("  curl -H 'Authorization: Bearer {key}' '{base}/v1/appointments?limit=3'"),
        format!("  open {base}/docs"),
        format!("  {}", command(config, "verify")),
    ]);
    output::print_line(lines.join("\n"))
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// A progress bar on a terminal, otherwise one line every ten seconds.
struct TrafficProgress {
    bar: ProgressBar,
    is_terminal: bool,
    last_line: std::sync::Mutex<Instant>,
}

fn progress_bar(len: u64) -> TrafficProgress {
    let bar = ProgressBar::new(len);
    let style =
        ProgressStyle::with_template("{bar:40} {pos}/{len} webhooks  {per_sec}  {eta} left");
    if let Ok(style) = style {
        bar.set_style(style);
    }
    let is_terminal = std::io::IsTerminal::is_terminal(&std::io::stderr());
    TrafficProgress { bar, is_terminal, last_line: std::sync::Mutex::new(Instant::now()) }
}

impl TrafficProgress {
    fn tick(&self) {
        self.bar.inc(1);
        if self.is_terminal {
            return;
        }
        let mut last = self.last_line.lock().expect("nothing panics while holding it");
        if last.elapsed() >= Duration::from_secs(10) {
            *last = Instant::now();
            let len = self.bar.length().unwrap_or(0);
            eprintln!("{}/{len} webhooks", self.bar.position());
        }
    }

    fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
