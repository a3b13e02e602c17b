//! Outage of the database: every endpoint reports it in time, no acknowledged event is lost, and
//! the server recovers by itself.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::Duration;

use ledger_store::embedded::{Cluster, Durability, Settings};
use ledger_store::keyring::Keyring;
use ledger_store::migrate;
use ledger_tests::{TestLedger, TestTenant, fixtures, messages, run};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sqlx::postgres::PgConnectOptions;
use tempfile::TempDir;

use super::{get, json};

/// A private PostgreSQL of one test, without a supervisor that restarts it.
struct Machine(TempDir);

impl Machine {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let passable = fs::Permissions::from_mode(0o711);
        fs::set_permissions(dir.path(), passable).expect("our own directory");
        Self(dir)
    }

    async fn start(&self) -> PgConnectOptions {
        let settings = Settings {
            data_dir: self.0.path().join("data"),
            binaries: None,
            user: None,
            durability: Durability::Disposable,
            max_connections: 60,
            archive: None,
        };
        // Dropping the supervisor leaves the server running.
        Cluster::start_or_adopt(settings).await.expect("it starts").connect_options()
    }

    fn pid(&self) -> Option<Pid> {
        let file = fs::read_to_string(self.0.path().join("data/pg/postmaster.pid")).ok()?;
        file.lines().next()?.parse().ok().map(Pid::from_raw)
    }

    async fn stop(&self) {
        let pid = self.pid().expect("it runs");
        kill(pid, Signal::SIGINT).expect("it runs");
        while self.pid().is_some() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if let Some(pid) = self.pid() {
            let _ = kill(pid, Signal::SIGQUIT);
        }
    }
}

async fn assert_refuses(ledger: &TestLedger, tenant: &TestTenant) {
    assert_eq!(get(ledger, "/healthz").await.status(), 200, "the process lives");
    let ready = get(ledger, "/readyz").await;
    assert_eq!(ready.status(), 503);
    let ready = json(ready).await;
    assert_eq!(ready["status"], "not_ready");
    assert_ne!(ready["database"], "ok");

    let webhook = tenant.webhook(messages::report("during").to_string());
    let list = tenant.request(&tenant.key, "/v1/calls");
    for request in [webhook, list] {
        let answer = request.send().await.expect("an answer");
        assert_eq!(answer.status(), 503);
        let wait = answer.headers()["retry-after"].to_str().expect("a text").to_owned();
        assert!(wait.parse::<u32>().is_ok_and(|seconds| seconds >= 1), "{wait}");
        assert_eq!(json(answer).await["code"], "unavailable");
    }
    // A tool call is answered in time with a text to speak, which claims no result.
    let (status, answer_to_speak) =
        tenant.post(fixtures::bytes("vapi/tool-calls.inbound-simple-assistant.json")).await;
    assert_eq!(status, 200);
    let error = answer_to_speak["results"][0]["error"].as_str().expect("an error text");
    assert!(error.contains("Nothing was done") && !error.contains('\n'), "{error}");
}

#[test]
fn an_outage_of_the_database_loses_no_acknowledged_event() {
    run(async {
        let machine = Machine::new();
        let database = machine.start().await;
        migrate(&database).await.expect("the migrations apply");
        let keys = machine.0.path();
        let keyring = Arc::new(Keyring::new(keys.join("keyring"), keys.join("root.key")));
        let ledger = TestLedger::start_on(database, keyring).await;
        let tenant = ledger.tenant().await;
        let acknowledged = tokio::spawn(post_until_refused(tenant.through(&ledger)));
        while tenant.calls().await.len() < 3 {
            tokio::task::yield_now().await;
        }
        machine.stop().await;
        let mut acknowledged = acknowledged.await.expect("it ended");
        assert_refuses(&ledger, &tenant).await;

        machine.start().await;
        // A refused report is sent again, as a provider does.
        let again = messages::report("during").to_string();
        while tenant.post(again.clone()).await.0 != 200 {
            tokio::task::yield_now().await;
        }
        acknowledged.push("during".into());
        while get(&ledger, "/readyz").await.status() != 200 {
            tokio::task::yield_now().await;
        }
        let calls = tenant.calls().await;
        for name in acknowledged {
            let is_there = calls.iter().any(|call| call["provider_call_id"] == name);
            assert!(is_there, "{name} was acknowledged and is lost");
        }
        ledger.stop().await;
        machine.stop().await;
    });
}

/// Posts one call at a time until one is refused; returns the accepted ones.
async fn post_until_refused(tenant: TestTenant) -> Vec<String> {
    let mut taken = Vec::new();
    for nth in 0.. {
        let name = format!("call-{nth}");
        let (status, answer) = tenant.post(messages::report(&name).to_string()).await;
        match status {
            200 => taken.push(name),
            503 => break,
            other => panic!("{other}: {answer}"),
        }
    }
    taken
}
