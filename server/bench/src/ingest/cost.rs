//! CPU time and write-ahead log of a load, by stage.
//!
//! Wall-clock time says little on a shared machine; CPU time depends on other load only through caches. The
//! server's total is the CPU time of its process, and its stages are counted by [`ledger_store::stage`].
//! PostgreSQL's CPU time is that of each of its processes, assigned by the connection's `application_name`. A
//! record of the write-ahead log counts for the stage that owns its table, as listed by `pg_walinspect`; a
//! record without a table counts for the stage of its transaction.

mod processes;
mod wal;

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context;
use ledger_store::stage::Stage;
use sqlx::PgPool;

use self::processes::Processes;
use self::wal::Wal;
use super::Server;
use crate::report::{StageCost, WebhookCost, as_f64};

/// Name of the cost outside the stages: HTTP, counting and upkeep; PostgreSQL's background processes and other
/// connections.
const REST: &str = "rest";

/// All counters at one moment.
pub(super) struct CostSnapshot {
    server: Duration,
    stages: BTreeMap<String, Duration>,
    postgres: Processes,
    wal: Wal,
}

impl CostSnapshot {
    /// Reads all counters.
    ///
    /// # Errors
    /// The database or the server does not answer.
    pub(super) async fn take(pool: &PgPool, server: &Server) -> anyhow::Result<Self> {
        let wal = Wal::now(pool).await?;
        let stages = stages(&server.url).await?;
        let postgres = Processes::of_postgres(pool).await?;
        Ok(Self { server: processes::time_of(server.pid)?, stages, postgres, wal })
    }

    /// The cost since this moment, divided by the number of webhooks.
    ///
    /// # Errors
    /// As for [`CostSnapshot::take`].
    pub(super) async fn cost(
        self,
        pool: &PgPool,
        server: &Server,
        (what, webhooks): (&str, u64),
    ) -> anyhow::Result<WebhookCost> {
        let now = Self::take(pool, server).await?;
        let wal = self.wal.by_stage(&now.wal, pool).await?;
        let mut postgres = now.postgres.since(&self.postgres);
        let count = as_f64(webhooks.max(1));
        let each = |time: Duration| time.as_secs_f64() * 1e6 / count;
        let bytes = |stage: &str| Some(as_f64(*wal.as_ref()?.get(stage).unwrap_or(&0)) / count);
        let mut rest = now.server.saturating_sub(self.server);
        let mut stages = Vec::new();
        for stage in Stage::ALL {
            let name = stage.as_str();
            let until = |snapshot: &BTreeMap<String, Duration>| snapshot.get(name).copied();
            let server = until(&now.stages).unwrap_or_default();
            let server = server.saturating_sub(until(&self.stages).unwrap_or_default());
            rest = rest.saturating_sub(server);
            let connections = stage.connection().and_then(|name| postgres.remove(name));
            stages.push(StageCost {
                stage: name,
                server_us: each(server),
                postgres_us: each(connections.unwrap_or_default()),
                wal_bytes: bytes(name),
            });
        }
        stages.push(StageCost {
            stage: REST,
            server_us: each(rest),
            postgres_us: each(postgres.into_values().sum()),
            wal_bytes: bytes(REST),
        });
        let wal_bytes = as_f64(self.wal.until(&now.wal)) / count;
        Ok(WebhookCost::new(what, webhooks, stages, wal_bytes))
    }
}

/// CPU time of the server's stages, read from `/metrics`.
async fn stages(url: &str) -> anyhow::Result<BTreeMap<String, Duration>> {
    let text = reqwest::get(format!("{url}/metrics")).await?.error_for_status()?.text().await?;
    let stages: BTreeMap<_, _> = text.lines().filter_map(stage_line).collect();
    (stages.len() == Stage::ALL.len()).then_some(stages).context("the server counts no stages")
}

fn stage_line(line: &str) -> Option<(String, Duration)> {
    let rest = line.strip_prefix("ledger_stage_cpu_seconds{stage=\"")?;
    let (stage, seconds) = rest.split_once("\"} ")?;
    let spent = Duration::try_from_secs_f64(seconds.trim().parse().ok()?).ok()?;
    Some((stage.to_owned(), spent))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_a_stage_is_read_from_its_line() {
        let line = "ledger_stage_cpu_seconds{stage=\"seal\"} 0.0015";
        assert_eq!(stage_line(line), Some(("seal".to_owned(), Duration::from_micros(1_500))));
        assert_eq!(stage_line("# TYPE ledger_stage_cpu_seconds gauge"), None);
    }
}
