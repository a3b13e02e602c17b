//! The scopes of API keys. The store, the command line and HTTP use this type, so a scope has one
//! spelling.

use std::fmt;

/// A right of an API key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Reads facts; personal fields are masked.
    Read,
    /// Reads personal fields in the clear, each read audited. Includes `read`.
    Personal,
    /// Executes commands that append events. Their answers show the facts of what was changed, with
    /// personal fields masked as for [`Scope::Read`].
    Write,
    /// Reads the audit trail and proofs, and handles the rights of data subjects.
    Compliance,
    /// Manages sources, keys, projections, quarantine and other operations.
    Admin,
}

impl Scope {
    /// All scopes, in the order of the documentation.
    pub const ALL: &'static [Self] =
        &[Self::Read, Self::Personal, Self::Write, Self::Compliance, Self::Admin];

    /// Returns the scope with this name, or `None` for an unknown name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|known| known.as_str() == name)
    }

    /// Returns the scopes among stored names. Names of scopes that this build does not know are left
    /// out: they grant nothing here.
    pub fn known_among<'n>(names: impl IntoIterator<Item = &'n String>) -> Vec<Self> {
        names.into_iter().filter_map(|name| Self::parse(name)).collect()
    }

    /// The name as it is stored and typed.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Personal => "personal",
            Self::Write => "write",
            Self::Compliance => "compliance",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_scope_parses_from_its_stored_name() {
        for scope in Scope::ALL {
            assert_eq!(Scope::parse(scope.as_str()), Some(*scope));
        }
        assert_eq!(Scope::parse("Read"), None);
    }

    #[test]
    fn stored_scopes_of_a_later_build_grant_nothing() {
        let stored = ["read", "reed", "admin"].map(String::from);
        assert_eq!(Scope::known_among(&stored), [Scope::Read, Scope::Admin]);
    }
}
