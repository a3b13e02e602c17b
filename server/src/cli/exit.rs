//! Results of commands, and their exit codes.

/// Result of a command that ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitStatus {
    /// Success: exit code 0.
    Success,
    /// Failure: exit code 1; the command ran and found a problem.
    Failure,
    /// Tampering found by verification: exit code 3.
    TamperingFound,
}

/// Invalid value of an option. Exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct UsageError(pub String);

/// Returns a usage error with this message.
pub(super) fn usage_error<T>(message: impl Into<String>) -> anyhow::Result<T> {
    Err(UsageError(message.into()).into())
}
