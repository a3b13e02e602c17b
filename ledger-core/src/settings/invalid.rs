//! A value that is not one of a setting.

/// A value that does not fit the schema of its setting. Names the field and never the value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {detail}")]
pub struct InvalidSetting {
    /// The field: a JSON pointer without its first `/`. Empty for a field at the top that does not
    /// look like a name.
    pub field: String,
    /// Description of the fault.
    pub detail: String,
    /// Whether the schema has no such field.
    pub is_unknown: bool,
}
