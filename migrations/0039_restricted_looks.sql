-- Looks of servers find restrictions too, and an epoch counts as rolled once its key file is destroyed; see
-- docs/decisions/0051-erasure-process.md. After 0034, which makes the functions and columns that this changes.
set role ledger_owner;

create or replace function vault.look(p_process_id uuid, p_applied_at timestamptz)
  returns table (part text, at timestamptz, tenant_id uuid, subject_id uuid, number int)
  language plpgsql volatile security definer
  set search_path = pg_catalog, pg_temp
as $body$
#variable_conflict use_column
declare
  -- Before the statements below, which see what was committed before them.
  v_now timestamptz := clock_timestamp();
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    raise exception 'the vault needs read committed' using errcode = 'LG002';
  end if;
  update vault.processes p set seen_at = v_now, applied_at = p_applied_at where p.process_id = p_process_id;
  if not found then
    -- A process is known durably before it uses a cached key.
    perform set_config('synchronous_commit', 'on', true);
    insert into vault.processes (process_id, seen_at, applied_at) values (p_process_id, v_now, p_applied_at);
    delete from vault.processes p
     where p.process_id in (select o.process_id from vault.processes o
                             where o.seen_at < v_now - interval '1 hour' for update skip locked);
  end if;
  return query select 'now', v_now, null::uuid, null::uuid, null::int;
  return query
    select 'fence', f.placed_at, f.tenant_id, f.subject_id, f.generation
      from vault.fences f
     where f.placed_at > v_now - interval '2 minutes';
  -- A cached key of a restricted or freed subject is not used either.
  return query
    select 'fence', max(r.changed_at), k.tenant_id, k.subject_id, max(k.generation)
      from vault.restrictions r
      join vault.subject_keys k on k.tenant_id = r.tenant_id and k.subject_id = r.subject_id
     where r.changed_at > v_now - interval '2 minutes'
     group by k.tenant_id, k.subject_id;
  return query
    select 'epoch', e.changed_at, e.tenant_id, null::uuid, e.epoch
      from vault.epochs e
     where e.changed_at > v_now - interval '2 minutes';
end
$body$;
comment on function vault.look is
  'Registers the process, and answers with the time, and the fences, restrictions and changes of epochs of two minutes, which is longer than a server keeps a key, of every tenant. p_applied_at is the time of the last answer that the process has applied. Security definer: a server keeps keys of many tenants. Answers with ids only.';

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
