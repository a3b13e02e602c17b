//! What people and tools add to a call: notes, tags, a disposition, a score, the mark of a test,
//! escalations, context and the campaign. `GET /v1/calls/{call_id}` shows it.

pub mod add_note;
mod body;
pub mod campaign;
mod change;
pub mod context;
pub mod disposition;
pub mod edit_note;
pub mod escalate;
mod numbers;
mod path;
mod refused;
pub mod remove_note;
pub mod score;
pub mod tag;
pub mod test_mark;
pub mod untag;
pub mod view;
