//! The `/v1` API, and the read-only part of Vapi's API. Each endpoint has its own file, and each handler
//! names the scope it requires.

pub mod agents;
pub mod analytics;
pub mod appointments;
pub mod availability;
pub mod calls;
pub mod deliveries;
pub mod keys;
pub mod parked;
pub mod quarantine;
pub mod read_models;
pub mod settings;
pub mod sources;
pub mod tenant;
pub mod usage;
pub mod vapi;
pub mod webhook_counts;
pub mod webhook_metrics;
pub mod words;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;

/// Routes of `/v1` and of the Vapi API.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(agents::handler))
        .routes(routes!(analytics::breakdown::handler))
        .routes(routes!(analytics::funnel::handler))
        .routes(routes!(analytics::summary::handler))
        .routes(routes!(analytics::timeseries::handler))
        .routes(routes!(calls::list::handler))
        .routes(routes!(calls::show::handler))
        .routes(routes!(calls::events::handler))
        .routes(routes!(appointments::list::handler, appointments::book::handler))
        .routes(routes!(appointments::show::handler))
        .routes(routes!(appointments::confirm::handler))
        .routes(routes!(appointments::complete::handler))
        .routes(routes!(appointments::cancel::handler))
        .routes(routes!(appointments::no_show::handler))
        .routes(routes!(appointments::reschedule::handler))
        .routes(routes!(availability::handler))
        .routes(routes!(parked::list::handler))
        .routes(routes!(parked::retry::handler))
        .routes(routes!(parked::drop::handler))
        .routes(routes!(quarantine::list::handler))
        .routes(routes!(quarantine::replay::handler))
        .routes(routes!(sources::list::handler, sources::create::handler))
        .routes(routes!(sources::update::handler))
        .routes(routes!(sources::rotate_secret::handler))
        .routes(routes!(sources::disable::handler))
        .routes(routes!(sources::enable::handler))
        .routes(routes!(keys::list::handler, keys::create::handler))
        .routes(routes!(keys::revoke::handler))
        .routes(routes!(deliveries::incoming::handler))
        .routes(routes!(webhook_metrics::queue_health::handler))
        .routes(routes!(webhook_metrics::delivery_stats::handler))
        .routes(routes!(webhook_metrics::recent_failures::handler))
        .routes(routes!(webhook_metrics::dead_letter_queue::handler))
        .routes(routes!(webhook_metrics::retry_failed::handler))
        .routes(routes!(read_models::list::handler))
        .routes(routes!(read_models::diff::handler))
        .routes(routes!(read_models::rebuild::handler))
        .routes(routes!(read_models::promote::handler))
        .routes(routes!(read_models::rollback::handler))
        .routes(routes!(read_models::cancel::handler))
        .routes(routes!(usage::handler))
        .routes(routes!(tenant::show::handler, tenant::update::handler))
        .routes(routes!(settings::show::handler, settings::replace::handler))
        .merge(vapi::routes())
}
