//! The test harness: a real PostgreSQL, a real server, real HTTP, and a new tenant for each test.
//!
//! One disposable cluster, one database and one server serve the whole test binary; tenants isolate
//! tests from each other, as they isolate customers. Tests that restart or add servers start
//! separate ones with [`TestLedger::start`]. All tests run on one runtime ([`run`]), so that shared
//! connections outlive each test.

pub mod catalogue;
pub mod cluster;
pub mod database;
pub mod erasures;
pub mod fixtures;
pub mod ledger;
pub mod logs;
pub mod messages;
pub mod proxy;
pub mod scan;
pub mod schema;
pub mod torture;

use std::future::Future;
use std::sync::LazyLock;

pub use database::OwnDatabase;
pub use ledger::{TestLedger, TestTenant};
use tokio::runtime::Runtime;

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .enable_all()
        .build()
        .expect("a runtime")
});

/// Runs the future of a test on the shared runtime.
pub fn run<F: Future>(test: F) -> F::Output {
    RUNTIME.block_on(test)
}
