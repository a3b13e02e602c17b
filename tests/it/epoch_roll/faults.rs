//! Rolls that are interrupted or refused at each step, and are repeated.

use std::time::Duration;

use ledger_store::roll::RollError;
use ledger_store::vault::export::vault_exports;
use ledger_tests::{OwnDatabase, run};

use super::*;

/// Each statement of a roll, as a table and the change that is refused, in the order of the steps.
const STATEMENTS: &[(&str, &str, &str)] = &[
    ("vault.epochs", "update", "new.state = 'draining'"),
    ("vault.epochs", "insert", "new.epoch > 1"),
    ("vault.subject_keys", "update", "new.epoch <> old.epoch"),
    ("vault.handles", "update", "new.epoch <> old.epoch"),
    ("vault.call_subjects", "update", "new.epoch <> old.epoch"),
    ("vault.contacts", "update", "new.name_epoch <> old.name_epoch"),
    ("vault.contact_handles", "update", "new.name_epoch <> old.name_epoch"),
    ("vault.contact_names", "update", "new.epoch <> old.epoch"),
    ("ledger.sources", "update", "new.secret_sealed <> old.secret_sealed"),
    ("vault.epochs", "update", "new.state = 'destroyed' and old.state = 'draining'"),
    ("vault.epochs", "update", "new.destroyed_at is not null"),
];

fn refuse(table: &str, operation: &str, when: &str) -> String {
    format!(
        "create or replace function public.refuse() returns trigger language plpgsql as
           'begin raise exception ''refused by the test''; end';
         create trigger refused before {operation} on {table} for each row when ({when})
           execute function public.refuse()"
    )
}

#[test]
fn a_roll_that_fails_at_any_statement_is_continued_by_the_next() {
    run(async {
        let own = OwnDatabase::create().await;
        let mut conn = own.superuser().await;
        let (one, two) = (own.server().await, own.server().await);
        let tenant = one.tenant().await;
        let there = tenant.through(&two);
        let tenant_id = tenant.tenant_id;
        record(&tenant).await;
        let before = all_found(&one.store, tenant_id).await;
        let names = customers(&tenant).await;
        let mut current = 1;
        for (nth, (table, operation, when)) in STATEMENTS.iter().enumerate() {
            execute(&mut conn, &refuse(table, operation, when)).await;
            let failed = one.store.roll_epoch(tenant_id).await;
            assert!(matches!(failed, Err(RollError::Database(_))), "{table} {when}: {failed:?}");
            // Both servers go on, with what was moved and what was not.
            for (server, on) in [(&one, &tenant), (&two, &there)] {
                assert_eq!(all_found(&server.store, tenant_id).await, before, "{table} {when}");
                let id = format!("during-{nth}-{}", on.address.port());
                call(on, &id, &person(nth % PERSONS)).await;
            }
            execute(&mut conn, &format!("drop trigger refused on {table}")).await;
            let rolled = two.store.roll_epoch(tenant_id).await.expect("it is continued");
            assert_eq!(
                (rolled.destroyed, rolled.current),
                (current, current + 1),
                "{table} {when}"
            );
            current += 1;
            assert_eq!(rows_below(&mut conn, tenant_id, current).await, 0, "{table} {when}");
            assert_eq!(all_found(&one.store, tenant_id).await, before, "{table} {when}");
        }
        let mut now = customers(&there).await;
        now.retain(|call, _| !call.starts_with("during-"));
        assert_eq!(now, names);
        one.stop().await;
        two.stop().await;
    });
}

#[test]
fn a_roll_that_is_cancelled_at_any_time_is_continued_by_the_next() {
    run(async {
        let own = OwnDatabase::create().await;
        let mut conn = own.superuser().await;
        let server = own.server().await;
        let tenant = server.tenant().await;
        record(&tenant).await;
        let before = all_found(&server.store, tenant.tenant_id).await;
        let mut random = fastrand::Rng::with_seed(12);
        for _ in 0..12 {
            let within = Duration::from_millis(random.u64(0..3_000));
            let rolling = server.store.roll_epoch(tenant.tenant_id);
            let _ = tokio::time::timeout(within, rolling).await;
            assert_eq!(all_found(&server.store, tenant.tenant_id).await, before, "{within:?}");
        }
        let rolled = loop {
            // The connection with the lock of a roll that was cancelled is being closed.
            match server.store.roll_epoch(tenant.tenant_id).await {
                Err(RollError::Running) => tokio::time::sleep(Duration::from_millis(50)).await,
                rolled => break rolled.expect("it is continued"),
            }
        };
        assert_eq!(rows_below(&mut conn, tenant.tenant_id, rolled.current).await, 0);
        assert_eq!(all_found(&server.store, tenant.tenant_id).await, before);
        let expected = format!("{}.tek", rolled.current);
        let names = files(&own, tenant.tenant_id);
        let epochs: Vec<_> =
            names.iter().filter(|name| name.strip_suffix(".tek").is_some()).collect();
        assert_eq!(epochs, [&expected]);
        server.stop().await;
    });
}

#[test]
fn a_key_that_does_not_open_or_an_index_that_is_left_keeps_the_old_epoch() {
    run(async {
        let own = OwnDatabase::create().await;
        let mut conn = own.superuser().await;
        let server = own.server().await;
        let tenant = server.tenant().await;
        record(&tenant).await;
        let before = all_found(&server.store, tenant.tenant_id).await;
        let subject = contact(&before[&2]).0;
        let flip = format!(
            "update vault.subject_keys set wrapped = set_byte(wrapped, 20, get_byte(wrapped, 20) # 1)
              where subject_id = '{subject}'"
        );
        execute(&mut conn, &flip).await;
        let failed = server.store.roll_epoch(tenant.tenant_id).await;
        assert!(
            matches!(failed, Err(RollError::Unfinished { epoch: 1, keys: 1, indexes: 0 })),
            "{failed:?}"
        );
        assert!(files(&own, tenant.tenant_id).contains("1.tek"));
        assert_eq!(all_found(&server.store, tenant.tenant_id).await, before);
        execute(&mut conn, &flip).await;

        // A row that the roll does not move, as if it had forgotten it.
        execute(
            &mut conn,
            &format!(
                "create function public.forget() returns trigger language plpgsql as
                   'begin return null; end';
                 update vault.contacts set name_epoch = 1, name_index = '\\x01' where contact_id = '{subject}';
                 create trigger forgotten before update on vault.contacts for each row
                   when (new.contact_id = '{subject}') execute function public.forget()"
            ),
        )
        .await;
        let failed = server.store.roll_epoch(tenant.tenant_id).await;
        assert!(
            matches!(failed, Err(RollError::Unfinished { epoch: 1, keys: 0, indexes: 1 })),
            "{failed:?}"
        );
        assert!(files(&own, tenant.tenant_id).contains("1.tek"));
        server.stop().await;
    });
}

#[test]
fn a_key_file_that_cannot_be_destroyed_is_destroyed_by_the_next_roll() {
    run(async {
        let own = OwnDatabase::create().await;
        let server = own.server().await;
        let tenant = server.tenant().await;
        record(&tenant).await;
        let before = all_found(&server.store, tenant.tenant_id).await;
        let list =
            own.keys.join("keyring").join(tenant.tenant_id.to_string()).join("destroyed.log");
        fs::create_dir(&list).expect("a directory in its place");
        let failed = server.store.roll_epoch(tenant.tenant_id).await;
        assert!(matches!(failed, Err(RollError::Keyring(_))), "{failed:?}");
        let epochs = server.store.epochs(tenant.tenant_id).await.expect("read");
        assert_eq!((epochs[0].state.as_str(), epochs[0].destroyed_at), ("destroyed", None));
        assert_eq!(all_found(&server.store, tenant.tenant_id).await, before);
        fs::remove_dir(&list).expect("it goes");
        let rolled = roll(&server, tenant.tenant_id).await;
        assert_eq!((rolled.destroyed, rolled.current), (1, 2), "no further roll");
        let epochs = server.store.epochs(tenant.tenant_id).await.expect("read");
        assert!(epochs[0].destroyed_at.is_some() && epochs.len() == 2);
        server.stop().await;
    });
}

#[test]
fn a_roll_writes_an_export_that_opens_before_it_destroys_the_key() {
    run(async {
        let own = OwnDatabase::create().await;
        let server = own.server().await;
        let tenant = server.tenant().await;
        record(&tenant).await;
        let dir = own.keys.join("exports");
        server.store.keep_vault_exports_in(dir.clone());
        fs::write(&dir, "not a directory").expect("a file");
        let failed = server.store.roll_epoch(tenant.tenant_id).await;
        assert!(matches!(failed, Err(RollError::Export(_))), "{failed:?}");
        assert!(files(&own, tenant.tenant_id).contains("1.tek"));
        fs::remove_file(&dir).expect("it goes");
        for current in 2..=4 {
            assert_eq!(roll(&server, tenant.tenant_id).await.current, current);
        }
        let exports = vault_exports(&dir).expect("a directory");
        assert_eq!(exports.len(), 2, "the newest two");
        let proof = server.store.prove_vault_export(&exports[1]).await.expect("it opens");
        assert_eq!(proof.opened, PERSONS as u64 + 1);
        // The one before has keys of an epoch that was destroyed since.
        server.store.prove_vault_export(&exports[0]).await.expect_err("it does not open");
        server.stop().await;
    });
}
