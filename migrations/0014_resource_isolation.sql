-- Which of some tenants can append now, for an append that did not get all its locks in time; see
-- docs/decisions/0022-resource-isolation.md.
set role ledger_owner;

create function ledger.free_tenants(p_tenants uuid[]) returns setof uuid
  language sql volatile security definer
  set search_path = pg_catalog, pg_temp
as $body$
  select t.tenant_id from ledger.tenants t
   where t.tenant_id = any (p_tenants)
     for no key update skip locked
$body$;
comment on function ledger.free_tenants is
  'Of these tenants, those whose order lock nobody else holds at this moment.';
revoke all on function ledger.free_tenants from public;
grant execute on function ledger.free_tenants to ledger_app;

reset role;
