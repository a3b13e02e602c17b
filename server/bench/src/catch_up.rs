//! Waits until the projections have caught up with the log.

use std::time::{Duration, Instant};

use anyhow::bail;
use sqlx::PgPool;

use crate::throttled_progress::ThrottledProgress;

/// Interval of the polls.
const PAUSE: Duration = Duration::from_millis(50);
/// Time limit without progress.
const TIMEOUT: Duration = Duration::from_mins(2);

/// Lag of all served projections over all logs, in events.
const LAG: &str =
    "select coalesce(sum(greatest(h.position - coalesce(c.position, 0), 0)), 0)::bigint
   from ledger.tenants t
  cross join lateral (select e.position from ledger.events e
                       where e.tenant_id = t.tenant_id
                       order by e.position desc limit 1) h
  cross join projection.versions v
   left join projection.checkpoints c
     on c.tenant_id = t.tenant_id and c.projection = v.projection and c.version = v.version
  where v.state = 'active'";

/// Waits until the lag is zero; returns the seconds it took.
///
/// # Errors
/// No progress within the time limit, or the database does not answer.
pub(crate) async fn catch_up(superuser: &PgPool, step: &impl Fn(&str)) -> anyhow::Result<f64> {
    let progress = ThrottledProgress::new(step);
    let began = Instant::now();
    let (mut least, mut moved) = (i64::MAX, Instant::now());
    loop {
        let lag: i64 = sqlx::query_scalar(LAG).fetch_one(superuser).await?;
        if lag == 0 {
            return Ok(began.elapsed().as_secs_f64());
        }
        if lag < least {
            (least, moved) = (lag, Instant::now());
            progress.report(|| format!("{lag} events to fold"));
        } else if moved.elapsed() > TIMEOUT {
            bail!("the read models do not move: {lag} events are left to fold");
        }
        tokio::time::sleep(PAUSE).await;
    }
}
