//! Vapi's own API, read-only: a script that reads calls from Vapi works with another base URL and key.
//!
//! Field names, filters, errors and the form of answers are Vapi's (`docs/vapi-dialect.md` lists the
//! differences). Authorization and audit are those of `/v1`.

pub mod analytics;
mod conversation;
pub mod error;
pub mod list;
mod number;
mod query;
mod response;
pub mod show;
mod time;
pub mod view;

use crate::http::declared_routes::{DeclaredRoutes, declared_routes};

/// Routes of the Vapi API.
pub fn routes() -> DeclaredRoutes {
    declared_routes![list::handler, show::handler, analytics::handler]
}
