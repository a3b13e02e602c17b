-- Fences of erased subjects, and the destruction of their keys; see docs/decisions/0050-fence.md.
set role ledger_owner;

create table vault.fences (
  tenant_id    uuid        not null,
  subject_id   uuid        not null,
  erasure_id   uuid        not null,
  generation   int         not null,
  placed_at    timestamptz not null,
  destroyed_at timestamptz,
  primary key (tenant_id, subject_id)
);
create index fences_by_erasure on vault.fences (tenant_id, erasure_id);
create index fences_by_time    on vault.fences (placed_at);
comment on table  vault.fences              is 'Subjects of erasures: no key of such a subject seals or opens anything, and none is made.';
comment on column vault.fences.tenant_id    is 'The tenant.';
comment on column vault.fences.subject_id   is 'The subject.';
comment on column vault.fences.erasure_id   is 'The erasure that placed the fence.';
comment on column vault.fences.generation   is 'The newest generation of the key at that time. This generation and those before it never return.';
comment on column vault.fences.placed_at    is 'Clock of the database, which servers compare when they look for new fences.';
comment on column vault.fences.destroyed_at is 'Clock of the database at the destruction of the keys; null before.';

alter table vault.fences enable row level security;
alter table vault.fences force  row level security;
create policy owner_all  on vault.fences to ledger_owner using (true) with check (true);
create policy app_tenant on vault.fences to ledger_app using (tenant_id = (select ledger.tenant_in_force()));
grant select on vault.fences to ledger_app;

create function vault.keep_fence() returns trigger
  language plpgsql security definer
  set search_path = pg_catalog, pg_temp
as $body$
begin
  if tg_op = 'UPDATE' and old.state = 'destroyed' and new.state <> 'destroyed' then
    raise exception 'a destroyed key does not return' using errcode = 'LG005';
  end if;
  if new.state in ('active', 'restricted')
     and exists (select from vault.fences f
                  where f.tenant_id = new.tenant_id and f.subject_id = new.subject_id
                    and f.generation >= new.generation) then
    raise exception 'the subject is fenced' using errcode = 'LG005';
  end if;
  return new;
end
$body$;
comment on function vault.keep_fence is 'Refuses a usable key of a fenced generation, and a change of a destroyed key. Security definer: it reads the fences of the row''s tenant for whoever writes the key.';
create trigger keep_fence before insert or update on vault.subject_keys
  for each row execute function vault.keep_fence();

create function vault.place_fence(p_tenant_id uuid, p_erasure_id uuid, p_subjects uuid[]) returns text
  language plpgsql volatile security definer
  set search_path = pg_catalog, pg_temp
as $body$
begin
  if p_tenant_id is distinct from ledger.tenant_in_force() then
    raise exception 'a transaction fences subjects of its own tenant only' using errcode = 'LG003';
  end if;
  if exists (select from unnest(p_subjects) as s (subject_id)
              where not exists (select from vault.subject_keys k
                                 where k.tenant_id = p_tenant_id and k.subject_id = s.subject_id)) then
    return 'unknown';
  end if;
  if exists (select from vault.fences f
              where f.tenant_id = p_tenant_id and f.subject_id = any (p_subjects)
                and f.erasure_id <> p_erasure_id) then
    return 'other';
  end if;
  insert into vault.fences (tenant_id, subject_id, erasure_id, generation, placed_at)
  select k.tenant_id, k.subject_id, p_erasure_id, max(k.generation), clock_timestamp()
    from vault.subject_keys k
   where k.tenant_id = p_tenant_id and k.subject_id = any (p_subjects)
   group by k.tenant_id, k.subject_id
      on conflict do nothing;
  update vault.subject_keys k set state = 'fenced'
   where k.tenant_id = p_tenant_id and k.subject_id = any (p_subjects)
     and k.state in ('active', 'restricted');
  return 'placed';
end
$body$;
comment on function vault.place_fence is
  'Fences subjects for an erasure; a repetition changes nothing. Answers placed, unknown for a subject without a key, or other for a subject of another erasure, and then changes nothing. Security definer: the application has no right to change keys.';

create function vault.lift_fence(p_tenant_id uuid, p_erasure_id uuid) returns boolean
  language plpgsql volatile security definer
  set search_path = pg_catalog, pg_temp
as $body$
declare
  v_subjects uuid[];
begin
  if p_tenant_id is distinct from ledger.tenant_in_force() then
    raise exception 'a transaction frees subjects of its own tenant only' using errcode = 'LG003';
  end if;
  if exists (select from vault.fences f
              where f.tenant_id = p_tenant_id and f.erasure_id = p_erasure_id
                and f.destroyed_at is not null) then
    return false;
  end if;
  with lifted as (
    delete from vault.fences f
     where f.tenant_id = p_tenant_id and f.erasure_id = p_erasure_id
    returning f.subject_id
  )
  select array_agg(subject_id) into v_subjects from lifted;
  update vault.subject_keys k set state = 'restricted'
   where k.tenant_id = p_tenant_id and k.subject_id = any (v_subjects) and k.state = 'fenced';
  return true;
end
$body$;
comment on function vault.lift_fence is
  'Ends the fence of an erasure that a legal hold came before: its keys are restricted. False, without a change, once keys are destroyed. Security definer as place_fence.';

create function vault.destroy_keys(p_tenant_id uuid, p_erasure_id uuid) returns bigint
  language plpgsql volatile security definer
  set search_path = pg_catalog, pg_temp
as $body$
begin
  if p_tenant_id is distinct from ledger.tenant_in_force() then
    raise exception 'a transaction destroys keys of its own tenant only' using errcode = 'LG003';
  end if;
  update vault.subject_keys k set state = 'destroyed', wrapped = null
    from vault.fences f
   where f.tenant_id = p_tenant_id and f.erasure_id = p_erasure_id
     and k.tenant_id = p_tenant_id and k.subject_id = f.subject_id
     and k.generation <= f.generation and k.state = 'fenced';
  update vault.fences f set destroyed_at = clock_timestamp()
   where f.tenant_id = p_tenant_id and f.erasure_id = p_erasure_id and f.destroyed_at is null;
  return (select count(*)
            from vault.fences f
            join vault.subject_keys k
              on k.tenant_id = p_tenant_id and k.subject_id = f.subject_id and k.generation <= f.generation
           where f.tenant_id = p_tenant_id and f.erasure_id = p_erasure_id and k.state = 'destroyed');
end
$body$;
comment on function vault.destroy_keys is
  'Destroys the fenced keys of an erasure; returns how many of its keys are destroyed, also by an earlier call. 0 without a fence. Security definer as place_fence.';

create function vault.recent_fences()
  returns table (tenant_id uuid, subject_id uuid, generation int)
  language sql stable security definer
  set search_path = pg_catalog, pg_temp
as $body$
  select f.tenant_id, f.subject_id, f.generation
    from vault.fences f
   where f.placed_at > clock_timestamp() - interval '2 minutes'
$body$;
comment on function vault.recent_fences is
  'Fences of every tenant that were placed within two minutes, which is longer than a server keeps a key. Security definer: a server keeps keys of many tenants. Answers with ids only.';

revoke all on function vault.keep_fence, vault.place_fence, vault.lift_fence, vault.destroy_keys, vault.recent_fences from public;
grant execute on function vault.place_fence, vault.lift_fence, vault.destroy_keys, vault.recent_fences to ledger_app;

reset role;
