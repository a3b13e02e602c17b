-- Contacts as objects of the API: merges, names as keyed tokens, and the read model "contacts"; see
-- docs/decisions/0041-contacts.md.
set role ledger_owner;

alter table vault.contacts add column merged_into uuid;
create index contacts_by_survivor on vault.contacts (tenant_id, merged_into) where merged_into is not null;
comment on column vault.contacts.merged_into is 'The contact that this one was merged into. Never one that was merged itself.';
comment on column vault.contacts.name_index is 'HMAC of the normal form of the name, under the lookup key: the first one told, or the last one set by the API. Null until there is one.';
comment on column vault.contact_handles.since is 'Our clock, when it was first told, or added again.';

create table vault.contact_names (
  tenant_id  uuid  not null,
  token      bytea not null,
  contact_id uuid  not null,
  primary key (tenant_id, token, contact_id),
  constraint contact_names_contact foreign key (tenant_id, contact_id)
    references vault.contacts (tenant_id, contact_id) on delete cascade
);
create index contact_names_by_contact on vault.contact_names (tenant_id, contact_id);
comment on table  vault.contact_names            is 'The words of the names of contacts, to search by name without storing one. Rows end with the contact, and with its key.';
comment on column vault.contact_names.tenant_id  is 'The tenant.';
comment on column vault.contact_names.token      is 'HMAC of one word of the normal form, under the lookup key.';
comment on column vault.contact_names.contact_id is 'The contact with the word in its name.';
alter table vault.contact_names enable row level security;
alter table vault.contact_names force row level security;
create policy owner_all on vault.contact_names to ledger_owner using (true) with check (true);
create policy app_tenant on vault.contact_names to ledger_app using (tenant_id = (select ledger.tenant_in_force()));

grant select, insert, delete on vault.contact_names to ledger_app;
grant update (merged_into) on vault.contacts to ledger_app;
grant update (since, until) on vault.contact_handles to ledger_app;

-- A merge links two subjects whose keys stay separate.
grant insert on vault.links to ledger_app;
comment on table  vault.links            is 'Contacts that were merged, and until 0011 a call''s own subject and the person found later. Erasing the one that is linked to erases all that are linked.';
comment on column vault.links.subject_id is 'The merged contact, or a call''s own subject.';
comment on column vault.links.linked_to  is 'The survivor, or the person.';

create function vault.forget_names() returns trigger
  language plpgsql security definer
  set search_path = pg_catalog, pg_temp
as $body$
begin
  delete from vault.contact_names where tenant_id = new.tenant_id and contact_id = new.subject_id;
  return null;
end
$body$;
comment on function vault.forget_names is 'Deletes the words of a name when the key of the person is fenced or destroyed. Security definer: whoever ends a key needs no right to delete here.';
create trigger forget_names after update of state on vault.subject_keys
  for each row when (new.state in ('fenced', 'destroyed')) execute function vault.forget_names();

create function vault.find_persons(
  p_tenants       uuid[],
  p_handle_tenant int[],
  p_kind          text[],
  p_blind_index   bytea[],
  p_name_index    bytea[],
  p_call_tenant   int[],
  p_call_index    bytea[],
  p_stream_id     uuid[],
  p_max_contacts  bigint
) returns table (part text, nth bigint, handle_id uuid, holder_id uuid, contact_id uuid, name_index bytea,
                 kinds text[], own_id uuid, first_id uuid, merged_into uuid,
                 survivor_name bytea)
  language plpgsql volatile security definer
  set search_path = pg_catalog, pg_temp
as $body$
#variable_conflict use_column
declare
  v_locked boolean[];
begin
  -- The later statement must see what was committed before the locks were taken.
  if current_setting('transaction_isolation') <> 'read committed' then
    raise exception 'the vault needs read committed' using errcode = 'LG002';
  end if;
  -- Never waits, so that no tenant waits for another and no order of locks can deadlock.
  select array_agg(pg_try_advisory_xact_lock(hashtextextended('vault ' || t.tenant_id, 0)) order by t.nth)
    into v_locked
    from unnest(p_tenants) with ordinality t (tenant_id, nth);

  return query
    select 'busy', t.nth, null::uuid, null::uuid, null::uuid, null::bytea, null::text[], null::uuid, null::uuid, null::uuid,
           null::bytea
      from unnest(v_locked) with ordinality t (is_locked, nth)
     where not t.is_locked;

  -- One index look-up per handle and call: without statistics the planner would read all rows of a
  -- tenant.
  return query
    select 'handle', w.nth, h.handle_id, o.contact_id, c.contact_id, c.name_index, c.kinds, null::uuid, null::uuid,
           c.merged_into, c.survivor_name
      from unnest(p_handle_tenant, p_kind, p_blind_index, p_name_index) with ordinality
        as w (tenant, kind, blind_index, name_index, nth)
     cross join lateral (
        select handle_id from vault.handles
         where tenant_id = p_tenants[w.tenant] and kind = w.kind and blind_index = w.blind_index
        offset 0) h
      left join lateral (
        select x.contact_id from vault.contact_handles x
         where x.tenant_id = p_tenants[w.tenant] and x.handle_id = h.handle_id
           and x.name_index = w.name_index and x.name_index <> ''
        offset 0) o on true
      left join lateral (
        select k.contact_id, k.name_index, k.created_at, k.merged_into, r.name_index as survivor_name,
               array(select distinct o.kind
                       from vault.contact_handles x
                       join vault.handles o
                         on o.tenant_id = x.tenant_id and o.handle_id = x.handle_id
                      where x.tenant_id = p_tenants[w.tenant] and x.contact_id = k.contact_id
                         and x.until is null) as kinds
          from vault.contacts k
          left join vault.contacts r on r.tenant_id = k.tenant_id and r.contact_id = k.merged_into
         where k.tenant_id = p_tenants[w.tenant]
           and k.contact_id in (select x.contact_id from vault.contact_handles x
                                 where x.tenant_id = p_tenants[w.tenant] and x.handle_id = h.handle_id
                                   and x.until is null)
         order by (k.name_index = w.name_index) desc nulls last, (k.name_index is null) desc,
                  k.created_at, k.contact_id
         limit p_max_contacts) c on true
     order by c.created_at, c.contact_id;

  return query
    select 'call', w.nth, null::uuid, null::uuid, null::uuid, null::bytea, null::text[], s.subject_id, e.subject_id, null::uuid,
           null::bytea
      from unnest(p_call_tenant, p_call_index, p_stream_id) with ordinality
        as w (tenant, blind_index, stream_id, nth)
      left join lateral (
        select subject_id from vault.call_subjects
         where tenant_id = p_tenants[w.tenant] and blind_index = w.blind_index
        offset 0) s on true
      left join lateral (
        select v.subjects[1] as subject_id
          from ledger.events v
         where v.tenant_id = p_tenants[w.tenant] and v.stream_id = w.stream_id and v.subjects[1] is not null
         order by v.stream_version
         limit 1) e on true;
end
$body$;
comment on function vault.find_persons is
  'find_subjects with the survivor of each contact that was merged. The previous release calls find_subjects. Security definer over every tenant: only the vault calls it.';

create function vault.add_persons(
  p_tenants         uuid[],
  p_epochs          int[],
  p_now             timestamptz,
  p_handle_tenant   int[],
  p_handle_id       uuid[],
  p_kind            text[],
  p_blind_index     bytea[],
  p_contact_tenant  int[],
  p_contact_id      uuid[],
  p_contact_name    bytea[],
  p_duplicate_of    uuid[],
  p_holding_tenant  int[],
  p_held_handle     uuid[],
  p_holder          uuid[],
  p_held_name       bytea[],
  p_named_tenant    int[],
  p_named_contact   uuid[],
  p_first_name      bytea[],
  p_call_tenant     int[],
  p_call_index      bytea[],
  p_call_subject    uuid[],
  p_key_tenant      int[],
  p_key_subject     uuid[],
  p_wrapped         bytea[],
  p_fingerprint     bytea[],
  p_word_tenant     int[],
  p_word_contact    uuid[],
  p_word            bytea[]
) returns bigint
  language plpgsql volatile security definer
  set search_path = pg_catalog, pg_temp
as $body$
declare
  v_added   bigint;
  v_ended   bigint := 0;
  v_tenant  int[]   := p_holding_tenant;
  v_handle  uuid[]  := p_held_handle;
  v_holder  uuid[]  := p_holder;
  v_name    bytea[] := p_held_name;
begin
  -- A handle that a user has ended stays ended, whatever a message states.
  if cardinality(p_held_handle) > 0 then
    select coalesce(array_agg(n.tenant), '{}'), coalesce(array_agg(n.handle_id), '{}'),
           coalesce(array_agg(n.contact_id), '{}'), coalesce(array_agg(n.name_index), '{}')
      into v_tenant, v_handle, v_holder, v_name
      from unnest(p_holding_tenant, p_held_handle, p_holder, p_held_name)
        as n (tenant, handle_id, contact_id, name_index)
     where not exists (select from vault.contact_handles x
                        where x.tenant_id = p_tenants[n.tenant] and x.contact_id = n.contact_id
                          and x.handle_id = n.handle_id and x.until is not null);
    v_ended := cardinality(p_held_handle) - cardinality(v_handle);
  end if;
  v_added := vault.add_subjects(
    p_tenants, p_epochs, p_now, p_handle_tenant, p_handle_id, p_kind, p_blind_index, p_contact_tenant,
    p_contact_id, p_contact_name, p_duplicate_of, v_tenant, v_handle, v_holder,
    v_name, p_named_tenant, p_named_contact, p_first_name, p_call_tenant, p_call_index,
    p_call_subject, p_key_tenant, p_key_subject, p_wrapped, p_fingerprint);
  if cardinality(p_word) > 0 then
    insert into vault.contact_names (tenant_id, token, contact_id)
    select p_tenants[n.tenant], n.word, n.contact_id
      from unnest(p_word_tenant, p_word_contact, p_word) as n (tenant, contact_id, word)
        on conflict do nothing;
  end if;
  return v_added + v_ended;
end
$body$;
comment on function vault.add_persons is
  'add_subjects with the words of names, which are not counted, and with handles that ended, which are. The previous release calls add_subjects. Security definer over every tenant: only the vault calls it.';

revoke all on function vault.find_persons, vault.add_persons, vault.forget_names from public;
grant execute on function vault.find_persons, vault.add_persons to ledger_app;

-- Sums over the calls of each contact, in every version of the read model "calls". Migration 0026 has it folded again
-- from the log, which fills this table too.
do $$
declare
  v_schema text;
begin
  for v_schema in
    select nspname from pg_namespace where nspname ~ '^calls_v[0-9]+$' order by nspname
  loop
    execute format('create table %I.contact_calls (
                      tenant_id   uuid    not null,
                      contact_id  uuid    not null,
                      currency    text    not null,
                      calls       bigint  not null,
                      duration_ms numeric not null,
                      cost_nanos  numeric not null,
                      primary key (tenant_id, contact_id, currency))', v_schema);
    execute format($c$comment on table  %I.contact_calls is 'Sums over the calls of each contact, without test calls.'$c$, v_schema);
    execute format($c$comment on column %I.contact_calls.tenant_id is 'Tenant of the calls.'$c$, v_schema);
    execute format($c$comment on column %I.contact_calls.contact_id is 'The contact on the line.'$c$, v_schema);
    execute format($c$comment on column %I.contact_calls.currency is 'ISO 4217 code of the costs; empty for calls without a cost.'$c$, v_schema);
    execute format($c$comment on column %I.contact_calls.calls is 'Number of calls.'$c$, v_schema);
    execute format($c$comment on column %I.contact_calls.duration_ms is 'Sum of their durations, in milliseconds.'$c$, v_schema);
    execute format($c$comment on column %I.contact_calls.cost_nanos is 'Sum of their costs in 1e-9 of the currency.'$c$, v_schema);
    perform projection.secure(format('%I.contact_calls', v_schema)::regclass);
  end loop;
end
$$;
select projection.show_version('calls', version)
  from projection.versions
 where projection = 'calls' and state = 'active' and tenant_id = '00000000-0000-0000-0000-000000000000';

-- The read model "contacts": one row per contact that an event names.
create schema contacts_v1;
comment on schema contacts_v1 is 'A version of the read model "contacts".';
grant usage on schema contacts_v1 to ledger_app, ledger_projector;

create table contacts_v1.contacts (
  tenant_id     uuid not null,
  contact_id    uuid not null,
  merged_into   uuid,
  first_seen_at timestamptz not null,
  segment       text,
  priority      text,
  tags          text[] not null,
  claims        text not null,
  sections      bytea,
  position      bigint not null,
  updated_at    timestamptz not null,
  primary key (tenant_id, contact_id)
);
create index contacts_by_start    on contacts_v1.contacts (tenant_id, first_seen_at desc, contact_id desc);
create index contacts_by_survivor on contacts_v1.contacts (tenant_id, merged_into) where merged_into is not null;
create index contacts_by_segment  on contacts_v1.contacts (tenant_id, segment, first_seen_at desc, contact_id desc) where segment is not null;
comment on table  contacts_v1.contacts is 'One row per contact: what the events that name it come to.';
comment on column contacts_v1.contacts.tenant_id is 'The tenant of the contact.';
comment on column contacts_v1.contacts.contact_id is 'Id of the contact, and of its stream.';
comment on column contacts_v1.contacts.merged_into is 'The contact that it was merged into.';
comment on column contacts_v1.contacts.first_seen_at is 'Earliest time of an event that names it.';
comment on column contacts_v1.contacts.segment is 'Its segment.';
comment on column contacts_v1.contacts.priority is 'Its priority.';
comment on column contacts_v1.contacts.tags is 'Its tags, sorted.';
comment on column contacts_v1.contacts.claims is 'For each field the event that states it, and the custom fields in the clear, as JSON text. No sealed value.';
comment on column contacts_v1.contacts.sections is 'Sealed: copies of the sections that state its fields, packed as in the log.';
comment on column contacts_v1.contacts.position is 'Position of the last event in it.';
comment on column contacts_v1.contacts.updated_at is 'The log''s own time at its last change.';
select projection.secure('contacts_v1.contacts');

insert into projection.versions (tenant_id, projection, version, shape, state, indexed_at, promoted_at)
values ('00000000-0000-0000-0000-000000000000', 'contacts', 1, 1, 'active', clock_timestamp(), clock_timestamp());
select projection.show_version('contacts', 1);

reset role;
