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

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;

/// Routes of the Vapi API.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list::handler))
        .routes(routes!(show::handler))
        .routes(routes!(analytics::handler))
}
