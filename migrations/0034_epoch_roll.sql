-- Rolls of epochs: processes that may use cached keys, changes of epochs, and the epoch of each blind index; see
-- docs/decisions/0054-epoch-roll.md.
set role ledger_owner;

create table vault.processes (
  process_id uuid        primary key,
  seen_at    timestamptz not null,
  applied_at timestamptz
);
comment on table  vault.processes            is 'Processes that look for fences and changes of epochs. A fence and a roll wait until each one has looked.';
comment on column vault.processes.process_id is 'Random, of one run of a process.';
comment on column vault.processes.seen_at    is 'Begin of the last look, clock of the database. Cached keys are used for five seconds after it.';
comment on column vault.processes.applied_at is 'Begin of the last look whose result was applied; null before the first one.';

alter table vault.epochs add column changed_at   timestamptz not null default '1970-01-01 00:00:00+00';
alter table vault.epochs alter column changed_at set default clock_timestamp();
alter table vault.epochs add column destroyed_at timestamptz;
create index epochs_by_change on vault.epochs (changed_at);
comment on column vault.epochs.changed_at   is 'Last change of the state, clock of the database: servers read the epochs again.';
comment on column vault.epochs.destroyed_at is 'When the key file was destroyed, clock of the database; null before.';

drop function vault.recent_fences();

create function vault.look(p_process_id uuid, p_applied_at timestamptz)
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
     where f.placed_at > v_now - interval '2 minutes'
     union all
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

create function vault.processes_behind(p_since timestamptz) returns bigint
  language sql volatile security definer
  set search_path = pg_catalog, pg_temp
as $body$
  select count(*)
    from vault.processes p
   where p.seen_at > clock_timestamp() - interval '6 seconds'
     and (p.applied_at is null or p.applied_at <= p_since)
$body$;
comment on function vault.processes_behind is
  'Number of processes that may use what they cached before a time: seen within six seconds, and without a later look that was applied. Security definer: the application has no right to the list.';

-- The epochs of names.
alter table vault.contacts        add column name_epoch int not null default 1;
alter table vault.contact_handles add column name_epoch int not null default 1;
alter table vault.contact_names   add column epoch      int not null default 1;
comment on column vault.contacts.name_epoch        is 'The epoch of the index of the name.';
comment on column vault.contact_handles.name_epoch is 'The epoch of the index of the name; without meaning if that is empty.';
comment on column vault.contact_names.epoch        is 'The epoch of the token.';
grant update (name_epoch) on vault.contacts to ledger_app;

-- Look-ups with the indexes of two epochs.

create function vault.find_people(
  p_tenants       uuid[],
  p_epochs        int[],
  p_handle_tenant int[],
  p_kind          text[],
  p_blind_index   bytea[],
  p_old_index     bytea[],
  p_name_index    bytea[],
  p_old_name      bytea[],
  p_call_tenant   int[],
  p_call_index    bytea[],
  p_old_call      bytea[],
  p_stream_id     uuid[],
  p_max_contacts  bigint
) returns table (part text, nth bigint, handle_id uuid, holder_id uuid, contact_id uuid, name_index bytea,
                 kinds text[], own_id uuid, first_id uuid, merged_into uuid,
                 survivor_name bytea, name_epoch int, survivor_epoch int)
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

  -- A tenant whose epoch is being replaced is resolved with the keys of both, which the caller reads again.
  select array_agg(t.is_locked
                   and exists (select from vault.epochs e
                                where e.tenant_id = p_tenants[t.nth] and e.epoch = p_epochs[t.nth]
                                  and e.state = 'live') order by t.nth)
    into v_locked
    from unnest(v_locked) with ordinality t (is_locked, nth);

  return query
    select 'busy', t.nth, null::uuid, null::uuid, null::uuid, null::bytea, null::text[], null::uuid, null::uuid, null::uuid,
           null::bytea, null::int, null::int
      from unnest(v_locked) with ordinality t (is_locked, nth)
     where not t.is_locked;

  -- One index look-up per handle and call: without statistics the planner would read all rows of a
  -- tenant. For the same reason an index of the epoch that is being replaced is looked up apart.
  return query
    select 'handle', w.nth, h.handle_id, o.contact_id, c.contact_id, c.name_index, c.kinds, null::uuid, null::uuid,
           c.merged_into, c.survivor_name, c.name_epoch, c.survivor_epoch
      from unnest(p_handle_tenant, p_kind, p_blind_index, p_old_index, p_name_index, p_old_name) with ordinality
        as w (tenant, kind, blind_index, old_index, name_index, old_name, nth)
     cross join lateral (
        select handle_id from vault.handles
         where tenant_id = p_tenants[w.tenant] and kind = w.kind and blind_index = w.blind_index
         union all
        select handle_id from vault.handles
         where tenant_id = p_tenants[w.tenant] and kind = w.kind and blind_index = w.old_index
           and w.old_index <> w.blind_index
        offset 0) h
      left join lateral (
        select x.contact_id from vault.contact_handles x
         where x.tenant_id = p_tenants[w.tenant] and x.handle_id = h.handle_id
           and x.name_index = w.name_index and x.name_index <> ''
         union all
        select x.contact_id from vault.contact_handles x
         where x.tenant_id = p_tenants[w.tenant] and x.handle_id = h.handle_id
           and x.name_index = w.old_name and x.name_index <> '' and w.old_name <> w.name_index
        offset 0) o on true
      left join lateral (
        select k.contact_id, k.name_index, k.created_at, k.merged_into, r.name_index as survivor_name,
               k.name_epoch, r.name_epoch as survivor_epoch,
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
         order by coalesce(k.name_index in (w.name_index, w.old_name), false) desc, (k.name_index is null) desc,
                  k.created_at, k.contact_id
         limit p_max_contacts) c on true
     order by c.created_at, c.contact_id;

  return query
    select 'call', w.nth, null::uuid, null::uuid, null::uuid, null::bytea, null::text[], s.subject_id, e.subject_id, null::uuid,
           null::bytea, null::int, null::int
      from unnest(p_call_tenant, p_call_index, p_old_call, p_stream_id) with ordinality
        as w (tenant, blind_index, old_index, stream_id, nth)
      left join lateral (
        select subject_id from vault.call_subjects
         where tenant_id = p_tenants[w.tenant] and blind_index = w.blind_index
         union all
        select subject_id from vault.call_subjects
         where tenant_id = p_tenants[w.tenant] and blind_index = w.old_index and w.old_index <> w.blind_index
        offset 0) s on true
      left join lateral (
        select v.subjects[1] as subject_id
          from ledger.events v
         where v.tenant_id = p_tenants[w.tenant] and v.stream_id = w.stream_id and v.subjects[1] is not null
         order by v.stream_version
         limit 1) e on true;
end
$body$;
comment on function vault.find_people is
  'find_persons with the indexes of a live epoch and of one that is being replaced; without one, both are the same. A tenant with another live epoch than the caller states is answered as busy. Security definer over every tenant: only the vault calls it.';

-- Rows state their epoch, and are refused under one that is not live, whatever build writes them.
create or replace function vault.add_subjects(
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
  p_fingerprint     bytea[]
) returns bigint
  language plpgsql volatile security definer
  set search_path = pg_catalog, pg_temp
as $body$
declare
  v_rows  bigint;
  v_added bigint := 0;
begin
  -- The caller has locked the vaults, so an epoch that is live here stays live to the end of the transaction.
  if exists (select from unnest(p_tenants, p_epochs) as t (tenant_id, epoch)
              where not exists (select from vault.epochs e
                                 where e.tenant_id = t.tenant_id and e.epoch = t.epoch and e.state = 'live')) then
    raise exception 'the epoch is not live' using errcode = 'LG006';
  end if;
  if cardinality(p_handle_id) > 0 then
    insert into vault.handles (tenant_id, handle_id, kind, blind_index, epoch, created_at)
    select p_tenants[n.tenant], n.handle_id, n.kind, n.blind_index, p_epochs[n.tenant], p_now
      from unnest(p_handle_tenant, p_handle_id, p_kind, p_blind_index) as n (tenant, handle_id, kind, blind_index)
        on conflict do nothing;
    get diagnostics v_rows = row_count;
    v_added := v_added + v_rows;
  end if;

  if cardinality(p_contact_id) > 0 then
    insert into vault.contacts (tenant_id, contact_id, name_index, name_epoch, possible_duplicate_of, created_at)
    select p_tenants[n.tenant], n.contact_id, n.name_index, p_epochs[n.tenant], n.duplicate_of, p_now
      from unnest(p_contact_tenant, p_contact_id, p_contact_name, p_duplicate_of)
        as n (tenant, contact_id, name_index, duplicate_of);
  end if;

  if cardinality(p_held_handle) > 0 then
    insert into vault.contact_handles (tenant_id, handle_id, contact_id, name_index, name_epoch, since)
    select p_tenants[n.tenant], n.handle_id, n.contact_id, n.name_index, p_epochs[n.tenant], p_now
      from unnest(p_holding_tenant, p_held_handle, p_holder, p_held_name)
        as n (tenant, handle_id, contact_id, name_index)
        on conflict do nothing;
    get diagnostics v_rows = row_count;
    v_added := v_added + v_rows;
  end if;

  if cardinality(p_named_contact) > 0 then
    update vault.contacts c set name_index = n.name_index, name_epoch = p_epochs[n.tenant]
      from unnest(p_named_tenant, p_named_contact, p_first_name) as n (tenant, contact_id, name_index)
     where c.tenant_id = p_tenants[n.tenant] and c.contact_id = n.contact_id and c.name_index is null;
    get diagnostics v_rows = row_count;
    v_added := v_added + v_rows;
  end if;

  if cardinality(p_call_subject) > 0 then
    insert into vault.call_subjects (tenant_id, blind_index, subject_id, epoch, created_at)
    select p_tenants[n.tenant], n.blind_index, n.subject_id, p_epochs[n.tenant], p_now
      from unnest(p_call_tenant, p_call_index, p_call_subject) as n (tenant, blind_index, subject_id)
        on conflict do nothing;
    get diagnostics v_rows = row_count;
    v_added := v_added + v_rows;
  end if;

  if cardinality(p_key_subject) > 0 then
    insert into vault.subject_keys (tenant_id, subject_id, generation, epoch, wrapped, fingerprint, created_at)
    select p_tenants[n.tenant], n.subject_id, 1, p_epochs[n.tenant], n.wrapped, n.fingerprint, p_now
      from unnest(p_key_tenant, p_key_subject, p_wrapped, p_fingerprint)
        as n (tenant, subject_id, wrapped, fingerprint);
  end if;
  return v_added;
end
$body$;

create or replace function vault.add_persons(
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
    insert into vault.contact_names (tenant_id, token, contact_id, epoch)
    select p_tenants[n.tenant], n.word, n.contact_id, p_epochs[n.tenant]
      from unnest(p_word_tenant, p_word_contact, p_word) as n (tenant, contact_id, word)
        on conflict do nothing;
  end if;
  return v_added + v_ended;
end
$body$;

revoke all on function vault.look, vault.processes_behind, vault.find_people from public;
grant execute on function vault.look, vault.processes_behind, vault.find_people to ledger_app;

reset role;
