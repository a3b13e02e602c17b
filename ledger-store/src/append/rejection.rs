//! The rules of the log that an append can break.

use std::fmt;

/// The rule of the log that a request breaks. Another attempt with the same request fails in the
/// same way, except after the tenant became active again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AppendRejection {
    /// The tenant does not exist, or is frozen or closed and the event is not one that its log
    /// accepts in every state.
    TenantNotActive,
    /// Some events of the request are in the log and others are not.
    PartlyKnown,
    /// Two events of the request have the same id.
    EventIdRepeated,
    /// The request has streams of several tenants.
    SeveralTenants,
    /// The request has no event.
    NoEvents,
    /// A stream of the request has no event, so its version would not be checked.
    StreamWithoutEvents,
    /// The request names a stream twice.
    StreamRepeated,
    /// PostgreSQL does not accept a value of the request.
    Data,
    /// A rule that a later migration added and this build does not know.
    Unknown,
}

impl AppendRejection {
    const ALL: [Self; 9] = [
        Self::TenantNotActive,
        Self::PartlyKnown,
        Self::EventIdRepeated,
        Self::SeveralTenants,
        Self::NoEvents,
        Self::StreamWithoutEvents,
        Self::StreamRepeated,
        Self::Data,
        Self::Unknown,
    ];

    /// Returns the code of the rule; for the rules of `ledger.append`, the reason that it answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TenantNotActive => "tenant_not_active",
            Self::PartlyKnown => "partly_known",
            Self::EventIdRepeated => "event_id_repeated",
            Self::SeveralTenants => "several_tenants",
            Self::NoEvents => "no_events",
            Self::StreamWithoutEvents => "stream_without_events",
            Self::StreamRepeated => "stream_repeated",
            Self::Data => "data",
            Self::Unknown => "unknown",
        }
    }

    /// Returns the rule with this code; [`Self::Unknown`] for every other text.
    #[must_use]
    pub fn parse(code: &str) -> Self {
        Self::ALL.into_iter().find(|known| known.as_str() == code).unwrap_or(Self::Unknown)
    }
}

impl fmt::Display for AppendRejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_parses_from_its_code_and_a_later_one_is_unknown() {
        for rule in AppendRejection::ALL {
            assert_eq!(AppendRejection::parse(rule.as_str()), rule);
        }
        assert_eq!(AppendRejection::parse("a_later_rule"), AppendRejection::Unknown);
    }
}
