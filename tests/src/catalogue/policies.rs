//! Row security: each table has exactly the listed policies, each with the listed definition.

use std::collections::BTreeSet;

use sqlx::PgConnection;

use super::expected::{POLICIES, TENANT_CONDITION, WITHOUT_TENANT};
use super::listed_schema;

#[derive(sqlx::FromRow)]
struct Policy {
    schema: String,
    table: String,
    /// Null for a table without policies.
    name: Option<String>,
    is_permissive: Option<bool>,
    shape: Option<String>,
}

/// The definition of a policy in the form of the list: command, roles, `using` and `with check`.
const FOUND: &str = "
select n.nspname::text as schema, c.relname::text as \"table\", p.polname::text as name,
       p.polpermissive as is_permissive,
       format('%s %s %s %s', p.polcmd,
         (select string_agg(case when r = 0 then 'public' else pg_get_userbyid(r) end, ',') from unnest(p.polroles) r),
         coalesce(replace(pg_get_expr(p.polqual, p.polrelid), $1, 'tenant'), '-'),
         coalesce(replace(pg_get_expr(p.polwithcheck, p.polrelid), $1, 'tenant'), '-')) as shape
  from pg_class c
  join pg_namespace n on n.oid = c.relnamespace
  left join pg_policy p on p.polrelid = c.oid
 where c.relkind in ('r', 'p') and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'";

pub(super) async fn findings(conn: &mut PgConnection) -> Vec<String> {
    let policies: Vec<Policy> =
        sqlx::query_as(FOUND).bind(TENANT_CONDITION).fetch_all(conn).await.expect("policies");
    let mut found = Vec::new();
    let mut tables = BTreeSet::new();
    let mut seen = BTreeSet::new();
    for Policy { schema, table, name, is_permissive, shape } in &policies {
        let full = format!("{schema}.{table}");
        if WITHOUT_TENANT.iter().any(|exception| exception.name == full) {
            continue;
        }
        tables.insert((schema, table));
        let Some(name) = name else { continue };
        let (shape, is_permissive) = (shape.as_deref().unwrap_or_default(), *is_permissive);
        match expected_policies(schema, table).find(|(wanted, _)| wanted == name) {
            None => found.push(format!("policy {name} on {full} is not listed ({shape})")),
            Some((_, wanted)) if wanted != shape || is_permissive != Some(true) => {
                found
                    .push(format!("policy {name} on {full} is {shape:?} and should be {wanted:?}"));
            }
            Some(_) => {}
        }
        seen.insert((schema, table, name.as_str()));
    }
    for (schema, table) in tables {
        for (name, _) in expected_policies(schema, table) {
            if !seen.contains(&(schema, table, name)) {
                found.push(format!("{schema}.{table} has no policy {name}"));
            }
        }
    }
    found
}

/// The policies that a table must have, as name and definition.
fn expected_policies(
    schema: &str,
    table: &str,
) -> impl Iterator<Item = (&'static str, &'static str)> {
    let schema = listed_schema(schema);
    let names = ["*".to_owned(), format!("{schema}.*"), format!("{schema}.{table}")];
    let has = move |tables: &str| tables.split(' ').any(|listed| names.iter().any(|n| n == listed));
    POLICIES
        .iter()
        .filter(move |(_, tables, _)| has(tables))
        .map(|(name, _, shape)| (*name, *shape))
}
