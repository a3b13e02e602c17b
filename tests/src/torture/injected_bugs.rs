//! Mutation test of the checker: bugs are injected one at a time, and the intended check must find
//! each.
//!
//! Most bugs are injected into the run's own database, around the append function, so the product
//! has no code for them. Two are built into the server by the feature `fault-injection`.

mod sql;

use std::sync::Arc;
use std::time::Duration;

use comfy_table::Table;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::nemesis::Fault;
use super::report::{Check, Findings};
use super::run::Run;

/// Concurrent runs; a run mostly waits.
const AT_ONCE: usize = 3;
/// Traffic before the first fault, so that some events exist.
const WARM_UP: Duration = Duration::from_secs(2);
/// Maximum number of runs for a bug that shows only by chance.
const TRIES: u64 = 3;

/// Where a bug is injected.
#[derive(Debug, Clone, Copy)]
enum InjectionPoint {
    /// Around `ledger.append`: the body of a function that calls the correct one, see [`sql`].
    Append(&'static str),
    /// Statements that change the database elsewhere.
    Database(&'static [&'static str]),
    /// In the server, by the name of the bug.
    Server,
}

/// A bug, the faults that trigger it, and the checks that must find it.
#[derive(Debug, Clone, Copy)]
pub(super) struct InjectedBug {
    pub(super) name: &'static str,
    place: InjectionPoint,
    faults: &'static [Fault],
    found_by: &'static [Check],
}

const BUGS: &[InjectedBug] = &[
    InjectedBug {
        name: "acknowledge-before-commit",
        place: InjectionPoint::Server,
        faults: &[Fault::KillPostgres, Fault::KillServer, Fault::KillBackend, Fault::KillServer],
        found_by: &[Check::Lost],
    },
    InjectedBug {
        name: "missing-fsync",
        place: InjectionPoint::Database(sql::NO_SYNC),
        faults: &[Fault::KillPostgres, Fault::KillPostgres],
        found_by: &[Check::Lost, Check::FollowerChange],
    },
    InjectedBug {
        name: "position-from-a-sequence",
        place: InjectionPoint::Append(sql::SEQUENCE),
        faults: &[Fault::TerminateBackends],
        found_by: &[Check::PositionsNotDense, Check::FollowerHole],
    },
    InjectedBug {
        name: "checkpoint-outside-the-transaction",
        place: InjectionPoint::Server,
        faults: &[Fault::KillServer, Fault::KillBackend, Fault::KillServer, Fault::KillBackend],
        found_by: &[Check::ReadModelDiffers],
    },
    InjectedBug {
        name: "dedupe-by-memory",
        place: InjectionPoint::Append(sql::MEMORY),
        faults: &[Fault::KillServer, Fault::KillServer],
        found_by: &[Check::Doubled],
    },
    InjectedBug {
        name: "retry-under-a-new-id",
        place: InjectionPoint::Append(sql::NEW_ID),
        faults: &[Fault::ClientAnswersLost],
        found_by: &[Check::Doubled],
    },
    InjectedBug {
        name: "answers-shifted-by-one",
        place: InjectionPoint::Append(sql::SHIFTED),
        faults: &[Fault::TenantsLocked, Fault::TenantsLocked],
        found_by: &[Check::WrongPosition],
    },
    InjectedBug {
        name: "duplicate-with-another-position",
        place: InjectionPoint::Append(sql::OTHER_POSITION),
        faults: &[Fault::ClientAnswersLost],
        found_by: &[Check::AnswerChanged],
    },
    InjectedBug {
        name: "event-of-another-tenant",
        place: InjectionPoint::Append(sql::OTHER_TENANT),
        faults: &[Fault::ClientCut],
        found_by: &[Check::Leaked],
    },
    InjectedBug {
        name: "failed-append-acknowledged",
        place: InjectionPoint::Append(sql::ROLLED_BACK),
        faults: &[Fault::ClientCut],
        found_by: &[Check::Lost],
    },
    InjectedBug {
        name: "event-overwritten-by-its-repetition",
        place: InjectionPoint::Append(sql::OVERWRITTEN),
        faults: &[Fault::ClientAnswersLost],
        found_by: &[Check::FollowerChange, Check::VerifyFailed],
    },
    InjectedBug {
        name: "read-model-not-logged",
        place: InjectionPoint::Database(sql::NOT_LOGGED),
        faults: &[Fault::KillBackend],
        found_by: &[Check::ReadModelDiffers],
    },
];

/// The result for one bug.
pub(super) struct Verdict {
    pub(super) plant: &'static str,
    /// The checks with findings, the expected ones first.
    pub(super) found_by: Vec<String>,
    pub(super) is_found: bool,
    pub(super) seconds: u64,
}

impl InjectedBug {
    /// Injects the bug before the servers start.
    ///
    /// # Errors
    /// If the append function has changed: the bug must then be injected in another way.
    pub(super) async fn inject(&self, conn: &mut PgConnection) -> anyhow::Result<()> {
        match self.place {
            InjectionPoint::Server => {}
            InjectionPoint::Database(statements) => {
                for statement in statements {
                    conn.execute(*statement).await?;
                }
            }
            InjectionPoint::Append(body) => {
                let wrapper = sql::wrapper(conn, body).await?;
                let mut tx = conn.begin().await?;
                tx.execute(sqlx::raw_sql(AssertSqlSafe(wrapper))).await?;
                tx.commit().await?;
            }
        }
        Ok(())
    }

    async fn find(&'static self, seed: u64, may_mount: bool) -> anyhow::Result<Verdict> {
        let since = tokio::time::Instant::now();
        let mut found = Vec::new();
        for nth in 0..TRIES {
            let run = Run {
                seed: seed + nth,
                plan: self.faults.to_vec(),
                clients: 12,
                warm_up: WARM_UP,
                may_mount,
                plant: Some(self),
                ..Run::default()
            };
            let (_, findings) = run.go().await?;
            found = findings.checks();
            if self.is_found(&findings) {
                break;
            }
        }
        found.sort_by_key(|check| !self.found_by.contains(check));
        Ok(Verdict {
            plant: self.name,
            is_found: found.iter().any(|check| self.found_by.contains(check)),
            found_by: found.into_iter().map(Check::name).collect(),
            seconds: since.elapsed().as_secs(),
        })
    }

    fn is_found(&self, findings: &Findings) -> bool {
        findings.checks().iter().any(|check| self.found_by.contains(check))
    }
}

/// Injects one bug, or each in turn, and reports whether it is found.
///
/// # Errors
/// If there is no such bug, or this build does not include it.
pub(super) async fn find(name: &str, seed: u64, may_mount: bool) -> anyhow::Result<Vec<Verdict>> {
    let wanted: Vec<&'static InjectedBug> =
        BUGS.iter().filter(|plant| name == "all" || plant.name == name).collect();
    let names = || BUGS.iter().map(|plant| plant.name).collect::<Vec<_>>().join(", ");
    anyhow::ensure!(!wanted.is_empty(), "no bug is called {name}; there are {}", names());
    let needs_feature = wanted.iter().any(|plant| matches!(plant.place, InjectionPoint::Server));
    anyhow::ensure!(
        !needs_feature || cfg!(feature = "fault-injection"),
        "build with --features fault-injection: some bugs are in the server"
    );
    let room = Arc::new(Semaphore::new(AT_ONCE));
    let mut runs = JoinSet::new();
    for plant in wanted {
        let room = Arc::clone(&room);
        runs.spawn(async move {
            let _place = room.acquire_owned().await?;
            // Runs on a thread of its own: the future of a run is not `Send`.
            let find = move || Handle::current().block_on(plant.find(seed, may_mount));
            let verdict = tokio::task::spawn_blocking(find).await?;
            if let Ok(verdict) = &verdict {
                let word = if verdict.is_found { "found" } else { "NOT FOUND" };
                let by = verdict.found_by.join(", ");
                eprintln!("{}: {word} in {} s by {by}", verdict.plant, verdict.seconds);
            }
            verdict
        });
    }
    runs.join_all().await.into_iter().collect()
}

/// Returns the verdicts as a table.
pub(super) fn table(verdicts: &[Verdict]) -> String {
    let mut table = Table::new();
    table.set_header(["planted", "found", "by", "seconds"]);
    for verdict in verdicts {
        let word = if verdict.is_found { "yes" } else { "NO" };
        let (by, seconds) = (verdict.found_by.join(", "), verdict.seconds.to_string());
        table.add_row([verdict.plant, word, &by, &seconds]);
    }
    format!("{table}\n")
}

/// Returns the verdicts as JSON.
pub(super) fn json(verdicts: &[Verdict]) -> Value {
    let one = |verdict: &Verdict| {
        json!({
            "planted": verdict.plant, "found": verdict.is_found, "by": verdict.found_by,
            "seconds": verdict.seconds,
        })
    };
    json!({ "ok": verdicts.iter().all(|one| one.is_found), "planted": verdicts.iter().map(one).collect::<Value>() })
}
