//! The catalogue lint finds nothing in the migrated database, and finds each planted mistake.

use ledger_tests::catalogue::findings;
use ledger_tests::{OwnDatabase, run};
use sqlx::{AssertSqlSafe, Connection, Executor};

#[test]
fn the_catalogue_has_only_what_the_rules_allow() {
    run(async {
        let own = OwnDatabase::create().await;
        let mut conn = own.superuser().await;
        assert_eq!(findings(&mut conn).await, Vec::<String>::new());
    });
}

/// A new version of a read model as later migrations create it: needs no line in the lists.
const READ_MODEL: &str = "
    set role ledger_owner;
    create schema analytics_v12;
    comment on schema analytics_v12 is 'A read model.';
    grant usage on schema analytics_v12 to ledger_app, ledger_projector;
    create table analytics_v12.days (tenant_id uuid, day date, calls bigint, primary key (tenant_id, day));
    comment on table analytics_v12.days is 'One row per day.';
    comment on column analytics_v12.days.tenant_id is 'Whose.';
    comment on column analytics_v12.days.day is 'The day.';
    comment on column analytics_v12.days.calls is 'How many.';
    alter table analytics_v12.days enable row level security;
    alter table analytics_v12.days force row level security;
    create policy owner_all on analytics_v12.days to ledger_owner using (true) with check (true);
    create policy projector_all on analytics_v12.days to ledger_projector using (true) with check (true);
    create policy app_tenant on analytics_v12.days to ledger_app using (tenant_id = (select ledger.tenant_in_force()));
    grant select on analytics_v12.days to ledger_app;
    grant select, insert, update, delete on analytics_v12.days to ledger_projector;
    create view read.days with (security_invoker = true) as select * from analytics_v12.days;
    comment on view read.days is 'The active version.';
    grant select on read.days to ledger_app, ledger_projector;
    reset role";

/// Plausible mistakes in a migration, each with the expected findings.
const MISTAKES: &[(&str, &[&str])] = &[
    (
        "alter table ledger.events no force row level security",
        &["row security of ledger.events is not forced"],
    ),
    (
        "alter table vault.handles disable row level security",
        &["row security of vault.handles is not enabled"],
    ),
    (
        "set role ledger_owner; create table ledger.notes (note_id uuid primary key, note jsonb); reset role",
        &[
            "row security of ledger.notes is not enabled",
            "ledger.notes has no column tenant_id uuid not null",
            "key ledger.notes_pkey of ledger.notes does not begin with tenant_id",
            "column ledger.notes.note is jsonb",
            "column ledger.notes.note has no comment",
            "ledger.notes has no comment",
            "ledger.notes has no policy app_tenant",
            "table ledger.notes is not listed",
        ],
    ),
    (
        "create schema extra authorization ledger_owner",
        &["schema extra is not listed", "schema extra has no comment"],
    ),
    (
        "drop policy app_tenant on ledger.sources;
         create policy app_tenant on ledger.sources to ledger_app
                using (tenant_id = nullif(current_setting('ledger.tenant_id', true), '')::uuid)",
        &["policy app_tenant on ledger.sources is"],
    ),
    (
        "drop policy app_tenant on ledger.api_keys",
        &["ledger.api_keys has no policy app_tenant"],
    ),
    (
        "create policy convenience on ledger.events for select to public using (true)",
        &["policy convenience on ledger.events is not listed"],
    ),
    (
        "create policy projector_reads on vault.subject_keys for select to ledger_projector using (true)",
        &["policy projector_reads on vault.subject_keys is not listed"],
    ),
    (
        "alter policy app_tenant on vault.links to ledger_app, ledger_projector",
        &["policy app_tenant on vault.links is"],
    ),
    (
        "create or replace function ledger.tenant_in_force() returns uuid language sql stable parallel safe
         return current_setting('ledger.tenant_id', true)::uuid",
        &["ledger.tenant_in_force() is not what policies rest on"],
    ),
    (
        "alter table calls_v2.calls add constraint calls_provider unique (provider_call_id)",
        &["key calls_v2.calls_provider of calls_v2.calls does not begin with tenant_id"],
    ),
    (
        "create unique index events_hash on ledger.events (leaf_hash, tenant_id)",
        &["key ledger.events_hash of ledger.events does not begin with tenant_id"],
    ),
    (
        "create index events_type on ledger.events (event_type)",
        &["index ledger.events_type of ledger.events does not begin with tenant_id"],
    ),
    (
        "alter table ledger.sources add foreign key (tenant_id) references ledger.tenants",
        &["foreign key sources_tenant_id_fkey of ledger.sources points at the locked row"],
    ),
    (
        "alter table vault.handles add column generation int;
         comment on column vault.handles.generation is 'Which.';
         alter table vault.handles add constraint handles_key foreign key (handle_id, tenant_id, generation)
           references vault.subject_keys (subject_id, tenant_id, generation)",
        // PostgreSQL matches columns by name, so the primary key is found.
        &["foreign key handles_key of vault.handles does not begin with tenant_id on both sides"],
    ),
    (
        "create or replace view read.calls as select * from calls_v2.calls;
         alter view read.calls reset (security_invoker)",
        &["view read.calls does not run as its reader"],
    ),
    (
        "create materialized view read.totals as select tenant_id, count(*) from calls_v2.calls group by 1",
        &["read.totals is a materialised view", "read.totals belongs to"],
    ),
    (
        "set role ledger_owner;
         create function ledger.peek() returns bigint language sql security definer
           return (select count(*) from ledger.events);
         reset role",
        &[
            "function ledger.peek() runs with its owner's rights and is not listed",
            "function ledger.peek() runs with its owner's rights and has no fixed search_path",
            "function ledger.peek() runs with its owner's rights and may be executed by everybody",
            "ledger.peek() has no comment",
        ],
    ),
    (
        "alter function ledger.find_source(uuid) owner to current_user",
        &[
            "function ledger.find_source(uuid) runs with its owner's rights and its owner passes row security by",
            "ledger.find_source(uuid) belongs to",
        ],
    ),
    (
        "alter function ledger.find_source(uuid) set search_path = public, pg_catalog",
        &["function ledger.find_source(uuid) runs with its owner's rights and has no fixed search_path"],
    ),
    (
        "grant execute on function ledger.find_source(uuid) to public",
        &[
            "function ledger.find_source(uuid) runs with its owner's rights and may be executed by everybody",
            "public may execute on function ledger.find_source, which is not listed",
        ],
    ),
    ("alter role ledger_app bypassrls", &["role ledger_app passes row security by"]),
    ("alter role ledger_projector login", &["role ledger_projector can log in"]),
    ("create role ledger_support superuser", &["role ledger_support is a superuser", "role ledger_support is not listed"]),
    ("grant ledger_owner to ledger_app", &["role ledger_app is a member of ledger_owner"]),
    ("grant pg_read_all_data to ledger_projector", &["role ledger_projector is a member of pg_read_all_data"]),
    ("alter role ledger_app set row_security = off", &["role ledger_app has a setting of its own: row_security=off"]),
    ("grant insert on ledger.events to ledger_app", &["ledger_app may insert on table ledger.events, which is not listed"]),
    ("grant update (state) on ledger.tenants to ledger_app", &["ledger_app may update(state) on table ledger.tenants, which is not listed"]),
    ("grant truncate, references on calls_v2.calls to ledger_projector", &[
        "ledger_projector may truncate on table calls_v2.calls, which is not listed",
        "ledger_projector may references on table calls_v2.calls, which is not listed",
    ]),
    ("grant select on vault.subject_keys to public", &["public may select on table vault.subject_keys, which is not listed"]),
    ("grant select on read.calls to ledger_app with grant option", &["ledger_app may pass on select on view read.calls"]),
    ("revoke select on ledger.events from ledger_projector", &["ledger_projector may not select on table ledger.events, which is listed"]),
    ("grant create on schema public to public", &["public may create on schema public, which is not listed"]),
    ("grant usage on schema vault to ledger_projector", &["ledger_projector may usage on schema vault, which is not listed"]),
    (
        "alter default privileges for role ledger_owner in schema ledger grant select on tables to public",
        &["what ledger_owner makes in ledger is open to others"],
    ),
    (
        "create sequence ledger.numbers",
        &["ledger.numbers is a sequence", "sequence ledger.numbers is not listed"],
    ),
    (
        "alter table ledger.quarantine add column nth bigint generated always as identity",
        &["ledger.quarantine_nth_seq is a sequence"],
    ),
    (
        "alter table ledger.events enable trigger immutable",
        &["the log can be changed: trigger immutable on ledger.events is not enabled always"],
    ),
    (
        "drop trigger immutable on ledger.events;
         create trigger immutable before update or delete on ledger.events
            for each row execute function ledger.refuse_change();
         alter table ledger.events enable always trigger immutable",
        &["the log can be changed: trigger immutable on ledger.events is not before each"],
    ),
    (
        "create or replace function ledger.refuse_change() returns trigger language plpgsql as
         $$ begin return null; end $$",
        &["the log can be changed: ledger.refuse_change() refuses nothing"],
    ),
    (
        "create rule quiet as on insert to ledger.quarantine do instead nothing",
        &["rule quiet on ledger.quarantine rewrites statements"],
    ),
    (
        "comment on column vault.subject_keys.wrapped is null",
        &["column vault.subject_keys.wrapped has no comment"],
    ),
    ("alter table vault.links set unlogged", &["vault.links does not survive a crash"]),
    ("alter table ledger.sources owner to current_user", &["ledger.sources belongs to"]),
    ("alter table calls_v2.calls add column mark real", &["column calls_v2.calls.mark is real"]),
    ("drop table ledger.quarantine", &["table ledger.quarantine is listed and is not there"]),
];

#[test]
fn every_planted_mistake_is_found_and_named() {
    run(async {
        let own = OwnDatabase::create().await;
        let mut conn = own.superuser().await;
        for (mistake, expected) in MISTAKES {
            let mut tx = conn.begin().await.expect("a transaction");
            tx.execute(AssertSqlSafe(*mistake)).await.unwrap_or_else(|e| panic!("{mistake}: {e}"));
            let found = findings(&mut tx).await;
            tx.rollback().await.expect("a rollback");
            for sentence in *expected {
                let is_said = found.iter().any(|finding| finding.starts_with(sentence));
                assert!(is_said, "{mistake}\nshould be told as: {sentence}\nbut: {found:#?}");
            }
        }
        assert_eq!(findings(&mut conn).await, Vec::<String>::new(), "each was rolled back");
    });
}

#[test]
fn a_new_version_of_a_read_model_needs_no_line_in_the_lists() {
    run(async {
        let own = OwnDatabase::create().await;
        let mut conn = own.superuser().await;
        let mut tx = conn.begin().await.expect("a transaction");
        tx.execute(READ_MODEL).await.expect("a read model");
        assert_eq!(findings(&mut tx).await, Vec::<String>::new());
        tx.execute("revoke delete on analytics_v12.days from ledger_projector")
            .await
            .expect("done");
        let missing =
            "ledger_projector may not delete on table analytics_v12.days, which is listed";
        assert_eq!(findings(&mut tx).await, [missing]);
        tx.rollback().await.expect("a rollback");
    });
}
