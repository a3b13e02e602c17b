//! `serve`.

use std::net::SocketAddr;
use std::sync::Arc;

use serde_json::json;

use super::{Done, output};
use crate::config::Config;
use crate::instance::Instance;
use crate::service::{Service, shutdown_signal};
use crate::supervisor;

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  call-ledger serve --listen 0.0.0.0:8080 --data-dir /var/lib/call-ledger")]
pub(super) struct Args {
    /// Where to listen [default: 127.0.0.1:8080]
    #[arg(long, env = "CALL_LEDGER_LISTEN", value_name = "ADDRESS")]
    pub(super) listen: Option<SocketAddr>,
    /// Count the processor time of each stage of a webhook, and show it at /metrics
    #[arg(long)]
    measure_stages: bool,
}

pub(super) async fn run(config: &Config, args: &Args) -> anyhow::Result<Done> {
    if args.measure_stages {
        ledger_store::stage::measure();
    }
    let instance = Instance::open(config).await?;
    let served = serve(config, &instance).await;
    let closed = instance.close().await;
    served?;
    closed?;
    Ok(Done::Well)
}

async fn serve(config: &Config, instance: &Instance) -> anyhow::Result<()> {
    let store = Arc::clone(&instance.store);
    let service = Service::start(store, config.listen, config.max_body_bytes).await?;
    let said = output::object(
        config.output,
        &json!({ "listening": format!("http://{}", service.address) }),
    );
    if let Err(error) = said {
        // Nobody listens to us; others may listen to the server.
        tracing::warn!(error = %error, "serve.not_said");
    }
    supervisor::tell("READY=1");
    shutdown_signal().await?;
    supervisor::tell("STOPPING=1");
    eprintln!("draining; Ctrl-C again stops at once");
    service.stop().await
}
