//! Rules as queries for violations. Each query returns one sentence per violation; the names in
//! `exceptions` are exempt.

use super::expected::{
    DEFINERS, EXTENSIONS, Exception, INDEXES_ACROSS_TENANTS, KEYS_ACROSS_TENANTS, NONE, ROLES,
    TRIGGERS, WITHOUT_TENANT,
};

/// All rules except grants and policies, each with its list of exceptions.
pub(super) const RULES: &[(&str, &[Exception])] = &[
    (ROW_SECURITY, WITHOUT_TENANT),
    (TENANT_COLUMN, WITHOUT_TENANT),
    (KINDS_OF_RELATIONS, NONE),
    (OWNERS, WITHOUT_TENANT),
    (UNIQUE_KEYS, KEYS_ACROSS_TENANTS),
    (OTHER_INDEXES, INDEXES_ACROSS_TENANTS),
    (FOREIGN_KEYS, NONE),
    (COLUMN_TYPES, WITHOUT_TENANT),
    (DEFINER_FUNCTIONS, DEFINERS),
    (TENANT_IN_FORCE, NONE),
    (TRIGGERS_IN_FORCE, TRIGGERS),
    (IMMUTABILITY, NONE),
    (COMMENTS, WITHOUT_TENANT),
    (ROLE_POWERS, ROLES),
    (MEMBERSHIPS, ROLES),
    (ROLE_SETTINGS, ROLES),
    (DEFAULT_PRIVILEGES, NONE),
    (ADDITIONS, EXTENSIONS),
];

const ROW_SECURITY: &str = "
select format('row security of %I.%I is not %s', n.nspname, c.relname,
              case when c.relrowsecurity then 'forced' else 'enabled' end)
  from pg_class c join ours n on n.oid = c.relnamespace
 where c.relkind in ('r', 'p') and not (c.relrowsecurity and c.relforcerowsecurity)
   and format('%I.%I', n.nspname, c.relname) not in (select name from exceptions)";

const TENANT_COLUMN: &str = "
select format('%I.%I has no column tenant_id uuid not null', n.nspname, c.relname)
  from pg_class c join ours n on n.oid = c.relnamespace
 where c.relkind in ('r', 'p', 'v')
   and format('%I.%I', n.nspname, c.relname) not in (select name from exceptions)
   and not exists (
     select from pg_attribute a
      where a.attrelid = c.oid and a.attname = 'tenant_id' and a.atttypid = 'uuid'::regtype
        and (a.attnotnull or c.relkind = 'v'))";

/// Materialised views and foreign tables have no row security, and unlogged tables lose rows in a
/// crash. Sequences leave gaps and reveal the activity of other tenants.
const KINDS_OF_RELATIONS: &str = "
select case
         when c.relkind = 'v' then format('view %I.%I does not run as its reader (security_invoker)', n.nspname, c.relname)
         when c.relkind = 'm' then format('%I.%I is a materialised view: no row security', n.nspname, c.relname)
         when c.relkind = 'f' then format('%I.%I is a foreign table', n.nspname, c.relname)
         when c.relkind = 'S' then format('%I.%I is a sequence: it skips, and one tenant sees how busy others are', n.nspname, c.relname)
         else format('%I.%I does not survive a crash (not a logged table)', n.nspname, c.relname)
       end
  from pg_class c join ours n on n.oid = c.relnamespace
 where c.relkind in ('m', 'f', 'S')
    or c.relkind = 'v' and not coalesce('security_invoker=true' = any (c.reloptions), false)
    or c.relkind in ('r', 'p') and c.relpersistence <> 'p'";

const OWNERS: &str = "
select format('%s belongs to %s and not to ledger_owner', o.name, pg_get_userbyid(o.owner))
  from (select format('%I.%I', n.nspname, c.relname), c.relowner
          from pg_class c join ours n on n.oid = c.relnamespace
         where c.relkind not in ('i', 'I', 't')
           and not exists (select from exceptions e
                            where e.name in (format('%I.%I', n.nspname, c.relname)))
         union all
        select p.oid::regprocedure::text, p.proowner from pg_proc p join ours n on n.oid = p.pronamespace
         union all
        select format('schema %I', nspname), s.nspowner from ours join pg_namespace s using (oid, nspname)
         where nspname <> 'public') as o (name, owner)
 where pg_get_userbyid(o.owner) <> 'ledger_owner'";

const UNIQUE_KEYS: &str = "
select format('key %I.%I of %s does not begin with tenant_id', n.nspname, i.relname, x.indrelid::regclass)
  from pg_index x
  join pg_class i on i.oid = x.indexrelid
  join ours n on n.oid = i.relnamespace
  left join pg_attribute a on a.attrelid = x.indrelid and a.attnum = x.indkey[0]
 where (x.indisunique or x.indisexclusion) and a.attname is distinct from 'tenant_id'
   and format('%I.%I', n.nspname, i.relname) not in (select name from exceptions)";

const OTHER_INDEXES: &str = "
select format('index %I.%I of %s %s', n.nspname, i.relname, x.indrelid::regclass,
              case when x.indisvalid then 'does not begin with tenant_id' else 'is not valid' end)
  from pg_index x
  join pg_class i on i.oid = x.indexrelid
  join ours n on n.oid = i.relnamespace
  left join pg_attribute a on a.attrelid = x.indrelid and a.attnum = x.indkey[0]
 where not x.indisvalid
    or not x.indisunique and not x.indisexclusion and a.attname is distinct from 'tenant_id'
       and format('%I.%I', n.nspname, i.relname) not in (select name from exceptions)";

/// Checks of foreign keys bypass row security. A key that references `ledger.tenants` would also
/// wait for the row that every append locks.
const FOREIGN_KEYS: &str = "
select format('foreign key %I of %s %s', k.conname, k.conrelid::regclass,
              case when k.confrelid = to_regclass('ledger.tenants')
                   then 'points at the locked row of ledger.tenants'
                   else 'does not begin with tenant_id on both sides' end)
  from pg_constraint k
  join ours n on n.oid = k.connamespace
  join pg_attribute a on a.attrelid = k.conrelid and a.attnum = k.conkey[1]
  join pg_attribute b on b.attrelid = k.confrelid and b.attnum = k.confkey[1]
 where k.contype = 'f'
   and (k.confrelid = to_regclass('ledger.tenants') or a.attname <> 'tenant_id' or b.attname <> 'tenant_id')";

const COLUMN_TYPES: &str = "
select format('column %I.%I.%I is %s: %s', n.nspname, c.relname, a.attname, format_type(a.atttypid, null),
              case when a.atttypid = 'jsonb'::regtype then 'it does not keep the bytes that were hashed'
                   when a.atttypid in ('timestamp'::regtype, 'time'::regtype) then 'it names no moment'
                   else 'it does not count exactly' end)
  from pg_attribute a
  join pg_class c on c.oid = a.attrelid
  join ours n on n.oid = c.relnamespace
 where c.relkind in ('r', 'p') and a.attnum > 0 and not a.attisdropped
   and a.atttypid in ('jsonb'::regtype, 'float4'::regtype, 'float8'::regtype, 'money'::regtype,
                      'timestamp'::regtype, 'time'::regtype)
   and format('%I.%I', n.nspname, c.relname) not in (select name from exceptions)";

const DEFINER_FUNCTIONS: &str = "
select format('function %s runs with its owner''s rights and %s', p.oid::regprocedure, f.fault)
  from pg_proc p
  join ours n on n.oid = p.pronamespace
  join pg_roles o on o.oid = p.proowner
 cross join lateral (values
         ('is not listed', format('%I.%I', n.nspname, p.proname) not in (select name from exceptions)),
         ('has no fixed search_path',
          not coalesce('search_path=pg_catalog, pg_temp' = any (p.proconfig), false)),
         ('may be executed by everybody', has_function_privilege('public', p.oid, 'execute')),
         ('its owner passes row security by', o.rolsuper or o.rolbypassrls)
       ) as f (fault, is_found)
 where p.prosecdef and f.is_found";

/// All policies depend on this function.
const TENANT_IN_FORCE: &str = "
select format('ledger.tenant_in_force() is not what policies rest on: %s',
              coalesce(pg_get_function_sqlbody(to_regprocedure('ledger.tenant_in_force()')), 'it is gone or of another language'))
 where pg_get_function_sqlbody(to_regprocedure('ledger.tenant_in_force()')) is distinct from
       'RETURN (NULLIF(current_setting(''ledger.tenant_id''::text, true), ''''::text))::uuid'";

const TRIGGERS_IN_FORCE: &str = "
select format('trigger %I on %s is not listed', t.tgname, t.tgrelid::regclass)
  from pg_trigger t
  join pg_class c on c.oid = t.tgrelid
  join ours n on n.oid = c.relnamespace
 where not t.tgisinternal
   and format('%I.%I.%I', n.nspname, c.relname, t.tgname) not in (select name from exceptions)
 union all
select format('rule %I on %s rewrites statements', r.rulename, r.ev_class::regclass)
  from pg_rewrite r
  join pg_class c on c.oid = r.ev_class
  join ours n on n.oid = c.relnamespace
 where r.rulename <> '_RETURN'
 union all
select format('event trigger %I', evtname) from pg_event_trigger";

/// The trigger runs before each statement (58: statement, before, delete, update, truncate), also
/// in replica sessions.
const IMMUTABILITY: &str = "
select format('the log can be changed: trigger immutable on %s is %s', l.name,
         case when t.tgname is null then 'gone'
              when t.tgenabled <> 'A' then 'not enabled always'
              when t.tgqual is not null then 'conditional'
              else 'not before each update, delete and truncate' end)
  from (values ('ledger.events')) as l (name)
  left join pg_trigger t on t.tgrelid = to_regclass(l.name) and t.tgname = 'immutable'
 where t.tgname is null or t.tgenabled <> 'A' or t.tgtype <> 58 or t.tgqual is not null
    or t.tgfoid <> to_regprocedure('ledger.refuse_change()')
 union all
select 'the log can be changed: ledger.refuse_change() refuses nothing'
 where not exists (select from pg_proc
                    where oid = to_regprocedure('ledger.refuse_change()')
                      and prosrc ~ '^\\s*begin\\s+raise exception')";

const COMMENTS: &str = "
select format('%s has no comment', o.name)
  from (select format('schema %I', nspname), obj_description(oid, 'pg_namespace') from ours
         union all
        select format('%I.%I', n.nspname, c.relname), obj_description(c.oid, 'pg_class')
          from pg_class c join ours n on n.oid = c.relnamespace
         where c.relkind in ('r', 'p', 'v')
           and format('%I.%I', n.nspname, c.relname) not in (select name from exceptions)
         union all
        select format('column %I.%I.%I', n.nspname, c.relname, a.attname), col_description(c.oid, a.attnum)
          from pg_attribute a
          join pg_class c on c.oid = a.attrelid
          join ours n on n.oid = c.relnamespace
         where c.relkind in ('r', 'p') and a.attnum > 0 and not a.attisdropped
           and format('%I.%I', n.nspname, c.relname) not in (select name from exceptions)
         union all
        select p.oid::regprocedure::text, obj_description(p.oid, 'pg_proc')
          from pg_proc p join ours n on n.oid = p.pronamespace) as o (name, comment)
 where o.comment is null or o.comment = ''";

const ROLE_POWERS: &str = "
select format('role %I %s', r.rolname, f.fault)
  from pg_roles r
 cross join lateral (values
         ('is a superuser', r.rolsuper),
         ('passes row security by', r.rolbypassrls),
         ('can log in', r.rolcanlogin),
         ('can make roles', r.rolcreaterole),
         ('can make databases', r.rolcreatedb),
         ('can replicate', r.rolreplication),
         ('is not listed', r.rolname not in (select name from exceptions))
       ) as f (fault, is_found)
 where r.rolname ~ '^ledger_' and f.is_found
 union all
select format('role %s is not there', name) from exceptions where name not in (select rolname from pg_roles)";

/// Login roles may be members of the roles of this product, which are members of no role
/// themselves.
const MEMBERSHIPS: &str = "
select format('role %s is a member of %s', m.member::regrole, m.roleid::regrole)
  from pg_auth_members m
 where pg_get_userbyid(m.member) in (select name from exceptions)
 union all
select format('%s may let others be %s', m.member::regrole, m.roleid::regrole)
  from pg_auth_members m
  join pg_roles r on r.oid = m.member
 where pg_get_userbyid(m.roleid) in (select name from exceptions) and m.admin_option and not r.rolsuper";

const ROLE_SETTINGS: &str = "
select format('role %s has a setting of its own: %s', s.setrole::regrole, array_to_string(s.setconfig, ', '))
  from pg_db_role_setting s
 where pg_get_userbyid(s.setrole) in (select name from exceptions)
   and s.setdatabase in (0, (select oid from pg_database where datname = current_database()))";

const DEFAULT_PRIVILEGES: &str = "
select format('what %s makes %s is open to others before anybody grants it: %s', d.defaclrole::regrole,
              coalesce('in ' || d.defaclnamespace::regnamespace::text, 'anywhere'), d.defaclacl)
  from pg_default_acl d
 where d.defaclnamespace = 0 or d.defaclnamespace in (select oid from ours)";

const ADDITIONS: &str = "
select format('extension %I is not listed', extname) from pg_extension
 where extname not in (select name from exceptions)
 union all
select format('publication %I sends rows away', pubname) from pg_publication";
