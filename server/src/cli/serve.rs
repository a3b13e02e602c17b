//! `serve`: the HTTP server with its workers.

use std::net::SocketAddr;
use std::sync::Arc;

use serde_json::json;

use super::exit::ExitStatus;
use super::output;
use crate::config::Config;
use crate::instance::Instance;
use crate::limits::Limits;
use crate::service::{NetworkSettings, Service};
use crate::systemd;
use ledger_app::shutdown::shutdown_signal;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  call-ledger serve --listen 0.0.0.0:8080 --data-dir /var/lib/call-ledger
  call-ledger serve --listen 0.0.0.0:8080 --ops-listen 127.0.0.1:9090     metrics for this machine only")]
pub(super) struct Args {
    /// Listen address [default: 127.0.0.1:8080]
    #[arg(long, env = "CALL_LEDGER_LISTEN", value_name = "ADDRESS")]
    pub(super) listen: Option<SocketAddr>,
    /// Measure the CPU time of each stage of a webhook, for /metrics
    #[arg(long)]
    measure_stages: bool,
    /// Separate listen address of /readyz and /metrics [default: the main address]
    #[arg(long, env = "CALL_LEDGER_OPS_LISTEN", value_name = "ADDRESS")]
    pub(super) ops_listen: Option<SocketAddr>,
}

pub(super) async fn run(config: &Config, args: &Args) -> anyhow::Result<ExitStatus> {
    if args.measure_stages {
        ledger_store::stage::measure();
    }
    let instance = Instance::open(config).await?;
    let served = serve(config, &instance).await;
    let closed = instance.close().await;
    served?;
    closed?;
    Ok(ExitStatus::Success)
}

async fn serve(config: &Config, instance: &Instance) -> anyhow::Result<()> {
    let store = Arc::clone(&instance.store);
    let limits = Limits::with_max_body(config.max_body_bytes).within_open_files();
    let service = Service::start_with_network(limits, store, &NetworkSettings::of(config)).await?;
    let mut shown = json!({ "listening": format!("http://{}", service.address) });
    if let Some(address) = service.ops_address {
        shown["operations"] = json!(format!("http://{address}"));
    }
    let printed = output::object(config.output, &shown);
    if let Err(error) = printed {
        // Standard output is closed; the server still serves its clients.
        tracing::warn!(error = %error, "serve.address_not_printed");
    }
    systemd::notify("READY=1");
    shutdown_signal().await?;
    systemd::notify("STOPPING=1");
    eprintln!("draining; Ctrl-C again stops at once");
    service.stop().await
}
