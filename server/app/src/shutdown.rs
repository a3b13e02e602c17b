//! Signals that stop the process.

/// Resolves at Ctrl-C or SIGTERM. A second Ctrl-C exits the process at once with status 130.
///
/// # Errors
/// Signal handlers cannot be installed.
pub async fn shutdown_signal() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    tokio::spawn(async move {
        interrupt.recv().await;
        std::process::exit(130);
    });
    Ok(())
}
