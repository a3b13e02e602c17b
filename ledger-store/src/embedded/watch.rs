//! Detects an unexpected end of the server, logs it, and restarts the server as long as our process
//! uses it.

use std::{
    error::Error as StdError,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{
    process::Child,
    time::{Instant, sleep},
};

use super::{
    cluster_settings::Settings, error::Error, lock::StartLock, paths::ClusterPaths, process, server,
};

const FIRST_DELAY: Duration = Duration::from_millis(500);
const LONGEST_DELAY: Duration = Duration::from_secs(30);
/// Uptime after which the restart delay starts over.
const STABLE_AFTER: Duration = Duration::from_mins(1);
/// Poll interval for an adopted server, which is not a child of this process.
const POLL: Duration = Duration::from_millis(500);

/// Supervises the server until the task is aborted. Every process that uses the server does this;
/// the first one with the start lock restarts it, and the others adopt it. The holder of the start
/// lock can abort this task without interrupting a restart.
pub(super) async fn watch(
    paths: ClusterPaths,
    settings: Settings,
    mut child: Option<Child>,
    is_running: Arc<AtomicBool>,
) {
    let mut delay = FIRST_DELAY;
    loop {
        let since = Instant::now();
        wait_for_end(&paths, child.as_mut()).await;
        is_running.store(false, Ordering::Relaxed);
        tracing::error!(
            log = %paths.log.display(),
            tail = paths.log_tail(),
            "the private PostgreSQL ended by itself and is started again"
        );
        if since.elapsed() > STABLE_AFTER {
            delay = FIRST_DELAY;
        }
        child = loop {
            sleep(delay).await;
            delay = (delay * 2).min(LONGEST_DELAY);
            match restart(&paths, &settings).await {
                Ok(child) => break child,
                Err(error) => tracing::error!(
                    error = &error as &dyn StdError,
                    retry_s = delay.as_secs_f32(),
                    "the private PostgreSQL cannot be started again yet"
                ),
            }
        };
        is_running.store(true, Ordering::Relaxed);
        tracing::info!(pid = process::recorded_pid(&paths), "the private PostgreSQL runs again");
    }
}

async fn restart(paths: &ClusterPaths, settings: &Settings) -> Result<Option<Child>, Error> {
    let lock = StartLock::acquire(&paths.root).await?;
    let running = server::ensure_running(paths, settings, &lock).await?;
    running.check(paths, settings.durability).await?;
    Ok(running.child)
}

async fn wait_for_end(paths: &ClusterPaths, child: Option<&mut Child>) {
    match (child, process::recorded_pid(paths)) {
        // Waiting also reaps the process.
        (Some(child), _) => drop(child.wait().await),
        (None, Some(pid)) => {
            while !process::has_ended(paths, pid) {
                sleep(POLL).await;
            }
        }
        (None, None) => {}
    }
}
