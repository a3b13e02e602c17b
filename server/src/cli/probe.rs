//! `probe`: for container health checks, in images that contain only this program.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use anyhow::Context;
use reqwest::Client;
use serde_json::{Value, json};

use super::exit::ExitStatus;
use super::output;
use crate::config::Config;

const TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  call-ledger probe --url http://127.0.0.1:8080      exit code 0 when it takes webhooks")]
pub(super) struct Args {
    /// URL of the server [default: the configured listen address]
    #[arg(long)]
    url: Option<String>,
}

pub(super) async fn run(config: &Config, args: &Args) -> anyhow::Result<ExitStatus> {
    let base = args.url.clone().unwrap_or_else(|| {
        format!("http://{}", reachable(config.ops_listen.unwrap_or(config.listen)))
    });
    let url = format!("{}/readyz", base.trim_end_matches('/'));
    let client = Client::builder().timeout(TIMEOUT).build()?;
    let answer = client.get(&url).send().await.with_context(|| {
        format!("nobody answers at {url}; is call-ledger serve running, and is --url right?")
    })?;
    let is_ready = answer.status().is_success();
    let body: Value = answer.json().await.unwrap_or(Value::Null);
    output::object(config.output, &json!({ "ready": is_ready, "url": url, "answer": body }))?;
    Ok(if is_ready { ExitStatus::Success } else { ExitStatus::Failure })
}

/// Returns the address to probe: loopback for a wildcard listen address (0.0.0.0, ::).
fn reachable(listen: SocketAddr) -> SocketAddr {
    let loopback: IpAddr = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(loopback, listen.port())
}
