//! Times in the forms that Vapi's API accepts and returns.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Serialize, Serializer};

use crate::http::times;
use crate::http::times::is_rfc3339;

/// A time written with exactly three decimals of a second and a `Z`, because scripts parse this form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Time(pub(super) DateTime<Utc>);

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0.to_rfc3339_opts(SecondsFormat::Millis, true))
    }
}

/// Parses an ISO 8601 time or date. Without an offset it is read as UTC, the time zone of Vapi's servers.
pub(super) fn parse(text: &str) -> Option<DateTime<Utc>> {
    times::utc(text).filter(|at| is_rfc3339(*at))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(text: &str) -> Option<String> {
        parse(text).map(|at| serde_json::to_string(&Time(at)).expect("a time"))
    }

    #[test]
    fn every_form_scripts_send_is_read_and_one_form_is_written() {
        for text in [
            "2026-11-02T09:00:00Z",
            "2026-11-02T09:00:00.000Z",
            "2026-11-02T09:00:00+00:00",
            "2026-11-02T14:30:00+05:30",
            "2026-11-02T09:00:00",
            "2026-11-02T09:00:00.000123",
        ] {
            assert_eq!(rewritten(text).as_deref(), Some("\"2026-11-02T09:00:00.000Z\""), "{text}");
        }
        assert_eq!(rewritten("2026-11-02").as_deref(), Some("\"2026-11-02T00:00:00.000Z\""));
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in ["", "yesterday", "2026-13-01", "1762074000", "+262142-12-31T23:59:59Z"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
