//! Tools that a voice agent can call during a call: what is wanted, and the sentence to say.
//!
//! Names and arguments of tools differ between tenants, so both are looked up in tables of synonyms
//! ([`names`]). [`wish()`] turns the arguments into a [`Wish`], or into a question for the caller.
//! [`words`] has all sentences. Nothing here loads or stores anything.

pub mod arguments;
mod escalation;
pub mod names;
pub mod settings;
mod times;
pub mod wish;
pub mod words;

#[cfg(test)]
mod tests;

pub use arguments::Arguments;
pub use escalation::EscalationWish;
pub use names::Tool;
pub use settings::{Speech, ToolNames, ToolSettings};
pub use wish::{AppointmentWish, ChangeWish, Named, SearchWish, ToolContext, When, Wish, wish};
