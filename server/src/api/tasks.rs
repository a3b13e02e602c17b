//! Tasks: lists, new ones and changes. Rules are in `ledger_core::task`.

mod about;
mod answer;
pub mod cancel;
pub mod create;
pub mod finish;
pub mod list;
mod texts;
pub mod view;
