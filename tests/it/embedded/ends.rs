//! Unplanned ends of processes and of the server while it works.

use std::{fs, sync::Arc, time::Duration, time::Instant};

use ledger_store::embedded::{Cluster, Durability, Settings, Stopped};
use ledger_store::{keyring::Keyring, migrate};
use ledger_tests::{TestLedger, TestTenant, messages, run};
use nix::sys::signal::Signal;
use reqwest::Client;
use sqlx::{Connection, PgConnection};

use super::{Data, OtherProcess, eventually, execute, is_dead, send};

/// Time limit for a start with recovery, which takes two or three seconds.
const RECOVERY: Duration = Duration::from_mins(1);

#[tokio::test]
async fn three_processes_that_start_together_share_one_server_until_the_last_ends() {
    let data = Data::new();
    let begin = || {
        let dir = data.settings().data_dir;
        tokio::task::spawn_blocking(move || OtherProcess::start_in(&dir))
    };
    let (a, b, c) = tokio::join!(begin(), begin(), begin());
    let ours = data.start().await.unwrap();
    assert!(ours.was_adopted());
    let pid = ours.pid().unwrap();
    assert_eq!(ours.stop().await.unwrap(), Stopped::LeftRunning);
    for process in [a, b, c] {
        let mut process = process.unwrap();
        tokio::task::spawn_blocking(move || process.leave()).await.unwrap();
    }
    assert!(is_dead(pid).await, "the last one ended it");
}

#[tokio::test]
async fn no_confirmed_write_is_lost_when_process_and_server_are_killed() {
    let data = Data::new();
    let mut starter = OtherProcess::start(&data);
    let ours = data.start().await.unwrap();
    let server = ours.pid().unwrap();
    execute(&ours, "create table kept (n int primary key)").await;
    let options = ours.connect_options();
    let (tell, told) = tokio::sync::oneshot::channel();
    let writing = tokio::spawn(async move {
        let mut tell = Some(tell);
        let mut conn = PgConnection::connect_with(&options).await.unwrap();
        sqlx::raw_sql("set synchronous_commit = on").execute(&mut conn).await.unwrap();
        let mut confirmed = 0;
        while sqlx::query("insert into kept values ($1)")
            .bind(confirmed)
            .execute(&mut conn)
            .await
            .is_ok()
        {
            confirmed += 1;
            if confirmed == 100
                && let Some(tell) = tell.take()
            {
                tell.send(()).expect("somebody waits for it");
            }
        }
        confirmed
    });
    told.await.expect("a hundred are confirmed");
    drop(ours);
    starter.kill();
    send(server, Signal::SIGKILL);
    let confirmed = writing.await.unwrap();
    assert!(confirmed > 0, "it wrote");

    let begun = Instant::now();
    let again = data.start().await.unwrap();
    assert!(begun.elapsed() < RECOVERY, "{:?}", begun.elapsed());
    assert!(!again.was_adopted());
    let mut conn = PgConnection::connect_with(&again.connect_options()).await.unwrap();
    let kept = sqlx::query_scalar::<_, i64>("select count(*) from kept where n < $1");
    assert_eq!(kept.bind(confirmed).fetch_one(&mut conn).await.unwrap(), i64::from(confirmed));
    conn.close().await.unwrap();
    again.stop().await.unwrap();
}

#[tokio::test]
async fn a_failing_restart_is_retried_until_it_succeeds() {
    let data = Data::new();
    let cluster = data.start().await.unwrap();
    let control = data.dir().join("data/pg/global/pg_control");
    let away = control.with_extension("away");
    fs::rename(&control, &away).unwrap();
    send(cluster.pid().unwrap(), Signal::SIGKILL);
    let log = cluster.log().to_owned();
    let has_failed = || {
        let said = fs::read_to_string(&log).unwrap_or_default();
        !cluster.is_running() && said.contains("pg_control")
    };
    eventually(has_failed).await;
    fs::rename(&away, &control).unwrap();
    eventually(|| cluster.is_running()).await;
    execute(&cluster, "select 1").await;
    assert_eq!(cluster.stop().await.unwrap(), Stopped::Ended);
}

/// Returns the status of the readiness probe.
async fn ready(ledger: &TestLedger) -> u16 {
    let url = format!("http://{}/readyz", ledger.address);
    Client::new().get(url).send().await.expect("an answer").status().as_u16()
}

async fn until_ready_status(ledger: &TestLedger, status: u16) {
    let begun = Instant::now();
    while ready(ledger).await != status {
        assert!(begun.elapsed() < RECOVERY, "readyz never said {status}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Sends a report repeatedly until it is accepted.
async fn until_accepted(tenant: &TestTenant, call: &str) {
    let begun = Instant::now();
    while tenant.post(messages::report(call).to_string()).await.0 != 200 {
        assert!(begun.elapsed() < RECOVERY, "{call} was never taken");
        tokio::task::yield_now().await;
    }
}

#[test]
fn a_server_continues_without_loss_after_its_postgresql_crashed() {
    run(async {
        let data = Data::new();
        let durability = Durability::Durable;
        let settings = Settings { durability, max_connections: 60, ..data.settings() };
        let cluster = Cluster::start_or_adopt(settings).await.unwrap();
        let database = cluster.connect_options();
        migrate(&database).await.unwrap();
        let keyring = Keyring::new(data.dir().join("keyring"), data.dir().join("root.key"));
        let ledger = TestLedger::start_on(database, Arc::new(keyring)).await;
        let tenant = ledger.tenant().await;
        tenant.post_ok(messages::report("before").to_string()).await;
        until_ready_status(&ledger, 200).await;

        let before = cluster.pid();
        send(before.unwrap(), Signal::SIGKILL);
        eventually(|| cluster.is_running() && cluster.pid().is_some() && cluster.pid() != before)
            .await;
        until_ready_status(&ledger, 200).await;
        until_accepted(&tenant, "after").await;
        let calls = tenant.calls().await;
        assert_eq!(calls.len(), 2, "{calls:?}");

        // One backend is killed: PostgreSQL recovers by itself, and the pool reconnects.
        let mut conn = PgConnection::connect_with(&cluster.connect_options()).await.unwrap();
        let own: i32 =
            sqlx::query_scalar("select pg_backend_pid()").fetch_one(&mut conn).await.unwrap();
        send(own, Signal::SIGKILL);
        until_accepted(&tenant, "later").await;
        until_ready_status(&ledger, 200).await;
        assert_eq!(tenant.calls().await.len(), 3);
        ledger.stop().await;
        assert_eq!(cluster.stop().await.unwrap(), Stopped::Ended);
    });
}
