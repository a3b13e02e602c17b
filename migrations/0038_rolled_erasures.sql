-- An epoch counts as rolled once its key file is destroyed; see docs/decisions/0051-erasure-process.md. After 0034,
-- which adds the column that this reads.
set role ledger_owner;

create or replace function vault.rolled_erasures(p_tenant_id uuid, p_erasures uuid[])
  returns table (erasure_id uuid, destroyed int, current int)
  language sql stable
  set search_path = pg_catalog, pg_temp
as $body$
  select f.erasure_id, max(k.epoch), (select max(e.epoch) from vault.epochs e where e.tenant_id = p_tenant_id and e.state = 'live')
    from vault.fences f
    join vault.subject_keys k
      on k.tenant_id = f.tenant_id and k.subject_id = f.subject_id and k.generation <= f.generation
   where f.tenant_id = p_tenant_id and f.erasure_id = any (p_erasures)
   group by f.erasure_id
  having not exists (select from vault.epochs e
                      where e.tenant_id = p_tenant_id and e.epoch <= max(k.epoch) and e.destroyed_at is null)
$body$;
comment on function vault.rolled_erasures is
  'The erasures of a tenant of which every epoch that wrapped a destroyed key has no key file any more, with the newest such epoch and the live one.';

reset role;
