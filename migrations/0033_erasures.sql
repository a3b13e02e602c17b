-- The read model "erasures"; restrictions of subjects; fences that stop at their generation. See
-- docs/decisions/0051-erasure-process.md.
set role ledger_owner;

create schema erasures_v1;
comment on schema erasures_v1 is 'A version of the read model "erasures".';
grant usage on schema erasures_v1 to ledger_app, ledger_projector;

create table erasures_v1.erasures (
  tenant_id          uuid not null,
  erasure_id         uuid not null,
  stream_id          uuid not null,
  subject_id         uuid not null,
  state              text not null,
  step               text,
  ground             text not null,
  requester          text not null,
  identity           text not null,
  received_at        timestamptz not null,
  requested_at       timestamptz not null,
  due_at             timestamptz not null,
  is_extended        boolean not null,
  refusal            text,
  rule               text,
  hold_id            uuid,
  retained_until     timestamptz,
  subjects           bigint,
  keys               bigint,
  events             bigint,
  ambiguous_calls    bigint,
  recipients         bigint,
  manifest_digest    text,
  findings           bigint,
  live_digest        text,
  final_digest       text,
  steps              jsonb not null,
  requested_position bigint not null,
  position           bigint not null,
  primary key (tenant_id, erasure_id)
);
create index erasures_newest     on erasures_v1.erasures (tenant_id, requested_position desc);
create index erasures_by_state   on erasures_v1.erasures (tenant_id, state, requested_position desc);
create index erasures_by_subject on erasures_v1.erasures (tenant_id, subject_id, requested_position desc);
create index erasures_by_stream  on erasures_v1.erasures (tenant_id, stream_id);
create index erasures_by_due     on erasures_v1.erasures (tenant_id, due_at, erasure_id) where state in ('requested', 'deferred', 'fenced', 'destroyed');
comment on table  erasures_v1.erasures is 'One row per erasure: what its events come to.';
comment on column erasures_v1.erasures.tenant_id is 'The tenant of the erasure.';
comment on column erasures_v1.erasures.erasure_id is 'Id of the erasure.';
comment on column erasures_v1.erasures.stream_id is 'The stream of the subject.';
comment on column erasures_v1.erasures.subject_id is 'The contact that is erased.';
comment on column erasures_v1.erasures.state is 'requested, refused, deferred, fenced, destroyed or final.';
comment on column erasures_v1.erasures.step is 'Last step that was carried out, after the erasure was allowed; null before the manifest.';
comment on column erasures_v1.erasures.ground is 'Ground of the request.';
comment on column erasures_v1.erasures.requester is 'The party that requested it, as a word.';
comment on column erasures_v1.erasures.identity is 'Check of the identity of that party.';
comment on column erasures_v1.erasures.received_at is 'Receipt of the request.';
comment on column erasures_v1.erasures.requested_at is 'Time at which the request was recorded.';
comment on column erasures_v1.erasures.due_at is 'End of the term.';
comment on column erasures_v1.erasures.is_extended is 'Whether the term was extended.';
comment on column erasures_v1.erasures.refusal is 'Reason of the refusal.';
comment on column erasures_v1.erasures.rule is 'Rule of the newest deferral.';
comment on column erasures_v1.erasures.hold_id is 'Legal hold of the newest deferral.';
comment on column erasures_v1.erasures.retained_until is 'End of the retention duty of the newest deferral.';
comment on column erasures_v1.erasures.subjects is 'Subjects of the manifest.';
comment on column erasures_v1.erasures.keys is 'Keys of the manifest.';
comment on column erasures_v1.erasures.events is 'Events with sections of these subjects.';
comment on column erasures_v1.erasures.ambiguous_calls is 'Calls of the manifest whose person is one of several candidates.';
comment on column erasures_v1.erasures.recipients is 'Recipients of the manifest.';
comment on column erasures_v1.erasures.manifest_digest is 'SHA-256 of the keys of the manifest.';
comment on column erasures_v1.erasures.findings is 'Findings of the newest verification.';
comment on column erasures_v1.erasures.live_digest is 'SHA-256 of the live certificate.';
comment on column erasures_v1.erasures.final_digest is 'SHA-256 of the final certificate.';
comment on column erasures_v1.erasures.steps is 'Time at which each step was recorded.';
comment on column erasures_v1.erasures.requested_position is 'Position of the request.';
comment on column erasures_v1.erasures.position is 'Position of the last event in it.';

select projection.secure('erasures_v1.erasures');

insert into projection.versions (tenant_id, projection, version, shape, state, indexed_at, promoted_at)
values ('00000000-0000-0000-0000-000000000000', 'erasures', 1, 1, 'active', clock_timestamp(), clock_timestamp());
select projection.show_version('erasures', 1);

create table vault.restrictions (
  tenant_id  uuid        not null,
  subject_id uuid        not null,
  changed_at timestamptz not null,
  primary key (tenant_id, subject_id)
);
create index restrictions_by_time on vault.restrictions (changed_at);
comment on table  vault.restrictions            is 'Subjects whose keys were restricted, or freed again: servers drop cached keys of these.';
comment on column vault.restrictions.tenant_id  is 'The tenant.';
comment on column vault.restrictions.subject_id is 'The subject.';
comment on column vault.restrictions.changed_at is 'Clock of the database at the last change.';

alter table vault.restrictions enable row level security;
alter table vault.restrictions force  row level security;
create policy owner_all  on vault.restrictions to ledger_owner using (true) with check (true);
create policy app_tenant on vault.restrictions to ledger_app using (tenant_id = (select ledger.tenant_in_force()));
grant select on vault.restrictions to ledger_app;

create function vault.restrict_keys(p_tenant_id uuid, p_subjects uuid[], p_is_restricted boolean) returns bigint
  language plpgsql volatile security definer
  set search_path = pg_catalog, pg_temp
as $body$
declare
  v_changed bigint;
begin
  if p_tenant_id is distinct from ledger.tenant_in_force() then
    raise exception 'a transaction restricts subjects of its own tenant only' using errcode = 'LG003';
  end if;
  with changed as (
    update vault.subject_keys k
       set state = case when p_is_restricted then 'restricted' else 'active' end
     where k.tenant_id = p_tenant_id and k.subject_id = any (p_subjects)
       and k.state = case when p_is_restricted then 'active' else 'restricted' end
    returning k.subject_id
  ), noted as (
    insert into vault.restrictions (tenant_id, subject_id, changed_at)
    select distinct p_tenant_id, c.subject_id, clock_timestamp() from changed c
        on conflict (tenant_id, subject_id) do update set changed_at = excluded.changed_at
  )
  select count(*) into v_changed from changed;
  return v_changed;
end
$body$;
comment on function vault.restrict_keys is
  'Restricts the usable keys of subjects, so that nothing new is sealed under them, or frees restricted ones; fenced and destroyed keys stay. Returns the number of changed keys. Security definer as place_fence.';

create or replace function vault.place_fence(p_tenant_id uuid, p_erasure_id uuid, p_subjects uuid[]) returns text
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
    from vault.fences f
   where f.tenant_id = p_tenant_id and f.erasure_id = p_erasure_id and f.subject_id = any (p_subjects)
     and k.tenant_id = p_tenant_id and k.subject_id = f.subject_id and k.generation <= f.generation
     and k.state in ('active', 'restricted');
  return 'placed';
end
$body$;
comment on function vault.place_fence is
  'Fences subjects for an erasure, up to the newest generation of their keys at the first call; a repetition changes nothing. Answers placed, unknown for a subject without a key, or other for a subject of another erasure, and then changes nothing. Security definer: the application has no right to change keys.';

create function vault.rolled_erasures(p_tenant_id uuid, p_erasures uuid[])
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
                      where e.tenant_id = p_tenant_id and e.epoch <= max(k.epoch) and e.state <> 'destroyed')
$body$;
comment on function vault.rolled_erasures is
  'The erasures of a tenant of which every epoch that wrapped a destroyed key is destroyed, with the newest such epoch and the live one.';

revoke all on function vault.restrict_keys, vault.rolled_erasures from public;
grant execute on function vault.restrict_keys, vault.rolled_erasures to ledger_app;

reset role;
