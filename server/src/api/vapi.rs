//! Vapi's own dialect: a script that asks Vapi's API for its calls asks this one with another base
//! URL and another key. Field names, filters, errors and the shape of answers are Vapi's
//! (`docs/vapi-dialect.md` says what differs); who may see what, and what is recorded of it, are ours.

pub mod analytics;
pub mod error;
pub mod list;
mod number;
mod open;
mod query;
mod said;
pub mod show;
mod time;
pub mod view;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;

/// What paths of Vapi's API begin with. A script that asks for something that is not here reads the
/// refusal as Vapi words it.
const RESOURCES: [&str; 20] = [
    "analytics",
    "assistant",
    "call",
    "campaign",
    "chat",
    "eval",
    "file",
    "insight",
    "knowledge-base",
    "log",
    "logs",
    "phone-number",
    "provider",
    "reporting",
    "session",
    "squad",
    "structured-output",
    "tool",
    "v2",
    "workflow",
];

/// The routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list::handler))
        .routes(routes!(show::handler))
        .routes(routes!(analytics::handler))
}
