//! The `/v1` API, and the read-only part of Vapi's API. Each endpoint has its own file, which
//! declares its operation: id, required scope and audit kind (`http/operation.rs`).

pub mod agents;
pub mod analytics;
pub mod annotations;
pub mod appointments;
pub mod availability;
pub mod calls;
mod commands;
pub mod contacts;
pub mod deliveries;
pub mod due;
pub mod erasures;
pub mod exports;
pub mod keys;
pub mod parked;
pub mod public_key;
pub mod quarantine;
pub mod read_models;
pub mod retention;
pub mod settings;
pub mod sources;
pub mod subjects;
pub mod tasks;
pub mod tenant;
pub mod usage;
pub mod vapi;
pub mod webhook_counts;
pub mod webhook_metrics;
pub mod words;

use crate::http::declared_routes::{DeclaredRoutes, declared_routes};

/// Routes of `/v1` and of the Vapi API.
pub fn routes() -> DeclaredRoutes {
    let routes = declared_routes![
        agents::handler,
        analytics::breakdown::handler,
        analytics::funnel::handler,
        analytics::summary::handler,
        analytics::timeseries::handler,
        calls::list::handler,
        calls::show::handler,
        calls::events::handler,
        annotations::add_note::handler,
        annotations::edit_note::handler,
        annotations::remove_note::handler,
        annotations::tag::handler,
        annotations::untag::handler,
        annotations::disposition::handler,
        annotations::score::handler,
        annotations::test_mark::handler,
        annotations::escalate::handler,
        annotations::context::handler,
        annotations::campaign::handler,
        appointments::list::handler,
        appointments::book::handler,
        appointments::show::handler,
        appointments::confirm::handler,
        appointments::complete::handler,
        appointments::cancel::handler,
        appointments::no_show::handler,
        appointments::reschedule::handler,
        availability::handler,
        contacts::list::handler,
        contacts::create::handler,
        contacts::show::handler,
        contacts::update::handler,
        contacts::timeline::handler,
        contacts::merge::handler,
        contacts::add_handle::handler,
        contacts::end_handles::handler,
        due::handler,
        exports::create::handler,
        exports::show::handler,
        exports::file::handler,
        retention::due::handler,
        tasks::list::handler,
        tasks::create::handler,
        tasks::finish::handler,
        tasks::cancel::handler,
        subjects::lookup::handler,
        subjects::show::handler,
        subjects::erase::handler,
        subjects::place_hold::handler,
        subjects::release_hold::handler,
        subjects::restrict::handler,
        subjects::lift_restriction::handler,
        erasures::list::handler,
        erasures::show::handler,
        erasures::certificate::handler,
        erasures::refuse::handler,
        erasures::extend::handler,
        parked::list::handler,
        parked::retry::handler,
        parked::drop::handler,
        quarantine::list::handler,
        quarantine::replay::handler,
        sources::list::handler,
        sources::create::handler,
        sources::update::handler,
        sources::rotate_secret::handler,
        sources::disable::handler,
        sources::enable::handler,
        keys::list::handler,
        keys::create::handler,
        keys::revoke::handler,
        deliveries::incoming::handler,
        webhook_metrics::queue_health::handler,
        webhook_metrics::delivery_stats::handler,
        webhook_metrics::recent_failures::handler,
        webhook_metrics::dead_letter_queue::handler,
        webhook_metrics::retry_failed::handler,
        read_models::list::handler,
        read_models::diff::handler,
        read_models::rebuild::handler,
        read_models::promote::handler,
        read_models::rollback::handler,
        read_models::cancel::handler,
        public_key::handler,
        usage::handler,
        tenant::show::handler,
        tenant::update::handler,
        settings::show::handler,
        settings::replace::handler,
    ];
    routes.merge(vapi::routes())
}
