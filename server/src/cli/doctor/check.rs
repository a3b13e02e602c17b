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
    pub(super) place: String,
    /// Observed condition of the object.
    pub(super) found: String,
    /// Recommended action; null if none is needed.
    pub(super) todo: Option<String>,
}

impl Check {
    pub(super) fn ok(
        check: &'static str,
        place: impl Into<String>,
        found: impl Into<String>,
    ) -> Self {
        let (place, found) = (place.into(), found.into());
        Self { check, state: Severity::Ok, place, found, todo: None }
    }

    pub(super) fn warning(
        check: &'static str,
        place: impl Into<String>,
        found: impl Into<String>,
        todo: impl Into<String>,
    ) -> Self {
        let todo = Some(todo.into());
        Self { state: Severity::Warning, todo, ..Self::ok(check, place, found) }
    }

    pub(super) fn failed(
        check: &'static str,
        place: impl Into<String>,
        found: impl Into<String>,
        todo: impl Into<String>,
    ) -> Self {
        Self { state: Severity::Failed, ..Self::warning(check, place, found, todo) }
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
        write!(f, "{state:<8}{:<18}{}: {}", self.check, line(&self.place), line(&self.found))?;
        match &self.todo {
            Some(todo) => write!(f, " -> {}", line(todo)),
            None => Ok(()),
        }
    }
}
