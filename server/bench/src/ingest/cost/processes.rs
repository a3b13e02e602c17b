//! CPU time of processes, from Linux's `/proc`.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use anyhow::Context;
use sqlx::PgPool;

use crate::scratch::CONNECTION;

/// Unit of CPU time in `/proc` (`USER_HZ`), independent of the kernel's own clock.
const TICK: Duration = Duration::from_millis(10);

/// CPU time of a process, and of its children that have ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Spent {
    own: Duration,
    ended: Duration,
}

/// The processes of a PostgreSQL server with their CPU time.
#[derive(Debug)]
pub(super) struct Processes {
    postmaster: Spent,
    /// For each process id, the `application_name` or the process type, and the CPU time.
    children: BTreeMap<u32, (String, Duration)>,
}

impl Processes {
    pub(super) async fn of_postgres(pool: &PgPool) -> anyhow::Result<Self> {
        let rows: Vec<(i32, String)> = sqlx::query_as(
            "select pid, case when backend_type = 'client backend' then application_name
                              else backend_type end
               from pg_stat_activity where pid is not null",
        )
        .fetch_all(pool)
        .await?;
        let file: String =
            sqlx::query_scalar("select pg_read_file('postmaster.pid')").fetch_one(pool).await?;
        let postmaster = file.lines().next().and_then(|pid| pid.trim().parse().ok());
        let postmaster = postmaster.context("postmaster.pid begins with a process")?;
        let child = |(pid, name): (i32, String)| {
            let pid = u32::try_from(pid).ok()?;
            // A process that has just ended is included in the ended children of the postmaster.
            Some((pid, (name, spent(pid).ok()?.own)))
        };
        let children = rows.into_iter().filter_map(child).collect();
        Ok(Self { postmaster: spent(postmaster)?, children })
    }

    /// CPU time since `before`, by name. Ended processes are summed under the empty name. Open connections of
    /// the benchmark itself are excluded.
    pub(super) fn since(&self, before: &Self) -> BTreeMap<String, Duration> {
        let mut times: BTreeMap<String, Duration> = BTreeMap::new();
        for (pid, (name, now)) in &self.children {
            let then = before.children.get(pid).map_or(Duration::ZERO, |(_, then)| *then);
            *times.entry(name.clone()).or_default() += now.saturating_sub(then);
        }
        times.remove(CONNECTION);
        let gone = before.children.iter().filter(|(pid, _)| !self.children.contains_key(pid));
        let known: Duration = gone.map(|(_, (_, then))| *then).sum();
        let ended = self.postmaster.ended.saturating_sub(before.postmaster.ended);
        let own = self.postmaster.own.saturating_sub(before.postmaster.own);
        times.insert(String::new(), ended.saturating_sub(known) + own);
        times
    }
}

/// CPU time of a process with all its threads.
pub(super) fn time_of(pid: u32) -> anyhow::Result<Duration> {
    Ok(spent(pid)?.own)
}

fn spent(pid: u32) -> anyhow::Result<Spent> {
    let path = format!("/proc/{pid}/stat");
    let line = fs::read_to_string(&path)
        .with_context(|| format!("{path} cannot be read: processor time is measured on Linux"))?;
    parse(&line).with_context(|| format!("{path} is not of the form of proc(5)"))
}

/// Parses fields 14 to 17 of proc(5). The second field is the program's name in parentheses and may contain
/// any character, so fields are counted from the last parenthesis.
fn parse(line: &str) -> Option<Spent> {
    let (_, fields) = line.rsplit_once(')')?;
    let mut fields = fields.split_ascii_whitespace().skip(11);
    let mut next = || fields.next()?.parse::<u32>().ok();
    let [user, system, ended_user, ended_system] = [next()?, next()?, next()?, next()?];
    Some(Spent { own: TICK * (user + system), ended: TICK * (ended_user + ended_system) })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    #[test]
    fn times_are_found_behind_any_name() {
        let line = "42 (post) gres) S 1 42 42 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 99";
        assert_eq!(parse(line), Some(Spent { own: MS(110), ended: MS(150) }));
        assert_eq!(parse("42 (postgres) S 1"), None);
    }

    #[test]
    fn ended_processes_are_counted_from_where_they_were_and_our_own_are_left_out() {
        let child = |name: &str, ms| (name.to_owned(), MS(ms));
        let before = Processes {
            postmaster: Spent { own: MS(10), ended: MS(1_000) },
            children: [(1, child("a", 100)), (2, child("a", 200)), (3, child(CONNECTION, 5))]
                .into(),
        };
        let now = Processes {
            postmaster: Spent { own: MS(30), ended: MS(1_350) },
            children: [(1, child("a", 150)), (3, child(CONNECTION, 500)), (4, child("b", 70))]
                .into(),
        };
        let times = now.since(&before);
        // Of the 350 of ended processes, 200 were already counted for process 2 before.
        let expected = [("a", 50), ("b", 70), ("", 20 + 150)];
        assert_eq!(times, expected.map(|(name, ms)| (name.to_owned(), MS(ms))).into());
    }
}
