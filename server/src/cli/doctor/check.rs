//! Result of one check of `doctor`.

use std::fmt;

use serde::Serialize;

/// Severity of a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Severity {
    Ok,
    /// Works, but needs attention.
    Warning,
    /// Does not work, or will lose data.
    Failed,
}

/// Result of one check; also the JSON output.
#[derive(Debug, Serialize)]
pub(super) struct Check {
    /// Stable name of the check, for scripts.
    pub(super) check: &'static str,
    /// Severity of the result.
    pub(super) state: Severity,
    /// Checked object, such as a path or an address.
    pub(super) target: String,
    /// Observed condition of the object.
    pub(super) observed: String,
    /// Recommended action; null if none is needed.
    pub(super) hint: Option<String>,
}

impl Check {
    pub(super) fn ok(
        check: &'static str,
        target: impl Into<String>,
        observed: impl Into<String>,
    ) -> Self {
        let (target, observed) = (target.into(), observed.into());
        Self { check, state: Severity::Ok, target, observed, hint: None }
    }

    pub(super) fn warning(
        check: &'static str,
        target: impl Into<String>,
        observed: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        let hint = Some(hint.into());
        Self { state: Severity::Warning, hint, ..Self::ok(check, target, observed) }
    }

    pub(super) fn failed(
        check: &'static str,
        target: impl Into<String>,
        observed: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self { state: Severity::Failed, ..Self::warning(check, target, observed, hint) }
    }
}

/// Formats the result as one line.
impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.state {
            Severity::Ok => "ok",
            Severity::Warning => "warning",
            Severity::Failed => "failed",
        };
        let line = |text: &str| text.lines().map(str::trim).collect::<Vec<_>>().join(" | ");
        write!(f, "{state:<8}{:<18}{}: {}", self.check, line(&self.target), line(&self.observed))?;
        match &self.hint {
            Some(hint) => write!(f, " -> {}", line(hint)),
            None => Ok(()),
        }
    }
}
