//! Annotations of a call: notes, tags, disposition, score, test mark, escalations, context and
//! campaign. `GET /v1/calls/{call_id}` returns them.

pub mod add_note;
mod body;
pub mod campaign;
mod change;
pub mod context;
pub mod disposition;
pub mod edit_note;
pub mod escalate;
mod path;
mod refused;
pub mod remove_note;
pub mod score;
pub mod tag;
pub mod test_mark;
pub mod untag;
pub mod view;
