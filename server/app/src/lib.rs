//! Parts of the server that do not depend on HTTP: settings, the opened ledger, background workers, the
//! system clock, API key texts and signals.

pub mod api_key;
pub mod config;
pub mod instance;
pub mod shutdown;
pub mod system;
pub mod workers;
