//! Runs long computations without blocking the async threads.
//!
//! Hashing, sealing, opening or parsing five megabytes takes tens of milliseconds, for which every
//! other task of the same async thread would wait. Large inputs therefore run with
//! `block_in_place`, at most as many at once as there are processors. Small inputs run inline,
//! because handing them over costs more than the work.

use std::sync::LazyLock;

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::Semaphore;

/// Inputs of at most this many bytes run inline; they take well under a millisecond.
pub const INLINE: usize = 64 << 10;

static PROCESSORS: LazyLock<Semaphore> = LazyLock::new(|| {
    Semaphore::new(std::thread::available_parallelism().map_or(2, std::num::NonZero::get))
});

/// Runs `work` on an input of `bytes` bytes: inline when small, otherwise under the processor
/// semaphore and off the async threads. `work` must not block on anything.
pub async fn compute<T>(bytes: usize, work: impl FnOnce() -> T) -> T {
    if bytes <= INLINE {
        return work();
    }
    let _permit = PROCESSORS.acquire().await.expect("it is never closed");
    match Handle::current().runtime_flavor() {
        RuntimeFlavor::MultiThread => tokio::task::block_in_place(work),
        // A current-thread runtime has no other thread that could continue.
        _ => work(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::{Duration, Instant};

    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn a_long_computation_keeps_no_other_task_waiting() {
        let long = tokio::spawn(compute(INLINE + 1, || {
            std::thread::sleep(Duration::from_secs(2));
        }));
        let since = Instant::now();
        while since.elapsed() < Duration::from_millis(300) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert!(since.elapsed() < Duration::from_secs(1), "the only async thread was taken");
        long.await.expect("it ends");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn no_more_run_at_once_than_there_are_processors() {
        static RUNNING: AtomicUsize = AtomicUsize::new(0);
        let processors = std::thread::available_parallelism().expect("it is known").get();
        let one = || {
            compute(INLINE + 1, || {
                let running = RUNNING.fetch_add(1, Ordering::SeqCst) + 1;
                std::thread::sleep(Duration::from_millis(10));
                RUNNING.fetch_sub(1, Ordering::SeqCst);
                running
            })
        };
        let all: Vec<_> = (0..4 * processors).map(|_| tokio::spawn(one())).collect();
        for one in all {
            assert!(one.await.expect("it ends") <= processors);
        }
    }
}
