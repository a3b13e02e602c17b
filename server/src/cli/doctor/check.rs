//! One thing that was looked at.

use std::fmt;

use serde::Serialize;

/// How it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum State {
    Ok,
    /// It works, and should be looked at.
    Warning,
    /// Something does not work, or will lose data.
    Failed,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
pub(super) struct Check {
    /// What was looked at; stable, for scripts.
    pub(super) check: &'static str,
    /// How it is.
    pub(super) state: State,
    /// Where.
    pub(super) place: String,
    /// What was found.
    pub(super) found: String,
    /// What to do; null when there is nothing to do.
    pub(super) todo: Option<String>,
}

impl Check {
    pub(super) fn ok(
        check: &'static str,
        place: impl Into<String>,
        found: impl Into<String>,
    ) -> Self {
        let (place, found) = (place.into(), found.into());
        Self { check, state: State::Ok, place, found, todo: None }
    }

    pub(super) fn warning(
        check: &'static str,
        place: impl Into<String>,
        found: impl Into<String>,
        todo: impl Into<String>,
    ) -> Self {
        let todo = Some(todo.into());
        Self { state: State::Warning, todo, ..Self::ok(check, place, found) }
    }

    pub(super) fn failed(
        check: &'static str,
        place: impl Into<String>,
        found: impl Into<String>,
        todo: impl Into<String>,
    ) -> Self {
        Self { state: State::Failed, ..Self::warning(check, place, found, todo) }
    }
}

/// One line.
impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.state {
            State::Ok => "ok",
            State::Warning => "warning",
            State::Failed => "failed",
        };
        let line = |text: &str| text.lines().map(str::trim).collect::<Vec<_>>().join(" | ");
        write!(f, "{state:<8}{:<18}{}: {}", self.check, line(&self.place), line(&self.found))?;
        match &self.todo {
            Some(todo) => write!(f, " -> {}", line(todo)),
            None => Ok(()),
        }
    }
}
