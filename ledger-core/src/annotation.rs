//! What people and tools add to a call: notes, tags, a disposition, a score, the mark of a test, an
//! escalation, context, and the campaign (`docs/calls.md`).

pub mod command;
pub mod decide;
pub mod numbers;
pub mod refusal;
pub mod settings;
pub mod spelling;
pub mod words;
