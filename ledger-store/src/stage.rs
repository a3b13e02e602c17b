//! Processor time per stage of a webhook, measured with the clock of each thread.
//!
//! Off until [`measure`] is called, because reading that clock is a system call. A future is
//! charged for each poll, so waiting is free and a task that moves between threads is charged once.
//! Processor time of PostgreSQL is not included: its connections have [`Stage::connection`] as
//! their `application_name`, and the operating system reports the processor time of each backend.

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

/// A stage of the processing of a webhook. Other time of the server is HTTP and housekeeping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Authentication of the sender.
    Verify,
    /// Translation of the platform's message to event drafts.
    Translate,
    /// Resolution of the subject and its key.
    Vault,
    /// Sealing of sections and derivation of event ids.
    Seal,
    /// Decisions on tool calls, without the vault and the append.
    Tools,
    /// Group commit of the log.
    Append,
    /// Projections, with the commit notifications that start them.
    Project,
}

impl Stage {
    /// Every stage, in the order of processing.
    pub const ALL: [Self; 7] = [
        Self::Verify,
        Self::Translate,
        Self::Vault,
        Self::Seal,
        Self::Tools,
        Self::Append,
        Self::Project,
    ];

    /// The name in metrics and reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Verify => "verify",
            Self::Translate => "translate",
            Self::Vault => "vault",
            Self::Seal => "seal",
            Self::Tools => "tools",
            Self::Append => "append",
            Self::Project => "project",
        }
    }

    /// The `application_name` of connections that serve this stage alone; `None` if it has none.
    #[must_use]
    pub const fn connection(self) -> Option<&'static str> {
        match self {
            Self::Vault => Some("call-ledger vault"),
            Self::Tools => Some("call-ledger command"),
            Self::Append => Some("call-ledger append"),
            Self::Project => Some("call-ledger project"),
            Self::Verify | Self::Translate | Self::Seal => None,
        }
    }
}

static IS_MEASURED: AtomicBool = AtomicBool::new(false);
static NANOS: [AtomicU64; Stage::ALL.len()] = [const { AtomicU64::new(0) }; Stage::ALL.len()];

thread_local! {
    static CURRENT: Cell<Option<Stage>> = const { Cell::new(None) };
    /// Time of the stages inside the one that runs.
    static INNER: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

/// Starts the measurement in the whole process.
pub fn measure() {
    IS_MEASURED.store(true, Ordering::Relaxed);
}

/// Processor time of each stage since [`measure`]; zero before.
#[must_use]
pub fn spent() -> [(Stage, Duration); Stage::ALL.len()] {
    let nanos = |stage: Stage| NANOS[stage as usize].load(Ordering::Relaxed);
    Stage::ALL.map(|stage| (stage, Duration::from_nanos(nanos(stage))))
}

/// Runs a synchronous part of a stage. The time of a stage inside it counts for that stage alone.
pub fn run<T>(stage: Stage, part: impl FnOnce() -> T) -> T {
    if !is_measured() {
        return part();
    }
    let outer = CURRENT.replace(Some(stage));
    let before = INNER.replace(Duration::ZERO);
    let began = thread_time();
    let done = part();
    let spent = thread_time().saturating_sub(began);
    let own = spent.saturating_sub(INNER.replace(before + spent));
    let nanos = u64::try_from(own.as_nanos()).unwrap_or(u64::MAX);
    NANOS[stage as usize].fetch_add(nanos, Ordering::Relaxed);
    CURRENT.set(outer);
    done
}

/// Runs a future of a stage.
pub async fn drive<F: Future>(stage: Stage, future: F) -> F::Output {
    drive_for(Some(stage), future).await
}

/// Wraps a future to be spawned, so that it is charged to the stage that is polled now.
pub(crate) fn in_current_stage<F: Future>(future: F) -> impl Future<Output = F::Output> {
    drive_for(CURRENT.get(), future)
}

async fn drive_for<F: Future>(stage: Option<Stage>, future: F) -> F::Output {
    let mut future = pin!(future);
    poll_fn(|context| match stage {
        Some(stage) => run(stage, || future.as_mut().poll(context)),
        None => future.as_mut().poll(context),
    })
    .await
}

fn is_measured() -> bool {
    IS_MEASURED.load(Ordering::Relaxed)
}

fn thread_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(stage: Stage) -> Duration {
        spent()[stage as usize].1
    }

    #[tokio::test]
    async fn a_stage_is_charged_for_work_and_not_for_waiting_and_so_is_what_it_spawns() {
        measure();
        let work = || {
            let began = thread_time();
            while thread_time().saturating_sub(began) < Duration::from_millis(30) {}
        };
        drive(Stage::Seal, async {
            tokio::time::sleep(Duration::from_millis(200)).await;
            work();
        })
        .await;
        let sealed = of(Stage::Seal);
        assert!(sealed >= Duration::from_millis(30), "{sealed:?}");
        assert!(sealed < Duration::from_millis(150), "{sealed:?}");
        drive(Stage::Verify, async { tokio::spawn(in_current_stage(async move { work() })).await })
            .await
            .expect("it ends");
        assert!(of(Stage::Verify) >= Duration::from_millis(30), "{:?}", of(Stage::Verify));
    }

    #[test]
    fn a_stage_inside_another_one_counts_once() {
        measure();
        let work = || {
            let began = thread_time();
            while thread_time().saturating_sub(began) < Duration::from_millis(30) {}
        };
        run(Stage::Tools, || {
            run(Stage::Translate, work);
            work();
            run(Stage::Translate, work);
        });
        assert!(of(Stage::Translate) >= Duration::from_millis(60), "{:?}", of(Stage::Translate));
        assert!(of(Stage::Tools) >= Duration::from_millis(30), "{:?}", of(Stage::Tools));
        assert!(of(Stage::Tools) < Duration::from_millis(60), "{:?}", of(Stage::Tools));
    }
}
