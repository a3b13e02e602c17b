//! The vault export: complete, proved against the keyring, and imported without a way back for
//! destroyed keys.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::Path;

use ledger_core::ids::{ErasureId, SubjectId};
use ledger_store::vault::export::{
    EXPORTED, LEFT_OUT, VaultExportError, keep_newest_exports, vault_exports,
};
use ledger_store::{Settings, Store};
use ledger_tests::erasures::journaled;
use ledger_tests::{OwnDatabase, TestTenant, cluster, run};
use serde_json::json;
use server::system::{SystemClock, SystemIds};
use sqlx::{AssertSqlSafe, PgConnection};
use std::sync::Arc;
use uuid::Uuid;

use super::{post_report, subject_at};

const ERASURE: ErasureId = ErasureId(Uuid::from_u128(7));

/// A store with an `application_name` of its own, as a restore has.
fn restoring(own: &OwnDatabase) -> Store {
    Store::open(Settings {
        database: own.database.clone().application_name("call-ledger restore"),
        connections: 2,
        append_workers: 1,
        keyring: own.keyring(),
        journal: own.journal(),
        clock: Arc::new(SystemClock),
        ids: Arc::new(SystemIds),
    })
}

/// A copy of the database as it is now: what a restored backup has. Nothing may be connected.
async fn copy_of(own: &OwnDatabase) -> OwnDatabase {
    let name = own.database.get_database().expect("it has one");
    let copy = format!("{name}_copy");
    sqlx::raw_sql(AssertSqlSafe(format!("create database {copy} template {name}")))
        .execute(&mut cluster::superuser().await)
        .await
        .expect("a copy");
    OwnDatabase { database: own.database.clone().database(&copy), keys: own.keys.clone() }
}

async fn rows(conn: &mut PgConnection, table: &str, tenant: &TestTenant) -> Vec<String> {
    let query = format!("select t::text from {table} t where tenant_id = $1 order by 1");
    sqlx::query_scalar(AssertSqlSafe(query))
        .bind(tenant.tenant_id.0)
        .fetch_all(conn)
        .await
        .expect("rows")
}

async fn state_of(conn: &mut PgConnection, subject_id: SubjectId) -> (String, bool) {
    sqlx::query_as("select state, wrapped is null from vault.subject_keys where subject_id = $1")
        .bind(subject_id.0)
        .fetch_one(conn)
        .await
        .expect("a key")
}

async fn execute(conn: &mut PgConnection, statement: &'static str, tenant: &TestTenant) {
    let changed = sqlx::query(statement).bind(tenant.tenant_id.0).execute(conn).await;
    assert!(changed.expect(statement).rows_affected() > 0, "{statement}");
}

async fn report(tenant: &TestTenant, conn: &mut PgConnection, call: &str, nth: u32) -> SubjectId {
    let customer =
        json!({ "number": format!("+155501001{nth}"), "name": format!("Exported {nth}") });
    let posted = post_report(tenant, call, &customer).await;
    SubjectId(subject_at(conn, tenant, &posted).await)
}

#[test]
fn every_table_and_column_of_the_vault_is_in_the_export() {
    run(async {
        let own = OwnDatabase::create().await;
        // Every column of the vault, and what else epoch keys seal.
        let found: Vec<(String, String)> = sqlx::query_as(
            r"select n.nspname || '.' || c.relname, a.attname
                from pg_attribute a
                join pg_class c on c.oid = a.attrelid and c.relkind in ('r', 'p')
                join pg_namespace n on n.oid = c.relnamespace
               where a.attnum > 0 and not a.attisdropped
                 and (n.nspname = 'vault' or a.attname ~ '_sealed$')",
        )
        .fetch_all(&mut own.superuser().await)
        .await
        .expect("the catalogue");
        assert!(found.len() > 40, "{found:?}");
        let is_left_out = |table: &str| LEFT_OUT.iter().any(|(name, _)| *name == table);
        let found: BTreeSet<(&str, &str)> = found
            .iter()
            .map(|(table, column)| (table.as_str(), column.as_str()))
            .filter(|(table, _)| !is_left_out(table))
            .collect();
        let exported: BTreeSet<(&str, &str)> = EXPORTED
            .iter()
            .flat_map(|table| table.columns.iter().map(|column| (table.name, *column)))
            .collect();
        let missing: Vec<_> = found.difference(&exported).collect();
        assert!(missing.is_empty(), "add to EXPORTED or LEFT_OUT: {missing:?}");
        let gone: Vec<_> =
            exported.difference(&found).filter(|(table, _)| table.starts_with("vault.")).collect();
        assert!(gone.is_empty(), "not in the database: {gone:?}");
    });
}

#[test]
fn an_export_is_proved_key_by_key_and_every_damage_is_found() {
    run(async {
        let own = OwnDatabase::create().await;
        let mut conn = own.superuser().await;
        let server = own.server().await;
        let tenant = server.tenant().await;
        for nth in 60..70 {
            report(&tenant, &mut conn, &format!("call-{nth}"), nth).await;
        }
        let dir = own.keys.join("exports");
        let store = &server.store;
        let export = store.export_vault(&dir).await.expect("it is written");
        assert_eq!(vault_exports(&dir).expect("a directory"), std::slice::from_ref(&export.path));
        let meta = fs::metadata(&export.path).expect("a file");
        assert_eq!((meta.permissions().mode() & 0o777, meta.len()), (0o600, export.bytes));
        assert_eq!(export.subjects, 10);
        let proof = store.prove_vault_export(&export.path).await.expect("all keys open");
        assert_eq!((proof.opened, proof.destroyed, proof.tenants), (10, 0, 2));
        assert!(proof.secrets >= 1, "{proof:?}");

        // Any altered byte, and any missing end.
        let whole = fs::read(&export.path).expect("a file");
        let damaged = dir.join("damaged");
        for at in (0..whole.len()).step_by(whole.len() / 60) {
            fs::write(&damaged, &whole).expect("a copy");
            let file = fs::File::options().write(true).open(&damaged).expect("a file");
            file.write_at(&[whole[at] ^ 1], at as u64).expect("an altered byte");
            let refused = store.prove_vault_export(&damaged).await.expect_err("it was altered");
            let is_named = matches!(
                refused,
                VaultExportError::Damaged { .. }
                    | VaultExportError::OtherBuild { .. }
                    | VaultExportError::DoesNotOpen { .. }
            );
            assert!(is_named, "byte {at}: {refused}");
            assert!(store.import_vault(&damaged).await.is_err(), "byte {at}");
            fs::write(&damaged, &whole[..at]).expect("a part");
            let refused = store.prove_vault_export(&damaged).await.expect_err("it was cut");
            assert!(matches!(refused, VaultExportError::Damaged { .. }), "cut at {at}: {refused}");
        }

        // A key that was altered in the database, and a key file that is missing.
        execute(
            &mut conn,
            "update vault.subject_keys set wrapped = set_byte(wrapped, 20, get_byte(wrapped, 20) # 1)
              where ctid = (select min(ctid) from vault.subject_keys where tenant_id = $1)",
            &tenant,
        )
        .await;
        let altered = store.export_vault(&dir).await.expect("it is written");
        let refused = store.prove_vault_export(&altered.path).await.expect_err("a key is altered");
        let VaultExportError::DoesNotOpen { failed, first, .. } = &refused else {
            panic!("{refused}")
        };
        assert_eq!(*failed, 1);
        assert!(first.contains(&tenant.tenant_id.to_string()), "{first}");
        let file = own.keys.join(format!("keyring/{}/1.tek", tenant.tenant_id));
        fs::remove_file(&file).expect("it is there");
        let fresh = restoring(&own);
        let refused = fresh.prove_vault_export(&export.path).await.expect_err("no key file");
        assert!(refused.to_string().starts_with("10 of 10 "), "{refused}");
        assert!(refused.to_string().contains("1.tek is missing"), "{refused}");
        fresh.close().await;
        server.stop().await;

        // Two are kept, and what an interrupted export left is removed.
        fs::write(dir.join("vault-2.export.tmp"), "half").expect("a file");
        fs::write(dir.join("vault-20200101T000000.000000Z-0.export"), "old").expect("a file");
        assert_eq!(keep_newest_exports(&dir, 2).expect("a directory"), 1);
        let kept = vault_exports(&dir).expect("a directory");
        assert_eq!(kept, [export.path, altered.path]);
        assert!(!dir.join("vault-2.export.tmp").exists());
    });
}

#[test]
fn an_import_into_an_older_database_destroys_again_and_loses_nothing() {
    run(async {
        let own = OwnDatabase::create().await;
        let mut conn = own.superuser().await;
        let server = own.server().await;
        let tenant = server.tenant().await;
        let erased = report(&tenant, &mut conn, "erased", 60).await;
        let kept = report(&tenant, &mut conn, "kept", 61).await;
        server.stop().await;
        drop(conn);
        let older = copy_of(&own).await;

        // A person of the older database that the export does not have. It is recorded before the
        // journal, which the databases share, has an entry.
        let server = older.server().await;
        let restored = tenant.through(&server);
        let mut conn = older.superuser().await;
        let only_here = report(&restored, &mut conn, "only-here", 63).await;
        let names = rows(&mut conn, "vault.contact_names", &restored).await;
        server.stop().await;

        let mut live = own.superuser().await;
        let server = own.server().await;
        let tenant = tenant.through(&server);
        let dir = own.keys.join("exports");
        let before = server.store.export_vault(&dir).await.expect("it is written");
        let added = report(&tenant, &mut live, "added", 62).await;
        let vault = server.store.vault();
        vault.place_fence(tenant.tenant_id, ERASURE, &[erased]).await.expect("it is fenced");
        let entry = journaled(&server.store, &mut live, tenant.tenant_id, ERASURE, &[erased]).await;
        vault.destroy_keys(&entry).await.expect("it is destroyed");
        let export = server.store.export_vault(&dir).await.expect("it is written");
        let running = restoring(&own);
        let refused = running.import_vault(&export.path).await.expect_err("a server runs");
        assert!(matches!(refused, VaultExportError::InUse { .. }), "{refused}");
        running.close().await;
        server.stop().await;

        let store = restoring(&older);
        let imported = store.import_vault(&export.path).await.expect("it is imported");
        assert_eq!((imported.replaced, imported.kept, imported.unknown), (0, 2, 0));
        assert_eq!((imported.added_keys, imported.changed_keys), (1, 0), "{imported:?}");
        assert_eq!(state_of(&mut conn, erased).await, ("destroyed".into(), true));
        for subject in [kept, added, only_here] {
            assert_eq!(state_of(&mut conn, subject).await, ("active".into(), false));
        }
        assert!(rows(&mut conn, "vault.contact_names", &tenant).await.len() < names.len());
        let again = store.import_vault(&export.path).await.expect("it is repeated");
        assert_eq!((again.added_keys, again.changed_keys), (0, 0));

        // The way back: an export from before the erasure returns no destroyed key.
        let back = store.import_vault(&before.path).await.expect("it is imported");
        assert_eq!((back.added_keys, back.changed_keys), (0, 0));
        assert_eq!(state_of(&mut conn, erased).await, ("destroyed".into(), true));
        store.close().await;
    });
}

#[test]
fn a_tenant_with_a_newer_epoch_takes_over_keys_indexes_and_secrets() {
    run(async {
        let own = OwnDatabase::create().await;
        let mut conn = own.superuser().await;
        let server = own.server().await;
        let (rolled, other) = (server.tenant().await, server.tenant().await);
        report(&rolled, &mut conn, "rolled", 60).await;
        report(&other, &mut conn, "other", 61).await;
        server.stop().await;
        drop(conn);
        let older = copy_of(&own).await;

        // What a roll leaves, as far as the database has it.
        let mut conn = own.superuser().await;
        for statement in [
            "update vault.epochs set state = 'destroyed' where tenant_id = $1",
            "insert into vault.epochs (tenant_id, epoch, check_value, created_at)
             select $1, 2, '\\x02', created_at from vault.epochs where tenant_id = $1",
            "update vault.subject_keys set epoch = 2, wrapped = '\\x02' where tenant_id = $1",
            "update vault.handles set epoch = 2, blind_index = blind_index || '\\x02' where tenant_id = $1",
            "update vault.contact_names set token = token || '\\x02' where tenant_id = $1",
            "update ledger.sources set secret_sealed = '\\x02' where tenant_id = $1",
        ] {
            execute(&mut conn, statement, &rolled).await;
        }
        let store = restoring(&own);
        let export = store.export_vault(&own.keys.join("exports")).await.expect("it is written");
        store.close().await;

        let tables: Vec<&str> = EXPORTED.iter().map(|table| table.name).collect();
        let mut restored = older.superuser().await;
        let mut before = Vec::new();
        for table in &tables {
            before.push(rows(&mut restored, table, &other).await);
        }
        let store = restoring(&older);
        let imported = store.import_vault(&export.path).await.expect("it is imported");
        assert_eq!((imported.replaced, imported.kept), (1, 2), "{imported:?}");
        for (table, before) in tables.iter().zip(before) {
            let wanted = rows(&mut conn, table, &rolled).await;
            let found = rows(&mut restored, table, &rolled).await;
            // Servers read the epochs again, so their change is that of the import.
            assert!(found == wanted || *table == "vault.epochs", "{table}: {found:?} {wanted:?}");
            assert_eq!(rows(&mut restored, table, &other).await, before, "{table}");
        }

        // Another installation's export is refused, and nothing was changed.
        let stranger = OwnDatabase::create().await;
        let server = stranger.server().await;
        server.tenant().await;
        let foreign =
            server.store.export_vault(&stranger.keys.join("exports")).await.expect("it is written");
        server.stop().await;
        let refused = store.import_vault(&foreign.path).await.expect_err("it is another one");
        assert!(matches!(refused, VaultExportError::Foreign { .. }), "{refused}");
        let missing = store.import_vault(Path::new("/nowhere")).await.expect_err("there is none");
        assert!(matches!(missing, VaultExportError::Io { .. }), "{missing}");
        store.close().await;
    });
}
