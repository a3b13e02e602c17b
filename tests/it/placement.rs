//! Statements and placements: every checked statement fixes one tenant, or is listed with the reason
//! why it does not. Listed statements are those that a second database has to repeat or divide.

use std::collections::BTreeSet;
use std::path::Path;

use ledger_tests::{cluster, run};

/// The tenants are parameters: the caller passes tenants of one placement.
const BATCH: &str = "a batch of the tenants of one placement";
/// Runs once per placement.
const EACH: &str = "looks at every tenant of a placement";
/// Runs before a tenant is known, or about all of them.
const INSTALLATION: &str = "belongs to the installation";

/// The start of each statement that does not fix one tenant, and the reason.
const ACROSS_TENANTS: &[(&str, &str)] = &[
    // Live cycles write all tenants together (docs/decisions/0025-cost-of-a-webhook.md).
    ("select k.tenant_id as \"tenant_id!\", k.call_id as \"call_id!\", c.state", BATCH),
    ("select row_to_json(b)::text as \"booking!\" from unnest", BATCH),
    ("insert into call_appointments select * from json_populate_recordset", BATCH),
    ("update calls c set is_booked = r.is_booked", BATCH),
    ("update carrier_calls c set is_booked = r.is_booked", BATCH),
    ("insert into call_tags (tenant_id, tag", BATCH),
    ("delete from call_tags where ctid = any", BATCH),
    ("delete from call_handles where ctid = any", BATCH),
    ("insert into call_handles (tenant_id, handle_id", BATCH),
    ("delete from call_carriers where ctid = any", BATCH),
    ("insert into call_carriers (tenant_id, carrier_call_id", BATCH),
    ("select n.tenant_id as \"tenant_id!\", n.call_id", BATCH),
    ("delete from carrier_calls where ctid = any", BATCH),
    ("insert into carrier_calls select * from json_populate_recordset", BATCH),
    ("with moved as ( delete from calls where ctid = any", BATCH),
    ("with moved as ( delete from carrier_calls where ctid = any", BATCH),
    ("delete from callers where ctid = any", BATCH),
    ("insert into contact_calls (tenant_id, contact_id", BATCH),
    ("delete from contact_calls s using unnest", BATCH),
    ("select k.tenant_id as \"tenant_id!\", c.contact_id as", BATCH),
    ("insert into contacts select * from json_populate_recordset", BATCH),
    (
        "select c.tenant_id, c.projection, c.version, c.position, c.halted, coalesce(t.sums_timezone",
        BATCH,
    ),
    ("select r.tenant_id, r.cut, r.grain", BATCH),
    ("update projection.checkpoints c set position = m.to_position", BATCH),
    ("select p.tenant_id as \"tenant_id!\", p.projection as \"projection!\", p.position", BATCH),
    ("delete from call_tools where ctid = any", BATCH),
    ("select tenant_id as \"tenant_id!\", projection as \"projection!\", version, key", BATCH),
    ("update caller_handles h set is_shared = false", BATCH),
    ("insert into call_rollups select * from json_populate_recordset", BATCH),
    (
        "with added as materialized ( select * from unnest($1::uuid[], $2::uuid[], $3::uuid[])",
        BATCH,
    ),
    ("delete from caller_handles h using unnest", BATCH),
    ("delete from call_rollups s using unnest", BATCH),
    ("insert into calls select * from json_populate_recordset", BATCH),
    ("select k.tenant_id as \"tenant_id!\", a.appointment_id as", BATCH),
    ("insert into appointments select * from json_populate_recordset", BATCH),
    ("select k.tenant_id as \"tenant_id!\", t.task_id as", BATCH),
    ("select k.tenant_id as \"tenant_id!\", o.appointment_id as", BATCH),
    ("insert into tasks select * from json_populate_recordset", BATCH),
    ("insert into open_appointments select * from json_populate_recordset", BATCH),
    ("insert into reminders select * from json_populate_recordset", BATCH),
    ("delete from reminders r using unnest", BATCH),
    ("delete from open_appointments o using unnest", BATCH),
    ("select row_to_json(r)::text as \"erasure!\" from unnest", BATCH),
    ("insert into erasures select * from json_populate_recordset", BATCH),
    ("insert into call_tools (tenant_id, call_id, tool", BATCH),
    ("insert into callers (tenant_id, is_test, person_id", BATCH),
    ("insert into usage (tenant_id, month, event_type, events) select", BATCH),
    // The sweep, and operators' commands.
    ("insert into projection.checkpoints (tenant_id, projection, version) select", EACH),
    ("select c.tenant_id as \"tenant_id!\" from projection.versions v", EACH),
    ("select projection, tenant_id, position, halted as", EACH),
    ("select o.tenant_id as \"tenant_id!\", o.subject_id as", EACH),
    ("with gone as ( delete from projection.versions", EACH),
    ("select count(*) as \"held!\" from ( select from projection.checkpoints", EACH),
    ("select tenant_id, epoch, check_value from vault.epochs", EACH),
    ("select tenant_id, epoch from vault.epochs where state", EACH),
    ("select exists (select from vault.epochs)", INSTALLATION),
    ("select min(e.created_at) from vault.epochs e", EACH),
    ("select e.tenant_id from vault.epochs e", EACH),
    ("select exists (select from ledger.certificates)", INSTALLATION),
    ("select t.tenant_id, t.slug, t.name", INSTALLATION),
    ("select exists (select from ledger.tenants where slug", INSTALLATION),
    // The routes of one id at a source of the installation, of all tenants.
    ("select tenant_id, route_id, valid_from, valid_until from ledger.source_routes", INSTALLATION),
];

/// Functions that a statement calls without one tenant, and the reason.
const FUNCTIONS_ACROSS_TENANTS: &[(&str, &str)] = &[
    ("ledger.append", BATCH),
    ("ledger.free_tenants", BATCH),
    ("ledger.add_source_counts", BATCH),
    ("vault.find_people", BATCH),
    ("vault.find_keys", BATCH),
    ("vault.add_persons", BATCH),
    ("vault.look", EACH),
    ("vault.processes_behind", EACH),
    ("vault.journal_state", INSTALLATION),
    ("vault.list_applied_entries", INSTALLATION),
    ("ledger.find_source", INSTALLATION),
    ("ledger.find_routes_at", INSTALLATION),
];

/// A statement as words: names with their schema, parameters, and signs.
fn words(sql: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut word = String::new();
    for char in sql
        .lines()
        .map(|line| line.split("--").next().unwrap_or(line))
        .flat_map(|line| line.chars().chain(std::iter::once(' ')))
    {
        if char.is_alphanumeric() || matches!(char, '_' | '.' | '$') {
            word.extend(char.to_lowercase());
            continue;
        }
        words.extend((!word.is_empty()).then(|| std::mem::take(&mut word)));
        words.extend((!char.is_whitespace()).then(|| char.to_string()));
    }
    words.extend((!word.is_empty()).then_some(word));
    words
}

/// Whether a statement names no table of tenants, or fixes the tenant of each by a parameter or by
/// another table's tenant.
fn fixes_a_tenant(words: &[String], tables: &BTreeSet<String>) -> bool {
    let at = |nth: usize| words.get(nth).map_or("", String::as_str);
    let (mut named, mut fixed, mut is_parameter) = (0, 0, false);
    for nth in 0..words.len() {
        if matches!(at(nth), "from" | "join" | "update" | "into" | "using") {
            let table = if at(nth + 1) == "only" { nth + 2 } else { nth + 1 };
            named += usize::from(tables.contains(at(table)));
            // `insert into table (tenant_id, …) values ($1, …)`, or `select $1, …`.
            let columns = if at(table + 1) == "as" { table + 3 } else { table + 1 };
            if at(nth) == "into" && at(columns) == "(" && at(columns + 1) == "tenant_id" {
                fixed += 1;
                is_parameter |= words.windows(3).any(|three| three == ["values", "(", "$1"]);
                is_parameter |= words.windows(2).any(|two| two == ["select", "$1"]);
            }
        }
        let is_key = at(nth) == "tenant_id" || at(nth).ends_with(".tenant_id");
        if is_key && at(nth + 1) == "=" {
            let value = at(nth + 2);
            is_parameter |= value.starts_with('$');
            fixed += usize::from(value.starts_with('$') || value.ends_with(".tenant_id"));
        }
    }
    named == 0 || is_parameter && fixed >= named
}

/// Tables and views with a tenant, with their schema; those of read models without it, as projectors
/// name them.
async fn tables() -> BTreeSet<String> {
    let names: Vec<String> = sqlx::query_scalar(
        r"select case when n.nspname ~ '_v[0-9]+$' then c.relname::text
                      else format('%s.%s', n.nspname, c.relname) end
            from pg_attribute a
            join pg_class c on c.oid = a.attrelid and c.relkind in ('r', 'p', 'v')
            join pg_namespace n on n.oid = c.relnamespace
           where a.attname = 'tenant_id' and not a.attisdropped
             -- Versions are rows of the installation, not of a tenant.
             and format('%s.%s', n.nspname, c.relname) <> 'projection.versions'",
    )
    .fetch_all(&mut cluster::superuser().await)
    .await
    .expect("the catalogue");
    names.into_iter().collect()
}

/// The checked statements of this build, with single spaces.
fn statements() -> Vec<String> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.sqlx");
    let read = |entry: std::io::Result<std::fs::DirEntry>| {
        let text = std::fs::read_to_string(entry.expect("an entry").path()).expect("a file");
        let one: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        one["query"].as_str().expect("a statement").split_whitespace().collect::<Vec<_>>().join(" ")
    };
    std::fs::read_dir(dir).expect("the checked statements").map(read).collect()
}

#[test]
fn every_statement_fixes_one_tenant_or_is_listed_with_its_reason() {
    run(async {
        let tables = tables().await;
        assert!(tables.contains("ledger.events") && tables.contains("calls"), "{tables:?}");
        let statements = statements();
        let (mut unlisted, mut listed) = (Vec::new(), BTreeSet::new());
        for sql in &statements {
            if fixes_a_tenant(&words(sql), &tables) {
                continue;
            }
            match ACROSS_TENANTS.iter().find(|(start, _)| sql.starts_with(start)) {
                Some((start, _)) => drop(listed.insert(*start)),
                None => unlisted.push(sql.as_str()),
            }
        }
        assert!(unlisted.is_empty(), "no tenant is fixed:\n{}", unlisted.join("\n\n"));
        for (start, reason) in ACROSS_TENANTS {
            assert!(listed.contains(start), "listed ({reason}) and not needed: {start}");
        }
    });
}

#[test]
fn every_function_without_one_tenant_is_listed_with_its_reason() {
    run(async {
        // A function with a parameter `tenant_id` or `p_tenant_id` of one tenant fixes it.
        let across: Vec<String> = sqlx::query_scalar(
            r"select distinct format('%s.%s', n.nspname, p.proname)
                from pg_proc p join pg_namespace n on n.oid = p.pronamespace
               where n.nspname in ('ledger', 'vault')
                 and p.prorettype <> 'trigger'::regtype
                 and not exists (
                   select from unnest(p.proargnames, p.proargtypes::oid[]) as a (name, type)
                    where a.name in ('tenant_id', 'p_tenant_id', 'p_tenant')
                      and a.type = 'uuid'::regtype)",
        )
        .fetch_all(&mut cluster::superuser().await)
        .await
        .expect("the catalogue");
        let called: BTreeSet<String> = statements()
            .iter()
            .flat_map(|sql| words(sql))
            .filter(|word| across.contains(word))
            .collect();
        let listed: BTreeSet<String> =
            FUNCTIONS_ACROSS_TENANTS.iter().map(|(name, _)| (*name).to_owned()).collect();
        assert_eq!(called, listed);
    });
}

#[test]
fn a_statement_without_a_tenant_is_found_in_every_form() {
    let tables = ["ledger.events", "ledger.sources", "calls"].map(str::to_owned).into();
    for (sql, fixes) in [
        ("select 1 from ledger.events where tenant_id = $1", true),
        (
            "select 1 from ledger.events e join calls c on c.tenant_id = e.tenant_id
           where e.tenant_id = $2",
            true,
        ),
        ("insert into calls (tenant_id, call_id) values ($1, $2)", true),
        ("insert into calls as c (tenant_id, call_id) values ($1, $2)", true),
        ("insert into calls (tenant_id, call_id) select $1, * from unnest($2::uuid[])", true),
        (
            "insert into calls (tenant_id, call_id) select * from unnest($1::uuid[], $2::uuid[])",
            false,
        ),
        ("select 1 from pg_class", true),
        ("select 1 from ledger.events where event_id = $1", false),
        ("select 1 from ledger.events e join calls c on true where e.tenant_id = $1", false),
        ("select 1 from ledger.events where tenant_id = any ($1)", false),
        ("delete from calls c using ledger.events e where c.tenant_id = e.tenant_id", false),
        ("update ledger.sources set name = $1 -- where tenant_id = $2", false),
        ("select 1 from only ledger.events", false),
    ] {
        assert_eq!(fixes_a_tenant(&words(sql), &tables), fixes, "{sql}");
    }
}
