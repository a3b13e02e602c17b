//! Settings of a source for the tools of its voice agents, as requests have them.

use std::collections::BTreeMap;

use ledger_core::tools::{Speech, ToolNames};
use serde::de::{Deserialize, Deserializer, Error};

use crate::http::fields;

/// Deserializes an optional object of names, each with its tool.
///
/// # Errors
/// For another type, more than 50 names, a name that is none, and an unknown tool.
pub(super) fn names<'de, D: Deserializer<'de>>(field: D) -> Result<Option<ToolNames>, D::Error> {
    let names = Option::<BTreeMap<String, String>>::deserialize(field)
        .map_err(|_| D::Error::custom("it is not an object of texts"))?;
    let Some(names) = names else { return Ok(None) };
    let pairs = names.iter().map(|(name, tool)| (name.as_str(), tool.as_str()));
    ToolNames::parse(pairs).map(Some).map_err(D::Error::custom)
}

/// Deserializes how answers are spoken.
///
/// # Errors
/// For another type, and for another word.
pub(super) fn speech<'de, D: Deserializer<'de>>(field: D) -> Result<Option<Speech>, D::Error> {
    let parse = |word: String| {
        Speech::parse(&word).ok_or_else(|| D::Error::custom("it is neither model nor verbatim"))
    };
    fields::text(field)?.map(parse).transpose()
}
