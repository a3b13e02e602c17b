//! Migration of a vault from before handles: subjects stay, and filters still find their calls.

use ledger_core::identity::{Handle, PersonIdentifiers};
use ledger_core::ids::{StreamId, SubjectId};
use ledger_store::MIGRATOR;
use ledger_tests::{OwnDatabase, messages, run};
use serde_json::json;
use sqlx::{AssertSqlSafe, Executor};
use uuid::Uuid;

use super::found;

/// The last migration before handles.
const BEFORE: i64 = 10;
/// A later migration that changes the same tables.
const NAMES: i64 = 28;
/// A later migration that adds columns to them.
const EPOCHS: i64 = 34;

/// Restores the old form of the vault: one subject per look-up, with the existing indexes.
const OLD_FORM: &str = "
    set role ledger_owner;
    create table vault.lookups (
      tenant_id uuid, kind text, blind_index bytea, subject_id uuid, epoch int, created_at timestamptz,
      primary key (tenant_id, kind, blind_index));
    insert into vault.lookups
    select h.tenant_id, h.kind, h.blind_index, x.contact_id, h.epoch, h.created_at
      from vault.handles h
      join vault.contact_handles x on x.tenant_id = h.tenant_id and x.handle_id = h.handle_id
        on conflict do nothing;
    insert into vault.lookups
    select tenant_id, 'call', blind_index, subject_id, epoch, created_at from vault.call_subjects;
    drop table vault.contact_names, vault.handles, vault.contacts, vault.contact_handles,
               vault.call_subjects;
    reset role;";

#[test]
fn a_vault_from_before_handles_keeps_its_subjects_and_their_calls() {
    run(async {
        let own = OwnDatabase::create().await;
        let first = own.server().await;
        let tenant = first.tenant().await;
        let anna = json!({ "number": "+15550100100", "email": "anna@example.com" });
        for (call, customer) in [("one", &anna), ("two", &json!({ "number": "+15550100101" }))] {
            let body = messages::from(messages::report(call), customer);
            tenant.post_ok(body.to_string()).await;
        }
        tenant.post_ok(messages::report("nobody").to_string()).await;
        let mut conn = own.superuser().await;
        let subjects = "select subject_id from vault.subject_keys order by 1";
        let before: Vec<Uuid> =
            sqlx::query_scalar(subjects).fetch_all(&mut conn).await.expect("keys");
        first.stop().await;

        conn.execute(AssertSqlSafe(OLD_FORM)).await.expect("the old form");
        // Old events hold no reference to a person.
        conn.execute("alter table ledger.events disable trigger immutable").await.expect("off");
        let stripped = "update ledger.events set facts = (facts::jsonb - 'person')::json
                         where stream_kind = 'call'";
        conn.execute(stripped).await.expect("old facts");
        conn.execute("alter table ledger.events enable always trigger immutable")
            .await
            .expect("on");
        let script = MIGRATOR.iter().find(|one| one.version == BEFORE + 1).expect("this migration");
        let vault = script.sql.as_str().split("-- The read model").next().expect("a first part");
        conn.execute(AssertSqlSafe(vault.to_owned())).await.expect("the migration applies");
        let script = MIGRATOR.iter().find(|one| one.version == NAMES).expect("this migration");
        let names = script.sql.as_str().split("-- A merge links").next().expect("a first part");
        conn.execute(AssertSqlSafe(names.to_owned())).await.expect("the later migration applies");
        let script = MIGRATOR.iter().find(|one| one.version == EPOCHS).expect("this migration");
        let columns = script.sql.as_str().split("-- The epochs of names.").nth(1);
        let columns = columns.and_then(|rest| rest.split("-- Look-ups").next());
        let columns = columns.expect("a part about columns").to_owned();
        conn.execute(AssertSqlSafe(columns)).await.expect("the columns are added");
        conn.execute(
            "reset role; delete from projection.checkpoints; truncate calls_v2.calls, \
                      calls_v2.call_tools, calls_v2.callers, calls_v2.caller_handles, calls_v2.call_rollups, \
                      calls_v2.carrier_calls, calls_v2.call_carriers, calls_v2.call_handles, \
                      calls_v2.call_appointments, calls_v2.call_tags, calls_v2.contact_calls, \
                      contacts_v1.contacts",
        )
        .await
        .expect("the read model is folded anew");

        let second = own.server().await;
        let tenant = tenant.through(&second);
        tenant.settle().await;
        let after: Vec<Uuid> =
            sqlx::query_scalar(subjects).fetch_all(&mut conn).await.expect("keys");
        assert_eq!(after, before);
        assert_eq!(found(&tenant, "phone=%2B15550100100").await, ["one"]);
        assert_eq!(found(&tenant, "email=anna@example.com").await, ["one"]);
        let old = super::contact(&tenant, "one").await;
        assert!(old.is_string() && super::contact(&tenant, "nobody").await.is_null());

        // Known people stay known, and a call without a person stays without one.
        super::call(&tenant, "three", &json!({ "number": "+15550100100" })).await;
        let late = messages::status("nobody", "ended").to_string();
        tenant.post_ok(late).await;
        tenant.settle().await;
        assert_eq!(super::contact(&tenant, "three").await, old);
        assert_eq!(found(&tenant, "phone=%2B15550100100").await, ["one", "three"]);
        let after: Vec<Uuid> =
            sqlx::query_scalar(subjects).fetch_all(&mut conn).await.expect("keys");
        assert_eq!(after, before, "nobody new");
        let phone = Handle::phone("+15550100100", None);
        let found = tenant.store.vault().find(tenant.tenant_id, &phone).await.expect("the vault");
        assert_eq!(found.contacts.len(), 1);
        assert_eq!(json!(found.contacts[0].0), old);
        second.stop().await;
    });
}

#[test]
fn a_shared_number_matches_every_contact_that_has_it() {
    run(async {
        let tenant = ledger_tests::TestLedger::shared().await.tenant().await;
        let vault = tenant.store.vault();
        let phone = Handle::phone("+15550100100", None);
        let identifiers = |name: &str| PersonIdentifiers {
            handles: vec![phone.clone()],
            name: Some(name.to_owned()),
        };
        let mut subjects: Vec<SubjectId> = Vec::new();
        for name in ["anna", "ben", "carla", "anna"] {
            let stream = StreamId(tenant.store.ids().random());
            let resolved = vault.resolve(tenant.tenant_id, stream, identifiers(name)).await;
            subjects.push(resolved.expect("the vault").subject.subject_id);
        }
        assert_eq!(subjects[3], subjects[0]);
        let found = vault.find(tenant.tenant_id, &phone).await.expect("the vault");
        assert_eq!(found.contacts, subjects[..3]);
    });
}
