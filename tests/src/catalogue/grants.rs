//! Grants: compares the rights on every schema, table, column, function and on the database with
//! the list.

use std::collections::BTreeSet;

use sqlx::PgConnection;

use super::expected::GRANTS;
use super::listed_schema;

/// One right of a role other than the owner; the last three fields are null for an object without
/// any.
#[derive(sqlx::FromRow)]
struct Granted {
    kind: String,
    schema: String,
    name: String,
    grantee: Option<String>,
    privilege: Option<String>,
    is_grantable: Option<bool>,
}

impl Granted {
    fn object(&self) -> String {
        match self.kind.as_str() {
            "database" => "database".into(),
            "schema" => format!("schema {}", self.schema),
            kind => format!("{kind} {}.{}", self.schema, self.name),
        }
    }

    /// The entry of the list for this object; an entry for the whole schema applies as well.
    fn listed(&self) -> Option<&'static str> {
        let schema = listed_schema(&self.schema);
        let names = match self.kind.as_str() {
            "database" => ["database".into(), String::new()],
            "schema" => [format!("schema {schema}"), String::new()],
            kind => [format!("{kind} {schema}.{}", self.name), format!("{kind} {schema}.*")],
        };
        names.iter().find_map(|name| {
            GRANTS.iter().find(|(object, _)| object == name).map(|(_, granted)| *granted)
        })
    }
}

/// Objects without an access list have PostgreSQL's default rights: everything for the owner, and
/// for all roles to execute functions, to connect and to create temporary tables.
const GRANTED: &str = "
with ours as (
  select * from pg_namespace where nspname !~ '^pg_' and nspname <> 'information_schema'
), objects (kind, schema, name, owner, acl) as (
  select 'database', '', '', datdba, coalesce(datacl, acldefault('d', datdba))
    from pg_database where datname = current_database()
   union all
  select 'schema', nspname, '', nspowner, coalesce(nspacl, acldefault('n', nspowner)) from ours
   union all
  select case when c.relkind in ('v', 'm') then 'view' when c.relkind = 'S' then 'sequence' else 'table' end,
         n.nspname, c.relname, c.relowner,
         coalesce(c.relacl, acldefault(case c.relkind when 'S' then 's' else 'r' end::\"char\", c.relowner))
    from pg_class c join ours n on n.oid = c.relnamespace
   where c.relkind in ('r', 'p', 'v', 'm', 'f', 'S')
   union all
  select 'function', n.nspname, p.proname, p.proowner, coalesce(p.proacl, acldefault('f', p.proowner))
    from pg_proc p join ours n on n.oid = p.pronamespace
), grants as (
  select o.*, a.grantee, lower(a.privilege_type) as privilege, a.is_grantable
    from objects o left join lateral aclexplode(o.acl) a on a.grantee <> o.owner
   union all
  select 'table', n.nspname, c.relname, c.relowner, null, a.grantee,
         lower(a.privilege_type) || '(' || t.attname || ')', a.is_grantable
    from pg_attribute t
    join pg_class c on c.oid = t.attrelid
    join ours n on n.oid = c.relnamespace
   cross join lateral aclexplode(t.attacl) a
   where t.attacl is not null
)
select kind::text, schema::text, name::text,
       case when grantee = 0 then 'public' else pg_get_userbyid(grantee) end::text as grantee,
       privilege::text, is_grantable
  from grants";

pub(super) async fn findings(conn: &mut PgConnection) -> Vec<String> {
    let all: Vec<Granted> = sqlx::query_as(GRANTED).fetch_all(&mut *conn).await.expect("rights");
    let mut found = BTreeSet::new();
    let mut objects = BTreeSet::new();
    let mut actual = BTreeSet::new();
    for one in &all {
        let object = one.object();
        let Some(listed) = one.listed() else {
            found.insert(format!(
                "{object} is not listed: say in expected.rs which roles may use it"
            ));
            continue;
        };
        objects.insert((object.clone(), listed));
        let (Some(grantee), Some(privilege)) = (&one.grantee, &one.privilege) else { continue };
        actual.insert((object.clone(), grantee.clone(), privilege.clone()));
        if one.is_grantable == Some(true) {
            found.insert(format!("{grantee} may pass on {privilege} on {object}"));
        }
    }
    let wanted: BTreeSet<_> = objects
        .iter()
        .flat_map(|(object, listed)| {
            rights(listed).into_iter().map(|(role, right)| (object.clone(), role, right))
        })
        .collect();
    for (object, role, right) in actual.difference(&wanted) {
        found.insert(format!("{role} may {right} on {object}, which is not listed"));
    }
    for (object, role, right) in wanted.difference(&actual) {
        found.insert(format!("{role} may not {right} on {object}, which is listed"));
    }
    for (object, _) in GRANTS.iter().filter(|(object, _)| !object.contains(['*', '{'])) {
        if !objects.iter().any(|(there, _)| there == object) {
            found.insert(format!("{object} is listed and is not there"));
        }
    }
    found.into_iter().collect()
}

/// Parses an entry of the list into pairs of role and right.
fn rights(listed: &str) -> Vec<(String, String)> {
    let of_one = |one: &str| {
        let (role, right) = one.split_once(':').expect("a role, a colon, rights");
        let role = role.trim().to_owned();
        let each = right.split_whitespace().map(|right| (role.clone(), right.to_owned()));
        each.collect::<Vec<_>>()
    };
    listed.split(';').filter(|one| !one.trim().is_empty()).flat_map(of_one).collect()
}
