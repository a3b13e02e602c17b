//! What the server, the command line and the benchmarks share and what does not depend on HTTP: use cases that
//! have several entrances, settings, the opened ledger, background workers, the system clock, API key texts and
//! signals.

pub mod api_key;
pub mod backups;
pub mod bookings;
pub mod config;
pub mod epochs;
pub mod fault;
pub mod instance;
pub mod intake;
pub mod log_check;
pub mod settings;
pub mod shutdown;
pub mod sources;
pub mod system;
pub mod workers;
