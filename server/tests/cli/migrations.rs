//! Upgrades: what a migration would do, and databases that another build has migrated.

use ledger_store::MIGRATOR;

use crate::test_dir::{DirectAccess, TestDir};

#[tokio::test]
async fn a_dry_run_names_the_missing_migrations_and_applies_none() {
    let test_dir = TestDir::new();
    let dry_run = || test_dir.json(&["migrate", "--dry-run"]);
    let before = dry_run();
    assert_eq!(before["pending"].as_array().map(Vec::len), Some(MIGRATOR.iter().count()));
    assert!(!test_dir.data().join("pg").exists(), "no database is created for it");

    test_dir.json(&["migrate"]);
    assert_eq!(dry_run()["pending"].as_array().map(Vec::len), Some(0));
    let table = test_dir.run(&["--output", "table", "migrate", "--dry-run"]);
    assert_eq!((table.code, table.stdout.trim()), (0, "no migration is missing"));

    let mut direct = DirectAccess::new(&test_dir).await;
    direct.execute("delete from public._sqlx_migrations where version = 17").await;
    for _ in 0..2 {
        let found = dry_run();
        let pending = found["pending"].as_array().expect("a list");
        assert_eq!(pending.len(), 1, "{found}");
        assert_eq!(pending[0]["file"], "migrations/0017_dropped_events.sql");
        let ours = MIGRATOR.iter().find(|one| one.version == 17).expect("it is there");
        assert_eq!(pending[0]["checksum"], hex::encode(&ours.checksum));
        let locks = pending[0]["locks"].to_string();
        assert!(locks.contains(r#""projection.dropped""#), "{locks}");
    }
    let table = test_dir.run(&["--output", "table", "migrate", "--dry-run"]);
    assert!(table.stdout.contains("projection.dropped: access exclusive"), "{}", table.stdout);
    let applied = direct.query::<i64>("select count(*) from public._sqlx_migrations").await;
    assert_eq!(usize::try_from(applied).ok(), Some(MIGRATOR.iter().count() - 1));
    direct.close().await;
}

#[tokio::test]
async fn a_database_of_another_build_is_refused_with_the_name_of_the_migration() {
    let test_dir = TestDir::new();
    test_dir.json(&["migrate"]);
    let mut direct = DirectAccess::new(&test_dir).await;
    direct
        .execute(
            "insert into public._sqlx_migrations (version, description, success, checksum, execution_time)
             values (9998, 'first of the next release', true, '', 0), (9999, 'rooms', true, '', 0)",
        )
        .await;
    let refused = |wanted: &[&str]| {
        for command in
            [&["migrate"][..], &["migrate", "--dry-run"], &["serve"], &["tenant", "list"]]
        {
            let ran = test_dir.run(command);
            assert_eq!(ran.code, 1, "{command:?}: {}", ran.stdout);
            for text in wanted {
                assert!(ran.stderr.contains(text), "{command:?}: {}", ran.stderr);
            }
        }
    };
    refused(&["newer build", "9999 (rooms)", "2 unknown", "install that build or a newer one"]);

    direct.execute("delete from public._sqlx_migrations where version > 9000").await;
    direct
        .execute("update public._sqlx_migrations set checksum = '\\x00' where version = 13")
        .await;
    refused(&["migration 0013 (log time)", "other statements"]);
    direct.close().await;
}
